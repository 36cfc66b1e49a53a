// SPDX-License-Identifier: BSL-1.0
// Joint fields: exponent and the two top bits of the mantissa as one symbol, six bits left over.
//
// The words come as planes after a rotation to the left by one (scalar.hpp): `top` has the eight bits of the exponent,
// `next` the seven upper bits of the mantissa and, where a word has only 16 bits, the sign. A symbol counts from the
// first exponent of a window of 63 exponents: 4 (exponent - first) + two bits, 0 to 251. Symbol 252 is exponent 0 with
// bits 00 (zeros above all), 255 anything else. The six lower bits of `next` are packed, value i in the bits 6 i to
// 6 i + 5, least significant first.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <bigsmall/core/bytes.hpp>

namespace bigsmall::kernel::scalar {

inline constexpr std::uint8_t zero_symbol = 252, escape_symbol = 255, window_exponents = 63;

inline void part_fields(const std::uint8_t* top, const std::uint8_t* next, std::size_t count, std::uint8_t first,
                        std::uint8_t* lead, std::uint8_t* six) noexcept {
    std::uint32_t packed = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const unsigned place = static_cast<std::uint8_t>(top[i] - first);
        const bool zero = top[i] == 0 && next[i] < 64;
        const unsigned symbol = place << 2 | next[i] >> 6;
        lead[i] = place < window_exponents ? static_cast<std::uint8_t>(symbol) : zero ? zero_symbol : escape_symbol;
        packed |= (next[i] & 63u) << (6 * (i % 4));
        if (i % 4 != 3) continue;
        six[0] = static_cast<std::uint8_t>(packed);
        six[1] = static_cast<std::uint8_t>(packed >> 8);
        six[2] = static_cast<std::uint8_t>(packed >> 16);
        six += 3;
        packed = 0;
    }
    for (std::size_t bits = count % 4 * 6, k = 0; 8 * k < bits; ++k)
        six[k] = static_cast<std::uint8_t>(packed >> (8 * k));
}

/// The inverse; escapes give bytes that the caller has to replace.
inline void join_fields(const std::uint8_t* lead, const std::uint8_t* six, std::size_t count, std::uint8_t first,
                        std::uint8_t* top, std::uint8_t* next) noexcept {
    const auto join = [&](std::size_t i, unsigned low) {
        top[i] = lead[i] == zero_symbol ? 0 : static_cast<std::uint8_t>((lead[i] >> 2) + first);
        next[i] = static_cast<std::uint8_t>(static_cast<unsigned>(lead[i]) << 6 | (low & 63u));
    };
    std::size_t i = 0;
    for (; i + 4 <= count; i += 4, six += 3) {
        const unsigned packed = six[0] | static_cast<unsigned>(six[1]) << 8 | static_cast<unsigned>(six[2]) << 16;
        join(i, packed);
        join(i + 1, packed >> 6);
        join(i + 2, packed >> 12);
        join(i + 3, packed >> 18);
    }
    unsigned packed = 0;
    for (std::size_t bits = (count - i) * 6, k = 0; 8 * k < bits; ++k)
        packed |= static_cast<unsigned>(six[k]) << (8 * k);
    for (; i < count; ++i, packed >>= 6)
        join(i, packed);
}

/// The upper 16 bits of four words at a time, rotated back.
inline void join_words(const std::uint8_t* lead, const std::uint8_t* six, std::size_t count, std::uint8_t first,
                       std::uint8_t* words) noexcept {
    std::uint8_t top[4], next[4];
    for (std::size_t i = 0; i < count; i += 4) {
        const std::size_t here = count - i < 4 ? count - i : 4;
        join_fields(lead + i, six + i / 4 * 3, here, first, top, next);
        for (std::size_t k = 0; k < here; ++k) {
            const auto word = static_cast<std::uint16_t>(top[k] << 8 | next[k]);
            store_le<std::uint16_t>(words + 2 * (i + k), std::rotr(word, 1));
        }
    }
}

} // namespace bigsmall::kernel::scalar
