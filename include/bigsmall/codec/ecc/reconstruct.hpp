// SPDX-License-Identifier: BSL-1.0
// Rows that are known to be lost, from all others.
//
// With zeros for the lost data, the parity comes out wrong by what the lost data would have added. k lost data rows and
// k of the parity rows that are left make k equations; any k of them have one solution. Lost parity rows follow. All
// that is linear and the same in every column, so that it is one matrix: it is found by coding unit vectors.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <bigsmall/codec/ecc/reed_solomon.hpp>
#include <bigsmall/core/status.hpp>
#include <bigsmall/kernel/galois_field.hpp>
#include <bigsmall/kernel/select.hpp>
#include <bigsmall/kernel/table.hpp>

namespace bigsmall::ecc {

namespace detail {

inline constexpr std::size_t most_erased = parity_symbols;
using square = std::array<std::array<std::uint8_t, most_erased>, most_erased>;

/// What is lost, and how it follows from what the parity is wrong by.
struct recovery {
    std::array<std::uint8_t, most_erased> lost_data, lost_parity, used; ///< row numbers; parity from 0
    std::size_t data_count = 0, parity_count = 0;                       ///< as many are used as data rows are lost
    square of_data;   ///< lost data row i is the sum of of_data[i][j] times the difference of used row j
    square of_parity; ///< what lost parity row i must be changed by
};

/// Sorts out what is lost. False if the numbers are not those of different rows, or too many.
inline bool sort_erased(std::span<const std::uint8_t> erased, recovery& plan) noexcept {
    std::array<bool, word_symbols> is_lost{};
    if (erased.size() > most_erased) return false;
    for (const std::uint8_t row : erased) {
        if (row >= word_symbols || is_lost[row]) return false;
        is_lost[row] = true;
        if (row < data_symbols)
            plan.lost_data[plan.data_count++] = row;
        else
            plan.lost_parity[plan.parity_count++] = static_cast<std::uint8_t>(row - data_symbols);
    }
    std::size_t used = 0;
    for (std::size_t row = 0; used < plan.data_count; ++row)
        if (!is_lost[data_symbols + row]) plan.used[used++] = static_cast<std::uint8_t>(row);
    return true;
}

/// columns[p][i]: what a one in lost data row i adds to parity row p.
inline square parity_of_units(const recovery& plan, const kernel::table& kernels) noexcept {
    square units{}, columns{};
    std::array<const std::uint8_t*, data_symbols> data;
    std::array<std::uint8_t*, parity_symbols> parity;
    data.fill(zeros.data());
    for (std::size_t i = 0; i < plan.data_count; ++i) {
        units[i][i] = 1;
        data[plan.lost_data[i]] = units[i].data();
    }
    for (std::size_t p = 0; p < parity_symbols; ++p)
        parity[p] = columns[p].data();
    encode(data, most_erased, parity, kernels);
    return columns;
}

/// row *= factor, for both halves of [matrix | inverse].
inline void scale(std::span<std::uint8_t> row, std::uint8_t factor) noexcept {
    for (std::uint8_t& x : row)
        x = kernel::galois::product(x, factor);
}

/// The inverse of the upper left `size` x `size`, by the method of Gauss and Jordan. Nothing has to change places: each
/// square part of the parity of units has an inverse, since any lost rows can be found, and so no pivot is zero.
inline square inverse(square matrix, std::size_t size, const kernel::table& kernels) noexcept {
    square made{};
    for (std::size_t i = 0; i < size; ++i)
        made[i][i] = 1;
    for (std::size_t i = 0; i < size; ++i) {
        const std::uint8_t factor = kernel::galois::quotient(1, matrix[i][i]);
        scale(matrix[i], factor);
        scale(made[i], factor);
        const std::uint8_t *const of_matrix = matrix[i].data(), *const of_made = made[i].data();
        for (std::size_t row = 0; row < size; ++row) {
            const std::uint8_t times = matrix[row][i];
            if (row == i || times == 0) continue;
            kernels.galois.multiply_add(&of_matrix, &times, 1, most_erased, matrix[row].data());
            kernels.galois.multiply_add(&of_made, &times, 1, most_erased, made[row].data());
        }
    }
    return made;
}

/// Fills the matrices.
inline void solve(recovery& plan, const kernel::table& kernels) noexcept {
    const std::size_t size = plan.data_count;
    if (size == 0) return;
    const square columns = parity_of_units(plan, kernels);
    square equations{};
    for (std::size_t i = 0; i < size; ++i)
        equations[i] = columns[plan.used[i]];
    plan.of_data = inverse(equations, size, kernels);
    std::array<const std::uint8_t*, most_erased> rows;
    for (std::size_t i = 0; i < size; ++i)
        rows[i] = plan.of_data[i].data();
    plan.of_parity = {};
    for (std::size_t i = 0; i < plan.parity_count; ++i)
        kernels.galois.multiply_add(rows.data(), columns[plan.lost_parity[i]].data(), size, most_erased,
                                    plan.of_parity[i].data());
}

using word_rows = std::span<std::uint8_t* const, word_symbols>;

/// At most a tile of columns.
inline void reconstruct_tile(word_rows rows, std::size_t begin, std::size_t columns, const recovery& plan,
                             const kernel::table& kernels) noexcept {
    alignas(64) std::uint8_t difference[parity_symbols][tile_columns];
    std::array<const std::uint8_t*, data_symbols> data;
    std::array<std::uint8_t*, parity_symbols> parity;
    for (std::size_t i = 0; i < data_symbols; ++i)
        data[i] = rows[i] + begin;
    for (std::size_t i = 0; i < plan.data_count; ++i)
        data[plan.lost_data[i]] = zeros.data();
    for (std::size_t i = 0; i < parity_symbols; ++i)
        parity[i] = difference[i];
    encode(data, columns, parity, kernels);

    constexpr std::uint8_t one = 1;
    std::array<const std::uint8_t*, most_erased> used;
    for (std::size_t i = 0; i < plan.data_count; ++i) {
        const std::uint8_t* const kept = rows[data_symbols + plan.used[i]] + begin;
        kernels.galois.multiply_add(&kept, &one, 1, columns, difference[plan.used[i]]);
        used[i] = difference[plan.used[i]];
    }
    for (std::size_t i = 0; i < plan.data_count; ++i) {
        std::uint8_t* const lost = rows[plan.lost_data[i]] + begin;
        std::fill_n(lost, columns, std::uint8_t{0});
        kernels.galois.multiply_add(used.data(), plan.of_data[i].data(), plan.data_count, columns, lost);
    }
    for (std::size_t i = 0; i < plan.parity_count; ++i) {
        std::uint8_t* const lost = rows[data_symbols + plan.lost_parity[i]] + begin;
        std::copy_n(difference[plan.lost_parity[i]], columns, lost);
        kernels.galois.multiply_add(used.data(), plan.of_parity[i].data(), plan.data_count, columns, lost);
    }
}

} // namespace detail

/// Fills the erased rows from all others. `rows` are 223 of data, then 32 of parity, of `width` bytes each, which do
/// not overlap; `erased` has numbers of different rows, at most 32, which are the same in every column. What erased
/// rows hold does not matter. No row is touched where `erased` is not so: status::corrupt is returned then.
inline status reconstruct(std::span<std::uint8_t* const, word_symbols> rows, std::size_t width,
                          std::span<const std::uint8_t> erased,
                          const kernel::table& kernels = kernel::best()) noexcept {
    detail::recovery plan;
    if (!detail::sort_erased(erased, plan)) return status::corrupt;
    if (erased.empty()) return status::ok;
    detail::solve(plan, kernels);
    for (std::size_t begin = 0; begin < width; begin += detail::tile_columns)
        detail::reconstruct_tile(rows, begin, std::min(detail::tile_columns, width - begin), plan, kernels);
    return status::ok;
}

} // namespace bigsmall::ecc
