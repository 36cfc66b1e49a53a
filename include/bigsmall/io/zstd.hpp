// SPDX-License-Identifier: BSL-1.0
// One zstd frame in, one out: how the index is stored. Including this header makes you link zstd.
#pragma once

#include <cstdint>
#include <string>

#include <zstd.h>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>

namespace bigsmall::io {

/// One frame that records its content size. `level` as zstd counts, 1 to 19.
inline byte_buffer zstd_compress(bytes_view raw, int level) {
    byte_buffer stored(ZSTD_compressBound(raw.size()));
    const std::size_t n = ZSTD_compress(stored.data(), stored.size(), raw.data(), raw.size(), level);
    if (ZSTD_isError(n)) throw error(errc::io, std::string("zstd cannot compress: ") + ZSTD_getErrorName(n));
    stored.resize(n);
    return stored;
}

/// The content of exactly one frame of exactly `raw_bytes` of content. The caller has bounded `raw_bytes`:
/// that much is allocated once the frame announces the same size.
/// Throws: errc::corrupt.
inline byte_buffer zstd_decompress(bytes_view stored, std::uint64_t raw_bytes) {
    const std::size_t frame = ZSTD_findFrameCompressedSize(stored.data(), stored.size());
    if (ZSTD_isError(frame) || frame != stored.size())
        throw error(errc::corrupt, "the compressed data is not one whole zstd frame");
    if (ZSTD_getFrameContentSize(stored.data(), stored.size()) != raw_bytes)
        throw error(errc::corrupt, "the zstd frame does not announce the " + std::to_string(raw_bytes) +
                                       " bytes that are expected of it");
    byte_buffer raw(static_cast<std::size_t>(raw_bytes));
    const std::size_t n = ZSTD_decompress(raw.data(), raw.size(), stored.data(), stored.size());
    if (ZSTD_isError(n) || n != raw.size())
        throw error(errc::corrupt, std::string("zstd cannot decompress: ") +
                                       (ZSTD_isError(n) ? ZSTD_getErrorName(n) : "the content is too short"));
    return raw;
}

} // namespace bigsmall::io
