// SPDX-License-Identifier: BSL-1.0
// GF(256) with the polynomial x^8 + x^4 + x^3 + x^2 + 1 (0x11d): bit i of a byte is the coefficient of x^i, so that the
// sum of two bytes is their XOR, and 2 generates all that are not zero.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <bigsmall/kernel/table.hpp>

namespace bigsmall::kernel::galois {

inline constexpr unsigned polynomial = 0x11d;
inline constexpr std::size_t order = 255; ///< of the generator: how many bytes are not zero

struct logarithms {
    std::uint8_t power[2 * order]; ///< power[i] is 2 to the i
    std::uint8_t log[order + 1];   ///< the inverse; log[0] means nothing
};
inline constexpr logarithms base_two = [] {
    logarithms made{};
    unsigned power = 1;
    for (std::size_t i = 0; i < order; ++i) {
        made.power[i] = made.power[i + order] = static_cast<std::uint8_t>(power);
        made.log[power] = static_cast<std::uint8_t>(i);
        power <<= 1;
        if (power > order) power ^= polynomial;
    }
    return made;
}();

constexpr std::uint8_t product(std::uint8_t a, std::uint8_t b) noexcept {
    if (a == 0 || b == 0) return 0;
    return base_two.power[std::size_t{base_two.log[a]} + base_two.log[b]];
}

/// a / b; b is not zero.
constexpr std::uint8_t quotient(std::uint8_t a, std::uint8_t b) noexcept {
    if (a == 0) return 0;
    return base_two.power[std::size_t{base_two.log[a]} + order - base_two.log[b]];
}

/// What a byte times `factor` is, by its lower and its upper four bits: the sum of low[b % 16] and high[b / 16].
constexpr galois_products products_with(std::uint8_t factor) noexcept {
    galois_products made{};
    for (std::uint8_t i = 0; i < 16; ++i) {
        made.low[i] = product(factor, i);
        made.high[i] = product(factor, static_cast<std::uint8_t>(i << 4));
    }
    return made;
}

/// products_with() of every byte.
inline constexpr std::array<galois_products, 256> products = [] {
    std::array<galois_products, 256> made{};
    for (std::size_t factor = 0; factor < made.size(); ++factor)
        made[factor] = products_with(static_cast<std::uint8_t>(factor));
    return made;
}();

} // namespace bigsmall::kernel::galois
