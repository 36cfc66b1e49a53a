// SPDX-License-Identifier: BSL-1.0
// A bundle: small contents side by side, coded as one block. What packing and transcoding share.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include <bigsmall/codec/codec_ref.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/dtype.hpp>
#include <bigsmall/io/checksum.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/io/container/writer.hpp>

namespace bigsmall::archive::detail {

/// The bytes of a bundle, and what the encoder is told of them.
struct raw_bundle {
    dtype type;
    byte_buffer bytes;
    std::vector<std::uint32_t> parts; ///< elements of each slice

    /// Makes room for the next slice.
    bytes_span add(std::uint64_t raw_bytes) {
        const std::size_t at = bytes.size();
        bytes.resize(at + static_cast<std::size_t>(raw_bytes));
        parts.push_back(static_cast<std::uint32_t>(raw_bytes * 8 / type.bits));
        return bytes_span(bytes).subspan(at);
    }
};

struct coded_bundle {
    std::uint64_t raw_bytes = 0;
    byte_buffer stored;
    coding_label label;
    std::uint64_t checksum = 0;
};

inline coded_bundle code_bundle(const raw_bundle& raw, const codec_ref& codec, scratch& memory) {
    coded_bundle out;
    out.raw_bytes = raw.bytes.size();
    out.stored.resize(codec.bound(raw.bytes.size()));
    const encoded_block block = codec.encode({raw.type, 0, 0, raw.parts}, raw.bytes, out.stored, memory);
    out.stored.resize(block.bytes);
    out.label = block.label;
    out.checksum = io::checksum(out.stored);
    return out;
}

/// Appends a bundle to a container and says in `entry` where it is.
inline void write_bundle(const coded_bundle& bundle, io::container_writer& writer, io::content_entry& entry) {
    entry.raw_bytes = bundle.raw_bytes;
    entry.block_bytes = bundle.raw_bytes;
    entry.offset = writer.append_block(bundle.stored);
    entry.blocks = {{bundle.stored.size(), bundle.checksum, bundle.label.grouping, bundle.label.entropy}};
}

/// Makes slices of the contents with these numbers, in ascending order, of the bundle number `bundle`.
inline void make_slices(io::container_index& index, std::uint32_t bundle, std::span<const std::uint32_t> numbers) {
    std::uint64_t offset = 0;
    for (const std::uint32_t number : numbers) {
        io::content_entry& slice = index.contents[number];
        slice.block_bytes = 0;
        slice.bundle = bundle;
        slice.offset = offset;
        offset += slice.raw_bytes;
    }
}

} // namespace bigsmall::archive::detail
