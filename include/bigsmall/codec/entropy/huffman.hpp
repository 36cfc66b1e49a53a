// SPDX-License-Identifier: BSL-1.0
// Wire id 2: canonical Huffman over bytes, four independent streams, several symbols per table lookup.
//
// The four streams are the four quarters of the symbols. A decoder advances all four at once: a lookup depends on
// the one before it in its own stream, so one stream alone would wait for the cache's latency at every step.
#pragma once

#include <algorithm>
#include <array>
#include <optional>

#include <bigsmall/codec/entropy/huffman_code.hpp>
#include <bigsmall/codec/policies.hpp>

namespace bigsmall::entropy {

struct huffman {
    static constexpr wire_id id = 2;
    static constexpr std::string_view name = "huffman";

    static constexpr std::size_t bound(std::size_t raw_bytes) noexcept {
        return raw_bytes + raw_bytes * 3 / 8 + huffman_code::max_stored_bytes + 3 * max_varint_bytes + 4 + 8;
    }

    static std::size_t estimate(const encode_context& context) noexcept {
        if (context.statistics.distinct < 2) return static_cast<std::size_t>(-1);
        const huffman_code code = huffman_code::from(context.statistics);
        return static_cast<std::size_t>(code.coded_bits(context.statistics) / 8) + code.stored_bytes() + 10;
    }

    static std::optional<std::size_t> encode(bytes_view raw, bytes_span out, const encode_context& context) noexcept {
        if (context.statistics.distinct < 2) return std::nullopt;
        const huffman_code code = huffman_code::from(context.statistics);
        std::uint8_t* at = out.data() + code.store(out);
        // Sizes of the first three streams come before them but are known after: leave room, then close the gap.
        std::uint8_t* const body = at + (streams - 1) * max_varint_bytes;
        std::uint8_t* end = body;
        for (std::size_t s = 0; s < streams; ++s) {
            const std::size_t written = put_symbols(part(raw, s), code, end);
            if (s + 1 < streams) at += store_varint(at, written);
            end += written;
        }
        std::copy(body, end, at);
        return static_cast<std::size_t>(at - out.data()) + static_cast<std::size_t>(end - body);
    }

    static status decode(bytes_view coded, bytes_span raw) noexcept {
        byte_cursor cursor(coded);
        huffman_code code;
        if (const status s = huffman_code::load(cursor, code); s != status::ok) return s;
        std::array<std::uint64_t, streams> sizes{};
        for (std::size_t s = 0; s + 1 < streams; ++s)
            sizes[s] = cursor.read_varint();
        if (!cursor.ok()) return status::truncated;

        huffman_code::lookup_table table;
        code.fill(table);
        std::array<lane, streams> lanes;
        for (std::size_t s = 0; s < streams; ++s) {
            const bytes_view bits = cursor.take(s + 1 < streams ? sizes[s] : cursor.left());
            if (!cursor.ok()) return status::truncated;
            const bytes_span symbols = part(raw, s);
            lanes[s] = {bits.data(), bits.size(), 0, symbols.data(), symbols.data() + symbols.size()};
        }
        decode_together(table, lanes, coded.data() + coded.size());
        for (lane& each : lanes)
            if (const status s = finish(table, each); s != status::ok) return s;
        return status::ok;
    }

private:
    static constexpr std::size_t streams = 4;
    static constexpr std::size_t lookups = 5; ///< 5 x 11 bits fit in the 57 that an eight-byte load surely gives
    static constexpr std::size_t mask = huffman_code::table_size - 1;

    struct lane {
        const std::uint8_t* bits = nullptr;
        std::size_t size_bytes = 0;
        std::size_t position = 0; ///< in bits
        std::uint8_t* symbols = nullptr;
        std::uint8_t* symbols_end = nullptr;
    };

    /// The s-th quarter.
    template <class T>
    static std::span<T> part(std::span<T> whole, std::size_t s) noexcept {
        const std::size_t quarter = (whole.size() + streams - 1) / streams;
        const std::size_t first = std::min(whole.size(), s * quarter);
        return whole.subspan(first, std::min(whole.size() - first, quarter));
    }

    static std::size_t put_symbols(bytes_view symbols, const huffman_code& code, std::uint8_t* const begin) noexcept {
        std::array<std::uint32_t, 256> entries; // code | length << 16
        for (std::size_t v = 0; v < 256; ++v)
            entries[v] = code.codes[v] | static_cast<std::uint32_t>(code.lengths[v]) << 16;
        std::uint8_t* at = begin;
        std::uint64_t pending = 0;
        unsigned held = 0; // below 8 after each store
        std::size_t i = 0;
        for (; i + 4 <= symbols.size(); i += 4) { // 7 + 4 x 11 bits fit
            for (std::size_t k = 0; k < 4; ++k) {
                const std::uint32_t entry = entries[symbols[i + k]];
                pending |= std::uint64_t{entry & 0xffffu} << held;
                held += entry >> 16;
            }
            store_le<std::uint64_t>(at, pending);
            at += held / 8;
            pending >>= held & ~7u;
            held &= 7u;
        }
        for (; i < symbols.size(); ++i) {
            const std::uint32_t entry = entries[symbols[i]];
            pending |= std::uint64_t{entry & 0xffffu} << held;
            held += entry >> 16;
            store_le<std::uint64_t>(at, pending);
            at += held / 8;
            pending >>= held & ~7u;
            held &= 7u;
        }
        return static_cast<std::size_t>(at - begin) + (held != 0 ? 1 : 0);
    }

    /// True while the lane can be advanced by `lookups` lookups with whole eight-byte loads and four-byte stores.
    static bool roomy(const lane& l, const std::uint8_t* readable_end) noexcept {
        const std::size_t byte = l.position / 8;
        return static_cast<std::size_t>(l.symbols_end - l.symbols) >= 4 * lookups && byte < l.size_bytes &&
               static_cast<std::size_t>(readable_end - l.bits) - byte >= 8;
    }

    static void decode_together(const huffman_code::lookup_table& table, std::array<lane, streams>& lanes,
                                const std::uint8_t* readable_end) noexcept {
        lane a = lanes[0], b = lanes[1], c = lanes[2], d = lanes[3];
        while (roomy(a, readable_end) && roomy(b, readable_end) && roomy(c, readable_end) && roomy(d, readable_end)) {
            std::uint64_t wa = window(a), wb = window(b), wc = window(c), wd = window(d);
            for (std::size_t k = 0; k < lookups; ++k) {
                advance(table, a, wa);
                advance(table, b, wb);
                advance(table, c, wc);
                advance(table, d, wd);
            }
        }
        lanes = {a, b, c, d};
    }

    static std::uint64_t window(const lane& l) noexcept {
        return load_le<std::uint64_t>(l.bits + l.position / 8) >> (l.position % 8);
    }

    static void advance(const huffman_code::lookup_table& table, lane& l, std::uint64_t& window) noexcept {
        const std::uint64_t entry = table[window & mask];
        store_le<std::uint32_t>(l.symbols, static_cast<std::uint32_t>(entry));
        const unsigned used = entry >> 32 & 0xffu;
        window >>= used;
        l.position += used;
        l.symbols += entry >> 40 & 0xffu;
    }

    /// The last symbols of a lane one by one, with careful loads; then everything must have been used.
    static status finish(const huffman_code::lookup_table& table, lane& l) noexcept {
        while (l.symbols != l.symbols_end) {
            std::uint64_t bits = 0;
            for (std::size_t i = 0; i < 3; ++i) { // 7 + 11 bits lie in three bytes; past the end there are zeros
                const std::size_t byte = l.position / 8 + i;
                if (byte < l.size_bytes) bits |= std::uint64_t{l.bits[byte]} << (8 * i);
            }
            const std::uint64_t entry = table[(bits >> (l.position % 8)) & mask];
            *l.symbols++ = static_cast<std::uint8_t>(entry);
            l.position += entry >> 48;
            if (l.position > 8 * l.size_bytes) return status::truncated;
        }
        return (l.position + 7) / 8 == l.size_bytes ? status::ok : status::corrupt;
    }
};

} // namespace bigsmall::entropy
