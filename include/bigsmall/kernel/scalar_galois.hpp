// SPDX-License-Identifier: BSL-1.0
// The portable kernels of GF(256): an additive FFT of 32 points, and sums of products.
//
// The transform is that of Lin, Chung and Han, "Novel Polynomial Basis and Its Application to Reed-Solomon Erasure
// Codes" (FOCS 2014). Its points are b, b + 1, ..., b + 31 for one b, sums in the field. Let s_k be the polynomial with
// the zeros 0 to 2^k - 1, divided by its value at 2^k. The basis: X_i is the product of those s_k for which bit k of i
// is set. From the values at the points the coefficients in that basis follow in five layers of sixteen butterflies; in
// layer k, two values at a distance of 2^k are a polynomial of degree one in s_k, whose values there differ by one.
//
// A layer has one factor for each 2^(k + 1) points, s_k of their first: sixteen of layer 0, then eight, four, two, one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <bigsmall/kernel/galois_field.hpp>
#include <bigsmall/kernel/table.hpp>

namespace bigsmall::kernel::scalar {

inline constexpr std::size_t transform_points = 32, transform_layers = 5, transform_columns = 64;

constexpr std::uint8_t product(const galois_products& with, std::uint8_t x) noexcept {
    return static_cast<std::uint8_t>(with.low[x & 15] ^ with.high[x >> 4]);
}

inline void add_products(const std::uint8_t* from, const galois_products& with, std::size_t count,
                         std::uint8_t* sum) noexcept {
    for (std::size_t i = 0; i < count; ++i)
        sum[i] ^= product(with, from[i]);
}

inline void add(const std::uint8_t* from, std::size_t count, std::uint8_t* sum) noexcept {
    for (std::size_t i = 0; i < count; ++i)
        sum[i] ^= from[i];
}

/// Calls butterfly(first row, second row, factor) for each pair of layer `k`.
template <class Butterfly>
void for_each_pair(std::size_t k, const galois_products* factors, const Butterfly& butterfly) noexcept {
    const std::size_t distance = std::size_t{1} << k;
    factors += transform_points - (transform_points >> k);
    for (std::size_t begin = 0; begin < transform_points; begin += 2 * distance, ++factors)
        for (std::size_t i = begin; i < begin + distance; ++i)
            butterfly(i, i + distance, *factors);
}

/// Asks for what a transform reads four steps later: rows are too many for a processor to foresee. There may be
/// nothing.
inline void prefetch_eight(const std::uint8_t* const* rows, std::size_t at) noexcept {
    for (std::size_t i = 0; i < 8; ++i)
        __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(rows[i]) + at + 256));
}

inline void interpolate(const std::uint8_t* const* rows, std::size_t count, const galois_products* factors,
                        std::uint8_t* sums) noexcept {
    constexpr std::size_t columns = transform_columns;
    std::uint8_t values[transform_points][columns];
    for (std::size_t at = 0; at < count; at += columns) {
        for (std::size_t i = 0; i < transform_points; ++i)
            std::memcpy(values[i], rows[i] + at, columns);
        for (std::size_t k = 0; k < transform_layers; ++k)
            for_each_pair(k, factors, [&](std::size_t a, std::size_t b, const galois_products& factor) {
                add(values[a], columns, values[b]);
                add_products(values[b], factor, columns, values[a]);
            });
        for (std::size_t i = 0; i < transform_points; ++i)
            add(values[i], columns, sums + i * count + at);
    }
}

inline void evaluate(const std::uint8_t* sums, std::size_t count, const galois_products* factors,
                     std::uint8_t* const* rows) noexcept {
    constexpr std::size_t columns = transform_columns;
    std::uint8_t values[transform_points][columns];
    for (std::size_t at = 0; at < count; at += columns) {
        for (std::size_t i = 0; i < transform_points; ++i)
            std::memcpy(values[i], sums + i * count + at, columns);
        for (std::size_t k = transform_layers; k-- > 0;)
            for_each_pair(k, factors, [&](std::size_t a, std::size_t b, const galois_products& factor) {
                add_products(values[b], factor, columns, values[a]);
                add(values[a], columns, values[b]);
            });
        for (std::size_t i = 0; i < transform_points; ++i)
            std::memcpy(rows[i] + at, values[i], columns);
    }
}

inline void multiply_add(const std::uint8_t* const* rows, const std::uint8_t* factors, std::size_t row_count,
                         std::size_t count, std::uint8_t* sum) noexcept {
    for (std::size_t row = 0; row < row_count; ++row)
        add_products(rows[row], galois::products[factors[row]], count, sum);
}

inline constexpr galois_functions galois_table{interpolate, evaluate, multiply_add};

} // namespace bigsmall::kernel::scalar
