// SPDX-License-Identifier: BSL-1.0
// The floats of 16 and 32 bits as integers and back, in steps that give the same bits with any compiler and whether
// subnormal numbers are flushed or not: no inexact product is summed (it might be fused), nothing is subnormal.
#pragma once

#include <algorithm>
#include <bit>
#include <cfenv>
#include <cstdint>
#include <limits>
#include <string_view>

#include <bigsmall/core/dtype.hpp>

namespace bigsmall::grouping {

static_assert(std::numeric_limits<float>::is_iec559 && std::numeric_limits<double>::is_iec559);

/// The rounding that files mean. A thread that has set another one can neither find multiples nor make them.
inline bool rounds_to_nearest() noexcept { return std::fegetround() == FE_TONEAREST; }

/// What multiples.hpp asks of a format: `word`, its bits; `rounded(x)`, the nearest number, ties to even;
/// `value(magnitude)`, a word without its sign as a double, infinity's word going on as if it were a number;
/// `usable(magnitude)`, whether that and both its neighbours have a value.
struct f32_words {
    using word = std::uint32_t;
    static constexpr int exponent_bits = 8, mantissa_bits = 23;

    static word rounded(float x) noexcept { return std::bit_cast<std::uint32_t>(x); }
    static double value(word magnitude) noexcept {
        return std::bit_cast<double>((std::uint64_t{magnitude} << 29) + (std::uint64_t{896} << 52));
    }
    static bool usable(word magnitude) noexcept { return magnitude >> 23 >= 2 && magnitude >> 23 < 255; }
};

struct bf16_words {
    using word = std::uint16_t;
    static constexpr int exponent_bits = 8, mantissa_bits = 7;

    static word rounded(float x) noexcept {
        const auto bits = std::bit_cast<std::uint32_t>(x);
        return static_cast<word>((bits + 0x7fffu + (bits >> 16 & 1)) >> 16);
    }
    static double value(word magnitude) noexcept { return f32_words::value(std::uint32_t{magnitude} << 16); }
    static bool usable(word magnitude) noexcept { return f32_words::usable(std::uint32_t{magnitude} << 16); }
};

struct f16_words {
    using word = std::uint16_t;
    static constexpr int exponent_bits = 5, mantissa_bits = 10;

    static word rounded(float x) noexcept {
        const auto bits = std::bit_cast<std::uint32_t>(x);
        const std::uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
        if (magnitude >= 0x47800000u) return static_cast<word>(sign | 0x7c00u); // 2^16 and above
        if (magnitude >= 0x38800000u)                                           // 2^-14 and above
            return static_cast<word>(sign | (magnitude - 0x38000000u + 0xfffu + (magnitude >> 13 & 1)) >> 13);
        const std::uint32_t shift = std::min(126u - (magnitude >> 23), 31u);
        const std::uint32_t mantissa = (magnitude & 0x7fffffu) | 0x800000u;
        const std::uint32_t odd = mantissa >> shift & 1;
        return static_cast<word>(sign | (mantissa + ((std::uint32_t{1} << (shift - 1)) - 1) + odd) >> shift);
    }
    static double value(word magnitude) noexcept {
        if (magnitude < 0x400) return static_cast<double>(magnitude) * 0x1p-24;
        return std::bit_cast<double>((std::uint64_t{magnitude} << 42) + (std::uint64_t{1008} << 52));
    }
    static bool usable(word magnitude) noexcept { return magnitude != 0 && magnitude < 0x7c00; }
};

} // namespace bigsmall::grouping
