// SPDX-License-Identifier: BSL-1.0
// What transcoding can be told, and what it tells.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <vector>

#include <bigsmall/archive/default_codec.hpp>
#include <bigsmall/archive/options.hpp>
#include <bigsmall/core/units.hpp>

namespace bigsmall::archive {

struct transcode_options : run_options {
    codec_ref codec = recipe_of(operating_point::inference).codec; ///< reads the old blocks, writes the new ones
    std::uint64_t block_bytes = recipe_of(operating_point::inference).block_bytes; ///< raw bytes per block, 1 to 16 MiB
    /// Tensors have at least so many blocks, which decode independently of each other, unless these would be smaller
    /// than 64 KiB. 0 or 1: no more than `block_bytes` asks for.
    std::uint64_t streams = 1;

    /// Writes for an operating point.
    transcode_options& tune(operating_point point) noexcept {
        block_bytes = recipe_of(point).block_bytes;
        codec = recipe_of(point).codec;
        return *this;
    }
};

struct transcode_result {
    std::uint64_t source_bytes = 0;      ///< of the archive that was read
    std::uint64_t written_bytes = 0;     ///< of the one that was written
    std::uint64_t raw_bytes = 0;         ///< of the files that both restore
    std::uint64_t tensors = 0;           ///< all of them were decoded and have the MD5 of their receipts
    std::uint64_t reencoded_tensors = 0; ///< the others are equal to one of these
    std::uint64_t blocks = 0;            ///< new ones; each was decoded again and compared
    std::vector<std::filesystem::path> files;
    std::vector<std::filesystem::path> removed_files; ///< as of pack_result
};

namespace detail {

inline constexpr std::uint64_t smallest_stream_bytes = 64 * KiB;

/// Raw bytes per block of a content. Multiples of 64 KiB hold whole elements of every type.
constexpr std::uint64_t block_bytes_for(const transcode_options& options, std::uint64_t raw_bytes) noexcept {
    if (options.streams <= 1) return options.block_bytes;
    const std::uint64_t share = raw_bytes / options.streams / smallest_stream_bytes * smallest_stream_bytes;
    return std::min(options.block_bytes, std::max(share, smallest_stream_bytes));
}

} // namespace detail

} // namespace bigsmall::archive
