// SPDX-License-Identifier: BSL-1.0
// Bitmaps whose bits are not fair, coded eight bits at a time: a byte with j ones has the probability
// p^j (1 - p)^(8 - j), so that rANS over bytes codes eight independent bits in one step.
//
// p is one of 23 levels, sin^2(pi k / 96) for k = 1 to 23. The angle whose squared sine is p measures how far apart two
// biased coins are: the loss of coding with the angle a + d instead of a is about 2 d^2 / ln 2 bits a bit, the same at
// all p. Neighbours are pi / 96 apart, so the loss is below 0.0008 bits a bit. Bitmaps with more ones than zeros are
// coded inverted.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <bigsmall/codec/statistics.hpp>

namespace bigsmall::entropy::bernoulli {

/// Level 0 is the fair coin: a bitmap as it is.
inline constexpr std::size_t levels = 24;

/// The probability of a one, in units of 2^-16.
inline constexpr std::array<std::uint32_t, levels> chance_of_one{
    32768, 70,    280,   630,   1117,  1739,  2494,  3379,  4390,  5522,  6771,  8132,
    9598,  11163, 12820, 14563, 16384, 18275, 20228, 22235, 24287, 26375, 28491, 30625};

/// Frequencies of the byte values, which add up to 4096. In integers, so that all machines agree.
constexpr std::array<std::uint32_t, 256> frequencies(std::size_t level) noexcept {
    const std::uint64_t one = chance_of_one[level], zero = 65536 - one;
    std::array<std::uint32_t, 9> by_ones{};
    for (unsigned ones = 0; ones <= 8; ++ones) {
        std::uint64_t chance = std::uint64_t{1} << 40;
        for (unsigned bit = 0; bit < 8; ++bit)
            chance = chance * (bit < ones ? one : zero) >> 16;
        by_ones[ones] = std::max<std::uint32_t>(1, static_cast<std::uint32_t>((chance + (1u << 27)) >> 28));
    }
    std::array<std::uint32_t, 256> result{};
    std::uint32_t sum = 0;
    for (std::size_t byte = 0; byte < 256; ++byte) {
        result[byte] = by_ones[static_cast<std::size_t>(std::popcount(byte))];
        sum += result[byte];
    }
    result[0] += 4096 - sum; // the commonest byte bears the rounding
    return result;
}

struct tables {
    std::array<std::array<std::uint32_t, 256>, levels> codings; ///< for rans_encoder::push()
    std::array<std::array<std::uint32_t, 4096>, levels> slots;  ///< for rans_decoder::pull()

    tables() noexcept {
        for (std::size_t level = 0; level < levels; ++level) {
            const std::array<std::uint32_t, 256> each = frequencies(level);
            std::uint32_t cumulative = 0;
            for (std::uint32_t byte = 0; byte < 256; ++byte) {
                codings[level][byte] = each[byte] | cumulative << 12;
                for (std::uint32_t i = 0; i < each[byte]; ++i)
                    slots[level][cumulative++] = each[byte] << 20 | i << 8 | byte;
            }
        }
    }
};

/// All tables, made at the first call (0.4 MB).
inline const tables& all() noexcept {
    static const tables made;
    return made;
}

/// Cost in 4096ths of a bit of a zero and of a one.
struct bit_costs {
    std::uint32_t zero, one;
};

inline const std::array<bit_costs, levels>& costs() noexcept {
    static const std::array<bit_costs, levels> made = [] {
        std::array<bit_costs, levels> each{};
        for (std::size_t level = 0; level < levels; ++level)
            each[level] = {(16u << 12) - log2_in_4096ths(65536 - chance_of_one[level]),
                           (16u << 12) - log2_in_4096ths(chance_of_one[level])};
        return each;
    }();
    return made;
}

/// The stored coding of a bitmap: a level, and whether it is coded inverted.
struct coding {
    std::uint8_t level = 0;
    bool inverted = false;
    std::uint64_t bits = 0; ///< what the bitmap will take, about
};

/// The best coding of a bitmap with so many bits of each kind.
inline coding choose(std::uint64_t zeros, std::uint64_t ones) noexcept {
    coding best{0, ones > zeros, zeros + ones};
    if (best.inverted) std::swap(zeros, ones);
    // A byte's probability cannot be above 3841 / 4096 because all others need a slot: 0.0116 bits a bit.
    const std::uint64_t least = (zeros + ones) * 12 / 1024;
    for (std::uint8_t level = 1; level < levels; ++level) {
        const std::uint64_t bits = std::max(least, (zeros * costs()[level].zero + ones * costs()[level].one) >> 12);
        if (bits < best.bits) best.level = level, best.bits = bits;
    }
    return best;
}

} // namespace bigsmall::entropy::bernoulli
