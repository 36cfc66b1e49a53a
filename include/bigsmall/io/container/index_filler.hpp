// SPDX-License-Identifier: BSL-1.0
// Bytes without meaning that make an index larger: readers bound what a file may announce by its size, and an index
// that zstd makes more than 64 times smaller (one padded header over a tiny payload) would otherwise not be read again.
#pragma once

#include <array>
#include <cstdint>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/io/checksum.hpp>
#include <bigsmall/io/container/byte_writer.hpp>
#include <bigsmall/io/container/format.hpp>

namespace bigsmall::io::detail {

inline constexpr std::uint8_t filler_section = 255; ///< behind all others; readers pass over it

/// Appends a section so large, and so hard to compress, that max_raw_index_bytes() of the container allows what it
/// announces. `announced`: bytes of the raw index and the receipts so far; `file_bytes`: those of the container.
inline void append_filler(byte_buffer& raw, std::uint64_t announced, std::uint64_t file_bytes) {
    // Each byte of it is announced and allows 64; some are left for frames and for what the index itself will gain.
    const std::uint64_t allowed = max_raw_index_bytes(0, file_bytes);
    const std::uint64_t wanted = (announced > allowed ? (announced - allowed) / 63 : 0) + 4096;
    byte_writer filler;
    for (std::uint64_t word = wanted; filler.written().size() < wanted; ++word) {
        std::array<std::uint8_t, 8> bytes{}; // numbers in, noise out, the same on every machine
        store_le(bytes.data(), word);
        filler.fixed(checksum(bytes));
    }
    byte_writer section;
    section.u8(filler_section);
    section.sized(filler.written());
    raw.insert(raw.end(), section.written().begin(), section.written().end());
}

} // namespace bigsmall::io::detail
