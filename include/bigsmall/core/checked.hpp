// SPDX-License-Identifier: BSL-1.0
// Arithmetic on sizes that come from files: the answer or nothing, never a wrapped number.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

namespace bigsmall {

constexpr std::optional<std::uint64_t> checked_add(std::uint64_t a, std::uint64_t b) noexcept {
    if (a > std::numeric_limits<std::uint64_t>::max() - b) return std::nullopt;
    return a + b;
}

constexpr std::optional<std::uint64_t> checked_mul(std::uint64_t a, std::uint64_t b) noexcept {
    if (b != 0 && a > std::numeric_limits<std::uint64_t>::max() / b) return std::nullopt;
    return a * b;
}

} // namespace bigsmall
