// SPDX-License-Identifier: BSL-1.0
// Groupings 19-21: floats that were integers. Weights that have been quantised and dequantised again are small integers
// times a scale for each row or group: a byte for each and the scale say everything, where exponents and mantissas look
// like noise. The product is made again to the bit: in F32, then rounded to the words' format.
//
// Streams: a code for each word; for each run of words with one unit its length (varints), its code of zero, and four
// planes of the unit, rotated left by one bit, the exponents first; the last one has a byte that is 1 if code 0 means
// negative zero, and then the words of the runs that have no unit.
#pragma once

#include <algorithm>
#include <array>
#include <limits>

#include <bigsmall/codec/grouping/planes.hpp>
#include <bigsmall/codec/grouping/unit_search.hpp>
#include <bigsmall/codec/scratch.hpp>
#include <bigsmall/core/varint.hpp>

namespace bigsmall::grouping {

template <class Format>
struct multiples {
    static constexpr wire_id id = Format::mantissa_bits == 23 ? 19 : Format::mantissa_bits == 7 ? 20 : 21;
    static constexpr std::string_view name = id == 19   ? "multiples<f32>"
                                             : id == 20 ? "multiples<bf16>"
                                                        : "multiples<f16>";
    static constexpr std::size_t streams = 8;
    static constexpr bool explains_repeats = true;

    /// Worth trying when most of four places are multiples; where words do not come again they are not looked at.
    static bool applies(const dtype& type, bytes_view raw) noexcept {
        if (type.kind != number_kind::floating || type.exponent_bits != Format::exponent_bits) return false;
        if (!rounds_to_nearest() || type.bits != 8 * width || raw.size() % width != 0 || raw.size() < 64 * width)
            return false;
        constexpr std::size_t places = 4, place_bytes = place_words * width;
        const std::size_t step = raw.size() <= places * place_bytes ? place_bytes : raw.size() / places / 64 * 64;
        std::size_t seen = 0, covered = 0;
        for (std::size_t at = 0; at < raw.size() && seen < places * place_words; at += step) {
            const bytes_view place = raw.subspan(at, std::min(raw.size() - at, place_bytes));
            seen += place.size() / width;
            if (comes_again(place)) covered += covered_words(place);
        }
        return covered * 4 >= seen * 3;
    }

    /// Finds the runs and writes the codes, which split() takes over from the scratch memory.
    static void plan(bytes_view raw, std::span<std::size_t, streams> sizes, scratch& memory) {
        const std::size_t count = raw.size() / width;
        plan_memory kept(memory, count);
        const bool negative_zeros = has_negative_zeros(raw);
        const detail::unit_search<Format> search(raw, negative_zeros ? 255 : 256);
        std::size_t lengths = 0, loose = 0, runs = 0;
        for_each_run(search, [&](std::size_t begin, const detail::unit_run& run) {
            const int zero = zero_code(run, negative_zeros);
            kept.put_run(runs++, run, zero);
            write_codes(search, begin, run, zero, negative_zeros, kept.codes.data() + begin);
            std::array<std::uint8_t, max_varint_bytes> length;
            lengths += store_varint(length.data(), run.length);
            loose += run.unit == 0 ? run.length : 0;
        });
        kept.put_totals(runs, negative_zeros);
        sizes[0] = count;
        sizes[length_stream] = lengths;
        std::fill_n(sizes.begin() + zero_stream, 5, runs);
        sizes[loose_stream] = 1 + loose * width;
    }

    static void split(bytes_view raw, std::span<const bytes_span, streams> out, scratch& memory) {
        const std::size_t count = raw.size() / width;
        const plan_memory kept(memory, count);
        std::copy_n(kept.codes.begin(), count, out[0].begin());
        std::uint8_t* length = out[length_stream].data();
        std::uint8_t* loose = out[loose_stream].data();
        *loose++ = kept.negative_zeros();
        std::size_t at = 0;
        for (std::size_t r = 0; r < kept.runs(); ++r) {
            const auto [words, unit, zero] = kept.run(r);
            length += store_varint(length, words);
            out[zero_stream][r] = zero;
            for (std::size_t p = 0; p < 4; ++p)
                out[unit_stream + p][r] = static_cast<std::uint8_t>(unit << 1 >> (24 - 8 * p));
            if (unit == 0) loose = std::copy_n(raw.begin() + offset(at), words * width, loose);
            at += words;
        }
    }

    static status merge(std::span<const bytes_view, streams> in, bytes_span raw, const kernel::table&) noexcept {
        if (!rounds_to_nearest()) return status::unsupported;
        const std::size_t count = raw.size() / width, runs = in[zero_stream].size();
        if (raw.size() % width != 0 || in[0].size() != count) return status::corrupt;
        for (std::size_t p = 0; p < 4; ++p)
            if (in[unit_stream + p].size() != runs) return status::corrupt;
        byte_cursor lengths(in[length_stream]), loose(in[loose_stream]);
        const auto negative_zeros = loose.read<std::uint8_t>();
        if (!loose.ok()) return status::truncated;
        if (negative_zeros > 1) return status::corrupt;
        std::size_t at = 0;
        for (std::size_t r = 0; r < runs; ++r) {
            const std::uint64_t words = lengths.read_varint();
            if (words > count - at) return status::corrupt;
            const bytes_span to = raw.subspan(at * width, static_cast<std::size_t>(words) * width);
            const std::uint32_t rotated = unit_at(in, r);
            if (rotated == 0) {
                const bytes_view from = loose.take(to.size());
                if (!loose.ok()) return status::truncated;
                std::copy(from.begin(), from.end(), to.begin());
            } else {
                // Normal and positive, so that no mode of the processor matters.
                if ((rotated & 1) != 0 || rotated >> 24 == 0 || rotated >> 24 == 255) return status::corrupt;
                multiply(in[0].subspan(at), in[zero_stream][r], std::bit_cast<float>(rotated >> 1), negative_zeros != 0,
                         to);
            }
            at += static_cast<std::size_t>(words);
        }
        return lengths.finished() && loose.finished() && at == count ? status::ok : status::corrupt;
    }

private:
    using word = typename Format::word;
    static constexpr std::size_t width = sizeof(word), place_words = 128;
    static constexpr word sign_bit = static_cast<word>(word{1} << (8 * width - 1));
    static constexpr std::size_t length_stream = 1, zero_stream = 2, unit_stream = 3, loose_stream = 7;

    static std::ptrdiff_t offset(std::size_t words) noexcept { return static_cast<std::ptrdiff_t>(words * width); }

    static std::uint32_t unit_at(std::span<const bytes_view, streams> in, std::size_t run) noexcept {
        std::uint32_t rotated = 0;
        for (std::size_t p = 0; p < 4; ++p)
            rotated = rotated << 8 | in[unit_stream + p][run];
        return rotated;
    }

    static void multiply(bytes_view codes, int zero, float unit, bool negative_zeros, bytes_span to) noexcept {
        const int minus = negative_zeros ? 0 : -1;
        std::uint8_t* out = to.data();
        for (std::size_t i = 0, n = to.size() / width; i < n; ++i) {
            const int code = codes[i];
            const word product = Format::rounded(static_cast<float>(code - zero) * unit);
            store_le<word>(out + i * width, code == minus ? sign_bit : product);
        }
    }

    /// What plan() leaves for split(): totals, runs and codes.
    struct plan_memory {
        static constexpr std::size_t run_bytes = 9, totals_bytes = 9;
        struct stored_run {
            std::size_t words;
            std::uint32_t unit;
            std::uint8_t zero;
        };

        plan_memory(scratch& memory, std::size_t count) {
            // Every run but the last has least_length words.
            const std::size_t most_runs = count / detail::unit_search<Format>::least_length + 1;
            const std::size_t front = totals_bytes + most_runs * run_bytes;
            const bytes_span all = memory.memory(scratch::purpose::grouping, front + count);
            table = all.first(front);
            codes = all.subspan(front);
        }
        void put_run(std::size_t index, const detail::unit_run& run, int zero) noexcept {
            std::uint8_t* const to = table.data() + totals_bytes + index * run_bytes;
            store_le<std::uint32_t>(to, static_cast<std::uint32_t>(run.length));
            store_le<std::uint32_t>(to + 4, std::bit_cast<std::uint32_t>(run.unit));
            to[8] = static_cast<std::uint8_t>(zero);
        }
        stored_run run(std::size_t index) const noexcept {
            const std::uint8_t* const from = table.data() + totals_bytes + index * run_bytes;
            return {load_le<std::uint32_t>(from), load_le<std::uint32_t>(from + 4), from[8]};
        }
        void put_totals(std::size_t runs, bool negative_zeros) noexcept {
            store_le<std::uint64_t>(table.data(), runs);
            table[8] = negative_zeros;
        }
        std::size_t runs() const noexcept { return static_cast<std::size_t>(load_le<std::uint64_t>(table.data())); }
        std::uint8_t negative_zeros() const noexcept { return table[8]; }

        bytes_span table, codes;
    };

    static bool has_negative_zeros(bytes_view raw) noexcept {
        bool found = false;
        for (std::size_t at = 0; at < raw.size(); at += width)
            found |= load_le<word>(raw.data() + at) == sign_bit;
        return found;
    }

    /// Calls visit(begin, run) for runs that cover the block; words that belong to none make runs without a unit.
    template <class Visit>
    static void for_each_run(const detail::unit_search<Format>& search, Visit visit) noexcept {
        constexpr std::size_t least = detail::unit_search<Format>::least_length;
        std::size_t loose_begin = 0, at = 0, step = least;
        const auto flush = [&] {
            if (at != loose_begin) visit(loose_begin, detail::unit_run{0, at - loose_begin});
        };
        while (at < search.count()) {
            const detail::unit_run run = search.run_from(at);
            if (run.length < least) { // each time further: a search in vain takes long
                at = std::min(at + step, search.count());
                step = std::min(2 * step, 16 * least);
                continue;
            }
            step = least;
            flush();
            visit(at, run);
            loose_begin = at += run.length;
        }
        flush();
    }

    /// The code that means zero: the middle where that has room for all of the integers.
    static int zero_code(const detail::unit_run& run, bool negative_zeros) noexcept {
        const int lowest = negative_zeros ? 1 : 0;
        return run.least + 128 >= lowest && run.greatest + 128 <= 255 ? 128 : lowest - run.least;
    }

    static void write_codes(const detail::unit_search<Format>& search, std::size_t begin, const detail::unit_run& run,
                            int zero, bool negative_zeros, std::uint8_t* to) noexcept {
        if (run.unit == 0) {
            std::fill_n(to, run.length, std::uint8_t{128});
            return;
        }
        const double inverse = search.twice_inverse_of(run.unit);
        for (std::size_t i = 0; i < run.length; ++i) {
            const bool minus = negative_zeros && search.is_negative_zero(begin + i);
            to[i] = static_cast<std::uint8_t>(minus ? 0 : search.integer_at(begin + i, inverse) + zero);
        }
    }

    /// Whether words are seen again nearby, signs left out, as often as integers are and dense weights are not.
    static bool comes_again(bytes_view place) noexcept {
        std::array<word, 1024> last_with{};
        std::size_t again = 0;
        for (std::size_t at = 0; at < place.size(); at += width) {
            const auto magnitude = static_cast<word>(load_le<word>(place.data() + at) & ~sign_bit);
            word& last = last_with[static_cast<std::uint32_t>(magnitude * 0x9e3779b1u) >> 22];
            again += last == magnitude;
            last = magnitude;
        }
        return again * 32 >= place.size() / width * (Format::mantissa_bits > 7 ? 2 : 6);
    }

    static std::size_t covered_words(bytes_view place) noexcept {
        std::size_t covered = 0;
        const detail::unit_search<Format> search(place, 256);
        for_each_run(search,
                     [&](std::size_t, const detail::unit_run& run) { covered += run.unit != 0 ? run.length : 0; });
        return covered;
    }
};

using f32_multiples = multiples<f32_words>;
using bf16_multiples = multiples<bf16_words>;
using f16_multiples = multiples<f16_words>;

} // namespace bigsmall::grouping
