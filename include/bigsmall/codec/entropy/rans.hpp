// SPDX-License-Identifier: BSL-1.0
// Wire id 3: range asymmetric numeral systems over bytes, 12-bit frequencies, interleaved lanes.
//
// Source of the method: J. Duda, "Asymmetric numeral systems" (arXiv 1311.2540); the interleaving of lanes:
// F. Giesen, "Interleaved entropy coders" (arXiv 1402.3392).
//
// A state x in [2^16, 2^32) holds the message so far. With frequencies f(s) summing to 4096 and cumulative sums
// c(s), coding symbol s maps x to (x / f) * 4096 + c + x % f, which grows x by a factor of 4096 / f: the symbol's
// information. Before that, a 16-bit word is moved out if x would outgrow its interval; since the interval is
// 2^16 wide in ratio, one word is always enough. Decoding is the exact inverse: the low 12 bits of x name the slot,
// hence s; x becomes f * (x / 4096) + slot - c(s); a state below 2^16 takes one word.
// The encoder runs from the last symbol to the first, the decoder forward. Symbol i belongs to lane i % lanes.
#pragma once

#include <array>
#include <optional>

#include <bigsmall/codec/entropy/rans_lanes.hpp>
#include <bigsmall/codec/entropy/rans_table.hpp>
#include <bigsmall/codec/policies.hpp>

namespace bigsmall::entropy {

struct rans {
    static constexpr wire_id id = 3;
    static constexpr std::string_view name = "rans";

    /// A symbol of frequency 1 moves out 12 bits; the table takes at most 256 x 14 bits and its header.
    static constexpr std::size_t bound(std::size_t raw_bytes) noexcept {
        return raw_bytes + raw_bytes / 2 + rans_encoder::slack_bytes + 4 * detail::max_rans_lanes +
               rans_table::max_stored_bytes;
    }
    static std::size_t estimate(const encode_context& context) noexcept {
        if (context.statistics.distinct < 2) return static_cast<std::size_t>(-1);
        // Two of every four bytes of the states are lost, and a little by the rounding of frequencies.
        const std::size_t body = entropy_bytes(context.statistics);
        return body + body / 1024 + rans_table::from(context.statistics).stored_bytes() +
               2 * rans_lanes_for(context.statistics.size_bytes);
    }

    static std::optional<std::size_t> encode(bytes_view raw, bytes_span out, const encode_context& context) noexcept {
        if (context.statistics.distinct < 2) return std::nullopt;
        const rans_table table = rans_table::from(context.statistics);
        const std::size_t table_bytes = table.store(out);
        rans_encoder encoder(out.data() + out.size(), rans_lanes_for(raw.size()), context.kernels);
        encoder.push(table.codings().data(), raw);
        return table_bytes + encoder.finish(out.data() + table_bytes);
    }

    static status decode(bytes_view coded, bytes_span raw, const kernel::table& kernels) noexcept {
        byte_cursor cursor(coded);
        std::array<std::uint32_t, rans_table::total> slots;
        if (const status s = rans_table::load_slots(cursor, slots); s != status::ok) return s;
        rans_decoder decoder;
        if (const status s = decoder.open(cursor, rans_lanes_for(raw.size())); s != status::ok) return s;
        if (const status s = decoder.pull(slots.data(), raw, kernels); s != status::ok) return s;
        return decoder.close();
    }
};

} // namespace bigsmall::entropy
