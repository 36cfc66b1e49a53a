// SPDX-License-Identifier: BSL-1.0
// Groupings 13-16: the signs of floats apart from their magnitudes. Tables of sines, filters that mirror each other and
// embeddings of tied tokens repeat values with the other sign; an LZ coder finds that only when the sign is out of the
// way. The magnitudes stay whole words (sign_apart) or are taken apart into byte planes, the top one first
// (sign_planes). The last stream has the signs, value i in bit i % 8 of byte i / 8.
#pragma once

#include <array>

#include <bigsmall/codec/grouping/planes.hpp>

namespace bigsmall::grouping {

namespace detail {

template <std::size_t Width>
struct word_of;
template <>
struct word_of<2> {
    using type = std::uint16_t;
};
template <>
struct word_of<4> {
    using type = std::uint32_t;
};

template <std::size_t Width>
struct sign_base {
    using word = typename word_of<Width>::type;
    static constexpr word sign_bit = static_cast<word>(word{1} << (8 * Width - 1));

    static bool floats_of_width(const dtype& type, bytes_view raw) noexcept {
        const bool floats = type.kind == number_kind::floating || type.kind == number_kind::complex_float;
        return floats && word_bytes(type) == Width && raw.size() % Width == 0;
    }

protected:
    static constexpr std::size_t sign_bytes(std::size_t count) noexcept { return (count + 7) / 8; }

    static void take_signs(bytes_view raw, bytes_span signs) noexcept {
        std::fill(signs.begin(), signs.end(), std::uint8_t{0});
        for (std::size_t i = 0; i < raw.size() / Width; ++i)
            signs[i / 8] = static_cast<std::uint8_t>(signs[i / 8] | (raw[i * Width + Width - 1] >> 7) << (i % 8));
    }
    static word signed_word(word magnitude, bytes_view signs, std::size_t i) noexcept {
        return static_cast<word>(magnitude | static_cast<word>((signs[i / 8] >> (i % 8) & 1u) * sign_bit));
    }
};

} // namespace detail

template <std::size_t WidthBytes>
struct sign_apart : detail::sign_base<WidthBytes> {
    using base = detail::sign_base<WidthBytes>;
    static constexpr wire_id id = WidthBytes == 2 ? 13 : 14;
    static constexpr std::string_view name = WidthBytes == 2 ? "sign_apart<2>" : "sign_apart<4>";
    static constexpr std::size_t streams = 2;
    static bool for_repeats_of(const dtype&) noexcept { return true; }

    static bool applies(const dtype& type, bytes_view raw) noexcept { return base::floats_of_width(type, raw); }
    static void plan(bytes_view raw, std::span<std::size_t, streams> sizes) noexcept {
        sizes[0] = raw.size();
        sizes[1] = base::sign_bytes(raw.size() / WidthBytes);
    }
    static void split(bytes_view raw, std::span<const bytes_span, streams> out, const kernel::table&) noexcept {
        std::copy(raw.begin(), raw.end(), out[0].begin());
        for (std::size_t top = WidthBytes - 1; top < raw.size(); top += WidthBytes)
            out[0][top] = static_cast<std::uint8_t>(out[0][top] & 0x7f);
        base::take_signs(raw, out[1]);
    }
    static status merge(std::span<const bytes_view, streams> in, bytes_span raw, const kernel::table&) noexcept {
        const std::size_t count = raw.size() / WidthBytes;
        if (raw.size() % WidthBytes != 0 || in[0].size() != raw.size() || in[1].size() != base::sign_bytes(count))
            return status::corrupt;
        using word = typename base::word;
        for (std::size_t i = 0; i < count; ++i) {
            const word magnitude = load_le<word>(in[0].data() + i * WidthBytes);
            store_le<word>(raw.data() + i * WidthBytes, base::signed_word(magnitude, in[1], i));
        }
        return status::ok;
    }
};

template <std::size_t WidthBytes>
struct sign_planes : detail::sign_base<WidthBytes> {
    using base = detail::sign_base<WidthBytes>;
    static constexpr wire_id id = WidthBytes == 2 ? 15 : 16;
    static constexpr std::string_view name = WidthBytes == 2 ? "sign_planes<2>" : "sign_planes<4>";
    static constexpr std::size_t streams = WidthBytes + 1;
    static bool for_repeats_of(const dtype&) noexcept { return true; }

    static bool applies(const dtype& type, bytes_view raw) noexcept { return base::floats_of_width(type, raw); }
    static void plan(bytes_view raw, std::span<std::size_t, streams> sizes) noexcept {
        std::fill(sizes.begin(), sizes.end(), raw.size() / WidthBytes);
        sizes[WidthBytes] = base::sign_bytes(raw.size() / WidthBytes);
    }
    static void split(bytes_view raw, std::span<const bytes_span, streams> out, const kernel::table& kernels) noexcept {
        std::array<std::uint8_t*, WidthBytes> planes;
        for (std::size_t s = 0; s < WidthBytes; ++s)
            planes[WidthBytes - 1 - s] = out[s].data();
        kernels.split[kernel::width_index(WidthBytes)](raw.data(), raw.size() / WidthBytes, planes.data());
        for (std::uint8_t& top : out[0])
            top = static_cast<std::uint8_t>(top & 0x7f);
        base::take_signs(raw, out[WidthBytes]);
    }
    static status merge(std::span<const bytes_view, streams> in, bytes_span raw,
                        const kernel::table& kernels) noexcept {
        const std::size_t count = raw.size() / WidthBytes;
        if (raw.size() % WidthBytes != 0 || in[WidthBytes].size() != base::sign_bytes(count)) return status::corrupt;
        std::array<const std::uint8_t*, WidthBytes> planes;
        for (std::size_t s = 0; s < WidthBytes; ++s) {
            if (in[s].size() != count) return status::corrupt;
            planes[WidthBytes - 1 - s] = in[s].data();
        }
        kernels.merge[kernel::width_index(WidthBytes)](planes.data(), count, raw.data());
        using word = typename base::word;
        for (std::size_t i = 0; i < count; ++i) {
            std::uint8_t* const at = raw.data() + i * WidthBytes;
            store_le<word>(at, base::signed_word(load_le<word>(at), in[WidthBytes], i));
        }
        return status::ok;
    }
};

} // namespace bigsmall::grouping
