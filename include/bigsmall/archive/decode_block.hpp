// SPDX-License-Identifier: BSL-1.0
// One block of a container: read, checked, decoded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <bigsmall/codec/codec_ref.hpp>
#include <bigsmall/codec/scratch.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/status.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/io/container/reader.hpp>

namespace bigsmall::archive::detail {

/// What decoding one block after another needs; reused.
struct decode_memory {
    byte_buffer stored;
    scratch codec;
};

/// Reads, checks and decodes one block. Throws: errc::corrupt, errc::truncated, errc::unsupported, errc::io.
inline void decode_block(const io::container_reader& home, const io::content_entry& content, std::size_t number,
                         std::uint64_t offset, bytes_span raw, const codec_ref& codec, decode_memory& memory) {
    home.read_block_at(offset, content.blocks[number], number, memory.stored);
    const status answer = codec.decode(memory.stored, raw, memory.codec);
    if (answer == status::ok) return;
    const errc code = answer == status::unsupported ? errc::unsupported : errc::corrupt;
    const auto& entry = content.blocks[number];
    throw error(code, "block " + std::to_string(number) + " (" + codec.name_of({entry.grouping, entry.entropy}) +
                          ") cannot be decoded: " + describe(answer))
        .in_file(home.file().name())
        .at_offset(offset);
}

} // namespace bigsmall::archive::detail
