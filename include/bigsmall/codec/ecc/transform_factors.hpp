// SPDX-License-Identifier: BSL-1.0
// The factors of the additive FFTs (kernel/scalar_galois.hpp) over all 256 bytes, 32 in a row at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <bigsmall/kernel/galois_field.hpp>
#include <bigsmall/kernel/table.hpp>

namespace bigsmall::ecc::detail {

inline constexpr std::size_t coset_points = 32, coset_count = 8;

/// s_k(x): the polynomial with the zeros 0 to 2^k - 1, divided by its value at 2^k. Twice as many zeros: those of s_k,
/// and, since it is linear, those of s_k plus one.
constexpr std::uint8_t vanishing(std::size_t k, std::uint8_t x) noexcept {
    if (k == 0) return x;
    const auto undivided = [k](std::uint8_t y) {
        const std::uint8_t s = vanishing(k - 1, y);
        return kernel::galois::product(s, static_cast<std::uint8_t>(s ^ 1));
    };
    return kernel::galois::quotient(undivided(x), undivided(static_cast<std::uint8_t>(1u << k)));
}

using coset_factors = std::array<kernel::galois_products, coset_points - 1>;

/// For the points 32 * coset to 32 * coset + 31, as the kernels want them.
inline constexpr std::array<coset_factors, coset_count> factors_of_cosets = [] {
    std::array<coset_factors, coset_count> made{};
    for (std::size_t coset = 0; coset < coset_count; ++coset) {
        std::size_t next = 0;
        for (std::size_t k = 0, step = 2; step <= coset_points; ++k, step *= 2)
            for (std::size_t point = 0; point < coset_points; point += step)
                made[coset][next++] = kernel::galois::products_with(
                    vanishing(k, static_cast<std::uint8_t>(coset_points * coset + point)));
    }
    return made;
}();

} // namespace bigsmall::ecc::detail
