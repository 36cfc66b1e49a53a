// SPDX-License-Identifier: BSL-1.0
// How much of an unfinished run is whole: its records in order, and the bytes that they speak of.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

#include <bigsmall/archive/options.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/io/checksum.hpp>
#include <bigsmall/io/container/format.hpp>
#include <bigsmall/io/progress_log.hpp>
#include <bigsmall/io/progress_payload.hpp>
#include <bigsmall/io/progress_record.hpp>

namespace bigsmall::archive::detail {

inline constexpr std::uint32_t no_member = std::numeric_limits<std::uint32_t>::max();

/// The batches that an unfinished run has finished.
struct recorded_batches {
    std::uint64_t batches = 0;
    std::uint64_t raw_bytes = 0;
    std::uint64_t begin = 0, end = 0; ///< of their blocks in the payload
    std::uint64_t log_end = 0, log_chain = 0;
    std::uint32_t last_member = no_member; ///< of the last of them
    std::uint32_t open_member = no_member; ///< of which the last batch is not among them
    std::uint32_t open_content = io::no_open_content;
};

/// Whether the payload holds the blocks of a batch, as they were when they were recorded, and zeros between them.
inline bool holds(const io::progress_payload& payload, const io::progress_batch& batch, byte_buffer& memory) {
    if (batch.end > payload.file_bytes()) return false;
    std::uint64_t at = batch.begin;
    for (const io::progress_block& block : batch.blocks) {
        if (!block.stored) continue;
        const std::uint64_t start = io::block_start(at, block.bytes);
        const auto gap = static_cast<std::size_t>(start - at);
        memory.resize(gap + block.bytes);
        payload.read(at, memory);
        const auto stored = bytes_view(memory).subspan(gap);
        const bool zeros = std::all_of(memory.begin(), memory.begin() + static_cast<std::ptrdiff_t>(gap),
                                       [](std::uint8_t byte) { return byte == 0; });
        if (!zeros || io::checksum(stored) != block.checksum) return false;
        at = start + block.bytes;
    }
    return true;
}

/// Reads records up to the first that is torn, does not follow the one before, or whose bytes are not in the payload.
/// False when there was one of these. Throws: errc::io, errc::cancelled.
inline bool read_records(io::progress_log_reader& log, const io::progress_payload& payload, const run_options& options,
                         recorded_batches& found) {
    found.log_end = log.end();
    found.log_chain = log.chain();
    byte_buffer body, memory;
    while (log.next(body)) {
        check_cancelled(options);
        const std::optional<io::progress_batch> batch = io::decode_progress_batch(body);
        const bool follows = batch && (found.batches == 0 || batch->begin == found.end);
        if (!follows || !holds(payload, *batch, memory)) return false;
        if (found.batches == 0) found.begin = batch->begin;
        ++found.batches;
        found.raw_bytes += batch->raw_bytes;
        found.end = batch->end;
        found.log_end = log.end();
        found.log_chain = log.chain();
        found.last_member = batch->member;
        found.open_member = batch->last ? no_member : batch->member;
        found.open_content = batch->open_content;
    }
    return log.end() == log.file_bytes();
}

} // namespace bigsmall::archive::detail
