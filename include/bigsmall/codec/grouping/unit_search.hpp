// SPDX-License-Identifier: BSL-1.0
// Finding the unit of which floats are integer multiples: the encoder's half of multiples.hpp. Every word says in which
// interval the unit lies once its integer is known; whoever guesses one integer right can tell all the others.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>

#include <bigsmall/codec/grouping/float_words.hpp>
#include <bigsmall/core/bytes.hpp>

namespace bigsmall::grouping::detail {

/// The float between two doubles that has the most zeros at its end: scales are often rounder than they need be, and
/// zeros cost nothing. Nothing when there is none that is normal.
inline std::optional<float> roundest_between(double low, double high) noexcept {
    if (!(low >= 0x1p-126 && high <= 0x1p127)) return std::nullopt;
    auto first = std::bit_cast<std::uint32_t>(static_cast<float>(low));
    auto last = std::bit_cast<std::uint32_t>(static_cast<float>(high));
    first += static_cast<double>(std::bit_cast<float>(first)) < low;
    last -= static_cast<double>(std::bit_cast<float>(last)) > high;
    if (first > last) return std::nullopt;
    unsigned zeros = 23;
    while (last >> zeros << zeros < first)
        --zeros;
    return std::bit_cast<float>(last >> zeros << zeros);
}

/// A run of words that are multiples of one unit.
struct unit_run {
    float unit = 0;
    std::size_t length = 0;
    int least = 0, greatest = 0; ///< of the integers, zero among them
};

template <class Format>
class unit_search {
    using word = typename Format::word;
    static constexpr word sign_bit = static_cast<word>(word{1} << (8 * sizeof(word) - 1));

public:
    /// Integers of a run lie less than `spread` apart.
    unit_search(bytes_view raw, int spread) noexcept : raw_(raw), count_(raw.size() / sizeof(word)), spread_(spread) {}

    /// Shorter runs do not pay for their unit.
    static constexpr std::size_t least_length = 8;
    static constexpr int most = 255;

    /// The run that starts with the word `begin`: the longest of those that one word's integer leads to. Its length is
    /// below least_length when there is none worth having.
    unit_run run_from(std::size_t begin) const noexcept {
        std::size_t first = begin;
        while (first < count_ && magnitude(first) == 0)
            ++first;
        unit_run best{1.0f, first - begin};
        if (first == count_) return best;
        const window seen = look_at(first);
        if (seen.greatest == 0.0) return best;
        for (int guess = 1; guess <= most; ++guess) {
            if (!fits(seen, guess)) continue;
            const unit_run run = grown(begin, seen.greatest / guess);
            if (run.length >= least_length && price(run) < price(best)) best = run;
            // Larger guesses are fractions of this unit, or chance.
            if (best.length >= 256 || price(best) <= 16 * bit_width(guess)) break;
        }
        return best;
    }

    /// The integer of a word; the word is a multiple of the unit if Format::rounded() of the product says so.
    int integer_at(std::size_t i, double twice_inverse) const noexcept {
        if (magnitude(i) == 0) return 0;
        const int q = (static_cast<int>(Format::value(magnitude(i)) * twice_inverse) + 1) >> 1;
        return negative(i) ? -q : q;
    }
    static double twice_inverse_of(float unit) noexcept { return 2.0 / static_cast<double>(unit); }

    bool is_negative_zero(std::size_t i) const noexcept { return word_at(i) == sign_bit; }
    std::size_t count() const noexcept { return count_; }

private:
    static constexpr int bit_width(int value) noexcept {
        return static_cast<int>(std::bit_width(static_cast<unsigned>(value)));
    }

    /// Bits for a word, 16 to one: those of its integer, and its share of the unit's 48.
    static int price(const unit_run& run) noexcept {
        if (run.length < least_length) return 1 << 20;
        const int share = static_cast<int>(768 / std::min<std::size_t>(run.length, 1024));
        return 16 * bit_width(run.greatest - run.least) + share;
    }

    static constexpr std::size_t window_words = 8;
    struct window {
        std::array<double, window_words> values{};
        std::size_t size = 0;
        double greatest = 0;
    };

    word word_at(std::size_t i) const noexcept { return load_le<word>(raw_.data() + i * sizeof(word)); }
    word magnitude(std::size_t i) const noexcept { return static_cast<word>(word_at(i) & ~sign_bit); }
    bool negative(std::size_t i) const noexcept { return (word_at(i) & sign_bit) != 0; }

    /// The first words from `first` on that are not zero; none if there is one that cannot be a multiple.
    window look_at(std::size_t first) const noexcept {
        window seen;
        for (std::size_t i = first; i < count_ && seen.size < window_words; ++i) {
            if (magnitude(i) == 0) continue;
            if (!Format::usable(magnitude(i))) return {};
            seen.values[seen.size++] = Format::value(magnitude(i));
            seen.greatest = std::max(seen.greatest, seen.values[seen.size - 1]);
        }
        return seen;
    }

    /// Whether the words may be multiples of the greatest divided by `guess`; exactly so says grown(). Differences are
    /// taken between integers, 2^32 to one.
    static bool fits(const window& seen, int guess) noexcept {
        constexpr double one = 0x1p32, precision = 2.0 / (std::int64_t{1} << Format::mantissa_bits);
        for (std::size_t k = 0; k < seen.size; ++k) {
            const auto place = static_cast<std::int64_t>(seen.values[k] / seen.greatest * guess * one);
            const std::int64_t nearest = (place + (std::int64_t{1} << 31)) >> 32 << 32;
            const auto slack = static_cast<std::int64_t>(static_cast<double>(place) * precision) + 64;
            if ((place > nearest ? place - nearest : nearest - place) > slack) return false;
        }
        return true;
    }

    struct interval {
        double low = 0, high = 0x1p127;
    };

    /// The next double above or below a positive one.
    static double beside(double value, int step) noexcept {
        return std::bit_cast<double>(std::bit_cast<std::uint64_t>(value) + static_cast<std::uint64_t>(step));
    }

    void narrow(interval& unit, std::size_t i, int q) const noexcept {
        const word here = magnitude(i);
        if (here == 0 || q == 0) return;
        const double value = Format::value(here), times = q < 0 ? -q : q;
        const double below = (Format::value(static_cast<word>(here - 1)) + value) / 2;
        const double above = (Format::value(static_cast<word>(here + 1)) + value) / 2;
        // Half-way products are rounded to even words. Shorter words are rounded from F32: they keep off the ends.
        const bool shorter = Format::mantissa_bits < 23, even = here % 2 == 0 && !shorter;
        constexpr double margin = 0x1p-22;
        const double low = below / times * (shorter ? 1 + margin : 1),
                     high = above / times * (shorter ? 1 - margin : 1);
        unit.low = std::max(unit.low, even ? low : beside(low, 1));
        unit.high = std::min(unit.high, even ? high : beside(high, -1));
    }

    static bool is_product(word magnitude, int q, float unit) noexcept {
        return Format::rounded(static_cast<float>(q < 0 ? -q : q) * unit) == magnitude;
    }

    /// How far multiples of about that unit go. The interval is narrowed only by words that the unit at hand does not
    /// give: few do.
    unit_run grown(std::size_t begin, double about) const noexcept {
        if (!(about >= 0x1p-126 && about <= 0x1p127)) return {};
        unit_run run{static_cast<float>(about)};
        double inverse = twice_inverse_of(run.unit);
        interval known;
        std::size_t narrowed = begin, i = begin;
        for (; i < count_; ++i) {
            const word here = magnitude(i);
            if (here == 0) continue;
            if (!Format::usable(here) || Format::value(here) * inverse >= 2.0 * most + 1) break;
            const int q = integer_at(i, inverse);
            if (q == 0) break;
            if (is_product(here, q, run.unit)) continue;
            for (; narrowed <= i; ++narrowed)
                narrow(known, narrowed, integer_at(narrowed, inverse));
            const std::optional<float> unit = roundest_between(known.low, known.high);
            if (!unit || !is_product(here, q, *unit)) break;
            run.unit = *unit;
            inverse = twice_inverse_of(run.unit);
        }
        return checked(begin, i, run);
    }

    /// What of it is true to the bit, with integers that a byte can count.
    unit_run checked(std::size_t begin, std::size_t end, unit_run run) const noexcept {
        const double inverse = twice_inverse_of(run.unit);
        std::size_t i = begin;
        for (; i < end; ++i) {
            const int q = integer_at(i, inverse);
            if (!is_product(magnitude(i), q, run.unit)) break;
            const int least = std::min(run.least, q), greatest = std::max(run.greatest, q);
            if (greatest - least >= spread_) break;
            run.least = least;
            run.greatest = greatest;
        }
        run.length = i - begin;
        return run;
    }

    bytes_view raw_;
    std::size_t count_;
    int spread_;
};

} // namespace bigsmall::grouping::detail
