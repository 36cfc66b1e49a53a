// SPDX-License-Identifier: BSL-1.0
// Wire id 6: symbols sorted into classes, each class under its own wavelet tree (wavelet.hpp).
//
// Three ways to know a symbol's class. By row: each row of the matrix is stored with the number of its class, for
// weights whose scale differs from row to row. By column: the same for columns. By lag: the class follows from the
// symbol one row (or any fixed distance) before, for filters that resemble their neighbours. In all of them the symbols
// of a class are decoded as one sequence, at full speed, before they are put in their places: nothing is chosen symbol
// by symbol inside an entropy decoder.
#pragma once

#include <bit>
#include <optional>
#include <string_view>
#include <vector>

#include <bigsmall/codec/entropy/lag_classes.hpp>
#include <bigsmall/codec/entropy/row_classes.hpp>
#include <bigsmall/codec/entropy/wavelet_code.hpp>
#include <bigsmall/codec/entropy/wavelet_reader.hpp>
#include <bigsmall/codec/entropy/wavelet_writer.hpp>
#include <bigsmall/codec/policies.hpp>

namespace bigsmall::entropy {

template <std::uint32_t LeastGain, unsigned PieceLog2>
struct basic_classed_wavelet {
    static constexpr wire_id id = 6;
    static constexpr std::string_view name = "classed_wavelet";

    /// Most rows or columns: their histograms take a KiB each.
    static constexpr std::size_t most_lines = 4096;

    static constexpr std::size_t bound(std::size_t raw_bytes) noexcept {
        return front_bytes + most_lines / 2 + max_classes * (wavelet_code::max_stored_bytes + max_varint_bytes) +
               wavelet_writer::bound(raw_bytes, std::size_t{1} << PieceLog2) +
               max_classes * 2 * wavelet_tree::max_nodes;
    }

    /// Classes need rows, and symbols enough to pay for their tables.
    static bool promising(bytes_view raw, const encode_context& context) noexcept {
        return (context.row_symbols > 0 || context.many_parts) && raw.size() >= least_symbols &&
               context.statistics.distinct > 1;
    }

    /// Declines when one tree for all is estimated to be as small.
    static std::optional<std::size_t> encode(bytes_view raw, bytes_span out, const encode_context& context) {
        if (!promising(raw, context)) return std::nullopt;
        plan best;
        best.bytes = single_tree_bytes(context.statistics);
        const std::size_t row = context.row_symbols, last = context.last_symbols, first = context.first_in_row;
        if (context.many_parts) // of unknown boundaries and like scale: short stretches find their classes
            for (const std::size_t stretch : {std::size_t{64}, std::size_t{256}})
                consider_rows(raw, {stretch, 0, raw.size()}, context, best);
        if (row > 0) consider_rows(raw, {row, first, raw.size()}, context, best);
        if (last > 0 && last != row) consider_rows(raw, {last, first % last, raw.size()}, context, best);
        if (last > 0) consider_columns(raw, {last, first % last, raw.size()}, context, best);
        if (row > 0 && last != row) consider_columns(raw, {row, first, raw.size()}, context, best);
        for (const std::size_t lag : {row, std::size_t{1}})
            if (lag_pays(raw, lag)) consider_lag(raw, lag, best);
        if (best.codes.empty()) return std::nullopt;
        return write(best, raw, out, context);
    }

    static status decode(bytes_view coded, bytes_span raw, scratch& memory) {
        byte_cursor cursor(coded);
        const unsigned piece_log2 = cursor.read<std::uint8_t>();
        const unsigned kind = cursor.read<std::uint8_t>();
        const std::size_t classes = cursor.read<std::uint8_t>();
        if (!cursor.ok()) return status::truncated;
        if (piece_log2 < 10 || piece_log2 > 18 || kind > by_column || classes == 0 || classes > max_classes)
            return status::corrupt;
        wavelet_reader reader(std::size_t{1} << piece_log2, memory);
        return kind == by_lag ? decode_lag(cursor, classes, reader, raw, memory)
                              : decode_lines(cursor, classes, kind == by_row, reader, raw, memory);
    }

private:
    enum kind : std::uint8_t { by_row = 0, by_lag = 1, by_column = 2 };
    static constexpr std::size_t front_bytes = 3 + 2 * max_varint_bytes + 2 * 256 + 8;
    static constexpr std::size_t least_symbols = 1024;
    using histogram = std::array<std::uint32_t, 256>;

    struct plan {
        std::size_t bytes = 0; ///< estimated
        kind by = by_row;
        row_layout layout;
        row_classes lines; ///< rows or columns
        lag_classes lag;
        std::vector<wavelet_code> codes; ///< of each class; none: one tree for all
    };

    static std::size_t single_tree_bytes(const stream_statistics& statistics) noexcept {
        std::uint64_t bits = 0;
        const wavelet_code code = wavelet_code::from(statistics, LeastGain, bits);
        return static_cast<std::size_t>(bits / 8) + code.stored_bytes();
    }

    static stream_statistics statistics_from(const histogram& counts) noexcept {
        stream_statistics s;
        s.counts = counts;
        for (std::size_t v = 0; v < 256; ++v) {
            if (counts[v] == 0) continue;
            s.size_bytes += counts[v];
            if (s.distinct++ == 0) s.lowest = static_cast<std::uint8_t>(v);
            s.highest = static_cast<std::uint8_t>(v);
        }
        return s;
    }

    /// The codes of all classes, and what they and their symbols take together.
    static std::size_t codes_for(const std::vector<histogram>& sums, std::vector<wavelet_code>& codes) {
        std::size_t bytes = 0;
        codes.clear();
        for (const histogram& counts : sums) {
            const stream_statistics s = statistics_from(counts);
            std::uint64_t bits = 0;
            codes.push_back(wavelet_code::from(s, LeastGain, bits));
            bytes += static_cast<std::size_t>(bits / 8) + codes.back().stored_bytes() +
                     ((s.size_bytes >> PieceLog2) + 1) * codes.back().tree.size / 2;
        }
        return bytes;
    }

    static void consider_rows(bytes_view raw, const row_layout& layout, const encode_context& context, plan& best) {
        if (layout.rows() < 2 || layout.rows() > most_lines || layout.row_symbols < 16) return;
        if (!line_variation::of_rows(raw, layout).significant()) return;
        consider_lines(by_row, layout, row_classes::count_rows(raw, layout, context.kernels), 0, best);
    }

    static void consider_columns(bytes_view raw, const row_layout& layout, const encode_context&, plan& best) {
        const std::size_t columns = layout.row_symbols;
        if (columns < 2 || columns > most_lines || raw.size() / columns < 16) return;
        if (!line_variation::of_columns(raw, layout).significant()) return;
        std::vector<histogram> counts(columns);
        std::size_t column = layout.first_in_row;
        for (const std::uint8_t symbol : raw) {
            ++counts[column][symbol];
            if (++column == columns) column = 0;
        }
        consider_lines(by_column, layout, counts, raw.size() / slow_price, best);
    }

    /// Putting symbols back one by one is the slow kind of decoding: it must save this part of a byte for each symbol.
    static constexpr std::size_t slow_price = 256;

    static void consider_lines(kind by, const row_layout& layout, const std::vector<histogram>& counts,
                               std::size_t price, plan& best) {
        for (const std::size_t wanted : {std::size_t{2}, std::size_t{4}, std::size_t{12}}) {
            if (wanted > counts.size() || layout.symbols < wanted * least_symbols / 2) break;
            row_classes found = row_classes::find(counts, wanted, 6);
            std::vector<wavelet_code> codes;
            const std::size_t side = (counts.size() * bits_for(found.classes) + 7) / 8;
            const std::size_t bytes = codes_for(found.sums(counts), codes) + side + 12;
            if (bytes + price >= best.bytes) continue;
            best = {bytes + price, by, layout, std::move(found), {}, std::move(codes)};
        }
    }

    static void consider_lag(bytes_view raw, std::size_t lag, plan& best) {
        for (const std::size_t wanted : {std::size_t{3}, std::size_t{6}}) {
            lag_classes found = lag_classes::find(raw, lag, wanted);
            if (found.classes < 2) return;
            std::vector<wavelet_code> codes;
            const std::size_t bytes = codes_for(found.count(raw), codes) + found.stored_bytes() + 4 * found.classes;
            if (bytes + raw.size() / slow_price >= best.bytes) continue;
            best = {bytes + raw.size() / slow_price, by_lag, {}, {}, std::move(found), std::move(codes)};
        }
    }

    /// Whether knowing the upper two bits of the symbol `lag` before saves a hundredth, judged by a sample. Putting
    /// symbols back by lag is the slow kind of decoding: it has to be worth it.
    static bool lag_pays(bytes_view raw, std::size_t lag) noexcept {
        if (lag == 0 || lag > raw.size() / 2) return false;
        constexpr std::size_t enough = 16384;
        const std::size_t begin = lag + (raw.size() - lag > enough ? (raw.size() - lag - enough) / 2 : 0);
        const std::size_t end = std::min(raw.size(), begin + enough);
        std::array<histogram, 4> followers{};
        for (std::size_t i = begin; i < end; ++i)
            ++followers[raw[i - lag] / 64u][raw[i]];
        histogram all{};
        std::size_t apart = 0;
        for (const histogram& each : followers) {
            for (std::size_t v = 0; v < 256; ++v)
                all[v] += each[v];
            apart += entropy_bytes(statistics_from(each));
        }
        const std::size_t together = entropy_bytes(statistics_from(all));
        return apart + together / 100 + 32 < together;
    }

    static constexpr unsigned bits_for(std::size_t classes) noexcept {
        return static_cast<unsigned>(std::bit_width(classes - 1));
    }

    static std::size_t write(const plan& chosen, bytes_view raw, bytes_span out, const encode_context& context) {
        std::uint8_t* at = out.data();
        *at++ = PieceLog2;
        *at++ = chosen.by;
        *at++ = static_cast<std::uint8_t>(chosen.codes.size());
        const bytes_span room = context.memory.memory(scratch::purpose::classes, raw.size());
        const std::vector<bytes_span> symbols =
            chosen.by == by_lag ? chosen.lag.sort(raw, room) : sort_lines(chosen, raw, room);
        if (chosen.by == by_lag) {
            at += chosen.lag.store(at);
            for (std::size_t c = 0; c + 1 < symbols.size(); ++c)
                at += store_varint(at, symbols[c].size());
        } else {
            at += store_varint(at, chosen.layout.row_symbols);
            at += store_varint(at, chosen.layout.first_in_row);
            bit_writer writer(at);
            for (const std::uint8_t c : chosen.lines.of_row)
                writer.put(c, bits_for(chosen.codes.size()));
            at += writer.finish();
        }
        for (const wavelet_code& code : chosen.codes)
            at += code.store(at);
        const auto front = static_cast<std::size_t>(at - out.data());
        wavelet_writer writer(out.subspan(front), std::size_t{1} << PieceLog2, context.memory);
        for (std::size_t c = 0; c < symbols.size(); ++c)
            writer.add(chosen.codes[c], symbols[c]);
        return front + writer.finish();
    }

    /// The symbols of each class, one after another in `room`.
    static std::vector<bytes_span> sort_lines(const plan& chosen, bytes_view raw, bytes_span room) {
        const row_layout& layout = chosen.layout;
        const std::vector<std::uint8_t>& of_line = chosen.lines.of_row;
        std::vector<std::size_t> sizes(chosen.lines.classes);
        for (std::size_t line = 0; line < of_line.size(); ++line)
            sizes[of_line[line]] += chosen.by == by_row ? layout.size(line) : column_size(layout, line);
        const std::vector<bytes_span> symbols = rooms_of(sizes, room);
        std::array<std::uint8_t*, max_classes> next{};
        for (std::size_t c = 0; c < symbols.size(); ++c)
            next[c] = symbols[c].data();
        if (chosen.by == by_row) {
            for (std::size_t row = 0; row < of_line.size(); ++row) {
                const bytes_view here = raw.subspan(layout.begin(row), layout.size(row));
                next[of_line[row]] = std::copy(here.begin(), here.end(), next[of_line[row]]);
            }
            return symbols;
        }
        std::size_t column = layout.first_in_row;
        for (const std::uint8_t symbol : raw) {
            *next[of_line[column]]++ = symbol;
            if (++column == layout.row_symbols) column = 0;
        }
        return symbols;
    }

    /// Reads the codes and all symbols, class after class, into scratch memory.
    static status read_classes(byte_cursor& cursor, const std::vector<std::size_t>& sizes, wavelet_reader& reader,
                               bytes_span symbols) {
        std::vector<wavelet_code> codes(sizes.size());
        for (wavelet_code& code : codes)
            if (const status s = wavelet_code::load(cursor, code); s != status::ok) return s;
        if (const status s = reader.open(cursor); s != status::ok) return s;
        for (std::size_t c = 0; c < sizes.size(); ++c) {
            if (const status s = reader.read(codes[c], symbols.first(sizes[c])); s != status::ok) return s;
            symbols = symbols.subspan(sizes[c]);
        }
        return reader.close();
    }

    static status decode_lines(byte_cursor& cursor, std::size_t classes, bool rows, wavelet_reader& reader,
                               bytes_span raw, scratch& memory) {
        const std::uint64_t row_symbols = cursor.read_varint(), first_in_row = cursor.read_varint();
        if (!cursor.ok()) return status::truncated;
        constexpr std::uint64_t most = std::uint64_t{1} << 48; // keeps sums of these far from overflow
        if (row_symbols == 0 || row_symbols > most || first_in_row >= row_symbols) return status::corrupt;
        const row_layout layout{static_cast<std::size_t>(row_symbols), static_cast<std::size_t>(first_in_row),
                                raw.size()};
        const std::size_t lines = rows ? layout.rows() : layout.row_symbols;
        if (bits_for(classes) != 0 && lines > 8 * cursor.left() / bits_for(classes)) return status::truncated;
        // Rows are bounded by the symbols already: each but the first and the last is whole.
        if (!rows && lines > raw.size()) return status::corrupt;
        std::vector<std::uint8_t> of_line(lines);
        bit_reader reader_of_classes(cursor);
        for (std::uint8_t& c : of_line) {
            for (unsigned bit = 0; bit < bits_for(classes); ++bit)
                c = static_cast<std::uint8_t>(c | reader_of_classes.get_bit() << bit);
            if (c >= classes) return status::corrupt;
        }
        if (reader_of_classes.exhausted()) return status::truncated;
        std::vector<std::size_t> sizes(classes);
        for (std::size_t line = 0; line < lines; ++line)
            sizes[of_line[line]] += rows ? layout.size(line) : column_size(layout, line);
        const bytes_span symbols = memory.memory(scratch::purpose::classes, raw.size());
        if (const status s = read_classes(cursor, sizes, reader, symbols); s != status::ok) return s;

        std::vector<const std::uint8_t*> next(classes, symbols.data());
        for (std::size_t c = 1; c < classes; ++c)
            next[c] = next[c - 1] + sizes[c - 1];
        if (rows) {
            for (std::size_t row = 0; row < lines; ++row) {
                std::copy_n(next[of_line[row]], layout.size(row),
                            raw.begin() + static_cast<std::ptrdiff_t>(layout.begin(row)));
                next[of_line[row]] += layout.size(row);
            }
            return status::ok;
        }
        std::size_t column = layout.first_in_row;
        for (std::uint8_t& symbol : raw) {
            symbol = *next[of_line[column]]++;
            if (++column == lines) column = 0;
        }
        return status::ok;
    }

    /// Symbols of a column: one for each whole or partial row that reaches it.
    static std::size_t column_size(const row_layout& layout, std::size_t column) noexcept {
        const std::size_t end = layout.first_in_row + layout.symbols;
        const std::size_t until = end > column ? (end - column + layout.row_symbols - 1) / layout.row_symbols : 0;
        return until - (column < layout.first_in_row ? 1 : 0);
    }

    static status decode_lag(byte_cursor& cursor, std::size_t classes, wavelet_reader& reader, bytes_span raw,
                             scratch& memory) {
        lag_classes lag;
        if (const status s = lag_classes::load(cursor, classes, lag); s != status::ok) return s;
        std::vector<std::size_t> sizes(classes);
        std::size_t left = raw.size();
        for (std::size_t c = 0; c + 1 < classes; ++c) {
            const std::uint64_t size = cursor.read_varint();
            if (!cursor.ok()) return status::truncated;
            if (size > left) return status::corrupt;
            sizes[c] = static_cast<std::size_t>(size);
            left -= sizes[c];
        }
        sizes.back() = left;
        const bytes_span symbols = memory.memory(scratch::purpose::classes, raw.size());
        if (const status s = read_classes(cursor, sizes, reader, symbols); s != status::ok) return s;
        return lag.unsort(symbols, sizes, raw);
    }
};

using classed_wavelet = basic_classed_wavelet<1000, 18>;

} // namespace bigsmall::entropy
