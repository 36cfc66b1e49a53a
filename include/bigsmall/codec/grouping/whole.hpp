// SPDX-License-Identifier: BSL-1.0
// Grouping 0: one stream, the block as it is. For bytes, for what nothing is known of, and for repeats.
#pragma once

#include <algorithm>

#include <bigsmall/codec/policies.hpp>

namespace bigsmall::grouping {

struct whole {
    static constexpr wire_id id = 0;
    static constexpr std::string_view name = "whole";
    static constexpr std::size_t streams = 1;

    /// Always legal. Wide words are cut apart by other groupings; whole they are for repeats (see for_repeats_of).
    static bool applies(const dtype&, bytes_view) noexcept { return true; }
    static bool for_repeats_of(const dtype& type) noexcept { return type.bits > 8 && type.kind != number_kind::opaque; }
    /// Floats of one byte: the sign and the lowest mantissa bit.
    static std::size_t noisy_bits(const dtype& type) noexcept {
        return type.kind == number_kind::floating && type.bits == 8 ? 2 : 0;
    }

    static void plan(bytes_view raw, std::span<std::size_t, 1> sizes) noexcept { sizes[0] = raw.size(); }
    static void split(bytes_view raw, std::span<const bytes_span, 1> out, const kernel::table&) noexcept {
        std::copy(raw.begin(), raw.end(), out[0].begin());
    }
    static status merge(std::span<const bytes_view, 1> in, bytes_span raw, const kernel::table&) noexcept {
        if (in[0].size() != raw.size()) return status::corrupt;
        std::copy(in[0].begin(), in[0].end(), raw.begin());
        return status::ok;
    }
};

} // namespace bigsmall::grouping
