// SPDX-License-Identifier: BSL-1.0
// A coded block: which grouping, how many streams, and for each stream its entropy id, raw size and coded size, all
// as varints; then the coded streams one after another. The block's raw size is known to whoever stores it.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include <bigsmall/codec/policies.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/core/varint.hpp>

namespace bigsmall {

/// No block holds more raw bytes than this.
inline constexpr std::size_t max_block_bytes = 16 * MiB;

/// What an index keeps of a block's coding: its grouping, and the entropy of its lead stream.
struct coding_label {
    wire_id grouping = 0;
    wire_id entropy = 0;
    friend constexpr bool operator==(const coding_label&, const coding_label&) = default;
};

struct encoded_block {
    std::size_t bytes = 0;
    coding_label label;
};

/// One stream inside a coded block.
struct stream_entry {
    wire_id entropy = 0;
    std::size_t raw_bytes = 0;
    std::size_t coded_bytes = 0;
};

/// The front of a coded block.
struct block_header {
    wire_id grouping = 0;
    std::size_t streams = 0;
    std::array<stream_entry, max_streams> entries{};

    static constexpr std::size_t max_stored_bytes = (2 + 3 * max_streams) * max_varint_bytes;

    std::size_t store(std::uint8_t* to) const noexcept {
        std::size_t n = store_varint(to, grouping);
        n += store_varint(to + n, streams);
        for (const stream_entry& entry : std::span(entries).first(streams)) {
            n += store_varint(to + n, entry.entropy);
            n += store_varint(to + n, entry.raw_bytes);
            n += store_varint(to + n, entry.coded_bytes);
        }
        return n;
    }

    /// Leaves the cursor at the first coded stream. Sizes are plausible afterwards: the coded ones add up to what is
    /// left, and the raw ones to no more than any grouping of a block of `raw_block_bytes` may need.
    static status load(byte_cursor& cursor, std::size_t raw_block_bytes, block_header& header) noexcept {
        header.grouping = static_cast<wire_id>(read_id(cursor));
        const std::uint64_t streams = cursor.read_varint();
        if (!cursor.ok()) return status::truncated;
        if (streams == 0 || streams > max_streams) return status::corrupt;
        header.streams = static_cast<std::size_t>(streams);
        const std::uint64_t most_raw = 4 * std::uint64_t{raw_block_bytes} + 4096;
        std::uint64_t raw = 0, coded = 0;
        for (stream_entry& entry : std::span(header.entries).first(header.streams)) {
            entry.entropy = static_cast<wire_id>(read_id(cursor));
            const std::uint64_t stream_raw = cursor.read_varint();
            const std::uint64_t stream_coded = cursor.read_varint();
            if (!cursor.ok()) return status::truncated;
            if (stream_raw > most_raw - raw || stream_coded > cursor.left()) return status::corrupt;
            raw += stream_raw;
            coded += stream_coded;
            entry.raw_bytes = static_cast<std::size_t>(stream_raw);
            entry.coded_bytes = static_cast<std::size_t>(stream_coded);
        }
        if (coded != cursor.left()) return coded > cursor.left() ? status::truncated : status::corrupt;
        return status::ok;
    }

private:
    static std::uint64_t read_id(byte_cursor& cursor) noexcept {
        const std::uint64_t id = cursor.read_varint();
        if (id > 0xffff) cursor.fail();
        return id;
    }
};

} // namespace bigsmall
