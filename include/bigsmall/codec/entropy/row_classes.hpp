// SPDX-License-Identifier: BSL-1.0
// Rows of a matrix sorted into classes whose symbols are distributed alike: k-means on histograms, with the size of the
// coded row as the distance. Rows of different scale end up apart without anybody having said what a scale is.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include <bigsmall/codec/entropy/line_variation.hpp>
#include <bigsmall/codec/statistics.hpp>
#include <bigsmall/core/bytes.hpp>

namespace bigsmall::entropy {

inline constexpr std::size_t max_classes = 16;

/// `room` cut into parts of these sizes.
inline std::vector<bytes_span> rooms_of(const std::vector<std::size_t>& sizes, bytes_span room) {
    std::vector<bytes_span> rooms;
    for (const std::size_t size : sizes) {
        rooms.push_back(room.first(size));
        room = room.subspan(size);
    }
    return rooms;
}

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
        const std::vector<std::int16_t> narrowed = found.narrow(counts);
        for (int round = 0; round < rounds; ++round)
            if (!found.improve(counts, narrowed)) break;
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

    /// The counts of the symbols that occur in 16 bits, rows one after another, each padded with zeros to whole
    /// vectors. Those of long rows are halved until the longest fits, rounded up: a symbol that occurs keeps a price.
    std::vector<std::int16_t> narrow(const std::vector<std::array<std::uint32_t, 256>>& counts) const {
        std::uint32_t longest = 0;
        for (const auto& row : counts)
            longest = std::max(longest, std::accumulate(row.begin(), row.end(), std::uint32_t{0}));
        unsigned halvings = 0;
        while (longest >> halvings > 0x7fff)
            ++halvings;
        const std::uint32_t up = (1u << halvings) - 1;
        std::vector<std::int16_t> narrowed(counts.size() * padded());
        for (std::size_t row = 0; row < counts.size(); ++row)
            for (std::size_t v = lowest_; v <= highest_; ++v)
                narrowed[row * padded() + v - lowest_] = static_cast<std::int16_t>((counts[row][v] + up) >> halvings);
        return narrowed;
    }

    /// One round; false when nothing changed. Costs in 1024ths of a bit are below 26 * 1024, and counts with them below
    /// 2^15 * 26 * 1024 + 256 * 26 * 1024 together: 16-bit factors and 32-bit sums are enough, and processors multiply
    /// and add such by vectors.
    bool improve(const std::vector<std::array<std::uint32_t, 256>>& counts, const std::vector<std::int16_t>& narrowed) {
        std::vector<std::int16_t> each(classes * padded());
        const auto totals = sums(counts);
        for (std::size_t c = 0; c < classes; ++c) {
            const costs fine = costs_of(totals[c]);
            for (std::size_t v = lowest_; v <= highest_; ++v)
                each[c * padded() + v - lowest_] = static_cast<std::int16_t>(fine[v] / 4);
        }
        bool changed = false;
        for (std::size_t row = 0; row < counts.size(); ++row) {
            std::uint8_t best = 0;
            std::int32_t best_cost = std::numeric_limits<std::int32_t>::max();
            for (std::size_t c = 0; c < classes; ++c) {
                const std::int16_t* const here = narrowed.data() + row * padded();
                const std::int16_t* const prices = each.data() + c * padded();
                std::int32_t sum = 0;
                for (std::size_t v = 0, n = padded(); v < n; ++v)
                    sum += std::int32_t{here[v]} * prices[v];
                if (sum < best_cost) best_cost = sum, best = static_cast<std::uint8_t>(c);
            }
            changed = changed || best != of_row[row];
            of_row[row] = best;
        }
        return changed;
    }

    std::size_t padded() const noexcept { return (highest_ - lowest_ + 8) / 8 * 8; }

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
