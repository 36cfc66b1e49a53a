// SPDX-License-Identifier: BSL-1.0
// The code of docs/format/ecc.md once more, as plain as can be and with other methods than the library: products bit by
// bit, linear systems by elimination, errors by the method of Peterson, Gorenstein and Zierler.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace plain {

using symbols = std::vector<std::uint8_t>;

inline std::uint8_t times(std::uint8_t a, std::uint8_t b) {
    unsigned sum = 0, shifted = a;
    for (unsigned left = b; left != 0; left >>= 1) {
        if (left & 1) sum ^= shifted;
        shifted <<= 1;
        if (shifted & 0x100) shifted ^= 0x11d;
    }
    return static_cast<std::uint8_t>(sum);
}

inline std::uint8_t power(std::uint8_t base, std::size_t exponent) {
    std::uint8_t result = 1;
    while (exponent-- > 0)
        result = times(result, base);
    return result;
}

inline std::uint8_t inverse(std::uint8_t x) {
    static const std::array<std::uint8_t, 256> all = [] {
        std::array<std::uint8_t, 256> made{};
        for (std::size_t i = 1; i < 256; ++i)
            made[i] = power(static_cast<std::uint8_t>(i), 254);
        return made;
    }();
    return all[x];
}

/// x^j of row r, which is the point x = r + 1.
inline std::uint8_t point_power(std::size_t row, std::size_t j) {
    static const std::vector<std::array<std::uint8_t, 32>> all = [] {
        std::vector<std::array<std::uint8_t, 32>> made(255);
        for (std::size_t r = 0; r < 255; ++r)
            for (std::size_t k = 0; k < 32; ++k)
                made[r][k] = power(static_cast<std::uint8_t>(r + 1), k);
        return made;
    }();
    return all[row][j];
}

/// The sums that are zero in a word of the code.
inline symbols checks_of(const symbols& word) {
    symbols sums(32);
    for (std::size_t row = 0; row < word.size(); ++row)
        for (std::size_t j = 0; j < 32; ++j)
            sums[j] = static_cast<std::uint8_t>(sums[j] ^ times(word[row], point_power(row, j)));
    return sums;
}

inline bool is_word(const symbols& word) { return word.size() == 255 && checks_of(word) == symbols(32); }

/// The x with matrix * x = right, where there are as many unknowns as equations and there is one solution.
inline std::optional<symbols> solve(std::vector<symbols> matrix, symbols right) {
    const std::size_t size = right.size();
    for (std::size_t column = 0; column < size; ++column) {
        std::size_t pivot = column;
        while (pivot < size && matrix[pivot][column] == 0)
            ++pivot;
        if (pivot == size) return std::nullopt;
        std::swap(matrix[pivot], matrix[column]);
        std::swap(right[pivot], right[column]);
        const std::uint8_t by = inverse(matrix[column][column]);
        for (std::size_t row = 0; row < size; ++row) {
            const std::uint8_t factor = times(matrix[row][column], by);
            if (row == column || factor == 0) continue;
            for (std::size_t k = column; k < size; ++k)
                matrix[row][k] = static_cast<std::uint8_t>(matrix[row][k] ^ times(factor, matrix[column][k]));
            right[row] = static_cast<std::uint8_t>(right[row] ^ times(factor, right[column]));
        }
    }
    for (std::size_t i = 0; i < size; ++i)
        right[i] = times(right[i], inverse(matrix[i][i]));
    return right;
}

/// What must be added in these rows so that the first checks become zero.
inline std::optional<symbols> magnitudes(const symbols& checks, const std::vector<std::uint8_t>& rows) {
    std::vector<symbols> matrix(rows.size(), symbols(rows.size()));
    for (std::size_t j = 0; j < rows.size(); ++j)
        for (std::size_t i = 0; i < rows.size(); ++i)
            matrix[j][i] = point_power(rows[i], j);
    return solve(matrix, {checks.begin(), checks.begin() + static_cast<std::ptrdiff_t>(rows.size())});
}

/// The 32 parity symbols of 223 data symbols.
inline symbols parity_of(symbols data) {
    data.resize(255);
    std::vector<std::uint8_t> rows(32);
    for (std::size_t i = 0; i < 32; ++i)
        rows[i] = static_cast<std::uint8_t>(223 + i);
    return *magnitudes(checks_of(data), rows);
}

/// The rows of `count` errors at unknown places, from the checks without what erased rows add to them.
inline std::optional<std::vector<std::uint8_t>> find_errors(const symbols& checks, std::size_t count) {
    std::vector<symbols> matrix(count, symbols(count));
    symbols right(count);
    for (std::size_t k = 0; k < count; ++k) {
        for (std::size_t j = 0; j < count; ++j)
            matrix[k][j] = checks[k + count - 1 - j];
        right[k] = checks[k + count];
    }
    const std::optional<symbols> locator = solve(matrix, right); // of z to z^count; that of 1 is one
    if (!locator) return std::nullopt;
    std::vector<std::uint8_t> rows;
    for (std::size_t row = 0; row < 255; ++row) {
        const std::uint8_t z = inverse(static_cast<std::uint8_t>(row + 1));
        std::uint8_t value = 1, power_of_z = z;
        for (const std::uint8_t coefficient : *locator) {
            value = static_cast<std::uint8_t>(value ^ times(coefficient, power_of_z));
            power_of_z = times(power_of_z, z);
        }
        if (value == 0) rows.push_back(static_cast<std::uint8_t>(row));
    }
    return rows;
}

/// The word of the code within reach, or nothing.
inline std::optional<symbols> decode(const symbols& word, const std::vector<std::uint8_t>& erasures) {
    const symbols checks = checks_of(word);
    symbols without = checks;
    for (const std::uint8_t row : erasures) { // S_(j+1) - x S_j has nothing of the point x any more
        for (std::size_t j = 0; j + 1 < without.size(); ++j)
            without[j] =
                static_cast<std::uint8_t>(without[j + 1] ^ times(without[j], static_cast<std::uint8_t>(row + 1)));
        without.pop_back();
    }
    for (std::size_t count = (32 - erasures.size()) / 2 + 1; count-- > 0;) {
        const auto found = find_errors(without, count);
        if (!found) continue; // fewer errors than that
        std::vector<std::uint8_t> rows = erasures;
        rows.insert(rows.end(), found->begin(), found->end());
        if (found->size() != count) return std::nullopt;
        const std::optional<symbols> add = magnitudes(checks, rows);
        if (!add) return std::nullopt; // an error where an erasure is
        symbols corrected = word;
        for (std::size_t i = 0; i < rows.size(); ++i)
            corrected[rows[i]] = static_cast<std::uint8_t>(corrected[rows[i]] ^ (*add)[i]);
        if (!is_word(corrected)) return std::nullopt;
        return corrected;
    }
    return std::nullopt;
}

} // namespace plain
