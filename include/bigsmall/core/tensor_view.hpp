// SPDX-License-Identifier: BSL-1.0
// A tensor as every layer sees it: a name, a type, a shape and bytes that somebody else owns.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/checked.hpp>

namespace bigsmall {

/// Number of elements of a shape (the empty shape is a scalar: one), or nothing on overflow.
constexpr std::optional<std::uint64_t> element_count(std::span<const std::uint64_t> shape) noexcept {
    // A zero extent makes the tensor empty however large the others are.
    for (const std::uint64_t extent : shape)
        if (extent == 0) return 0;
    std::uint64_t count = 1;
    for (const std::uint64_t extent : shape) {
        const auto next = checked_mul(count, extent);
        if (!next) return std::nullopt;
        count = *next;
    }
    return count;
}

/// Row-major elements, little-endian. `dtype_name` is the safetensors name, known to us or not.
struct tensor_view {
    std::string_view name;
    std::string_view dtype_name;
    std::span<const std::uint64_t> shape;
    bytes_view bytes;
};

} // namespace bigsmall
