// SPDX-License-Identifier: BSL-1.0
// Groupings 1-3 and 4-6: words of 2, 4 or 8 bytes taken apart into byte planes, the top byte first. Field planes
// rotate each word left by one bit before, so that a float's exponent fills the top byte (kernel/scalar.hpp).
#pragma once

#include <array>

#include <bigsmall/codec/policies.hpp>

namespace bigsmall::grouping {

namespace detail {

template <std::size_t Width>
constexpr wire_id width_offset = Width == 2   ? 0
                                 : Width == 4 ? 1
                                              : 2;

/// The width of the words of a type: of one component for complex numbers, zero for types without whole-byte words.
constexpr std::size_t word_bytes(const dtype& type) noexcept {
    const std::size_t bits = type.kind == number_kind::complex_float ? type.bits / 2u : type.bits;
    return bits % 8 == 0 ? bits / 8 : 0;
}

template <std::size_t Width>
struct planes_base {
    static_assert(Width == 2 || Width == 4 || Width == 8);
    static constexpr std::size_t streams = Width;
    static constexpr bool keeps_bytes = true;

    static void plan(bytes_view raw, std::span<std::size_t, Width> sizes) noexcept {
        for (std::size_t& size : sizes)
            size = raw.size() / Width;
    }

    /// The streams of the words [first, first + count) alone; false when they cannot be had.
    static bool part_of(std::span<const bytes_view, Width> in, std::size_t first, std::size_t count,
                        std::span<bytes_view, Width> part) noexcept {
        for (std::size_t s = 0; s < Width; ++s) {
            if (in[s].size() < first + count) return false;
            part[s] = in[s].subspan(first, count);
        }
        return true;
    }

protected:
    // Stream s is plane Width - 1 - s: the top byte leads.
    static void split_with(kernel::split_function split, bytes_view raw,
                           std::span<const bytes_span, Width> out) noexcept {
        std::array<std::uint8_t*, Width> planes;
        for (std::size_t s = 0; s < Width; ++s)
            planes[Width - 1 - s] = out[s].data();
        split(raw.data(), raw.size() / Width, planes.data());
    }
    static status merge_with(kernel::merge_function merge, std::span<const bytes_view, Width> in,
                             bytes_span raw) noexcept {
        if (raw.size() % Width != 0) return status::corrupt;
        std::array<const std::uint8_t*, Width> planes;
        for (std::size_t s = 0; s < Width; ++s) {
            if (in[s].size() != raw.size() / Width) return status::corrupt;
            planes[Width - 1 - s] = in[s].data();
        }
        merge(planes.data(), raw.size() / Width, raw.data());
        return status::ok;
    }
};

} // namespace detail

/// Integers: the bytes of each word, most significant first. Floats have it only where it is the one grouping of a
/// codec: next to others it would be estimated for every block of them, and field planes are smaller.
template <std::size_t WidthBytes>
struct byte_planes : detail::planes_base<WidthBytes> {
    static constexpr wire_id id = 1 + detail::width_offset<WidthBytes>;
    static constexpr std::string_view name = WidthBytes == 2   ? "byte_planes<2>"
                                             : WidthBytes == 4 ? "byte_planes<4>"
                                                               : "byte_planes<8>";

    static bool applies(const dtype& type, bytes_view raw) noexcept {
        return type.kind == number_kind::integer && accepts(type, raw);
    }
    static bool accepts(const dtype& type, bytes_view raw) noexcept {
        return detail::word_bytes(type) == WidthBytes && raw.size() % WidthBytes == 0;
    }
    static void split(bytes_view raw, std::span<const bytes_span, WidthBytes> out, const kernel::table& k) noexcept {
        byte_planes::split_with(k.split[kernel::width_index(WidthBytes)], raw, out);
    }
    static status merge(std::span<const bytes_view, WidthBytes> in, bytes_span raw, const kernel::table& k) noexcept {
        return byte_planes::merge_with(k.merge[kernel::width_index(WidthBytes)], in, raw);
    }
};

/// Floats: the exponent's byte, then the rest of the mantissa with the sign at the very end.
template <std::size_t WidthBytes>
struct field_planes : detail::planes_base<WidthBytes> {
    static constexpr wire_id id = 4 + detail::width_offset<WidthBytes>;
    static constexpr std::string_view name = WidthBytes == 2   ? "field_planes<2>"
                                             : WidthBytes == 4 ? "field_planes<4>"
                                                               : "field_planes<8>";

    static bool applies(const dtype& type, bytes_view raw) noexcept {
        const bool floats = type.kind == number_kind::floating || type.kind == number_kind::complex_float;
        return floats && detail::word_bytes(type) == WidthBytes && raw.size() % WidthBytes == 0;
    }
    static void split(bytes_view raw, std::span<const bytes_span, WidthBytes> out, const kernel::table& k) noexcept {
        field_planes::split_with(k.split_rotated[kernel::width_index(WidthBytes)], raw, out);
    }
    static status merge(std::span<const bytes_view, WidthBytes> in, bytes_span raw, const kernel::table& k) noexcept {
        return field_planes::merge_with(k.merge_rotated[kernel::width_index(WidthBytes)], in, raw);
    }
};

} // namespace bigsmall::grouping
