// SPDX-License-Identifier: BSL-1.0
// Groupings 11 and 12: floats with eight exponent bits (BF16, F32) whose symbols are exponent and top two mantissa bits
// together. The mantissas of weights are not uniform: within a binade smaller values are more frequent, most of all
// near the largest exponents. Coding exponents alone leaves that on the table, 0.45 points of a BF16 file.
//
// Streams: symbols (kernel/scalar_fields.hpp); the lower bytes of wider words, the upper of them first; the six bits
// left of the upper half; then the window's first exponent and two bytes, the rotated word's upper ones, for each
// symbol that stands for no exponent of the window.
#pragma once

#include <algorithm>
#include <array>

#include <bigsmall/codec/grouping/planes.hpp>
#include <bigsmall/codec/scratch.hpp>
#include <bigsmall/kernel/scalar_fields.hpp>

namespace bigsmall::grouping {

template <std::size_t WidthBytes>
struct joint_fields {
    static_assert(WidthBytes == 2 || WidthBytes == 4);
    static constexpr wire_id id = WidthBytes == 2 ? 11 : 12;
    static constexpr std::string_view name = WidthBytes == 2 ? "joint_fields<2>" : "joint_fields<4>";
    static constexpr std::size_t streams = WidthBytes + 1;

    static bool applies(const dtype& type, bytes_view raw) noexcept {
        const bool floats = type.kind == number_kind::floating || type.kind == number_kind::complex_float;
        return floats && type.exponent_bits == 8 && detail::word_bytes(type) == WidthBytes &&
               raw.size() % WidthBytes == 0;
    }

    /// Splits the words into planes, which split() takes over from the scratch memory.
    static void plan(bytes_view raw, std::span<std::size_t, streams> sizes, scratch& memory) {
        const std::size_t count = raw.size() / WidthBytes;
        const bytes_span kept = memory.memory(scratch::purpose::grouping, raw.size() + 1);
        memory.kernels().split_rotated[kernel::width_index(WidthBytes)](raw.data(), count,
                                                                        planes_of(kept, count).data());
        const std::uint8_t* const top = kept.data();
        const std::uint8_t first = best_window({top, count}, memory.kernels());
        kept[raw.size()] = first;
        const std::size_t escapes = escapes_of(top, top + count, count, first);
        std::fill(sizes.begin(), sizes.end(), count);
        sizes[six_stream] = packed_bytes(count);
        sizes[escape_stream] = 1 + 2 * escapes;
    }

    static void split(bytes_view raw, std::span<const bytes_span, streams> out, scratch& memory) {
        const std::size_t count = raw.size() / WidthBytes;
        const bytes_span kept = memory.memory(scratch::purpose::grouping, raw.size() + 1);
        const std::uint8_t first = kept[raw.size()];
        const std::uint8_t* const top = kept.data();
        const std::uint8_t* const next = top + count;
        memory.kernels().part_fields(top, next, count, first, out[0].data(), out[six_stream].data());
        for (std::size_t s = 1; s < six_stream; ++s)
            std::copy_n(kept.data() + (s + 1) * count, count, out[s].begin());
        std::uint8_t* escape = out[escape_stream].data();
        *escape++ = first;
        if (out[escape_stream].size() == 1) return;
        for (std::size_t i = 0; i < count; ++i) {
            if (out[0][i] != kernel::scalar::escape_symbol) continue;
            *escape++ = top[i];
            *escape++ = next[i];
        }
    }

    static status merge(std::span<const bytes_view, streams> in, bytes_span raw,
                        const kernel::table& kernels) noexcept {
        const std::size_t count = raw.size() / WidthBytes;
        if (raw.size() % WidthBytes != 0 || in[six_stream].size() != packed_bytes(count)) return status::corrupt;
        for (std::size_t s = 0; s < six_stream; ++s)
            if (in[s].size() != count) return status::corrupt;
        if (in[escape_stream].empty()) return status::truncated;
        const std::uint8_t first = in[escape_stream][0];
        bytes_view escapes = in[escape_stream].subspan(1);
        if constexpr (WidthBytes == 2) {
            if (escapes.empty()) {
                kernels.join_words(in[0].data(), in[six_stream].data(), count, first, raw.data());
                return status::ok;
            }
        }

        // A few KiB at a time: what one kernel writes the next one reads from the first-level cache.
        std::array<std::uint8_t, piece> top, next;
        for (std::size_t at = 0; at < count; at += piece) {
            const std::size_t here = std::min(piece, count - at);
            kernels.join_fields(in[0].data() + at, in[six_stream].data() + at / 4 * 3, here, first, top.data(),
                                next.data());
            if (in[escape_stream].size() > 1 && !replace(in[0].subspan(at, here), top, next, escapes))
                return status::truncated;
            std::array<const std::uint8_t*, WidthBytes> planes;
            planes[WidthBytes - 1] = top.data();
            planes[WidthBytes - 2] = next.data();
            for (std::size_t s = 1; s < six_stream; ++s)
                planes[WidthBytes - 2 - s] = in[s].data() + at;
            kernels.merge_rotated[kernel::width_index(WidthBytes)](planes.data(), here, raw.data() + at * WidthBytes);
        }
        return escapes.empty() ? status::ok : status::corrupt;
    }

    /// The streams of the words [first, first + count) alone, first a multiple of four; false when they cannot be had:
    /// escapes belong to words that only the whole block knows.
    static bool part_of(std::span<const bytes_view, streams> in, std::size_t first, std::size_t count,
                        std::span<bytes_view, streams> part) noexcept {
        const std::size_t six_begin = first / 4 * 3;
        if (first % 4 != 0 || in[escape_stream].size() != 1 || in[six_stream].size() < six_begin + packed_bytes(count))
            return false;
        for (std::size_t s = 0; s < six_stream; ++s) {
            if (in[s].size() < first + count) return false;
            part[s] = in[s].subspan(first, count);
        }
        part[six_stream] = in[six_stream].subspan(six_begin, packed_bytes(count));
        part[escape_stream] = in[escape_stream];
        return true;
    }

private:
    static constexpr std::size_t six_stream = WidthBytes - 1, escape_stream = WidthBytes;
    static constexpr std::size_t piece = 4096; ///< a multiple of four, so that six-bit values end at a byte

    static constexpr std::size_t packed_bytes(std::size_t count) noexcept { return (count * 6 + 7) / 8; }

    /// Plane 0 is the lowest byte; in the kept memory the highest comes first.
    static std::array<std::uint8_t*, WidthBytes> planes_of(bytes_span kept, std::size_t count) noexcept {
        std::array<std::uint8_t*, WidthBytes> planes;
        for (std::size_t p = 0; p < WidthBytes; ++p)
            planes[p] = kept.data() + (WidthBytes - 1 - p) * count;
        return planes;
    }

    /// The first exponent of the window with most values; exponent 0 has a symbol of its own and stays out of it.
    static std::uint8_t best_window(bytes_view top, const kernel::table& kernels) noexcept {
        constexpr std::size_t width = kernel::scalar::window_exponents, last = 256 - width;
        // Less one, 0 becomes 255: the lowest is that of the others.
        const std::size_t lowest = range_of(top, 255).lowest + std::size_t{1}, highest = range_of(top).highest;
        // As below: of the windows that have them all, the last one.
        if (highest < lowest + width) return static_cast<std::uint8_t>(std::min(lowest, last));
        std::array<std::uint32_t, 256> counts{};
        kernels.histogram(top.data(), top.size(), counts.data());
        std::size_t inside = 0;
        for (std::size_t e = 1; e <= width; ++e)
            inside += counts[e];
        std::size_t best = 1, most = inside;
        for (std::size_t first = 2; first <= last; ++first) {
            inside += counts[first + width - 1];
            inside -= counts[first - 1];
            if (inside >= most) best = first, most = inside;
        }
        return static_cast<std::uint8_t>(best);
    }

    static std::size_t escapes_of(const std::uint8_t* top, const std::uint8_t* next, std::size_t count,
                                  std::uint8_t first) noexcept {
        std::size_t escapes = 0;
        constexpr std::size_t most = 255; // what a byte can count, so that compilers count in vectors of bytes
        for (std::size_t at = 0; at < count; at += most) {
            std::uint8_t here = 0;
            for (std::size_t i = at, end = std::min(count, at + most); i < end; ++i) {
                const std::uint8_t place = static_cast<std::uint8_t>(top[i] - first);
                const std::uint8_t above = next[i] >> 6;
                const bool outside = place >= kernel::scalar::window_exponents, zero = (top[i] | above) == 0;
                here = static_cast<std::uint8_t>(here + (outside & !zero));
            }
            escapes += here;
        }
        return escapes;
    }

    static bool replace(bytes_view lead, std::array<std::uint8_t, piece>& top, std::array<std::uint8_t, piece>& next,
                        bytes_view& escapes) noexcept {
        for (std::size_t i = 0; i < lead.size(); ++i) {
            if (lead[i] != kernel::scalar::escape_symbol) continue;
            if (escapes.size() < 2) return false;
            top[i] = escapes[0];
            next[i] = escapes[1];
            escapes = escapes.subspan(2);
        }
        return true;
    }
};

} // namespace bigsmall::grouping
