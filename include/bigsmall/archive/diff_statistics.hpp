// SPDX-License-Identifier: BSL-1.0
// How the words of a tensor changed: how many, by how much, and by how many steps of their type.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include <bigsmall/archive/diff_numbers.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/dtype.hpp>

namespace bigsmall::archive {

/// Of words of A and the words of B in their places. A word is an element, half of a complex one, or a byte of a type
/// without values.
struct update_statistics {
    std::uint64_t words = 0, changed_words = 0; ///< changed: any bit differs; -0 is not +0
    /// Words that are NaN or infinite; `excluded`: pairs of which one is. Those are in no figure below.
    std::uint64_t not_finite_a = 0, not_finite_b = 0, excluded = 0;
    double squared_a = 0;      ///< sum of a^2
    double squared_update = 0; ///< sum of (b - a)^2
    double max_update = 0;     ///< largest |b - a|
    /// Words by how many steps from value to value of the type they moved: bin 0 those that did not, bin 1 by one, bin
    /// 2 by two, then 3 to 4, 5 to 8, ...; empty bins at the end are left out.
    std::vector<std::uint64_t> steps;

    /// The words of `other` come behind these. Sums of doubles depend on the order.
    void add(const update_statistics& other) {
        words += other.words;
        changed_words += other.changed_words;
        not_finite_a += other.not_finite_a;
        not_finite_b += other.not_finite_b;
        excluded += other.excluded;
        squared_a += other.squared_a;
        squared_update += other.squared_update;
        max_update = std::max(max_update, other.max_update);
        if (steps.size() < other.steps.size()) steps.resize(other.steps.size());
        for (std::size_t bin = 0; bin < other.steps.size(); ++bin)
            steps[bin] += other.steps[bin];
    }

    double changed_share() const noexcept {
        return words == 0 ? 0 : static_cast<double>(changed_words) / static_cast<double>(words);
    }

    /// ||b - a|| / ||a||. Nothing when all of a is 0 and b is not, or when doubles cannot hold the squares.
    std::optional<double> relative_l2() const noexcept {
        if (squared_update == 0) return 0.0;
        const double ratio = std::sqrt(squared_update) / std::sqrt(squared_a);
        if (!std::isfinite(ratio)) return std::nullopt;
        return ratio;
    }

    bool operator==(const update_statistics&) const = default;
};

/// The most steps that are counted in a bin of update_statistics::steps, and the fewest.
constexpr std::uint64_t most_steps_of(std::size_t bin) noexcept {
    if (bin > 64) return std::numeric_limits<std::uint64_t>::max();
    return bin == 0 ? 0 : std::uint64_t{1} << (bin - 1);
}
constexpr std::uint64_t fewest_steps_of(std::size_t bin) noexcept { return bin == 0 ? 0 : most_steps_of(bin - 1) + 1; }

/// The most steps of the bin in which the smallest `share` of the words that changed ends: with 0.5, half of them moved
/// by at most so many. Nothing when none is counted as changed.
inline std::optional<std::uint64_t> steps_of_share(const std::vector<std::uint64_t>& steps, double share) {
    std::uint64_t changed = 0, so_far = 0;
    for (std::size_t bin = 1; bin < steps.size(); ++bin)
        changed += steps[bin];
    const double wanted = share * static_cast<double>(changed);
    for (std::size_t bin = 1; bin < steps.size(); ++bin) {
        so_far += steps[bin];
        if (steps[bin] > 0 && static_cast<double>(so_far) >= wanted) return most_steps_of(bin);
    }
    return std::nullopt;
}

namespace detail {

constexpr std::size_t step_bins = 66; // 0, 1, and one for each power of two up to 2^64

/// Without branches where words leave room for that: whether a word changed cannot be foreseen.
template <class Word>
constexpr std::size_t step_bin(Word steps) noexcept {
    if constexpr (sizeof(Word) == 8) {
        return steps == 0 ? 0 : 1u + static_cast<std::size_t>(std::bit_width(steps - 1));
    } else {
        const std::uint64_t doubled = 2 * std::uint64_t{steps} - (steps != 0 ? 1u : 0u);
        return static_cast<std::size_t>(std::bit_width(2 * doubled | 1)) - 1;
    }
}

/// Counts words of one type of number. Sums have four lanes, by which additions need not wait for each other; the
/// result depends on the words and their order only.
template <class Number>
class update_counter {
public:
    using word = typename Number::word;

    /// Whole words, as many of each.
    void count(bytes_view a, bytes_view b) noexcept {
        constexpr std::size_t most = chunk_words * sizeof(word);
        words_ += a.size() / sizeof(word);
        for (std::size_t at = 0; at < a.size(); at += most) {
            const std::size_t bytes = std::min(most, a.size() - at);
            count_chunk(a.data() + at, b.data() + at, bytes / sizeof(word));
        }
    }

    update_statistics result() const {
        update_statistics all;
        all.words = words_;
        all.not_finite_a = not_finite_a_;
        all.not_finite_b = not_finite_b_;
        all.excluded = excluded_;
        all.squared_a = (squared_a_[0] + squared_a_[1]) + (squared_a_[2] + squared_a_[3]);
        all.squared_update = (squared_update_[0] + squared_update_[1]) + (squared_update_[2] + squared_update_[3]);
        all.max_update = max_update_;
        all.steps.resize(step_bins);
        for (const auto& lane : steps_)
            for (std::size_t bin = 0; bin < step_bins; ++bin)
                all.steps[bin] += lane[bin];
        while (!all.steps.empty() && all.steps.back() == 0)
            all.steps.pop_back();
        all.changed_words = excluded_changed_ + words_ - excluded_ - (all.steps.empty() ? 0 : all.steps[0]);
        return all;
    }

private:
    static constexpr std::size_t chunk_words = 512, lanes = 4;

    /// Values that are not finite are taken out first: they become 0 in both, and no step is counted for them.
    void count_chunk(const std::uint8_t* a, const std::uint8_t* b, std::size_t words) noexcept {
        std::array<word, chunk_words> was, is;
        std::array<double, chunk_words> from, to;
        for (std::size_t i = 0; i < words; ++i) {
            was[i] = load_le<word>(a + i * sizeof(word));
            is[i] = load_le<word>(b + i * sizeof(word));
            from[i] = Number::value(was[i]);
            to[i] = Number::value(is[i]);
        }
        if constexpr (Number::is_float) exclude(was.data(), is.data(), from.data(), to.data(), words);
        // Differences of integers are exact, whatever doubles can hold of the values.
        std::array<double, chunk_words> update;
        for (std::size_t i = 0; i < words; ++i)
            update[i] = Number::is_float ? to[i] - from[i] : static_cast<double>(steps_between(was[i], is[i]));
        add_squares(squared_a_, from.data(), words);
        add_squares(squared_update_, update.data(), words);
        for (std::size_t i = 0; i < words; ++i)
            max_update_ = std::max(max_update_, std::abs(update[i]));
        for (std::size_t i = 0; i < words; ++i)
            ++steps_[i % lanes][step_bin(steps_between(was[i], is[i]))];
    }

    static word steps_between(word was, word is) noexcept {
        const word a = Number::key(was), b = Number::key(is);
        return static_cast<word>(std::max(a, b) - std::min(a, b));
    }

    static void add_squares(std::array<double, lanes>& sums, const double* values, std::size_t count) noexcept {
        std::array<double, lanes> sum = sums;
        std::size_t i = 0;
        for (; i + lanes <= count; i += lanes)
            for (std::size_t lane = 0; lane < lanes; ++lane)
                sum[lane] += values[i + lane] * values[i + lane];
        for (; i < count; ++i)
            sum[i % lanes] += values[i] * values[i];
        sums = sum;
    }

    void exclude(word* was, word* is, double* from, double* to, std::size_t words) noexcept {
        bool all_finite = true;
        for (std::size_t i = 0; i < words; ++i)
            all_finite &= std::isfinite(from[i]) && std::isfinite(to[i]);
        if (all_finite) return;
        for (std::size_t i = 0; i < words; ++i) {
            const bool of_a = !std::isfinite(from[i]), of_b = !std::isfinite(to[i]);
            if (!of_a && !of_b) continue;
            ++excluded_;
            excluded_changed_ += was[i] != is[i] ? 1 : 0;
            not_finite_a_ += of_a ? 1 : 0;
            not_finite_b_ += of_b ? 1 : 0;
            --steps_[i % lanes][0]; // where count_chunk() counts it
            was[i] = is[i] = 0;
            from[i] = to[i] = 0;
        }
    }

    std::uint64_t words_ = 0, excluded_ = 0, excluded_changed_ = 0, not_finite_a_ = 0, not_finite_b_ = 0;
    std::array<double, lanes> squared_a_{}, squared_update_{};
    double max_update_ = 0;
    std::array<std::array<std::uint64_t, step_bins>, lanes> steps_{};
};

inline update_statistics changed_bytes(bytes_view a, bytes_view b) noexcept {
    update_statistics counts;
    counts.words = a.size();
    for (std::size_t i = 0; i < a.size(); ++i)
        counts.changed_words += a[i] != b[i] ? 1u : 0u;
    return counts;
}

} // namespace detail

/// Compares whole words of a type, as many of `a` as of `b`. Types without values have the first two figures only.
inline update_statistics compare_words(const dtype& type, bytes_view a, bytes_view b) {
    if (!detail::has_values(type)) return detail::changed_bytes(a, b);
    return detail::with_number(type, [&](auto number) {
        detail::update_counter<decltype(number)> counter;
        counter.count(a, b);
        return counter.result();
    });
}

} // namespace bigsmall::archive
