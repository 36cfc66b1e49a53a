// SPDX-License-Identifier: BSL-1.0
// Groupings 7-10: blocks with many zero words (pruned matrices, masks, padding). Runs of zeros become lengths, and
// only the other words are taken apart into planes.
//
// Streams: the planes of the non-zero words, rotated, top byte first; then the lengths of zero runs; then the
// lengths of literal runs. Runs alternate, a zero run (perhaps empty) first. A length is a sum of bytes: 255 goes on.
#pragma once

#include <algorithm>
#include <bit>
#include <type_traits>

#include <bigsmall/codec/grouping/planes.hpp>

namespace bigsmall::grouping {

template <std::size_t WidthBytes>
struct zero_runs {
    static_assert(WidthBytes == 1 || WidthBytes == 2 || WidthBytes == 4 || WidthBytes == 8);
    static constexpr wire_id id = WidthBytes == 1 ? 7 : 8 + detail::width_offset<WidthBytes>;
    static constexpr std::string_view name = WidthBytes == 1   ? "zero_runs<1>"
                                             : WidthBytes == 2 ? "zero_runs<2>"
                                             : WidthBytes == 4 ? "zero_runs<4>"
                                                               : "zero_runs<8>";
    static constexpr std::size_t streams = WidthBytes + 2;

    /// Worth trying when an eighth of 512 sampled words is zero.
    static bool applies(const dtype& type, bytes_view raw) noexcept {
        if (std::max<std::size_t>(detail::word_bytes(type), 1) != WidthBytes) return false;
        if (raw.size() % WidthBytes != 0 || raw.empty()) return false;
        const std::size_t count = raw.size() / WidthBytes;
        const std::size_t step = count / 512 + 1;
        std::size_t zeros = 0, sampled = 0;
        for (std::size_t i = 0; i < count; i += step, ++sampled)
            zeros += load(raw, i) == 0;
        return zeros * 8 >= sampled;
    }

    static std::size_t noisy_bits(const dtype& type) noexcept {
        return WidthBytes == 1 && type.kind == number_kind::floating && type.bits == 8 ? 2 : 0;
    }

    static void plan(bytes_view raw, std::span<std::size_t, streams> sizes) noexcept {
        std::size_t literals = 0, zero_lengths = 0, literal_lengths = 0;
        for_each_run(raw, [&](std::size_t zeros, std::size_t, std::size_t run) {
            zero_lengths += zeros / 255 + 1;
            literal_lengths += run / 255 + 1;
            literals += run;
        });
        std::fill_n(sizes.begin(), WidthBytes, literals);
        sizes[WidthBytes] = zero_lengths;
        sizes[WidthBytes + 1] = literal_lengths;
    }

    static void split(bytes_view raw, std::span<const bytes_span, streams> out, const kernel::table&) noexcept {
        std::uint8_t* zero_lengths = out[WidthBytes].data();
        std::uint8_t* literal_lengths = out[WidthBytes + 1].data();
        std::size_t written = 0;
        for_each_run(raw, [&](std::size_t zeros, std::size_t first, std::size_t run) {
            zero_lengths = put_length(zero_lengths, zeros);
            literal_lengths = put_length(literal_lengths, run);
            for (std::size_t i = first; i < first + run; ++i, ++written) {
                const word rotated = rotate(load(raw, i), 1);
                for (std::size_t s = 0; s < WidthBytes; ++s)
                    out[s][written] = static_cast<std::uint8_t>(rotated >> (8 * (WidthBytes - 1 - s)));
            }
        });
    }

    static status merge(std::span<const bytes_view, streams> in, bytes_span raw, const kernel::table&) noexcept {
        const std::size_t count = raw.size() / WidthBytes;
        if (raw.size() % WidthBytes != 0) return status::corrupt;
        for (std::size_t s = 1; s < WidthBytes; ++s)
            if (in[s].size() != in[0].size()) return status::corrupt;
        bytes_view zero_lengths = in[WidthBytes];
        bytes_view literal_lengths = in[WidthBytes + 1];
        std::fill(raw.begin(), raw.end(), std::uint8_t{0});
        std::size_t at = 0, read = 0;
        while (at < count) {
            const std::size_t zeros = take_length(zero_lengths, count - at);
            if (zeros > count - at) return status::corrupt;
            at += zeros;
            const std::size_t run = take_length(literal_lengths, count - at);
            if (run > count - at || run > in[0].size() - read || zeros + run == 0) return status::corrupt;
            for (const std::size_t end = at + run; at < end; ++at, ++read)
                store(raw, at, in, read);
        }
        return zero_lengths.empty() && literal_lengths.empty() && read == in[0].size() ? status::ok : status::corrupt;
    }

private:
    using word =
        std::conditional_t<WidthBytes == 1, std::uint8_t,
                           std::conditional_t<WidthBytes == 2, std::uint16_t,
                                              std::conditional_t<WidthBytes == 4, std::uint32_t, std::uint64_t>>>;

    static word load(bytes_view raw, std::size_t i) noexcept { return load_le<word>(raw.data() + i * WidthBytes); }

    /// Bytes are left as they are: there is no plane to align.
    static constexpr word rotate(word value, int bits) noexcept {
        return WidthBytes == 1 ? value : std::rotl(value, bits);
    }

    static void store(bytes_span raw, std::size_t i, std::span<const bytes_view, streams> in, std::size_t k) noexcept {
        word value = 0;
        for (std::size_t s = 0; s < WidthBytes; ++s)
            value = static_cast<word>(value | static_cast<word>(word{in[s][k]} << (8 * (WidthBytes - 1 - s))));
        store_le<word>(raw.data() + i * WidthBytes, rotate(value, -1));
    }

    /// Calls visit(zeros, first literal, literals) for each pair of runs.
    template <class Visit>
    static void for_each_run(bytes_view raw, Visit visit) noexcept {
        const std::size_t count = raw.size() / WidthBytes;
        for (std::size_t at = 0; at < count;) {
            const std::size_t zeros_begin = at;
            while (at < count && load(raw, at) == 0)
                ++at;
            const std::size_t literals_begin = at;
            while (at < count && load(raw, at) != 0)
                ++at;
            visit(literals_begin - zeros_begin, literals_begin, at - literals_begin);
        }
    }

    static std::uint8_t* put_length(std::uint8_t* to, std::size_t length) noexcept {
        for (; length >= 255; length -= 255)
            *to++ = 255;
        *to++ = static_cast<std::uint8_t>(length);
        return to;
    }

    /// The next length, or more than `limit` when it is larger than that or its bytes end too early.
    static std::size_t take_length(bytes_view& from, std::size_t limit) noexcept {
        std::size_t length = 0;
        while (!from.empty() && length <= limit) {
            const std::uint8_t byte = from.front();
            from = from.subspan(1);
            length += byte;
            if (byte != 255) return length;
        }
        return limit + 1;
    }
};

} // namespace bigsmall::grouping
