// SPDX-License-Identifier: BSL-1.0
// Wire id 5: a Huffman-shaped wavelet tree (R. Grossi, A. Gupta, J. Vitter, SODA 2003): the bits of all codes, sorted
// by the node of the code tree that they leave. As small as Huffman coding, and decoded by weaving whole sequences
// instead of looking up symbols (M. Zukowski, arXiv 2606.05765). Where the bits of a node are not fair, rANS codes
// them, eight bits in a step: that brings the size down to the entropy for a fraction of the work of rANS over all
// symbols.
#pragma once

#include <optional>
#include <string_view>

#include <bigsmall/codec/entropy/wavelet_code.hpp>
#include <bigsmall/codec/entropy/wavelet_reader.hpp>
#include <bigsmall/codec/entropy/wavelet_writer.hpp>
#include <bigsmall/codec/policies.hpp>

namespace bigsmall::entropy {

/// The encoder codes a bitmap when that saves at least 1 / LeastGain of its bits; 0: never. Symbols per piece: 2^
/// PieceLog2. Both are the writer's choice and one reader reads them all.
template <std::uint32_t LeastGain, unsigned PieceLog2>
struct basic_wavelet {
    static constexpr wire_id id = 5;
    static constexpr std::string_view name = "wavelet";
    static_assert(PieceLog2 >= 10 && PieceLog2 <= 18);

    static constexpr std::size_t bound(std::size_t raw_bytes) noexcept {
        return 1 + wavelet_code::max_stored_bytes + wavelet_writer::bound(raw_bytes, std::size_t{1} << PieceLog2);
    }
    static std::size_t estimate(const encode_context& context) noexcept {
        if (context.statistics.distinct < 2) return static_cast<std::size_t>(-1);
        std::uint64_t bits = 0;
        const wavelet_code code = wavelet_code::from(context.statistics, LeastGain, bits);
        const std::size_t pieces = (context.statistics.size_bytes >> PieceLog2) + 1;
        return static_cast<std::size_t>(bits / 8) + pieces * code.tree.size / 2 + code.stored_bytes() + 6 +
               code.states_bytes();
    }

    static std::optional<std::size_t> encode(bytes_view raw, bytes_span out, const encode_context& context) {
        if (context.statistics.distinct < 2) return std::nullopt;
        std::uint64_t bits = 0;
        const wavelet_code code = wavelet_code::from(context.statistics, LeastGain, bits);
        out[0] = PieceLog2;
        const std::size_t front = 1 + code.store(out.data() + 1);
        wavelet_writer writer(out.subspan(front), std::size_t{1} << PieceLog2, context.memory);
        writer.add(code, raw);
        return front + writer.finish();
    }

    static status decode(bytes_view coded, bytes_span raw, scratch& memory) {
        piecewise pieces(memory);
        if (const status s = pieces.open(coded); s != status::ok) return s;
        if (const status s = pieces.read(raw); s != status::ok) return s;
        return pieces.close();
    }

    /// Decoding in parts that fit a cache.
    class piecewise {
    public:
        explicit piecewise(scratch& memory) noexcept : memory_(memory) {}

        status open(bytes_view coded) {
            byte_cursor cursor(coded);
            const unsigned piece_log2 = cursor.read<std::uint8_t>();
            if (!cursor.ok()) return status::truncated;
            if (piece_log2 < 10 || piece_log2 > 18) return status::corrupt;
            if (const status s = wavelet_code::load(cursor, code_); s != status::ok) return s;
            reader_.emplace(std::size_t{1} << piece_log2, memory_);
            return reader_->open(cursor);
        }
        /// Symbols of a piece: parts that are read must be whole pieces, but for the last. Valid after open().
        std::size_t piece_symbols() const noexcept { return reader_->piece_symbols(); }
        status read(bytes_span part) { return reader_->read(code_, part); }
        status close() const noexcept { return reader_->close(); }

    private:
        scratch& memory_;
        wavelet_code code_;
        std::optional<wavelet_reader> reader_;
    };
};

/// Plain bitmaps only: the fastest to decode.
using plain_wavelet = basic_wavelet<0, 14>;
/// Bitmaps that pay are coded.
using wavelet = basic_wavelet<128, 16>;

} // namespace bigsmall::entropy
