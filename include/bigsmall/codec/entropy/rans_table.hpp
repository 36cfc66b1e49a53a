// SPDX-License-Identifier: BSL-1.0
// The model of one rANS stream: frequencies out of 4096, their stored form, and the decoder's slot table.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include <bigsmall/codec/entropy/bitstream.hpp>
#include <bigsmall/codec/statistics.hpp>
#include <bigsmall/core/status.hpp>
#include <bigsmall/core/varint.hpp>

namespace bigsmall::entropy {

struct rans_table {
    static constexpr std::size_t total = 4096;
    /// lowest, highest, Rice parameter, then at most 256 codes of at most 16 bits on average, and a wide store's slack.
    static constexpr std::size_t max_stored_bytes = 3 + 2 * 256 + total / 8 + 8;

    std::array<std::uint32_t, 256> frequencies{}; ///< 1..4095 where the symbol occurs
    std::uint8_t lowest = 0;
    std::uint8_t highest = 0;

    /// Needs at least two distinct symbols.
    static rans_table from(const stream_statistics& s) noexcept {
        rans_table table;
        table.lowest = s.lowest;
        table.highest = s.highest;
        std::uint32_t sum = 0;
        for (std::size_t v = 0; v < 256; ++v) {
            if (s.counts[v] == 0) continue;
            const std::uint64_t share = (std::uint64_t{s.counts[v]} * total + s.size_bytes / 2) / s.size_bytes;
            table.frequencies[v] = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(share, 1, total - 1));
            sum += table.frequencies[v];
        }
        table.balance(sum);
        return table;
    }

    /// What an encoder looks up: frequency | cumulative sum of the symbols before << 12.
    std::array<std::uint32_t, 256> codings() const noexcept {
        std::array<std::uint32_t, 256> entries{};
        std::uint32_t cumulative = 0;
        for (std::size_t v = 0; v < 256; ++v) {
            entries[v] = frequencies[v] | cumulative << 12;
            cumulative += frequencies[v];
        }
        return entries;
    }

    std::size_t stored_bytes() const noexcept { return 3 + (best_rice().bits + 7) / 8; }

    /// Writes the frequencies and returns their stored size.
    std::size_t store(bytes_span out) const noexcept {
        const unsigned best_k = best_rice().k;
        out[0] = lowest;
        out[1] = highest;
        out[2] = static_cast<std::uint8_t>(best_k);
        bit_writer writer(out.data() + 3);
        for (std::size_t v = lowest; v <= highest; ++v)
            writer.put_rice(frequencies[v], best_k);
        return 3 + writer.finish();
    }

    /// Reads the frequencies and fills slots: frequency << 20 | (slot - cumulative) << 8 | symbol.
    static status load_slots(byte_cursor& cursor, std::array<std::uint32_t, total>& slots) noexcept {
        const std::size_t lowest = cursor.read<std::uint8_t>();
        const std::size_t highest = cursor.read<std::uint8_t>();
        const unsigned k = cursor.read<std::uint8_t>();
        if (!cursor.ok()) return status::truncated;
        if (lowest >= highest || k > 11) return status::corrupt;
        bit_reader reader(cursor);
        std::size_t filled = 0;
        for (std::size_t v = lowest; v <= highest; ++v) {
            const auto frequency = reader.get_rice(k, total);
            if (!frequency) return reader.exhausted() ? status::truncated : status::corrupt;
            if (*frequency >= total || *frequency > total - filled) return status::corrupt;
            for (std::uint32_t i = 0; i < *frequency; ++i)
                slots[filled++] = *frequency << 20 | i << 8 | static_cast<std::uint32_t>(v);
        }
        return filled == total ? status::ok : status::corrupt;
    }

private:
    struct rice {
        unsigned k = 0;
        std::size_t bits = static_cast<std::size_t>(-1);
    };

    /// The Rice parameter that makes the stored form smallest.
    rice best_rice() const noexcept {
        rice best;
        for (unsigned k = 0; k < 12; ++k) {
            std::size_t bits = 0;
            for (std::size_t v = lowest; v <= highest; ++v)
                bits += (frequencies[v] >> k) + 1 + k;
            if (bits < best.bits) best = {k, bits};
        }
        return best;
    }

    /// Rounding leaves the sum a little off: give to or take from the most frequent symbol, whose relative error
    /// is the smallest; only symbols that can afford it give.
    void balance(std::uint32_t sum) noexcept {
        while (sum != total) {
            std::uint32_t& largest = *std::max_element(frequencies.begin(), frequencies.end());
            if (sum < total) {
                const auto room = static_cast<std::uint32_t>(total - 1) - largest;
                const std::uint32_t gift = std::min(static_cast<std::uint32_t>(total) - sum, room);
                largest += gift;
                sum += gift;
            } else {
                // A quarter at a time, so that no symbol pays for all.
                const std::uint32_t tax = std::min(sum - static_cast<std::uint32_t>(total), largest / 4 + 1);
                largest -= tax;
                sum -= tax;
            }
        }
    }
};

} // namespace bigsmall::entropy
