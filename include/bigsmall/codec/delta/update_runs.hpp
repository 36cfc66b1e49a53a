// SPDX-License-Identifier: BSL-1.0
// How large the updates of a run of words are: frozen and slow parts of a model apart from what moves. Runs without any
// change are class 0; the others are parted by the mean width of their differences where that pays.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <bigsmall/codec/delta/neighbour_groups.hpp>
#include <bigsmall/codec/delta/word_form.hpp>
#include <bigsmall/core/bytes.hpp>

namespace bigsmall::delta {

/// Zigzag differences by size: 0, 1, and two buckets for each further bit.
constexpr std::size_t bucket_of(std::uint64_t zigzag) noexcept {
    if (zigzag < 2) return static_cast<std::size_t>(zigzag);
    const auto top = static_cast<unsigned>(std::bit_width(zigzag)) - 1;
    return 2 * std::size_t{top} + (zigzag >> (top - 1) & 1);
}
constexpr std::size_t buckets_of(const word_form& form) noexcept { return 2 * std::size_t{form.bits()}; }

struct update_runs {
    static constexpr std::size_t most_classes = 3;
    static constexpr unsigned run_log2 = 8;

    std::vector<std::uint8_t> of_run;
    std::size_t classes = 0; ///< besides class 0

    /// The runs of `words` zigzag differences.
    static update_runs find(bytes_view zigzags, std::size_t words, const word_form& form) {
        update_runs found;
        found.of_run.resize((words + run_words - 1) / run_words);
        std::vector<std::uint32_t> counts(bins * buckets_of(form));
        bool any = false;
        for (std::size_t run = 0; run < found.of_run.size(); ++run) {
            const std::size_t first = run * run_words, count = std::min(run_words, words - first);
            const bytes_view here = zigzags.subspan(first * form.width(), count * form.width());
            if (all_zero(here)) continue;
            any = true;
            const std::size_t bin = bin_of(here, count, form);
            found.of_run[run] = static_cast<std::uint8_t>(1 + bin);
            std::uint32_t* const of_bin = counts.data() + bin * buckets_of(form);
            for (std::size_t i = 0; i < count; i += step)
                ++of_bin[bucket_of(load_word(here.data(), i, form))];
        }
        if (any) found.part(counts, buckets_of(form));
        return found;
    }

private:
    static constexpr std::size_t run_words = std::size_t{1} << run_log2;
    static constexpr std::size_t step = 4;   ///< one word in four is looked at
    static constexpr std::size_t bins = 128; ///< of mean widths

    static bool all_zero(bytes_view bytes) noexcept {
        std::size_t i = 0;
        for (; i + 64 <= bytes.size(); i += 64) {
            std::uint64_t any = 0;
            for (std::size_t k = 0; k < 64; k += 8)
                any |= load_le<std::uint64_t>(bytes.data() + i + k);
            if (any != 0) return false;
        }
        return std::all_of(bytes.begin() + static_cast<std::ptrdiff_t>(i), bytes.end(),
                           [](std::uint8_t byte) { return byte == 0; });
    }

    static std::size_t bin_of(bytes_view zigzags, std::size_t count, const word_form& form) noexcept {
        std::size_t widths = 0, looked_at = 0;
        for (std::size_t i = 0; i < count; i += step, ++looked_at)
            widths += static_cast<std::size_t>(std::bit_width(load_word(zigzags.data(), i, form)));
        return widths * (bins - 1) / (looked_at * form.bits());
    }

    /// Bins to classes.
    void part(const std::vector<std::uint32_t>& counts, std::size_t buckets) {
        neighbour_groups groups(counts, buckets, 1);
        // A mean that was found by looking at the words explains them a little even if all runs are alike, by less
        // than it takes to say which class a run has. Twice that must be saved, and a few tables.
        constexpr std::uint64_t sampled = run_words / step, tables = 200 * one_bit;
        groups.merge(most_classes, [](const neighbour_groups::group& a, const neighbour_groups::group& b) {
            const std::uint64_t labels = n_log_n(a.weight + b.weight) - n_log_n(a.weight) - n_log_n(b.weight);
            return 2 * labels / sampled + tables;
        });
        classes = groups.groups().size();
        std::array<std::uint8_t, bins> of_bin{};
        std::size_t next = 0;
        for (std::size_t bin = 0; bin < bins; ++bin) {
            if (next < classes && groups.groups()[next].first <= bin) ++next;
            of_bin[bin] = static_cast<std::uint8_t>(next);
        }
        for (std::uint8_t& each : of_run)
            if (each != 0) each = of_bin[each - 1u];
    }
};

} // namespace bigsmall::delta
