// SPDX-License-Identifier: BSL-1.0
// What a container knows of its payload. Three tables: blocks make contents (byte strings, stored once
// however often they occur), contents fill the extents of members (the files that come back). Small contents
// may lie side by side in another one, a bundle, which is coded as one block.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <bigsmall/core/bytes.hpp>

namespace bigsmall::io {

using md5_digest = std::array<std::uint8_t, 16>;
using sha256_digest = std::array<std::uint8_t, 32>;

/// One coded block. The wire ids say how it was coded; to this layer they are only numbers.
struct block_entry {
    std::uint64_t stored_bytes = 0; ///< at least 1
    std::uint64_t checksum = 0;     ///< XXH3-64 of the stored bytes
    std::uint16_t grouping = 0;
    std::uint16_t entropy = 0;
    /// offset in this file of the equal block whose stored bytes these are; 0: has its own
    std::uint64_t shared_at = 0;

    bool operator==(const block_entry&) const = default;
};

inline constexpr std::uint32_t no_bundle = std::numeric_limits<std::uint32_t>::max();

/// A string of bytes: a tensor, a gap, or a whole small file. Those of its blocks that have bytes of their own follow
/// one another in the payload; that of a slice is the block of its bundle.
struct content_entry {
    std::uint64_t raw_bytes = 0;
    md5_digest md5{}; ///< a bundle, whose slices have theirs, needs none
    std::uint64_t block_bytes = 0;    ///< raw bytes of each block but the last, which may be shorter; slice: 0
    /// of the first block of its own, in the file that holds it; slice: in its bundle, raw
    std::uint64_t offset = 0;
    std::uint32_t home = 0;           ///< 0: this file; k > 0: siblings[k - 1]
    std::uint32_t bundle = no_bundle; ///< slice: the content that it is a part of
    std::vector<block_entry> blocks;  ///< slice: none

    bool is_slice() const noexcept { return bundle != no_bundle; }

    bool operator==(const content_entry&) const = default;
};

enum class extent_kind : std::uint8_t {
    gap,    ///< bytes of a safetensors file that belong to no tensor
    tensor, ///< the next tensor in the order of the file
    file,   ///< bytes of a file that is carried along
};

struct extent_entry {
    extent_kind kind = extent_kind::gap;
    std::uint32_t content = 0; ///< index into container_index::contents

    bool operator==(const extent_entry&) const = default;
};

enum class member_kind : std::uint8_t { safetensors, file };

/// A file that unpacking brings back. Its bytes are the header, then the contents of the extents in order.
struct member_entry {
    member_kind kind = member_kind::safetensors;
    std::string path; ///< relative, parts divided by '/'
    std::uint64_t raw_bytes = 0;
    sha256_digest sha256{};
    byte_buffer header; ///< safetensors: its exact header, length included; file: empty
    std::vector<extent_entry> extents;

    bool operator==(const member_entry&) const = default;
};

struct container_index {
    std::string writer;                ///< "bigsmall 0.1.0"
    bool directory = false;            ///< the source was a directory, not one file
    std::vector<std::string> siblings; ///< relative paths of other containers that hold some of the contents
    std::vector<content_entry> contents;
    std::uint32_t bundles = 0;   ///< so many of the last contents are bundles
    bool receipts_lost = false;  ///< read from a file in which the MD5s are damaged: they are zeros
    std::vector<member_entry> members;

    /// Contents that are no bundles come first; each has a receipt.
    std::size_t first_bundle() const noexcept { return contents.size() - bundles; }

    bool operator==(const container_index&) const = default;
};

} // namespace bigsmall::io
