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
        const std::size_t skipped = from.count < 4 * few ? 1 : 2; // every other run is enough of many
        update_sample sample;
        sample.buckets = buckets_of(from.form);
        sample.counts.resize(runs.classes * contexts * sample.buckets);
        const kernel::context_rule context_rule = rule.kernel_rule();
        const unsigned width_log2 = from.form.width_log2;
        std::array<std::uint8_t, run_words> of_words;
        std::array<std::size_t, update_runs::most_classes> seen{};
        for (std::size_t run = 0; run < runs.of_run.size(); ++run) {
            if (runs.of_run[run] == 0) continue;
            const std::size_t c = runs.of_run[run] - 1u, first = run * run_words;
            const std::size_t in_run = std::min(run_words, from.count - first);
            sample.words[c] += in_run;
            const std::size_t before = seen[c]++;
            const bool all = from.count <= few || in_run < run_words;
            if (!all && before % skipped != 0) continue;
            const std::size_t begin = first + (all ? 0 : before * 5 % (run_words / stretch) * stretch);
            const std::size_t here = all ? in_run : stretch;
            kernels.differences.contexts[width_log2](from.base.data() + (begin << width_log2), here, context_rule,
                                                     of_words.data());
            std::uint32_t* const of_class = sample.counts.data() + c * contexts * sample.buckets;
            for (std::size_t i = 0; i < here; ++i) {
                const std::uint64_t zigzag = load_word(from.zigzags.data(), begin + i, from.form);
                ++of_class[of_words[i] * sample.buckets + bucket_of(zigzag)];
            }
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
            const class_sample dense{sample, c, false}, sparse{sample, c, true};
            const unsigned low = best_low_bits(dense, from.form, rules.per_octave);
            const bool try_sparse = sparse.is_sparse();
            const unsigned sparse_low = try_sparse ? best_low_bits(sparse, from.form, rules.per_octave) : 0;
            const auto add_best = [&](update_plan& to, std::size_t contexts) {
                choice best = choose(dense, low, contexts, to.most_classes());
                if (try_sparse)
                    if (choice other = choose(sparse, sparse_low, contexts, to.most_classes());
                        other.bits + sparse.price(other.bits) < best.bits)
                        best = other;
                to.front.classes[c] = best.how;
                to.bits += best.bits;
            };
            add_best(plan, update_sample::contexts);
            if (rules.mantissas != 0) add_best(by_mantissa, rules.mantissas);
        }
        return rules.mantissas != 0 && by_mantissa.bits < plan.bits ? by_mantissa : plan;
    }

private:
    struct choice {
        run_class how;
        std::uint64_t bits = 0;
    };

    /// The sampled words of a class of runs; without those that did not change if these are told of apart.
    struct class_sample {
        const update_sample& of;
        std::size_t c;
        bool sparse;

        std::span<const std::uint32_t> counts() const noexcept { return of.of_class(c); }
        std::size_t buckets() const noexcept { return of.buckets; }
        /// Buckets of which it has words.
        bool has(std::size_t i) const noexcept { return counts()[i] != 0 && !(sparse && i % of.buckets == 0); }
        std::uint64_t scale() const noexcept { return std::max<std::uint64_t>(of.words[c] / of.sampled[c], 1); }

        std::uint64_t unchanged() const noexcept {
            std::uint64_t sum = 0;
            for (std::size_t context = 0; context < update_sample::contexts; ++context)
                sum += counts()[context * of.buckets];
            return sum;
        }
        bool is_sparse() const noexcept { return unchanged() > of.sampled[c] / 2; }

        /// Words that changed are brought together one by one.
        std::uint64_t price(std::uint64_t coded_bits) const noexcept {
            return coded_bits * (of.sampled[c] - unchanged()) / (4 * of.sampled[c]);
        }

        /// What saying which words changed takes besides what the symbols cost. Bitmaps of trees are coded with chances
        /// that are too rough for rare bits.
        std::uint64_t flags_cost() const noexcept {
            if (!is_sparse()) return 0;
            const std::uint64_t zeros = unchanged(), all = of.sampled[c];
            if (!sparse) return zeros > all / 4 * 3 ? all * (one_bit * 9 / 1000) : 0;
            return n_log_n(all) - n_log_n(zeros) - n_log_n(all - zeros);
        }
    };

    std::size_t most_classes() const noexcept { return front.run_classes == 3 ? 5 : 6; }

    /// Counts of symbol sizes in each context, of which the lowest `contexts` differ.
    static std::vector<std::uint32_t> symbols_by_context(const class_sample& sample, unsigned low_bits,
                                                         std::size_t contexts) {
        std::vector<std::uint32_t> counts(contexts * symbol_sizes::kinds);
        const std::span<const std::uint32_t> words = sample.counts();
        for (std::size_t i = 0; i < words.size(); ++i) {
            if (!sample.has(i)) continue;
            const std::size_t context = i / sample.buckets() % contexts, bucket = i % sample.buckets();
            counts[context * symbol_sizes::kinds + symbol_sizes::of_bucket(bucket, low_bits)] += words[i];
        }
        return counts;
    }

    /// The most low bits that lose next to nothing: each of them is one that need not be decoded.
    static unsigned best_low_bits(const class_sample& sample, const word_form& form, std::size_t per_octave) {
        std::vector<std::uint64_t> cost(form.most_low_bits() + 1);
        std::vector<std::uint32_t> octave(sample.buckets());
        const std::size_t octave_size = per_octave * sample.buckets();
        for (std::size_t first = 0; first < sample.counts().size(); first += octave_size) {
            std::fill(octave.begin(), octave.end(), 0);
            bool any = false;
            for (std::size_t i = first; i < first + octave_size; ++i) {
                if (!sample.has(i)) continue;
                octave[i % sample.buckets()] += sample.counts()[i];
                any = true;
            }
            if (any) add_costs(octave, cost);
        }
        const std::uint64_t least = *std::min_element(cost.begin(), cost.end());
        unsigned best = form.most_low_bits();
        while (cost[best] > least + least / 400)
            --best;
        return best;
    }

    /// What these differences cost with each number of low bits.
    static void add_costs(std::span<const std::uint32_t> counts, std::span<std::uint64_t> cost) {
        std::array<std::uint32_t, symbol_sizes::kinds> symbols;
        for (unsigned low = 0; low < cost.size(); ++low) {
            symbols.fill(0);
            for (std::size_t b = 0; b < counts.size(); ++b) {
                symbols[symbol_sizes::of_bucket(b, low)] += counts[b];
                cost[low] += counts[b] * symbol_sizes::noise_bits(b, low) * one_bit;
            }
            cost[low] += coded_cost(symbols);
        }
    }

    /// The contexts of a class of runs become classes of symbols.
    static choice choose(const class_sample& sample, unsigned low_bits, std::size_t contexts, std::size_t most) {
        const std::vector<std::uint32_t> counts = symbols_by_context(sample, low_bits, contexts);
        const std::uint64_t sampled = sample.of.sampled[sample.c], scale = sample.scale();
        neighbour_groups groups(counts, symbol_sizes::kinds, std::max<std::uint64_t>(sampled / 256, 32));
        // A table, and a part of all that is coded, because classes take time.
        const std::uint64_t price = table_bits * one_bit / scale + groups.cost() / 200;
        groups.merge(most, [&](const auto&, const auto&) { return price; });
        choice made;
        made.how.low_bits = low_bits;
        made.how.sparse = sample.sparse;
        made.how.contexts.classes = std::max<std::size_t>(groups.groups().size(), 1);
        for (std::size_t g = 1; g < groups.groups().size(); ++g)
            made.how.contexts.limits[g - 1] = static_cast<std::uint8_t>(groups.groups()[g].first);
        delta_front::fill_map(made.how.contexts);
        const std::uint64_t cost = groups.cost() + price * groups.groups().size() + sample.flags_cost();
        made.bits = (cost / one_bit + noise_bits(sample, low_bits)) * sample.of.words[sample.c] / sampled;
        return made;
    }

    static std::uint64_t noise_bits(const class_sample& sample, unsigned low_bits) noexcept {
        const std::span<const std::uint32_t> words = sample.counts();
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < words.size(); ++i)
            if (sample.has(i)) sum += words[i] * symbol_sizes::noise_bits(i % sample.buckets(), low_bits);
        return sum;
    }

    static constexpr std::uint64_t table_bits = 300;
};

} // namespace bigsmall::delta
