// SPDX-License-Identifier: BSL-1.0
// The sections of an index as bytes (docs/format/container.md). Columns of one kind of number lie together because zstd
// finds more in them that way.
#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/io/container/byte_writer.hpp>
#include <bigsmall/io/container/format.hpp>
#include <bigsmall/io/container/header_text.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/io/container/index_sections.hpp>

namespace bigsmall::io::detail {

inline void write_section(byte_writer& to, index_section tag, const byte_writer& body) {
    to.u8(static_cast<std::uint8_t>(tag));
    to.sized(body.written());
}

inline byte_writer write_contents(const container_index& index) {
    byte_writer out;
    out.varint(index.contents.size());
    for (const content_entry& content : index.contents) {
        out.varint(content.raw_bytes);
        out.varint(content.block_bytes);
        out.varint(content.home);
        // The slices of a bundle follow one another.
        out.varint(content.is_unchanged() ? place_of_unchanged : content.is_slice() ? 0 : content.offset);
    }
    return out;
}

inline byte_writer write_blocks(const container_index& index) {
    std::map<std::pair<std::uint16_t, std::uint16_t>, std::uint64_t> labels;
    for (const content_entry& content : index.contents)
        for (const block_entry& block : content.blocks)
            labels[{block.grouping, block.entropy}] = 0;
    byte_writer out;
    out.varint(labels.size());
    std::uint64_t next = 0;
    for (auto& [ids, number] : labels) {
        number = next++;
        out.fixed(ids.first);
        out.fixed(ids.second);
    }
    for (const content_entry& content : index.contents)
        for (const block_entry& block : content.blocks)
            out.varint(block.stored_bytes);
    for (const content_entry& content : index.contents)
        for (const block_entry& block : content.blocks)
            out.varint(labels[{block.grouping, block.entropy}]);
    for (const content_entry& content : index.contents)
        for (const block_entry& block : content.blocks)
            out.fixed(block.checksum);
    return out;
}

inline byte_writer write_members(const container_index& index) {
    byte_writer out;
    out.varint(index.members.size());
    std::int64_t expected = 0;
    for (const member_entry& member : index.members) {
        out.u8(static_cast<std::uint8_t>(member.kind));
        out.sized(as_bytes_view(member.path));
        out.varint(member.raw_bytes);
        out.bytes(member.sha256);
        const auto brief = brief_header(index, member);
        const byte_buffer& text = brief ? *brief : member.header;
        out.varint(std::uint64_t{text.size()} << 1 | (brief ? 1u : 0u));
        out.bytes(text);
        out.varint(member.extents.size());
        for (const extent_entry& extent : member.extents) {
            const std::uint64_t step = fold_sign(std::int64_t{extent.content} - expected);
            out.varint(step << 2 | static_cast<std::uint64_t>(extent.kind));
            expected = std::int64_t{extent.content} + 1;
        }
    }
    return out;
}

/// Of each slice, its bundle, counted from the one of the slice before.
inline byte_writer write_bundles(const container_index& index) {
    byte_writer out;
    out.varint(index.bundles);
    std::int64_t last = 0;
    for (const content_entry& content : index.contents) {
        if (!content.is_slice()) continue;
        const auto number = static_cast<std::int64_t>(content.bundle - index.first_bundle());
        out.varint(fold_sign(number - last));
        last = number;
    }
    return out;
}

/// Of each block whose bytes are another's too, how many blocks lie between it and the one before, and where the bytes
/// are, counted from the place behind those of the one before: neighbours of equal neighbours cost two zeros.
inline byte_writer write_shared_blocks(const container_index& index) {
    byte_writer columns, out;
    std::uint64_t count = 0, skipped = 0, position = 0;
    for (const content_entry& content : index.contents)
        for (const block_entry& block : content.blocks) {
            if (block.shared_at == 0) {
                ++skipped;
                continue;
            }
            columns.varint(skipped);
            const std::uint64_t expected = block_start(position, block.stored_bytes);
            columns.varint(fold_sign(static_cast<std::int64_t>(block.shared_at) - static_cast<std::int64_t>(expected)));
            position = block.shared_at + block.stored_bytes;
            skipped = 0;
            ++count;
        }
    if (count == 0) return out;
    out.varint(count);
    out.bytes(columns.written());
    return out;
}

} // namespace bigsmall::io::detail
