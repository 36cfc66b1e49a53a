// SPDX-License-Identifier: BSL-1.0
// Element types by their safetensors names. Source: the safetensors format (huggingface/safetensors,
// `Dtype`), which gives names and widths; field widths are those of the IEEE 754 and OCP MX/FP8 formats.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include <bigsmall/core/checked.hpp>

namespace bigsmall {

/// How the bits of an element are to be read when choosing how to code it.
enum class number_kind : std::uint8_t {
    opaque, ///< nothing known: bytes
    boolean,
    integer,
    floating,      ///< sign, exponent, mantissa from the top bit down
    complex_float, ///< two floats of half the width
};

/// One element type. `bits` is the width of one element as safetensors counts it (F4 is 4, F6_* is 6);
/// exponent and mantissa widths are zero unless the kind is a float, and then of one float.
struct dtype {
    std::string_view name;
    number_kind kind = number_kind::opaque;
    std::uint16_t bits = 8;
    std::uint8_t exponent_bits = 0;
    std::uint8_t mantissa_bits = 0;
};

namespace detail {

inline constexpr std::array dtypes{
    dtype{"BOOL", number_kind::boolean, 8},
    dtype{"U8", number_kind::integer, 8},
    dtype{"I8", number_kind::integer, 8},
    dtype{"U16", number_kind::integer, 16},
    dtype{"I16", number_kind::integer, 16},
    dtype{"U32", number_kind::integer, 32},
    dtype{"I32", number_kind::integer, 32},
    dtype{"U64", number_kind::integer, 64},
    dtype{"I64", number_kind::integer, 64},
    dtype{"F4", number_kind::floating, 4, 2, 1},
    dtype{"F6_E2M3", number_kind::floating, 6, 2, 3},
    dtype{"F6_E3M2", number_kind::floating, 6, 3, 2},
    dtype{"F8_E4M3", number_kind::floating, 8, 4, 3},
    dtype{"F8_E5M2", number_kind::floating, 8, 5, 2},
    dtype{"F8_E4M3FNUZ", number_kind::floating, 8, 4, 3},
    dtype{"F8_E5M2FNUZ", number_kind::floating, 8, 5, 2},
    dtype{"F8_E8M0", number_kind::opaque, 8},
    dtype{"BF16", number_kind::floating, 16, 8, 7},
    dtype{"F16", number_kind::floating, 16, 5, 10},
    dtype{"F32", number_kind::floating, 32, 8, 23},
    dtype{"F64", number_kind::floating, 64, 11, 52},
    dtype{"C64", number_kind::complex_float, 64, 8, 23},
    dtype{"C128", number_kind::complex_float, 128, 11, 52},
};

} // namespace detail

/// The element type of that name, or nothing for a name we have never heard of.
constexpr std::optional<dtype> find_dtype(std::string_view name) noexcept {
    for (const dtype& candidate : detail::dtypes)
        if (candidate.name == name) return candidate;
    return std::nullopt;
}

/// Bytes that `elems` elements take, or nothing when they do not fill whole bytes or overflow.
constexpr std::optional<std::uint64_t> size_in_bytes(const dtype& type, std::uint64_t elems) noexcept {
    const auto bits = checked_mul(elems, type.bits);
    if (!bits || *bits % 8 != 0) return std::nullopt;
    return *bits / 8;
}

} // namespace bigsmall
