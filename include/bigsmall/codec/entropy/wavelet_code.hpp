// SPDX-License-Identifier: BSL-1.0
// The code of a wavelet tree and its stored form: lengths, and how the bitmap of each node is kept.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include <bigsmall/codec/entropy/bernoulli.hpp>
#include <bigsmall/codec/entropy/rans_lanes.hpp>
#include <bigsmall/codec/entropy/wavelet_tree.hpp>
#include <bigsmall/core/status.hpp>

namespace bigsmall::entropy {

/// A code and how the bitmap of each node is kept.
struct wavelet_code {
    static constexpr std::size_t max_stored_bytes = stored_lengths::max_stored_bytes + 1 + wavelet_tree::max_nodes + 8;
    static constexpr std::uint8_t inverted = 0x80;
    static constexpr unsigned level_bits = 6;

    code_lengths lengths{};
    std::uint8_t lowest = 0, highest = 0;
    wavelet_tree tree;
    /// Of each node: a level of bernoulli.hpp (0: the bits as they are), perhaps with `inverted`.
    std::array<std::uint8_t, wavelet_tree::max_nodes> levels{};
    std::size_t leveled = 0;      ///< nodes from this one on have level 0
    std::uint64_t coded_bits = 0; ///< bits, before coding, of the bitmaps that are coded; known to the encoder only

    /// The best code for these counts. A bitmap is coded when that saves more than 1 / `least_gain` of its bits and
    /// pays for saying so; 0 means never. `bits` becomes the size of all bitmaps, about.
    static wavelet_code from(const stream_statistics& s, std::uint32_t least_gain, std::uint64_t& bits) noexcept {
        wavelet_code code;
        code.lowest = s.lowest;
        code.highest = s.highest;
        bits = 0;
        if (s.distinct < 2) return code;
        code.lengths = huffman_lengths(s.counts, stored_lengths::max_length);
        code.tree = wavelet_tree::from(code.lengths, s.lowest, s.highest);
        std::array<std::uint64_t, wavelet_tree::max_nodes> passing{};
        const auto passing_of = [&](wavelet_tree::child c) {
            return c < wavelet_tree::first_inner ? std::uint64_t{s.counts[c]} : passing[c - wavelet_tree::first_inner];
        };
        for (std::size_t k = code.tree.size; k-- > 0;) {
            const wavelet_tree::node& node = code.tree.nodes[k];
            const std::uint64_t zeros = passing_of(node.zero), ones = passing_of(node.one);
            passing[k] = zeros + ones;
            bits += zeros + ones;
            if (least_gain == 0) continue;
            const bernoulli::coding chosen = bernoulli::choose(zeros, ones);
            const std::uint64_t gain = zeros + ones - chosen.bits;
            // A level takes seven bits, and each node before the last that has one takes a bit.
            if (gain < 12 || gain * least_gain < zeros + ones) continue;
            bits -= gain;
            code.coded_bits += zeros + ones;
            code.levels[k] = static_cast<std::uint8_t>(chosen.level | (chosen.inverted ? inverted : 0));
            code.leveled = std::max(code.leveled, k + 1);
        }
        return code;
    }

    /// Bytes of the final states of rANS that carry nothing, about half of them.
    std::size_t states_bytes() const noexcept {
        return coded_bits == 0 ? 0 : 2 * rans_lanes_for(static_cast<std::size_t>(coded_bits / 8)) + 1;
    }

    std::size_t stored_bytes() const noexcept {
        const std::size_t table = stored_lengths::stored_bytes(lengths, lowest, highest);
        if (tree.size == 0) return table;
        std::size_t bits = 0;
        for (std::size_t k = 0; k < leveled; ++k)
            bits += levels[k] == 0 ? 1 : 1 + level_bits;
        return table + 1 + (bits + 7) / 8;
    }

    /// Writes the lengths; then, for a code of several symbols, how many of its first nodes are told of (8 bits), and
    /// for each of them a zero for plain bits or a one, the level (5 bits) and whether inverted (1 bit).
    std::size_t store(std::uint8_t* out) const noexcept {
        std::uint8_t* at = out + stored_lengths::store(lengths, lowest, highest, out);
        if (tree.size == 0) return static_cast<std::size_t>(at - out);
        *at++ = static_cast<std::uint8_t>(leveled);
        bit_writer writer(at);
        for (std::size_t k = 0; k < leveled; ++k) {
            writer.put(levels[k] != 0, 1);
            if (levels[k] == 0) continue;
            writer.put(levels[k] & ~inverted & 0xffu, level_bits - 1);
            writer.put(levels[k] >> 7, 1);
        }
        return static_cast<std::size_t>(at - out) + writer.finish();
    }

    static status load(byte_cursor& cursor, wavelet_code& code) noexcept {
        if (const status s = stored_lengths::load(cursor, code.lengths, code.lowest, code.highest); s != status::ok)
            return s;
        code.tree = wavelet_tree::from(code.lengths, code.lowest, code.highest);
        code.levels.fill(0);
        code.leveled = 0;
        if (code.tree.size == 0) return status::ok;
        code.leveled = cursor.read<std::uint8_t>();
        if (!cursor.ok()) return status::truncated;
        if (code.leveled > code.tree.size) return status::corrupt;
        bit_reader reader(cursor);
        for (std::size_t k = 0; k < code.leveled; ++k) {
            if (reader.get_bit() == 0) continue;
            unsigned level = 0;
            for (unsigned bit = 0; bit + 1 < level_bits; ++bit)
                level |= reader.get_bit() << bit;
            const unsigned is_inverted = reader.get_bit();
            if (level == 0 || level >= bernoulli::levels)
                return reader.exhausted() ? status::truncated : status::corrupt;
            code.levels[k] = static_cast<std::uint8_t>(level | is_inverted << 7);
        }
        return reader.exhausted() ? status::truncated : status::ok;
    }
};

namespace detail {

constexpr std::size_t bitmap_bytes(std::size_t count) noexcept { return (count + 7) / 8; }

/// Bytes that kernels may touch behind the symbols they are given.
inline constexpr std::size_t wavelet_slack = 64;

inline void invert(bytes_span bits) noexcept {
    for (std::uint8_t& byte : bits)
        byte = static_cast<std::uint8_t>(~byte);
}

} // namespace detail

} // namespace bigsmall::entropy
