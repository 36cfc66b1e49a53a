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

#include <algorithm>
#include <array>
#include <optional>

#include <bigsmall/codec/entropy/rans_table.hpp>
#include <bigsmall/codec/policies.hpp>
#include <bigsmall/kernel/scalar.hpp>

namespace bigsmall::entropy {

struct rans {
    static constexpr wire_id id = 3;
    static constexpr std::string_view name = "rans";

    /// More lanes decode faster and cost four bytes each: the number follows from the stream's size.
    static constexpr std::size_t lanes_for(std::size_t raw_bytes) noexcept {
        return raw_bytes >= 8192 ? 32 : raw_bytes >= 512 ? 4 : 1;
    }
    /// A symbol of frequency 1 moves out 12 bits; the table takes at most 256 x 14 bits and its header.
    static constexpr std::size_t bound(std::size_t raw_bytes) noexcept {
        return raw_bytes + raw_bytes / 2 + words_slack + 4 * max_lanes + rans_table::max_stored_bytes;
    }
    static std::size_t estimate(const encode_context& context) noexcept {
        if (context.statistics.distinct < 2) return static_cast<std::size_t>(-1);
        // About ten bits a symbol of table, two of every four state bytes lost, and the rounding of frequencies.
        const std::size_t body = entropy_bytes(context.statistics);
        return body + body / 1024 + context.statistics.distinct + 2 * lanes_for(context.statistics.size_bytes) + 4;
    }

    static std::optional<std::size_t> encode(bytes_view raw, bytes_span out, const encode_context& context) noexcept {
        if (context.statistics.distinct < 2) return std::nullopt;
        const rans_table table = rans_table::from(context.statistics);
        const std::size_t table_bytes = table.store(out);
        const std::size_t lanes = lanes_for(raw.size());

        state_array states;
        states.fill(lowest_state);
        std::uint8_t* const words_end = out.data() + out.size();
        std::uint8_t* const words = put_symbols(raw, table, lanes, states, words_end, context.kernels);

        std::uint8_t* at = out.data() + table_bytes;
        for (std::size_t lane = 0; lane < lanes; ++lane, at += 4)
            store_le<std::uint32_t>(at, states[lane]);
        std::copy(words, words_end, at); // towards the front: the ranges may overlap
        return static_cast<std::size_t>(at - out.data()) + static_cast<std::size_t>(words_end - words);
    }

    static status decode(bytes_view coded, bytes_span raw, const kernel::table& kernels) noexcept {
        byte_cursor cursor(coded);
        std::array<std::uint32_t, rans_table::total> slots;
        if (const status s = rans_table::load_slots(cursor, slots); s != status::ok) return s;

        const std::size_t lanes = lanes_for(raw.size());
        state_array states{};
        for (std::size_t lane = 0; lane < lanes; ++lane) {
            states[lane] = cursor.read<std::uint32_t>();
            if (cursor.ok() && states[lane] < lowest_state) return status::corrupt;
        }
        if (!cursor.ok()) return status::truncated;

        const bytes_view words = cursor.take(cursor.left());
        kernel::rans_cursor at{states.data(), words.data(), words.data() + words.size(), raw.data(),
                               raw.data() + raw.size()};
        if (lanes == max_lanes) kernels.rans_rounds(slots.data(), at);
        return finish(slots, lanes, at);
    }

private:
    static constexpr std::size_t max_lanes = 32;
    static constexpr std::size_t words_slack = 16; ///< kernels store up to 16 bytes below the words that count
    static constexpr std::uint32_t lowest_state = 0x10000;

    using state_array = std::array<std::uint32_t, max_lanes>;

    /// Codes the symbols from the last to the first, writing words downwards from `words_end`.
    static std::uint8_t* put_symbols(bytes_view raw, const rans_table& table, std::size_t lanes, state_array& states,
                                     std::uint8_t* words_end, const kernel::table& kernels) noexcept {
        const std::array<std::uint32_t, 256> codings = table.codings();
        std::uint8_t* words = words_end;
        // The kernel takes whole rounds of 32; with fewer lanes the scalar step does it all.
        const std::size_t by_kernel = lanes == max_lanes ? raw.size() / max_lanes * max_lanes : 0;
        for (std::size_t i = raw.size(); i-- > by_kernel;)
            states[i % lanes] = kernel::scalar::rans_push(codings[raw[i]], states[i % lanes], words);
        return kernels.rans_encode_rounds(codings.data(), raw.data(), by_kernel / max_lanes, states.data(), words);
    }

    /// The rounds that the kernel left over, and the proof that nothing is left in the states or the words.
    static status finish(const std::array<std::uint32_t, rans_table::total>& slots, std::size_t lanes,
                         kernel::rans_cursor& at) noexcept {
        for (std::size_t lane = 0; at.symbols != at.symbols_end; lane = lane + 1 == lanes ? 0 : lane + 1) {
            *at.symbols++ = kernel::scalar::rans_step(slots.data(), at.states[lane]);
            if (at.states[lane] >= lowest_state) continue;
            if (at.words_end - at.words < 2) return status::truncated;
            at.states[lane] = at.states[lane] << 16 | load_le<std::uint16_t>(at.words);
            at.words += 2;
        }
        const bool spent = at.words == at.words_end &&
                           std::all_of(at.states, at.states + lanes, [](std::uint32_t x) { return x == lowest_state; });
        return spent ? status::ok : status::corrupt;
    }
};

} // namespace bigsmall::entropy
