// SPDX-License-Identifier: BSL-1.0
// Wire id 6: symbols sorted into classes, each class under its own wavelet tree (wavelet.hpp).
//
// Two ways to know a symbol's class. By row: each row of the matrix is stored with the number of its class, for weights
// whose scale differs from row to row. By lag: the class follows from the symbol one row (or any fixed distance)
// before, for weights whose scale differs from column to column, and for filters that resemble their neighbours. In
// both, the symbols of a class are decoded as one sequence, at full speed, before they are put in their places: nothing
// is chosen symbol by symbol inside an entropy decoder.
#pragma once

#include <bit>
#include <optional>
#include <string_view>
#include <vector>

#include <bigsmall/codec/entropy/lag_classes.hpp>
#include <bigsmall/codec/entropy/row_classes.hpp>
#include <bigsmall/codec/entropy/wavelet_body.hpp>
#include <bigsmall/codec/policies.hpp>

namespace bigsmall::entropy {

template <std::uint32_t LeastGain, unsigned PieceLog2>
struct basic_classed_wavelet {
    static constexpr wire_id id = 6;
    static constexpr std::string_view name = "classed_wavelet";

    static constexpr std::size_t bound(std::size_t raw_bytes) noexcept {
        return front_bytes + raw_bytes / 2 + max_classes * (wavelet_code::max_stored_bytes + max_varint_bytes) +
               wavelet_writer::bound(raw_bytes, std::size_t{1} << PieceLog2) +
               max_classes * 2 * wavelet_tree::max_nodes;
    }

    /// Classes need rows, and symbols enough to pay for their tables.
    static bool promising(bytes_view raw, const encode_context& context) noexcept {
        return context.row_symbols > 0 && raw.size() >= least_symbols && context.statistics.distinct > 1;
    }

    /// Declines when one tree for all is estimated to be as small.
    static std::optional<std::size_t> encode(bytes_view raw, bytes_span out, const encode_context& context) {
        if (!promising(raw, context)) return std::nullopt;
        const std::size_t single = single_tree_bytes(context.statistics);
        const row_layout layout{context.row_symbols, context.first_in_row, raw.size()};
        plan best;
        best.bytes = single;
        consider_rows(raw, layout, context, best);
        for (const std::size_t lag : {layout.row_symbols, std::size_t{1}})
            if (lag_pays(raw, lag)) consider_lag(raw, lag, best);
        if (best.codes.empty()) return std::nullopt;
        return write(best, layout, raw, out, context);
    }

    static status decode(bytes_view coded, bytes_span raw, scratch& memory) {
        byte_cursor cursor(coded);
        const unsigned piece_log2 = cursor.read<std::uint8_t>();
        const unsigned kind = cursor.read<std::uint8_t>();
        const std::size_t classes = cursor.read<std::uint8_t>();
        if (!cursor.ok()) return status::truncated;
        if (piece_log2 < 10 || piece_log2 > 18 || kind > by_lag || classes == 0 || classes > max_classes)
            return status::corrupt;
        wavelet_reader reader(std::size_t{1} << piece_log2, memory);
        return kind == by_row ? decode_rows(cursor, classes, reader, raw, memory)
                              : decode_lag(cursor, classes, reader, raw, memory);
    }

private:
    enum kind : std::uint8_t { by_row = 0, by_lag = 1 };
    static constexpr std::size_t front_bytes = 3 + 2 * max_varint_bytes + 2 * 256 + 8;
    static constexpr std::size_t least_symbols = 1024;
    using histogram = std::array<std::uint32_t, 256>;

    struct plan {
        std::size_t bytes = 0; ///< estimated
        kind by = by_row;
        row_classes rows;
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
        const std::size_t rows = layout.rows();
        // Histograms of very many short rows would take more memory and time than they can save.
        if (rows < 2 || rows > 16384 || layout.row_symbols < 16) return;
        const std::vector<histogram> counts = row_classes::count_rows(raw, layout, context.kernels);
        for (const std::size_t wanted : {std::size_t{4}, std::size_t{12}}) {
            if (wanted > rows) break;
            row_classes found = row_classes::find(layout, counts, wanted, 4);
            std::vector<wavelet_code> codes;
            const std::size_t side = (rows * bits_for(found.classes) + 7) / 8;
            const std::size_t bytes = codes_for(found.sums(counts), codes) + side + front_bytes / 32;
            if (bytes >= best.bytes) continue;
            best = {bytes, by_row, std::move(found), {}, std::move(codes)};
        }
    }

    static void consider_lag(bytes_view raw, std::size_t lag, plan& best) {
        for (const std::size_t wanted : {std::size_t{3}, std::size_t{6}}) {
            lag_classes found = lag_classes::find(raw, lag, wanted);
            if (found.classes < 2) return;
            std::vector<wavelet_code> codes;
            const std::size_t bytes = codes_for(found.count(raw), codes) + found.stored_bytes() + 4 * found.classes;
            if (bytes >= best.bytes) continue;
            best = {bytes, by_lag, {}, std::move(found), std::move(codes)};
        }
    }

    /// Whether knowing if the symbol `lag` before is above the median saves a hundredth, judged by a sample. Putting
    /// symbols back by lag is the slow kind of decoding: it has to be worth it.
    static bool lag_pays(bytes_view raw, std::size_t lag) noexcept {
        if (lag > raw.size() / 2) return false;
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

    static std::size_t write(const plan& chosen, const row_layout& layout, bytes_view raw, bytes_span out,
                             const encode_context& context) {
        std::uint8_t* at = out.data();
        *at++ = PieceLog2;
        *at++ = chosen.by;
        *at++ = static_cast<std::uint8_t>(chosen.codes.size());
        const std::vector<byte_buffer> symbols =
            chosen.by == by_row ? sort_rows(chosen.rows, layout, raw) : chosen.lag.sort(raw);
        if (chosen.by == by_row) {
            at += store_varint(at, layout.row_symbols);
            at += store_varint(at, layout.first_in_row);
            bit_writer writer(at);
            for (const std::uint8_t c : chosen.rows.of_row)
                writer.put(c, bits_for(chosen.codes.size()));
            at += writer.finish();
        } else {
            at += chosen.lag.store(at);
            for (std::size_t c = 0; c + 1 < symbols.size(); ++c)
                at += store_varint(at, symbols[c].size());
        }
        for (const wavelet_code& code : chosen.codes)
            at += code.store(at);
        const auto front = static_cast<std::size_t>(at - out.data());
        wavelet_writer writer(out.subspan(front), std::size_t{1} << PieceLog2, context.memory);
        for (std::size_t c = 0; c < symbols.size(); ++c)
            writer.add(chosen.codes[c], symbols[c]);
        return front + writer.finish();
    }

    static std::vector<byte_buffer> sort_rows(const row_classes& rows, const row_layout& layout, bytes_view raw) {
        std::vector<byte_buffer> symbols(rows.classes);
        for (std::size_t row = 0; row < rows.of_row.size(); ++row) {
            const bytes_view here = raw.subspan(layout.begin(row), layout.size(row));
            symbols[rows.of_row[row]].insert(symbols[rows.of_row[row]].end(), here.begin(), here.end());
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

    static status decode_rows(byte_cursor& cursor, std::size_t classes, wavelet_reader& reader, bytes_span raw,
                              scratch& memory) {
        const std::uint64_t row_symbols = cursor.read_varint(), first_in_row = cursor.read_varint();
        if (!cursor.ok()) return status::truncated;
        if (row_symbols == 0 || first_in_row >= row_symbols) return status::corrupt;
        if (row_symbols > raw.size() + first_in_row && first_in_row > std::size_t(-1) / 2) return status::corrupt;
        const row_layout layout{
            static_cast<std::size_t>(std::min<std::uint64_t>(row_symbols, std::size_t(-1) / 4)),
            static_cast<std::size_t>(std::min<std::uint64_t>(first_in_row, std::size_t(-1) / 4 - 1)), raw.size()};
        const std::size_t rows = layout.rows();
        if (rows * bits_for(classes) > 8 * std::uint64_t{cursor.left()}) return status::truncated;
        std::vector<std::uint8_t> of_row(rows);
        std::vector<std::size_t> sizes(classes);
        bit_reader reader_of_classes(cursor);
        for (std::size_t row = 0; row < rows; ++row) {
            for (unsigned bit = 0; bit < bits_for(classes); ++bit)
                of_row[row] = static_cast<std::uint8_t>(of_row[row] | reader_of_classes.get_bit() << bit);
            if (of_row[row] >= classes) return status::corrupt;
            sizes[of_row[row]] += layout.size(row);
        }
        const bytes_span symbols = memory.memory(scratch::purpose::classes, raw.size());
        if (const status s = read_classes(cursor, sizes, reader, symbols); s != status::ok) return s;
        std::vector<const std::uint8_t*> next(classes, symbols.data());
        for (std::size_t c = 1; c < classes; ++c)
            next[c] = next[c - 1] + sizes[c - 1];
        for (std::size_t row = 0; row < rows; ++row) {
            std::copy_n(next[of_row[row]], layout.size(row),
                        raw.begin() + static_cast<std::ptrdiff_t>(layout.begin(row)));
            next[of_row[row]] += layout.size(row);
        }
        return status::ok;
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
