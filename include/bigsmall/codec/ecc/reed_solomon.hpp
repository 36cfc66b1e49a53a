// SPDX-License-Identifier: BSL-1.0
// RS(255,223) over GF(256): 32 parity rows for 223 data rows, where each column of all rows is one code word.
//
// A word holds the values of a polynomial of degree below 224 at the points 1 to 255, and zero at the point 0; row r is
// the point r + 1, data first, then parity. This is the classical code with the generator roots 2^0 to 2^31: with
// c_x the symbol of point x, the sum of c_x * x^j is zero for j = 0 to 31. The points are eight cosets of the lowest
// 32. On each, the coefficients in the basis of the FFT are polynomials in s_5 of degree at most six, whose
// sum over all eight values of s_5 is zero: so the coefficients of the parity are the sum of those of the data.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <bigsmall/codec/ecc/transform_factors.hpp>
#include <bigsmall/core/status.hpp>
#include <bigsmall/kernel/select.hpp>
#include <bigsmall/kernel/table.hpp>

namespace bigsmall::ecc {

inline constexpr std::size_t data_symbols = 223, parity_symbols = 32, word_symbols = data_symbols + parity_symbols;

namespace detail {

/// Columns that are coded at once: the sums of 32 rows stay in the first-level cache.
inline constexpr std::size_t tile_columns = 512;
/// Kernels take multiples of this.
inline constexpr std::size_t step_columns = 64;

inline constexpr std::array<std::uint8_t, tile_columns> zeros{};

/// Rows of one coset, or columns that are not a whole step, filled up with zeros.
struct padded_rows {
    alignas(64) std::uint8_t bytes[coset_points][step_columns] = {};
};

using data_rows = std::span<const std::uint8_t* const, data_symbols>;
using parity_rows = std::span<std::uint8_t* const, parity_symbols>;

/// The 32 rows of data of a coset, from the column `begin`. The first of all is that of the point 0.
inline std::array<const std::uint8_t*, coset_points> rows_of_coset(data_rows data, std::size_t coset,
                                                                   std::size_t begin) noexcept {
    std::array<const std::uint8_t*, coset_points> rows;
    for (std::size_t i = 0; i < coset_points; ++i) {
        const std::size_t point = coset_points * coset + i;
        rows[i] = point == 0 ? zeros.data() : data[point - 1] + begin;
    }
    return rows;
}

/// Whole steps, at most a tile.
inline void encode_steps(data_rows data, std::size_t begin, std::size_t columns, parity_rows parity,
                         const kernel::table& kernels) noexcept {
    alignas(64) std::uint8_t sums[coset_points * tile_columns];
    std::fill_n(sums, coset_points * columns, std::uint8_t{0});
    for (std::size_t coset = 0; coset + 1 < coset_count; ++coset)
        kernels.galois.interpolate(rows_of_coset(data, coset, begin).data(), columns, factors_of_cosets[coset].data(),
                                   sums);
    std::array<std::uint8_t*, parity_symbols> out;
    for (std::size_t i = 0; i < parity_symbols; ++i)
        out[i] = parity[i] + begin;
    kernels.galois.evaluate(sums, columns, factors_of_cosets.back().data(), out.data());
}

/// Fewer columns than a step.
inline void encode_rest(data_rows data, std::size_t begin, std::size_t columns, parity_rows parity,
                        const kernel::table& kernels) noexcept {
    alignas(64) std::uint8_t sums[coset_points * step_columns] = {};
    padded_rows padded;
    std::array<std::uint8_t*, coset_points> all;
    for (std::size_t i = 0; i < coset_points; ++i)
        all[i] = padded.bytes[i];
    for (std::size_t coset = 0; coset + 1 < coset_count; ++coset) {
        const auto rows = rows_of_coset(data, coset, begin);
        for (std::size_t i = 0; i < coset_points; ++i)
            std::copy_n(rows[i], columns, all[i]);
        kernels.galois.interpolate(all.data(), step_columns, factors_of_cosets[coset].data(), sums);
    }
    kernels.galois.evaluate(sums, step_columns, factors_of_cosets.back().data(), all.data());
    for (std::size_t i = 0; i < parity_symbols; ++i)
        std::copy_n(all[i], columns, parity[i] + begin);
}

} // namespace detail

/// Fills 32 parity rows of `width` bytes from 223 data rows of as many. Any width, any alignment; parity rows overlap
/// nothing else. Needs about 20 KiB of stack and nothing else. Fast where `width` is thousands of columns and rows do
/// not begin at one distance that is a multiple of 4 KiB.
inline void encode(std::span<const std::uint8_t* const, data_symbols> data, std::size_t width,
                   std::span<std::uint8_t* const, parity_symbols> parity,
                   const kernel::table& kernels = kernel::best()) noexcept {
    const std::size_t whole = width - width % detail::step_columns;
    for (std::size_t begin = 0; begin < whole; begin += detail::tile_columns)
        detail::encode_steps(data, begin, std::min(detail::tile_columns, whole - begin), parity, kernels);
    if (whole < width) detail::encode_rest(data, whole, width - whole, parity, kernels);
}

} // namespace bigsmall::ecc
