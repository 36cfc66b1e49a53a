// SPDX-License-Identifier: BSL-1.0
// What the words of a tensor stand for: their values, and their places in the order of all values of their type.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>

#include <bigsmall/archive/base_conversion.hpp>
#include <bigsmall/archive/base_words.hpp>
#include <bigsmall/core/dtype.hpp>

namespace bigsmall::archive::detail {

// Each type of number has
//   word      the unsigned integer that holds it
//   is_float  whether it may be NaN or infinite
//   value(w)  as a double
//   key(w)    an unsigned integer that grows with the value; the next value has the next key

template <class Word>
struct unsigned_number {
    using word = Word;
    static constexpr bool is_float = false;
    static constexpr double value(Word bits) noexcept { return static_cast<double>(bits); }
    static constexpr Word key(Word bits) noexcept { return bits; }
};

template <class Word>
struct signed_number {
    using word = Word;
    static constexpr bool is_float = false;
    static constexpr double value(Word bits) noexcept {
        return static_cast<double>(static_cast<std::make_signed_t<Word>>(bits));
    }
    static constexpr Word key(Word bits) noexcept {
        return static_cast<Word>(bits ^ static_cast<Word>(Word{1} << (8 * sizeof(Word) - 1)));
    }
};

/// -0 and +0 are neighbours: all bit patterns have different keys.
template <class Word, auto Value>
struct float_number {
    using word = Word;
    static constexpr bool is_float = true;
    static constexpr double value(Word bits) noexcept { return Value(bits); }
    /// Negative numbers grow downwards. No branches: signs of weights are as good as random.
    static constexpr Word key(Word bits) noexcept {
        constexpr unsigned top = 8 * sizeof(Word) - 1;
        const auto sign = static_cast<Word>(bits >> top);
        const auto all_if_negative = static_cast<Word>(Word{0} - sign);
        return static_cast<Word>(bits ^ (all_if_negative | static_cast<Word>(Word{1} << top)));
    }
};

/// How an FP8 type uses its topmost patterns. Source: OCP 8-bit Floating Point Specification (OFP8), and for fnuz
/// arXiv:2206.02915.
enum class small_float_kind : std::uint8_t {
    ieee, ///< the largest exponent is infinity and NaN
    fn,   ///< no infinity; all bits but the sign are a NaN
    fnuz  ///< neither infinity nor -0; that pattern is the only NaN
};

constexpr double power_of_two(int exponent) noexcept {
    double power = 1;
    for (; exponent > 0; --exponent)
        power *= 2;
    for (; exponent < 0; ++exponent)
        power /= 2;
    return power;
}

constexpr double value_of_small_float(unsigned bits, int mantissa_bits, small_float_kind kind) noexcept {
    const int exponent_bits = 7 - mantissa_bits, most_exponent = (1 << exponent_bits) - 1;
    const int bias = (1 << (exponent_bits - 1)) - (kind == small_float_kind::fnuz ? 0 : 1);
    const int exponent = static_cast<int>(bits & 0x7f) >> mantissa_bits;
    const int mantissa = static_cast<int>(bits) & ((1 << mantissa_bits) - 1), most_mantissa = (1 << mantissa_bits) - 1;
    const double sign = (bits & 0x80) != 0 ? -1 : 1;
    const bool nan = kind == small_float_kind::fnuz ? bits == 0x80
                     : kind == small_float_kind::fn ? exponent == most_exponent && mantissa == most_mantissa
                                                    : exponent == most_exponent && mantissa != 0;
    if (nan) return std::numeric_limits<double>::quiet_NaN();
    if (kind == small_float_kind::ieee && exponent == most_exponent)
        return sign * std::numeric_limits<double>::infinity();
    if (exponent == 0) return sign * mantissa * power_of_two(1 - bias - mantissa_bits);
    return sign * ((1 << mantissa_bits) + mantissa) * power_of_two(exponent - bias - mantissa_bits);
}

template <int MantissaBits, small_float_kind Kind>
inline constexpr std::array<double, 256> small_float_values = [] {
    std::array<double, 256> values{};
    for (unsigned bits = 0; bits < values.size(); ++bits)
        values[bits] = value_of_small_float(bits, MantissaBits, Kind);
    return values;
}();

template <int MantissaBits, small_float_kind Kind>
using f8_number =
    float_number<std::uint8_t, [](std::uint8_t bits) { return small_float_values<MantissaBits, Kind>[bits]; }>;

using f64_number = float_number<std::uint64_t, [](std::uint64_t bits) { return std::bit_cast<double>(bits); }>;
using f32_number =
    float_number<std::uint32_t, [](std::uint32_t bits) { return static_cast<double>(std::bit_cast<float>(bits)); }>;
using f16_number = float_number<std::uint16_t, [](std::uint16_t bits) {
    return static_cast<double>(std::bit_cast<float>(f32_of_f16(bits)));
}>;
using bf16_number = float_number<std::uint16_t, [](std::uint16_t bits) {
    return static_cast<double>(std::bit_cast<float>(f32_of_bf16(bits)));
}>;

/// Calls f(number) with the type of number of a tensor's words, and f(unsigned_number<std::uint8_t>) for the bytes of
/// what has no values; see has_values().
template <class F>
decltype(auto) with_number(const dtype& type, F&& f) {
    const std::string_view name = type.name;
    if (name == "BF16") return f(bf16_number{});
    if (name == "F32" || name == "C64") return f(f32_number{});
    if (name == "F16") return f(f16_number{});
    if (name == "F64" || name == "C128") return f(f64_number{});
    if (name == "F8_E4M3") return f(f8_number<3, small_float_kind::fn>{});
    if (name == "F8_E5M2") return f(f8_number<2, small_float_kind::ieee>{});
    if (name == "F8_E4M3FNUZ") return f(f8_number<3, small_float_kind::fnuz>{});
    if (name == "F8_E5M2FNUZ") return f(f8_number<2, small_float_kind::fnuz>{});
    if (name == "I8") return f(signed_number<std::uint8_t>{});
    if (name == "I16") return f(signed_number<std::uint16_t>{});
    if (name == "I32") return f(signed_number<std::uint32_t>{});
    if (name == "I64") return f(signed_number<std::uint64_t>{});
    if (name == "U16") return f(unsigned_number<std::uint16_t>{});
    if (name == "U32") return f(unsigned_number<std::uint32_t>{});
    if (name == "U64") return f(unsigned_number<std::uint64_t>{});
    return f(unsigned_number<std::uint8_t>{}); // U8, BOOL, and bytes
}

/// False for types whose bytes are compared as they are: unknown ones, scales (F8_E8M0), and elements of less than a
/// byte.
constexpr bool has_values(const dtype& type) noexcept { return type.kind != number_kind::opaque && type.bits >= 8; }

/// Bytes of a word: an element, half of a complex one, or a byte of what has no values.
constexpr std::size_t word_bytes_of(const dtype& type) noexcept { return word_format_of(type).bytes; }

} // namespace bigsmall::archive::detail
