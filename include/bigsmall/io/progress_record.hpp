// SPDX-License-Identifier: BSL-1.0
// What the log of an unfinished run says of a batch: how its blocks were coded, and the hash of what was read.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <tuple>
#include <vector>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/varint.hpp>
#include <bigsmall/io/container/byte_writer.hpp>
#include <bigsmall/io/container/format.hpp>
#include <bigsmall/io/container/index.hpp>

namespace bigsmall::io {

/// What came of coding a block.
struct progress_block {
    bool equal = false;      ///< an earlier block has the same raw bytes
    bool stored = false;     ///< it has bytes of its own in the payload
    std::uint32_t bytes = 0; ///< coded; 0 when nobody had to code it
    std::uint64_t checksum = 0;
    std::uint16_t grouping = 0, entropy = 0;
    std::uint32_t alone_bytes = 0; ///< coded without a base, where it has one

    bool operator==(const progress_block&) const = default;
};

inline constexpr std::uint32_t no_open_content = std::numeric_limits<std::uint32_t>::max();

struct progress_batch {
    std::uint64_t begin = 0, end = 0;             ///< in the payload: its blocks and what lies between them
    std::uint64_t raw_bytes = 0;                  ///< read from the source
    std::uint64_t raw_checksum = 0;               ///< XXH3-64 of these
    std::uint32_t member = 0;                     ///< the file that they were read from
    bool first = false, last = false;             ///< of the file
    std::uint32_t open_content = no_open_content; ///< goes on in the next batch
    sha256_digest sha256{};                       ///< with `last`: of the file
    std::vector<md5_digest> md5;                  ///< of the contents whose last bytes are here, in order
    std::vector<progress_block> blocks;

    bool operator==(const progress_batch&) const = default;
};

namespace detail {

inline constexpr std::size_t progress_block_bytes = 21;
enum progress_flag : std::uint8_t { flag_first = 1, flag_last = 2, flag_equal = 1, flag_stored = 2 };

inline void put_block(byte_writer& out, const progress_block& block) {
    out.u8(static_cast<std::uint8_t>((block.equal ? flag_equal : 0) | (block.stored ? flag_stored : 0)));
    out.fixed(block.bytes);
    out.fixed(block.checksum);
    out.fixed(block.grouping);
    out.fixed(block.entropy);
    out.fixed(block.alone_bytes);
}

inline progress_block take_block(byte_cursor& in) {
    progress_block block;
    const std::uint8_t flags = in.read<std::uint8_t>();
    if (flags > (flag_equal | flag_stored)) in.fail();
    block.equal = (flags & flag_equal) != 0;
    block.stored = (flags & flag_stored) != 0;
    block.bytes = in.read<std::uint32_t>();
    block.checksum = in.read<std::uint64_t>();
    block.grouping = in.read<std::uint16_t>();
    block.entropy = in.read<std::uint16_t>();
    block.alone_bytes = in.read<std::uint32_t>();
    if (block.bytes > max_stored_block_bytes || (block.stored && block.bytes == 0)) in.fail();
    return block;
}

/// Where the blocks of a batch end, when they begin at `begin`.
inline std::uint64_t end_of_blocks(const progress_batch& batch) noexcept {
    std::uint64_t at = batch.begin;
    for (const progress_block& block : batch.blocks)
        if (block.stored) at = block_start(at, block.bytes) + block.bytes;
    return at;
}

} // namespace detail

inline byte_buffer encode_progress_batch(const progress_batch& batch) {
    using namespace detail;
    byte_writer out;
    out.fixed(batch.begin);
    out.fixed(batch.end);
    out.fixed(batch.raw_bytes);
    out.fixed(batch.raw_checksum);
    out.fixed(batch.member);
    out.fixed(batch.open_content);
    out.u8(static_cast<std::uint8_t>((batch.first ? flag_first : 0) | (batch.last ? flag_last : 0)));
    if (batch.last) out.bytes(batch.sha256);
    out.fixed(static_cast<std::uint32_t>(batch.md5.size()));
    out.fixed(static_cast<std::uint32_t>(batch.blocks.size()));
    for (const md5_digest& md5 : batch.md5)
        out.bytes(md5);
    for (const progress_block& block : batch.blocks)
        put_block(out, block);
    return out.take();
}

/// Nothing when it is not the one way to write a batch down, or its blocks do not fill their place.
inline std::optional<progress_batch> decode_progress_batch(bytes_view body) {
    using namespace detail;
    byte_cursor in(body);
    progress_batch batch;
    batch.begin = in.read<std::uint64_t>();
    batch.end = in.read<std::uint64_t>();
    batch.raw_bytes = in.read<std::uint64_t>();
    batch.raw_checksum = in.read<std::uint64_t>();
    batch.member = in.read<std::uint32_t>();
    batch.open_content = in.read<std::uint32_t>();
    const std::uint8_t flags = in.read<std::uint8_t>();
    if (flags > (flag_first | flag_last)) return std::nullopt;
    batch.first = (flags & flag_first) != 0;
    batch.last = (flags & flag_last) != 0;
    if (batch.last) {
        const bytes_view digest = in.take(batch.sha256.size());
        std::copy(digest.begin(), digest.end(), batch.sha256.begin());
    }
    const std::uint64_t hashes = in.read<std::uint32_t>(), blocks = in.read<std::uint32_t>();
    constexpr std::size_t md5_bytes = std::tuple_size_v<md5_digest>;
    if (!in.ok() || hashes * md5_bytes + blocks * progress_block_bytes != in.left()) return std::nullopt;
    batch.md5.resize(static_cast<std::size_t>(hashes));
    for (md5_digest& md5 : batch.md5) {
        const bytes_view digest = in.take(md5.size());
        std::copy(digest.begin(), digest.end(), md5.begin());
    }
    batch.blocks.reserve(static_cast<std::size_t>(blocks));
    for (std::uint64_t i = 0; i < blocks; ++i)
        batch.blocks.push_back(take_block(in));
    constexpr std::uint64_t greatest_place = std::uint64_t{1} << 62;
    if (!in.finished() || batch.begin > greatest_place || end_of_blocks(batch) != batch.end) return std::nullopt;
    return batch;
}

} // namespace bigsmall::io
