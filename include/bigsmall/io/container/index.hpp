// SPDX-License-Identifier: BSL-1.0
// What a container knows of its payload. Three tables: blocks make contents (byte strings, stored once
// however often they occur), contents fill the extents of members (the files that come back). Small contents
// may lie side by side in another one, a bundle, which is coded as one block. Contents of a patch may have an image:
// bytes of a base model that they equal, or that their blocks are the differences to.
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
inline constexpr std::uint32_t no_image = std::numeric_limits<std::uint32_t>::max();
inline constexpr std::uint32_t no_base = std::numeric_limits<std::uint32_t>::max();

/// A string of bytes: a tensor, a gap, or a whole small file. Those of its blocks that have bytes of their own follow
/// one another in the payload; that of a slice is the block of its bundle.
struct content_entry {
    std::uint64_t raw_bytes = 0;
    md5_digest md5{}; ///< a bundle, whose slices have theirs, needs none
    /// raw bytes of each block but the last, which may be shorter; slice, unchanged: 0
    std::uint64_t block_bytes = 0;
    /// of the first block of its own, in the file that holds it; slice: in its bundle, raw; unchanged: 0
    std::uint64_t offset = 0;
    std::uint32_t home = 0;           ///< 0: this file; k > 0: siblings[k - 1]
    std::uint32_t bundle = no_bundle; ///< slice: the content that it is a part of
    std::vector<block_entry> blocks;  ///< slice, unchanged: none
    std::uint32_t image = no_image;   ///< index into container_index::images

    bool is_slice() const noexcept { return bundle != no_bundle; }
    /// Its bytes are those of its image, and it has no others.
    bool is_unchanged() const noexcept { return image != no_image && raw_bytes > 0 && block_bytes == 0 && !is_slice(); }

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

/// A file of the base model of a patch.
struct base_file {
    std::string name; ///< relative to the base model; for people
    std::uint64_t bytes = 0;
    sha256_digest sha256{};

    bool operator==(const base_file&) const = default;
};

/// A tensor of the base model.
struct base_tensor {
    std::uint32_t file = 0; ///< index into container_index::base_files
    std::string name;
    std::uint64_t bytes = 0;
    md5_digest md5{}; ///< of all its bytes

    bool operator==(const base_tensor&) const = default;
};

/// What becomes of the elements of base tensors in an image: rounded to the nearest, or the same number in more bits.
enum class base_conversion : std::uint8_t {
    none,
    f32_to_bf16,
    bf16_to_f32,
    f32_to_f16,
    f16_to_f32,
    bf16_to_f16,
    f16_to_bf16,
};

/// Bytes of a base tensor, counted as they are after conversion.
struct base_part {
    std::uint32_t tensor = no_base; ///< index into container_index::base_tensors; no_base: zeros
    std::uint64_t begin = 0;        ///< zeros: 0
    std::uint64_t bytes = 0;        ///< at least 1

    bool operator==(const base_part&) const = default;
};

/// As many bytes as a content has, out of the base model: the parts one after another.
struct base_image {
    base_conversion conversion = base_conversion::none;
    std::vector<base_part> parts;

    bool operator==(const base_image&) const = default;
};

struct container_index {
    std::string writer;                ///< "bigsmall 0.1.0"
    bool directory = false;            ///< the source was a directory, not one file
    std::vector<std::string> siblings; ///< relative paths of other containers that hold some of the contents
    std::vector<content_entry> contents;
    std::uint32_t bundles = 0;  ///< so many of the last contents are bundles
    bool receipts_lost = false; ///< read from a file in which the MD5s are damaged: they are zeros
    std::vector<member_entry> members;
    std::vector<base_file> base_files;     ///< patch: at least one; else none
    std::vector<base_tensor> base_tensors; ///< each is in a part of an image
    std::vector<base_image> images;        ///< each belongs to one content of this file
    byte_buffer joined; ///< of a shard: the index of the one container that it is a part of; opaque here

    bool is_patch() const noexcept { return !base_files.empty(); }
    /// Contents that are no bundles come first; each has a receipt.
    std::size_t first_bundle() const noexcept { return contents.size() - bundles; }

    bool operator==(const container_index&) const = default;
};

} // namespace bigsmall::io
