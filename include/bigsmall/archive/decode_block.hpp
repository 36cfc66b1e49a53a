// SPDX-License-Identifier: BSL-1.0
// One block of a container: read, checked, decoded; with the bytes of the base where it holds differences to them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <bigsmall/archive/default_codec.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/codec/codec_ref.hpp>
#include <bigsmall/codec/scratch.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/status.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/io/container/reader.hpp>

namespace bigsmall::archive {

/// What people call the coding of a block.
inline std::string coding_name(const codec_ref& codec, coding_label label) {
    if (label.grouping != delta_codec::id) return codec.name_of(label);
    const std::string name = codec.name_of({0, label.entropy}); // "whole+..."
    return "difference" + name.substr(name.find('+'));
}

namespace detail {

/// What decoding one block after another needs; reused.
struct decode_memory {
    byte_buffer stored;
    byte_buffer base;
    scratch codec;
};

/// Raw bytes that are taken at once of a content that equals its base, which has no blocks.
inline constexpr std::uint64_t unchanged_piece_bytes = 1 * MiB;

/// Fills `to` from byte `begin` of what a content is a difference to.
/// Throws: errc::missing when nobody has given the base; errc::corrupt when the content has none; as reading it does.
inline void read_base(const opened_container& container, const io::content_entry& content, std::uint64_t begin,
                      bytes_span to) {
    if (content.image == io::no_image)
        throw error(errc::corrupt, "a block holds differences to a base that its content does not have")
            .in_file(container.path.string());
    if (!container.base)
        throw error(errc::missing, "this is a patch, which needs the base that it was made against")
            .in_file(container.path.string());
    container.base->read(content, begin, to);
}

/// Reads, checks and decodes one block of a content of the container.
/// Throws: errc::corrupt, errc::truncated, errc::unsupported, errc::io; as read_base() for a block of differences.
inline void decode_block(const opened_container& container, const io::content_entry& content, std::size_t number,
                         std::uint64_t offset, bytes_span raw, const codec_ref& codec, decode_memory& memory) {
    const io::container_reader& home = container.home_of(content);
    home.read_block_at(offset, content.blocks[number], number, memory.stored);
    status answer = status::ok;
    if (delta_codec::is_delta(memory.stored)) {
        memory.base.resize(raw.size());
        read_base(container, content, number * content.block_bytes, memory.base);
        answer = default_delta().decode(memory.stored, memory.base, raw, memory.codec);
    } else {
        answer = codec.decode(memory.stored, raw, memory.codec);
    }
    if (answer == status::ok) return;
    const errc code = answer == status::unsupported ? errc::unsupported : errc::corrupt;
    const auto& entry = content.blocks[number];
    throw error(code, "block " + std::to_string(number) + " (" + coding_name(codec, {entry.grouping, entry.entropy}) +
                          ") cannot be decoded: " + describe(answer))
        .in_file(home.file().name())
        .at_offset(offset);
}

} // namespace detail

} // namespace bigsmall::archive
