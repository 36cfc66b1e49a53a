// SPDX-License-Identifier: BSL-1.0
// The encoder's choices for a block: how many low bits of each class of runs are noise, which bits of the base are the
// context, and which contexts share a code. All from a sample of the words.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <bigsmall/codec/delta/delta_front.hpp>
#include <bigsmall/codec/delta/neighbour_groups.hpp>
#include <bigsmall/codec/delta/update_runs.hpp>
#include <bigsmall/codec/delta/word_form.hpp>

namespace bigsmall::delta {

/// Where the words of a block come from.
struct delta_words {
    word_form form;
    std::size_t count = 0;
    bytes_view zigzags, base;
};

/// Counts of buckets in each context of a class of runs, from a part of its words.
struct update_sample {
    static constexpr std::size_t contexts = 256;

    std::size_t buckets = 0;
    std::vector<std::uint32_t> counts; ///< of run class, context, bucket
    std::array<std::uint64_t, update_runs::most_classes> words{}, sampled{};

    std::span<const std::uint32_t> of_class(std::size_t c) const noexcept {
        return std::span(counts).subspan(c * contexts * buckets, contexts * buckets);
    }

    static update_sample take(const delta_words& from, const update_runs& runs, const rule_form& rule,
                              const kernel::table& kernels) {
        constexpr std::size_t run_words = std::size_t{1} << update_runs::run_log2, stretch = 32, few = 1 << 16;
        update_sample sample;
        sample.buckets = buckets_of(from.form);
        sample.counts.resize(runs.classes * contexts * sample.buckets);
        const kernel::context_rule context_rule = rule.kernel_rule();
        const unsigned width_log2 = from.form.width_log2;
        std::array<std::uint8_t, run_words> of_words;
        for (std::size_t run = 0; run < runs.of_run.size(); ++run) {
            if (runs.of_run[run] == 0) continue;
            const std::size_t c = runs.of_run[run] - 1u, first = run * run_words;
            const std::size_t in_run = std::min(run_words, from.count - first);
            sample.words[c] += in_run;
            const bool all = from.count <= few || in_run < run_words;
            const std::size_t begin = first + (all ? 0 : run * 3 % (run_words / stretch) * stretch);
            const std::size_t here = all ? in_run : stretch;
            kernels.differences.contexts[width_log2](from.base.data() + (begin << width_log2), here, context_rule,
                                                     of_words.data());
            std::uint32_t* const of_class = sample.counts.data() + c * contexts * sample.buckets;
            for (std::size_t i = 0; i < here; ++i)
                ++of_class[of_words[i] * sample.buckets +
                           bucket_of(load_word(from.zigzags.data(), begin + i, from.form))];
            sample.sampled[c] += here;
        }
        return sample;
    }
};

/// Symbols by size, as buckets count them: those of 0 and 1, two for each further bit, and 255, which stands for more.
struct symbol_sizes {
    static constexpr std::size_t kinds = 17;

    static constexpr std::size_t of_bucket(std::size_t bucket, unsigned low_bits) noexcept {
        const std::size_t zeros = 2 * std::size_t{low_bits};
        if (bucket < zeros) return 0;
        const std::size_t symbol = bucket - zeros;
        if (symbol < 2) return low_bits == 0 ? symbol : 1;
        return std::min(symbol, kinds - 1);
    }

    /// Bits of a difference in this bucket that no code shortens.
    static constexpr std::uint64_t noise_bits(std::size_t bucket, unsigned low_bits) noexcept {
        const std::size_t kind = of_bucket(bucket, low_bits);
        if (kind < 2) return low_bits;
        return bucket / 2 - 1 + (kind == kinds - 1 ? 4 : 0); // escapes are slow, and their planes know little of them
    }
};

class update_plan {
public:
    delta_front front;
    std::uint64_t bits = 0; ///< about what the block will take

    static update_plan make(const delta_words& from, const update_runs& runs, const rules_for& rules,
                            const kernel::table& kernels) {
        const update_sample sample = update_sample::take(from, runs, rules.by_value, kernels);
        update_plan plan;
        plan.front.run_classes = runs.classes;
        plan.front.form = from.form;
        plan.front.run_log2 = update_runs::run_log2;
        update_plan by_mantissa = plan;
        plan.front.rule = rules.by_value;
        by_mantissa.front.rule = rules.by_mantissa;
        for (std::size_t c = 0; c < runs.classes; ++c) {
            const unsigned low_bits = best_low_bits(sample.of_class(c), sample.buckets, from.form, rules.per_octave);
            plan.add(c, symbols_by_context(sample, c, low_bits, update_sample::contexts), low_bits, sample);
            if (rules.mantissas == 0) continue;
            by_mantissa.add(c, symbols_by_context(sample, c, low_bits, rules.mantissas), low_bits, sample);
        }
        return rules.mantissas != 0 && by_mantissa.bits < plan.bits ? by_mantissa : plan;
    }

private:
    /// Counts of symbol sizes in each context, of which the lowest `contexts` differ.
    static std::vector<std::uint32_t> symbols_by_context(const update_sample& sample, std::size_t c, unsigned low_bits,
                                                         std::size_t contexts) {
        std::vector<std::uint32_t> counts(contexts * symbol_sizes::kinds);
        const std::span<const std::uint32_t> buckets = sample.of_class(c);
        for (std::size_t i = 0; i < buckets.size(); ++i) {
            if (buckets[i] == 0) continue;
            const std::size_t context = i / sample.buckets % contexts;
            counts[context * symbol_sizes::kinds + symbol_sizes::of_bucket(i % sample.buckets, low_bits)] += buckets[i];
        }
        return counts;
    }

    /// The most low bits that lose next to nothing: each of them is one that need not be decoded.
    static unsigned best_low_bits(std::span<const std::uint32_t> counts, std::size_t buckets, const word_form& form,
                                  std::size_t per_octave) {
        std::vector<std::uint64_t> cost(form.most_low_bits() + 1);
        std::vector<std::uint32_t> octave(buckets);
        std::array<std::uint32_t, symbol_sizes::kinds> symbols;
        for (std::size_t first = 0; first < update_sample::contexts; first += per_octave) {
            const auto here = counts.subspan(first * buckets, per_octave * buckets);
            std::fill(octave.begin(), octave.end(), 0);
            std::uint64_t weight = 0;
            for (std::size_t i = 0; i < here.size(); ++i)
                octave[i % buckets] += here[i], weight += here[i];
            if (weight == 0) continue;
            for (unsigned low = 0; low < cost.size(); ++low) {
                symbols.fill(0);
                for (std::size_t b = 0; b < buckets; ++b) {
                    symbols[symbol_sizes::of_bucket(b, low)] += octave[b];
                    cost[low] += octave[b] * symbol_sizes::noise_bits(b, low) * one_bit;
                }
                cost[low] += coded_cost(symbols);
            }
        }
        const std::uint64_t least = *std::min_element(cost.begin(), cost.end());
        unsigned best = form.most_low_bits();
        while (cost[best] > least + least / 400)
            --best;
        return best;
    }

    /// The contexts of a class of runs become classes of symbols.
    void add(std::size_t c, const std::vector<std::uint32_t>& counts, unsigned low_bits, const update_sample& sample) {
        const std::uint64_t sampled = std::max<std::uint64_t>(sample.sampled[c], 1);
        const std::uint64_t scale = std::max<std::uint64_t>(sample.words[c] / sampled, 1);
        neighbour_groups groups(counts, symbol_sizes::kinds, std::max<std::uint64_t>(sampled / 256, 32));
        // A table, and a part of all that is coded, because classes take time.
        const std::uint64_t price = table_bits * one_bit / scale + groups.cost() / 400;
        const std::size_t most = front.run_classes == 1 ? 8 : front.run_classes == 2 ? 6 : 5;
        groups.merge(most, [&](const auto&, const auto&) { return price; });
        run_class& made = front.classes[c];
        made.low_bits = low_bits;
        made.contexts.classes = std::max<std::size_t>(groups.groups().size(), 1);
        for (std::size_t g = 1; g < groups.groups().size(); ++g)
            made.contexts.limits[g - 1] = static_cast<std::uint8_t>(groups.groups()[g].first);
        delta_front::fill_map(made.contexts);
        bits += (groups.cost() + price * groups.groups().size()) / one_bit * scale +
                noise_bits(c, low_bits, sample) * scale;
    }

    static std::uint64_t noise_bits(std::size_t c, unsigned low_bits, const update_sample& sample) noexcept {
        const std::span<const std::uint32_t> buckets = sample.of_class(c);
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < buckets.size(); ++i)
            sum += buckets[i] * symbol_sizes::noise_bits(i % sample.buckets, low_bits);
        return sum;
    }

    static constexpr std::uint64_t table_bits = 300;
};

} // namespace bigsmall::delta
