// SPDX-License-Identifier: BSL-1.0
// How large the updates of a run of words are: frozen and slow parts of a model apart from what moves. Runs without any
// change are class 0; the others are parted by the mean width of their differences where that pays.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <bigsmall/codec/delta/neighbour_groups.hpp>
#include <bigsmall/codec/delta/word_form.hpp>
#include <bigsmall/core/bytes.hpp>

namespace bigsmall::delta {

/// Zigzag differences by size: 0, 1, and two buckets for each further bit. Without a branch that nobody could predict.
constexpr std::size_t bucket_of(std::uint64_t zigzag) noexcept {
    const auto top = static_cast<unsigned>(std::bit_width(zigzag | 2)) - 1;
    const std::size_t bucket = 2 * std::size_t{top} + (zigzag >> (top - 1) & 1);
    return bucket - (zigzag < 2 ? 2u : 0u);
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
        std::array<std::uint8_t, run_words / step> buckets;
        bool any = false;
        for (std::size_t run = 0; run < found.of_run.size(); ++run) {
            const std::size_t first = run * run_words, count = std::min(run_words, words - first);
            const bytes_view here = zigzags.subspan(first * form.width(), count * form.width());
            if (all_zero(here)) continue;
            any = true;
            const std::size_t looked_at = buckets_in(here, form, buckets);
            const std::size_t bin = bin_of(std::span(buckets).first(looked_at), form);
            found.of_run[run] = static_cast<std::uint8_t>(1 + bin);
            std::uint32_t* const of_bin = counts.data() + bin * buckets_of(form);
            for (std::size_t i = 0; i < looked_at; ++i)
                ++of_bin[buckets[i]];
        }
        if (any) found.part(counts, buckets_of(form));
        return found;
    }

private:
    static constexpr std::size_t run_words = std::size_t{1} << run_log2;
    static constexpr std::size_t step = 16;  ///< one word in sixteen is looked at
    static constexpr std::size_t bins = 128; ///< of mean buckets

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

    /// The buckets of one word in `step`; how many there are.
    static std::size_t buckets_in(bytes_view zigzags, const word_form& form, std::span<std::uint8_t> buckets) noexcept {
        switch (form.width_log2) {
        case 0: return buckets_of_words<std::uint8_t>(zigzags, buckets);
        case 1: return buckets_of_words<std::uint16_t>(zigzags, buckets);
        case 2: return buckets_of_words<std::uint32_t>(zigzags, buckets);
        default: return buckets_of_words<std::uint64_t>(zigzags, buckets);
        }
    }

    template <class Word>
    static std::size_t buckets_of_words(bytes_view zigzags, std::span<std::uint8_t> buckets) noexcept {
        std::size_t n = 0;
        for (std::size_t at = 0; at < zigzags.size(); at += step * sizeof(Word))
            buckets[n++] = static_cast<std::uint8_t>(bucket_of(load_le<Word>(zigzags.data() + at)));
        return n;
    }

    static std::size_t bin_of(std::span<const std::uint8_t> buckets, const word_form& form) noexcept {
        std::size_t sum = 0;
        for (const std::uint8_t bucket : buckets)
            sum += bucket;
        return sum * (bins - 1) / (buckets.size() * buckets_of(form));
    }

    /// Bins to classes.
    void part(const std::vector<std::uint32_t>& counts, std::size_t buckets) {
        neighbour_groups groups(counts, buckets, 1);
        // A mean that was found by looking at the words explains them a little even if all runs are alike, by less
        // than it takes to say which class a run has. The words looked at must save that alone, and a few tables.
        constexpr std::uint64_t sampled = run_words / step, tables = 100 * one_bit;
        groups.merge(most_classes, [](const neighbour_groups::group& a, const neighbour_groups::group& b) {
            const std::uint64_t labels = n_log_n(a.weight + b.weight) - n_log_n(a.weight) - n_log_n(b.weight);
            return labels / sampled + tables;
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
