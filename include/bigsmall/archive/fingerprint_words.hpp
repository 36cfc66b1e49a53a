// SPDX-License-Identifier: BSL-1.0
// What the words of a fingerprint would cost, alone and as differences from those of another: entropies of a few
// symbols, pooled over the tensors of a model.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <vector>

#include <bigsmall/archive/fingerprint_match.hpp>
#include <bigsmall/archive/fingerprint_sample.hpp>

namespace bigsmall::archive::detail {

/// Counts symbols by context, and says what one costs on average in each.
class symbol_counts {
public:
    static constexpr std::size_t symbols = 128;

    void add(std::uint32_t context, const std::vector<std::uint8_t>& some) {
        counts& seen = counts_[context];
        for (const std::uint8_t symbol : some)
            ++seen[symbol];
    }

    /// Nothing is added afterwards.
    void close() {
        for (const auto& [context, seen] : counts_)
            bits_[context] = entropy(seen);
        counts_.clear();
    }

    /// Bits; 0 of a context that never was.
    double bits(std::uint32_t context) const {
        const auto found = bits_.find(context);
        return found == bits_.end() ? 0 : found->second;
    }

private:
    using counts = std::array<std::uint32_t, symbols>;

    /// The second term is what an entropy misses that is measured on few symbols (Miller, Madow).
    static double entropy(const counts& seen) {
        double all = 0, kinds = 0, sum = 0;
        for (const std::uint32_t n : seen)
            all += n;
        for (const std::uint32_t n : seen) {
            if (n == 0) continue;
            sum -= n * std::log2(n / all);
            ++kinds;
        }
        return sum / all + (kinds - 1) / (2 * all * std::log(2.0));
    }

    std::unordered_map<std::uint32_t, counts> counts_;
    std::unordered_map<std::uint32_t, double> bits_;
};

/// The words of one tensor as contexts and symbols; bits of each word that no model can save.
struct modelled_words {
    std::map<std::uint32_t, std::vector<std::uint8_t>> symbols; ///< by context; each below symbol_counts::symbols
    std::size_t words = 0;
    double plain_bits = 0;

    void add(std::uint32_t context, int symbol, double plain) {
        symbols[context].push_back(static_cast<std::uint8_t>(symbol));
        plain_bits += plain;
        ++words;
    }
    void count(symbol_counts& counts) const {
        for (const auto& [context, list] : symbols)
            counts.add(context, list);
    }
    /// Per word.
    double bits(const symbol_counts& counts) const {
        double sum = plain_bits;
        for (const auto& [context, list] : symbols)
            sum += counts.bits(context) * static_cast<double>(list.size());
        return words == 0 ? 0 : sum / static_cast<double>(words);
    }
};

inline int middle_exponent(std::vector<int> exponents) {
    if (exponents.empty()) return 0;
    const auto middle = exponents.begin() + static_cast<std::ptrdiff_t>(exponents.size() / 2);
    std::nth_element(exponents.begin(), middle, exponents.end());
    return *middle;
}

inline std::vector<int> exponents_of(const std::vector<std::uint64_t>& words, word_type type) {
    std::vector<int> exponents;
    for (const std::uint64_t word : words)
        exponents.push_back(type.floating() ? static_cast<int>(exponent_of(word, type)) : 0);
    return exponents;
}

/// Low bits that are 0 in all of them; none when all are 0.
inline unsigned idle_bits(const std::vector<std::uint64_t>& words) {
    std::uint64_t any = 0;
    for (const std::uint64_t word : words)
        any |= word;
    return any == 0 ? 0 : static_cast<unsigned>(std::countr_zero(any));
}

/// Bits below the highest one of a number that has `width` of them: nobody can foresee these.
inline double low_bits(int width) { return width > 1 ? width - 1 : 0; }

inline std::uint32_t context_of(word_type type, int kind, int exponent, int level) {
    return static_cast<std::uint32_t>(((std::bit_width(type.bytes) * 4 + kind) * 32 + exponent) * 256 + level);
}

/// Floats without a base: the exponent, beside the middle one of the tensor, sign, and those bits of the mantissa that
/// are used. Integers: how long they are, and the rest.
inline modelled_words model_alone(const std::vector<std::uint64_t>& words, word_type type) {
    modelled_words model;
    const unsigned idle = idle_bits(words);
    const std::vector<int> exponents = exponents_of(words, type);
    const int middle = middle_exponent(exponents);
    const double used = std::max(0, static_cast<int>(type.mantissa_bits) - static_cast<int>(idle));
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (type.floating()) {
            const bool zero = words[i] << (65 - type.bits()) == 0;
            const int symbol = zero ? 127 : std::clamp(exponents[i] - middle + 63, 0, 126);
            model.add(context_of(type, 0, 0, 0), symbol, zero ? 0 : 1 + used);
        } else {
            const int width = std::max(width_of(difference_of(words[i], 0, type)) - static_cast<int>(idle), 0);
            model.add(context_of(type, 1, 0, 0), width, low_bits(width));
        }
    }
    return model;
}

/// Differences: how long they are, given the exponent of the base and how long they are in this tensor on average.
inline modelled_words model_changes(const std::vector<word_pair>& pairs, word_type type) {
    std::vector<std::uint64_t> bases, changes;
    for (const word_pair& pair : pairs) {
        bases.push_back(pair.base);
        changes.push_back(difference_of(pair.word, pair.base, type));
    }
    const unsigned idle = idle_bits(changes);
    const std::vector<int> exponents = exponents_of(bases, type);
    const int middle = middle_exponent(exponents);
    std::vector<int> widths;
    double sum = 0;
    for (const std::uint64_t change : changes) {
        widths.push_back(std::max(width_of(change) - static_cast<int>(idle), 0));
        sum += widths.back();
    }
    const int level = pairs.empty() ? 0 : static_cast<int>(std::lround(2 * sum / static_cast<double>(pairs.size())));
    modelled_words model;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
        const int exponent = std::clamp(exponents[i] - middle + 8, 0, 12);
        model.add(context_of(type, 2, exponent, level), widths[i], low_bits(widths[i]));
    }
    return model;
}

} // namespace bigsmall::archive::detail
