// SPDX-License-Identifier: BSL-1.0
// Which words of a tensor a fingerprint holds, and how two of them differ. docs/format/fingerprints.md says why.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/dtype.hpp>

namespace bigsmall::archive::detail {

/// The number of a dtype in core's table; of one that we do not know.
inline constexpr std::uint8_t unknown_dtype = 255;

inline std::uint8_t dtype_number(std::string_view name) noexcept {
    const auto& all = bigsmall::detail::dtypes;
    const auto at = std::find_if(all.begin(), all.end(), [&](const dtype& type) { return type.name == name; });
    return at == all.end() ? unknown_dtype : static_cast<std::uint8_t>(at - all.begin());
}

/// A tensor as words: complex numbers are two floats, what does not fill bytes is bytes.
struct word_type {
    std::uint8_t bytes = 1;         ///< 1, 2, 4 or 8
    std::uint8_t exponent_bits = 0; ///< 0: no float
    std::uint8_t mantissa_bits = 0;

    bool floating() const noexcept { return exponent_bits != 0; }
    unsigned bits() const noexcept { return 8u * bytes; }
    bool operator==(const word_type&) const = default;
};

inline word_type word_type_of(std::uint8_t number) noexcept {
    if (number >= bigsmall::detail::dtypes.size()) return {};
    const dtype& type = bigsmall::detail::dtypes[number];
    const bool complex = type.kind == number_kind::complex_float;
    if (type.bits % 8 != 0) return {};
    const auto bytes = static_cast<std::uint8_t>(type.bits / (complex ? 16 : 8));
    if (type.kind != number_kind::floating && !complex) return {bytes, 0, 0};
    return {bytes, type.exponent_bits, type.mantissa_bits};
}

/// `runs` stretches of `run` words, `stride` words apart. They depend on the number of words only, and on that in steps
/// of powers of two: an embedding that got more rows is read at the same places. All lie within 32 Ki words that begin
/// at a multiple of 32 Ki, so that of an archive one block is decoded.
struct sample_places {
    std::uint64_t begin = 0, stride = 0;
    std::uint32_t run = 0, runs = 0;

    std::uint32_t words() const noexcept { return run * runs; }
    /// Words from the first that is wanted to the last.
    std::uint64_t span() const noexcept { return runs == 0 ? 0 : stride * (runs - 1) + run; }
};

inline constexpr std::uint64_t sample_window_words = 32 * 1024;
inline constexpr std::size_t max_sample_bytes = 384;

inline sample_places places_of(std::uint64_t words, word_type type) noexcept {
    if (words == 0) return {};
    const std::uint32_t wanted = type.bytes == 8 ? 48 : 96;
    std::uint64_t reach = std::bit_floor(words);
    if (reach < 2 * wanted) return {0, 0, static_cast<std::uint32_t>(std::min<std::uint64_t>(words, wanted)), 1};
    std::uint64_t begin = 0;
    if (reach >= 2 * sample_window_words) {
        begin = reach / 2;
        reach = sample_window_words;
    }
    return {begin, reach / 8, wanted / 8, 8};
}

/// How many of the first words of both are at the same places; 0 when they cannot be compared.
inline std::uint32_t common_words(const sample_places& a, const sample_places& b) noexcept {
    if (a.begin != b.begin || a.stride != b.stride || a.runs != b.runs) return 0;
    if (a.runs > 1 && a.run != b.run) return 0;
    return std::min(a.words(), b.words());
}

inline std::uint64_t load_word(const std::uint8_t* from, word_type type) noexcept {
    switch (type.bytes) {
    case 1: return *from;
    case 2: return load_le<std::uint16_t>(from);
    case 4: return load_le<std::uint32_t>(from);
    default: return load_le<std::uint64_t>(from);
    }
}

inline std::uint64_t exponent_of(std::uint64_t word, word_type type) noexcept {
    return (word >> type.mantissa_bits) & ((std::uint64_t{1} << type.exponent_bits) - 1);
}

inline bool convertible(word_type type) noexcept { return type.floating() && (type.bytes == 2 || type.bytes == 4); }

/// The value of a float of 16 or 32 bits; what is infinite or no number is only large.
inline double value_of(std::uint64_t word, word_type type) noexcept {
    const int bias = (1 << (type.exponent_bits - 1)) - 1;
    const auto exponent = static_cast<int>(exponent_of(word, type));
    const std::uint64_t mantissa = word & ((std::uint64_t{1} << type.mantissa_bits) - 1);
    const std::uint64_t one = exponent == 0 ? 0 : std::uint64_t{1} << type.mantissa_bits;
    const double size =
        std::ldexp(static_cast<double>(mantissa | one), std::max(exponent, 1) - bias - type.mantissa_bits);
    return (word >> (type.bits() - 1)) != 0 ? -size : size;
}

/// The word of `value`, rounded to the nearest.
inline std::uint64_t word_of(double value, word_type type) noexcept {
    const int bias = (1 << (type.exponent_bits - 1)) - 1;
    const std::uint64_t sign = std::uint64_t{std::signbit(value)} << (type.bits() - 1);
    const double size = std::fabs(value);
    const int exponent = size == 0 ? 1 : std::max(std::ilogb(size) + bias, 1);
    const std::uint64_t largest = ((std::uint64_t{1} << type.exponent_bits) - 1) << type.mantissa_bits;
    if (exponent >= (1 << type.exponent_bits) - 1) return sign | largest;
    // A mantissa that rounds up to the next power of two carries into the exponent, as it should.
    const auto units =
        static_cast<std::uint64_t>(std::nearbyint(std::ldexp(size, bias - exponent + type.mantissa_bits)));
    const std::uint64_t below = (static_cast<std::uint64_t>(exponent) - 1) << type.mantissa_bits;
    return sign | std::min(below + units, largest);
}

/// The integer whose order is that of the floats.
inline std::uint64_t in_order(std::uint64_t word, word_type type) noexcept {
    if (!type.floating()) return word;
    const std::uint64_t sign = std::uint64_t{1} << (type.bits() - 1);
    return (word & sign) != 0 ? 0 - (word & (sign - 1)) : word;
}

/// The difference of two words, in 64 bits with its sign; of integers, round the width of the word.
inline std::uint64_t difference_of(std::uint64_t word, std::uint64_t base, word_type type) noexcept {
    const std::uint64_t difference = in_order(word, type) - in_order(base, type);
    if (type.floating() || type.bytes == 8) return difference;
    const unsigned unused = 64 - type.bits();
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(difference << unused) >> unused);
}

/// 0, 1, 2, 3, 4 for 0, -1, 1, -2, 2.
inline std::uint64_t zigzag(std::uint64_t difference) noexcept { return (difference << 1) ^ (0 - (difference >> 63)); }

/// Bits of that: how far a word was moved.
inline int width_of(std::uint64_t difference) noexcept { return static_cast<int>(std::bit_width(zigzag(difference))); }

} // namespace bigsmall::archive::detail
