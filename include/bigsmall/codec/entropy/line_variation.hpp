// SPDX-License-Identifier: BSL-1.0
// Rows and columns of a stream, and whether they differ enough to be told apart.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <bigsmall/core/bytes.hpp>

namespace bigsmall::entropy {

/// A stream seen as rows: the first may begin, and the last may end, in its middle.
struct row_layout {
    std::size_t row_symbols = 0;  ///< at least 1
    std::size_t first_in_row = 0; ///< symbols of the first row that are not here, below row_symbols
    std::size_t symbols = 0;

    std::size_t rows() const noexcept { return (first_in_row + symbols + row_symbols - 1) / row_symbols; }
    std::size_t begin(std::size_t row) const noexcept {
        return row == 0 ? 0 : std::min(symbols, row * row_symbols - first_in_row);
    }
    std::size_t size(std::size_t row) const noexcept { return begin(row + 1) - begin(row); }
};

/// Whether lines differ by more than chance: the variance of their means against that of their symbols, which for lines
/// that are alike is the ratio one (the F statistic). Symbols count as they are and as signed magnitudes, because a
/// symbol may be either. In integers, means in 256ths, so that all machines agree. Its loops have no branches and
/// narrow sums, so that compilers turn them into vectors.
class line_variation {
public:
    /// `layout.rows()` rows, or `layout.row_symbols` columns.
    static line_variation of_rows(bytes_view raw, const row_layout& layout) {
        line_variation variation(layout.rows());
        for (std::size_t row = 0; row < layout.rows(); ++row) {
            const sums here = sums_of(raw.subspan(layout.begin(row), layout.size(row)));
            variation.count(row, layout.size(row), here.symbols, here.magnitudes);
            variation.add_squares(here);
        }
        return variation;
    }

    static line_variation of_columns(bytes_view raw, const row_layout& layout) {
        const std::size_t columns = layout.row_symbols;
        line_variation variation(columns);
        // Sums of 256 rows fit 16 bits: 256 * 255 < 65536.
        constexpr std::size_t most_rows = 256;
        std::vector<std::uint16_t> symbols(columns), magnitudes(columns);
        std::vector<std::uint16_t> counts(columns);
        for (std::size_t row = 0; row < layout.rows(); ++row) {
            const bytes_view here = raw.subspan(layout.begin(row), layout.size(row));
            const std::size_t first = row == 0 ? layout.first_in_row : 0;
            for (std::size_t i = 0; i < here.size(); ++i) {
                symbols[first + i] = static_cast<std::uint16_t>(symbols[first + i] + here[i]);
                magnitudes[first + i] = static_cast<std::uint16_t>(magnitudes[first + i] + magnitude(here[i]));
                counts[first + i] = static_cast<std::uint16_t>(counts[first + i] + 1);
            }
            if ((row + 1) % most_rows != 0 && row + 1 != layout.rows()) continue;
            for (std::size_t column = 0; column < columns; ++column)
                variation.count(column, counts[column], symbols[column], magnitudes[column]);
            for (std::vector<std::uint16_t>* each : {&symbols, &magnitudes, &counts})
                std::fill(each->begin(), each->end(), std::uint16_t{0});
        }
        variation.add_squares(sums_of(raw));
        return variation;
    }

    bool significant() const noexcept { return ratio_above(0) || ratio_above(1); }

private:
    explicit line_variation(std::size_t lines) : sums_(2 * lines), counts_(lines) {}

    struct sums {
        std::uint64_t symbols = 0, magnitudes = 0, squares = 0, square_magnitudes = 0;
    };

    static std::uint8_t magnitude(std::uint8_t symbol) noexcept {
        const auto negative = static_cast<std::uint8_t>(0 - symbol);
        return symbol < negative ? symbol : negative;
    }

    static sums sums_of(bytes_view symbols) noexcept {
        sums all;
        constexpr std::size_t most = 65536; // 65536 * 255^2 < 2^32
        for (std::size_t at = 0; at < symbols.size(); at += most) {
            std::uint32_t sum = 0, sum_of_magnitudes = 0, squares = 0, square_magnitudes = 0;
            for (const std::uint8_t symbol : symbols.subspan(at, std::min(most, symbols.size() - at))) {
                const std::uint16_t value = symbol, size = magnitude(symbol);
                sum += value;
                sum_of_magnitudes += size;
                squares += std::uint32_t{value} * value;
                square_magnitudes += std::uint32_t{size} * size;
            }
            all.symbols += sum;
            all.magnitudes += sum_of_magnitudes;
            all.squares += squares;
            all.square_magnitudes += square_magnitudes;
        }
        return all;
    }

    void count(std::size_t line, std::size_t symbols, std::uint64_t sum, std::uint64_t sum_of_magnitudes) noexcept {
        counts_[line] += symbols;
        sums_[2 * line] += sum;
        sums_[2 * line + 1] += sum_of_magnitudes;
    }
    void add_squares(const sums& all) noexcept {
        squares_[0] += all.squares;
        squares_[1] += all.square_magnitudes;
    }

    bool ratio_above(std::size_t which) const noexcept {
        std::uint64_t all = 0, count = 0;
        for (std::size_t line = 0; line < counts_.size(); ++line) {
            all += sums_[2 * line + which];
            count += counts_[line];
        }
        if (count == 0) return false;
        const std::uint64_t mean = all * 256 / count;
        std::uint64_t between = 0; // 65536 times the sum over symbols of the squared distance of their line's mean
        for (std::size_t line = 0; line < counts_.size(); ++line) {
            if (counts_[line] == 0) continue;
            const std::uint64_t here = sums_[2 * line + which] * 256 / counts_[line];
            const std::uint64_t distance = here > mean ? here - mean : mean - here;
            between += counts_[line] * distance * distance;
        }
        const std::uint64_t total = squares_[which] * 65536 - count * mean * mean;
        // between / lines > 1.5 total / count
        return between / counts_.size() > total / count + total / count / 2;
    }

    std::vector<std::uint64_t> sums_;
    std::vector<std::uint64_t> counts_;
    std::array<std::uint64_t, 2> squares_{};
};

} // namespace bigsmall::entropy
