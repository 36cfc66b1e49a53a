// SPDX-License-Identifier: BSL-1.0
// The class of a symbol follows from the symbol a fixed distance before it: ranges of values that predict alike.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <bigsmall/codec/entropy/row_classes.hpp>
#include <bigsmall/core/status.hpp>
#include <bigsmall/core/varint.hpp>

namespace bigsmall::entropy {

struct lag_classes {
    std::size_t lag = 1; ///< symbols; those before it belong to the class of symbol 0
    std::size_t classes = 1;
    std::array<std::uint8_t, 256> of_symbol{};

    /// The symbols that follow each value, `lag` later, are a row of a table; rows that are distributed alike share a
    /// class (row_classes.hpp).
    static lag_classes find(bytes_view raw, std::size_t lag, std::size_t wanted) {
        std::vector<std::array<std::uint32_t, 256>> followers(256);
        // The middle is enough to know the distributions.
        const std::size_t enough = std::size_t{1} << 16;
        const std::size_t begin = lag + (raw.size() - lag > enough ? (raw.size() - lag - enough) / 2 : 0);
        for (std::size_t i = begin, end = std::min(raw.size(), begin + enough); i < end; ++i)
            ++followers[raw[i - lag]][raw[i]];
        const row_classes found = row_classes::find(followers, wanted, 3);
        lag_classes result;
        result.lag = lag;
        result.classes = found.classes;
        std::copy(found.of_row.begin(), found.of_row.end(), result.of_symbol.begin());
        return result;
    }

    std::vector<std::array<std::uint32_t, 256>> count(bytes_view raw) const {
        std::vector<std::array<std::uint32_t, 256>> counts(classes);
        for (std::size_t i = 0; i < raw.size(); ++i)
            ++counts[class_at(raw, i)][raw[i]];
        return counts;
    }

    /// The symbols of each class, one after another in `room`, which is as large as `raw`.
    std::vector<bytes_span> sort(bytes_view raw, bytes_span room) const {
        std::vector<std::size_t> sizes(classes);
        for (std::size_t i = 0; i < raw.size(); ++i)
            ++sizes[class_at(raw, i)];
        const std::vector<bytes_span> symbols = rooms_of(sizes, room);
        std::array<std::uint8_t*, max_classes> next{};
        for (std::size_t c = 0; c < classes; ++c)
            next[c] = symbols[c].data();
        for (std::size_t i = 0; i < raw.size(); ++i)
            *next[class_at(raw, i)]++ = raw[i];
        return symbols;
    }

    /// The inverse of sort(); `symbols` has the classes one after another.
    status unsort(bytes_view symbols, const std::vector<std::size_t>& sizes, bytes_span raw) const noexcept {
        std::array<const std::uint8_t*, max_classes> next{}, end{};
        const std::uint8_t* at = symbols.data();
        for (std::size_t c = 0; c < classes; ++c) {
            next[c] = at;
            at += sizes[c];
            end[c] = at;
        }
        for (std::size_t i = 0; i < raw.size(); ++i) {
            const std::size_t c = class_at(raw, i);
            if (next[c] == end[c]) return status::corrupt;
            raw[i] = *next[c]++;
        }
        return status::ok;
    }

    std::size_t stored_bytes() const noexcept {
        std::array<std::uint8_t, max_varint_bytes + 2 * 256 + 2> room;
        return store(room.data());
    }

    /// The lag, then runs of symbols of one class: its number, and the length less one.
    std::size_t store(std::uint8_t* out) const noexcept {
        std::uint8_t* at = out + store_varint(out, lag);
        for (std::size_t v = 0; v < 256;) {
            std::size_t run = 1;
            while (v + run < 256 && of_symbol[v + run] == of_symbol[v])
                ++run;
            *at++ = of_symbol[v];
            *at++ = static_cast<std::uint8_t>(run - 1);
            v += run;
        }
        return static_cast<std::size_t>(at - out);
    }

    static status load(byte_cursor& cursor, std::size_t classes, lag_classes& loaded) noexcept {
        const std::uint64_t lag = cursor.read_varint();
        if (!cursor.ok()) return status::truncated;
        if (lag == 0) return status::corrupt;
        loaded.lag = static_cast<std::size_t>(std::min<std::uint64_t>(lag, std::size_t(-1)));
        loaded.classes = classes;
        for (std::size_t v = 0; v < 256;) {
            const auto number = cursor.read<std::uint8_t>();
            const std::size_t run = std::size_t{cursor.read<std::uint8_t>()} + 1;
            if (!cursor.ok()) return status::truncated;
            if (number >= classes || run > 256 - v) return status::corrupt;
            std::fill_n(loaded.of_symbol.begin() + static_cast<std::ptrdiff_t>(v), run, number);
            v += run;
        }
        return status::ok;
    }

private:
    template <class Bytes>
    std::size_t class_at(const Bytes& raw, std::size_t i) const noexcept {
        return i < lag ? of_symbol[0] : of_symbol[raw[i - lag]];
    }
};

} // namespace bigsmall::entropy
