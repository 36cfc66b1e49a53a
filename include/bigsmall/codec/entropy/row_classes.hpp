// SPDX-License-Identifier: BSL-1.0
// Rows of a matrix sorted into classes whose symbols are distributed alike: k-means on histograms, with the size of the
// coded row as the distance. Rows of different scale end up apart without anybody having said what a scale is.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <vector>

#include <bigsmall/codec/statistics.hpp>
#include <bigsmall/core/bytes.hpp>

namespace bigsmall::entropy {

inline constexpr std::size_t max_classes = 16;

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
/// symbol may be either. In integers, means in 256ths, so that all machines agree. Its loops have no branches and narrow
/// sums, so that compilers turn them into vectors.
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

struct row_classes {
    std::size_t classes = 1;
    std::vector<std::uint8_t> of_row;

    /// Sorts rows (or columns, or contexts) by their histograms. `wanted` classes at most (empty ones are dropped),
    /// after `rounds` rounds of k-means.
    static row_classes find(const std::vector<std::array<std::uint32_t, 256>>& counts, std::size_t wanted, int rounds) {
        row_classes found;
        found.classes = wanted;
        found.of_row.resize(counts.size());
        found.start(counts);
        for (int round = 0; round < rounds; ++round)
            if (!found.improve(counts)) break;
        found.drop_empty();
        return found;
    }

    static std::vector<std::array<std::uint32_t, 256>> count_rows(bytes_view symbols, const row_layout& layout,
                                                                  const kernel::table& kernels) {
        std::vector<std::array<std::uint32_t, 256>> counts(layout.rows());
        for (std::size_t row = 0; row < counts.size(); ++row)
            kernels.histogram(symbols.data() + layout.begin(row), layout.size(row), counts[row].data());
        return counts;
    }

    /// The sum of the histograms of each class.
    std::vector<std::array<std::uint32_t, 256>> sums(const std::vector<std::array<std::uint32_t, 256>>& counts) const {
        std::vector<std::array<std::uint32_t, 256>> total(classes);
        for (std::size_t row = 0; row < counts.size(); ++row)
            for (std::size_t v = 0; v < 256; ++v)
                total[of_row[row]][v] += counts[row][v];
        return total;
    }

private:
    using costs = std::array<std::uint32_t, 256>; // of each symbol, in 4096ths of a bit

    static costs costs_of(const std::array<std::uint32_t, 256>& counts) noexcept {
        // Half a count more for each symbol: one that a class has not seen is dear, not impossible.
        const std::uint32_t all = std::accumulate(counts.begin(), counts.end(), std::uint32_t{0});
        costs each{};
        for (std::size_t v = 0; v < 256; ++v)
            each[v] = log2_in_4096ths(2 * all + 256) - log2_in_4096ths(2 * counts[v] + 1);
        return each;
    }

    std::uint64_t cost(const std::array<std::uint32_t, 256>& row, const costs& each) const noexcept {
        std::uint64_t sum = 0;
        for (std::size_t v = lowest_; v <= highest_; ++v)
            sum += std::uint64_t{row[v]} * each[v];
        return sum;
    }

    /// Rows in the order of their mean cost under one distribution for all, cut into classes of equal number: rows of
    /// small scale are cheap, those of large scale dear.
    void start(const std::vector<std::array<std::uint32_t, 256>>& counts) {
        std::array<std::uint32_t, 256> all{};
        for (const auto& row : counts)
            for (std::size_t v = 0; v < 256; ++v)
                all[v] += row[v];
        while (lowest_ < 255 && all[lowest_] == 0)
            ++lowest_;
        while (highest_ > lowest_ && all[highest_] == 0)
            --highest_;
        const costs each = costs_of(all);
        std::vector<std::uint64_t> mean(counts.size());
        for (std::size_t row = 0; row < counts.size(); ++row) {
            const std::uint64_t size = std::accumulate(counts[row].begin(), counts[row].end(), std::uint64_t{0});
            mean[row] = size == 0 ? 0 : cost(counts[row], each) / size;
        }
        std::vector<std::uint32_t> order(counts.size());
        std::iota(order.begin(), order.end(), 0u);
        std::stable_sort(order.begin(), order.end(),
                         [&](std::uint32_t a, std::uint32_t b) { return mean[a] < mean[b]; });
        for (std::size_t i = 0; i < order.size(); ++i)
            of_row[order[i]] = static_cast<std::uint8_t>(i * classes / order.size());
    }

    /// One round; false when nothing changed.
    bool improve(const std::vector<std::array<std::uint32_t, 256>>& counts) {
        std::vector<costs> each;
        for (const auto& sum : sums(counts))
            each.push_back(costs_of(sum));
        bool changed = false;
        for (std::size_t row = 0; row < counts.size(); ++row) {
            std::uint8_t best = 0;
            std::uint64_t best_cost = ~std::uint64_t{0};
            for (std::size_t c = 0; c < classes; ++c) {
                const std::uint64_t here = cost(counts[row], each[c]);
                if (here < best_cost) best_cost = here, best = static_cast<std::uint8_t>(c);
            }
            changed = changed || best != of_row[row];
            of_row[row] = best;
        }
        return changed;
    }

    std::size_t lowest_ = 0, highest_ = 255; // symbols that occur

    void drop_empty() {
        std::array<bool, max_classes> used{};
        for (const std::uint8_t c : of_row)
            used[c] = true;
        std::array<std::uint8_t, max_classes> number{};
        std::uint8_t next = 0;
        for (std::size_t c = 0; c < classes; ++c)
            if (used[c]) number[c] = next++;
        for (std::uint8_t& c : of_row)
            c = number[c];
        classes = next;
    }
};

} // namespace bigsmall::entropy
