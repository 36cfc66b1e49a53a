// SPDX-License-Identifier: BSL-1.0
// A length-limited canonical prefix code over bytes: construction, stored form, and the decoder's lookup table.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include <bigsmall/codec/entropy/code_lengths.hpp>
#include <bigsmall/codec/statistics.hpp>
#include <bigsmall/core/status.hpp>
#include <bigsmall/core/varint.hpp>

namespace bigsmall::entropy {

struct huffman_code {
    /// A table of 2^11 eight-byte entries is 16 KiB: half of a small L1 data cache.
    static constexpr unsigned max_length = 11;
    static constexpr std::size_t table_size = std::size_t{1} << max_length;
    /// lowest, highest, four bits a symbol.
    static constexpr std::size_t max_stored_bytes = 2 + 128;

    code_lengths lengths{};
    std::array<std::uint16_t, 256> codes{}; ///< bit-reversed: the first bit of the code is the lowest
    std::uint8_t lowest = 0;
    std::uint8_t highest = 0;

    /// Needs at least two distinct symbols.
    static huffman_code from(const stream_statistics& s) noexcept {
        huffman_code code;
        code.lowest = s.lowest;
        code.highest = s.highest;
        code.lengths = huffman_lengths(s.counts, max_length);
        code.assign_codes();
        return code;
    }

    /// Bits that the stream takes under this code, its stored form not counted.
    std::uint64_t coded_bits(const stream_statistics& s) const noexcept {
        std::uint64_t bits = 0;
        for (std::size_t v = 0; v < 256; ++v)
            bits += std::uint64_t{s.counts[v]} * lengths[v];
        return bits;
    }

    std::size_t stored_bytes() const noexcept { return 2 + (std::size_t{highest} - lowest) / 2 + 1; }

    /// Writes lowest, highest and a nibble per symbol between them; returns stored_bytes().
    std::size_t store(bytes_span out) const noexcept {
        out[0] = lowest;
        out[1] = highest;
        std::fill_n(out.begin() + 2, stored_bytes() - 2, std::uint8_t{0});
        for (std::size_t v = lowest; v <= highest; ++v) {
            const std::size_t i = v - lowest;
            out[2 + i / 2] = static_cast<std::uint8_t>(out[2 + i / 2] | lengths[v] << (4 * (i % 2)));
        }
        return stored_bytes();
    }

    /// Reads and checks a stored code: the lengths must fill the code space exactly.
    static status load(byte_cursor& cursor, huffman_code& code) noexcept {
        code.lowest = cursor.read<std::uint8_t>();
        code.highest = cursor.read<std::uint8_t>();
        if (!cursor.ok()) return status::truncated;
        if (code.lowest >= code.highest) return status::corrupt;
        const bytes_view nibbles = cursor.take(code.stored_bytes() - 2);
        if (!cursor.ok()) return status::truncated;
        std::size_t used = 0; // of the 2^max_length leaves
        for (std::size_t v = code.lowest; v <= code.highest; ++v) {
            const std::size_t i = v - code.lowest;
            const unsigned length = nibbles[i / 2] >> (4 * (i % 2)) & 0xfu;
            if (length > max_length) return status::corrupt;
            code.lengths[v] = static_cast<std::uint8_t>(length);
            if (length != 0) used += table_size >> length;
        }
        if (used != table_size) return status::corrupt;
        code.assign_codes();
        return status::ok;
    }

    /// One lookup yields up to four symbols: those whose codes lie wholly in the next 11 bits.
    /// Entry: symbols in bits 0-31, total length in 32-39, number of symbols in 40-47, length of the first in 48-55.
    using lookup_table = std::array<std::uint64_t, table_size>;

    void fill(lookup_table& table) const noexcept {
        std::array<std::uint16_t, table_size> single; // symbol | length << 8
        for (std::size_t v = lowest; v <= highest; ++v) {
            if (lengths[v] == 0) continue;
            const auto entry = static_cast<std::uint16_t>(v | static_cast<unsigned>(lengths[v]) << 8);
            for (std::size_t w = codes[v]; w < table_size; w += std::size_t{1} << lengths[v])
                single[w] = entry;
        }
        for (std::size_t w = 0; w < table_size; ++w) {
            const unsigned first = single[w] >> 8;
            std::uint64_t symbols = single[w] & 0xffu;
            unsigned used = first, count = 1;
            for (; count < 4; ++count) {
                const std::uint16_t next = single[w >> used];
                const unsigned length = next >> 8;
                if (used + length > max_length) break;
                symbols |= std::uint64_t{next & 0xffu} << (8 * count);
                used += length;
            }
            table[w] = symbols | std::uint64_t{used} << 32 | std::uint64_t{count} << 40 | std::uint64_t{first} << 48;
        }
    }

private:
    // Canonical: codes of one length are consecutive in symbol order, shorter codes come first.
    void assign_codes() noexcept {
        std::array<std::uint32_t, max_length + 2> next{};
        for (std::size_t v = lowest; v <= highest; ++v)
            ++next[lengths[v] + 1u];
        next[1] = 0; // absent symbols take no code
        for (unsigned length = 1; length <= max_length; ++length)
            next[length + 1] = (next[length] + next[length + 1]) << 1;
        // next[l] now holds twice the first code after those of length l - 1, which is the first code of length l.
        for (std::size_t v = lowest; v <= highest; ++v) {
            if (lengths[v] == 0) continue;
            const std::uint32_t code = next[lengths[v]]++;
            std::uint32_t reversed = 0;
            for (unsigned bit = 0; bit < lengths[v]; ++bit)
                reversed |= (code >> bit & 1u) << (lengths[v] - 1u - bit);
            codes[v] = static_cast<std::uint16_t>(reversed);
        }
    }
};

} // namespace bigsmall::entropy
