// SPDX-License-Identifier: BSL-1.0
// From one float type to another by integer arithmetic on the bits: the same result on every machine, whatever its
// floating-point unit does with subnormal numbers and NaNs. Source: IEEE 754-2019; BF16 is the upper half of binary32.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/io/container/index.hpp>

namespace bigsmall::archive {

namespace detail {

constexpr std::uint32_t f32_of_bf16(std::uint16_t bits) noexcept { return std::uint32_t{bits} << 16; }

/// To the nearest, ties to even. A NaN stays one, with as much of its payload as there is room for.
constexpr std::uint16_t bf16_of_f32(std::uint32_t bits) noexcept {
    const std::uint32_t top = bits >> 16;
    if ((bits & 0x7fff'ffff) > 0x7f80'0000) return static_cast<std::uint16_t>((top & 0x7f) != 0 ? top : top | 0x40);
    return static_cast<std::uint16_t>((bits + 0x7fff + (top & 1)) >> 16);
}

constexpr std::uint32_t f32_of_f16(std::uint16_t bits) noexcept {
    const std::uint32_t sign = std::uint32_t{bits & 0x8000u} << 16;
    const std::uint32_t exponent = (bits >> 10) & 31u, mantissa = bits & 0x3ffu;
    if (exponent == 31) return sign | 0x7f80'0000 | (mantissa << 13);
    if (exponent != 0) return sign | ((exponent + 112) << 23) | (mantissa << 13);
    if (mantissa == 0) return sign;
    // A subnormal number has its leading one somewhere in the mantissa; here it becomes the implied one.
    const auto shift = static_cast<std::uint32_t>(std::countl_zero(mantissa)) - 21;
    return sign | ((113 - shift) << 23) | (((mantissa << shift) & 0x3ff) << 13);
}

/// To the nearest, ties to even; too large becomes infinite. A NaN stays one, as above.
constexpr std::uint16_t f16_of_f32(std::uint32_t bits) noexcept {
    const std::uint32_t sign = (bits >> 16) & 0x8000, size = bits & 0x7fff'ffff;
    if (size > 0x7f80'0000) {
        const std::uint32_t payload = (size >> 13) & 0x3ff;
        return static_cast<std::uint16_t>(sign | 0x7c00 | (payload != 0 ? payload : 0x200));
    }
    if (size >= 0x4780'0000) return static_cast<std::uint16_t>(sign | 0x7c00); // 2^16 and more
    if (size >= 0x3880'0000) {                                                 // from 2^-14 on: normal
        const std::uint32_t shifted = size - (112u << 23);
        return static_cast<std::uint16_t>(sign | ((shifted + 0xfff + ((shifted >> 13) & 1)) >> 13));
    }
    if (size < 0x3300'0000) return static_cast<std::uint16_t>(sign); // less than half of the least: 2^-25
    const std::uint32_t mantissa = (size & 0x7f'ffff) | 0x80'0000, drop = 126 - (size >> 23);
    const std::uint32_t kept = mantissa >> drop, rest = mantissa & ((1u << drop) - 1), half = 1u << (drop - 1);
    return static_cast<std::uint16_t>(sign | (kept + (rest > half || (rest == half && (kept & 1) != 0) ? 1 : 0)));
}

template <class From, class To, class F>
void convert_words(bytes_view from, bytes_span to, F&& convert) {
    const std::size_t count = to.size() / sizeof(To);
    for (std::size_t i = 0; i < count; ++i)
        store_le<To>(to.data() + i * sizeof(To), convert(load_le<From>(from.data() + i * sizeof(From))));
}

} // namespace detail

/// The conversion between two types by their safetensors names, "none" for a type to itself; nothing when there is
/// none.
constexpr std::optional<io::base_conversion> conversion_between(std::string_view from, std::string_view to) noexcept {
    using enum io::base_conversion;
    if (from == to) return none;
    if (from == "F32" && to == "BF16") return f32_to_bf16;
    if (from == "BF16" && to == "F32") return bf16_to_f32;
    if (from == "F32" && to == "F16") return f32_to_f16;
    if (from == "F16" && to == "F32") return f16_to_f32;
    if (from == "BF16" && to == "F16") return bf16_to_f16;
    if (from == "F16" && to == "BF16") return f16_to_bf16;
    return std::nullopt;
}

/// Fills `to`, whole elements, with the converted elements of `from`, of which there are as many.
inline void convert_floats(io::base_conversion conversion, bytes_view from, bytes_span to) {
    using u16 = std::uint16_t;
    using u32 = std::uint32_t;
    switch (conversion) {
    case io::base_conversion::none:
        return detail::convert_words<std::uint8_t, std::uint8_t>(from, to, [](std::uint8_t byte) { return byte; });
    case io::base_conversion::f32_to_bf16: return detail::convert_words<u32, u16>(from, to, detail::bf16_of_f32);
    case io::base_conversion::bf16_to_f32: return detail::convert_words<u16, u32>(from, to, detail::f32_of_bf16);
    case io::base_conversion::f32_to_f16: return detail::convert_words<u32, u16>(from, to, detail::f16_of_f32);
    case io::base_conversion::f16_to_f32: return detail::convert_words<u16, u32>(from, to, detail::f32_of_f16);
    case io::base_conversion::bf16_to_f16:
        return detail::convert_words<u16, u16>(from, to,
                                               [](u16 bits) { return detail::f16_of_f32(detail::f32_of_bf16(bits)); });
    case io::base_conversion::f16_to_bf16:
        return detail::convert_words<u16, u16>(from, to,
                                               [](u16 bits) { return detail::bf16_of_f32(detail::f32_of_f16(bits)); });
    }
}

} // namespace bigsmall::archive
