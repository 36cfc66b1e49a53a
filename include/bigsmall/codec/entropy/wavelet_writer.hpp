// SPDX-License-Identifier: BSL-1.0
// Writing the bitmaps of a wavelet tree (wavelet_tree.hpp), piece by piece.
//
// Symbols are cut into pieces that fit a first-level cache. The bitmaps of a piece follow each other node by node, each
// padded to a byte; their sizes are nowhere stored, because the set bits of a node count the symbols of its children.
// Decoding runs from the leaves up: a node's symbols are those of its children woven together under its bitmap.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <bigsmall/codec/entropy/wavelet_code.hpp>
#include <bigsmall/codec/scratch.hpp>

namespace bigsmall::entropy {

/// Parts symbols into bitmaps. Plain ones are written at once, those to be coded are kept until finish().
class wavelet_writer {
public:
    /// Room that finish() needs: for every symbol all 15 bits of its code, coded at twelve bits a byte at the worst;
    /// padding and the states.
    static constexpr std::size_t bound(std::size_t symbols, std::size_t piece_symbols) noexcept {
        const std::size_t pieces = symbols / piece_symbols + 2;
        return 3 * symbols + pieces * 2 * wavelet_tree::max_nodes + front_bytes + 4 * detail::max_rans_lanes +
               rans_encoder::slack_bytes;
    }

    /// `out` has room for bound() bytes.
    wavelet_writer(bytes_span out, std::size_t piece_symbols, scratch& memory)
        : out_(out),
          plain_(out.data() + front_bytes),
          piece_symbols_(piece_symbols),
          memory_(memory),
          kept_(memory.growing(scratch::purpose::bitmaps)) {}

    /// Adds a run of symbols under a code that has them all.
    void add(const wavelet_code& code, bytes_view symbols) {
        if (code.tree.size == 0) return;
        for (std::size_t at = 0; at < symbols.size(); at += piece_symbols_)
            add_piece(code, symbols.subspan(at, std::min(piece_symbols_, symbols.size() - at)));
    }

    /// Bytes of plain bitmaps (32 bits), lanes of rANS (8 bits), the plain bitmaps, the coded ones. Returns the size.
    std::size_t finish() {
        std::uint8_t* const plain_begin = out_.data() + front_bytes;
        store_le<std::uint32_t>(out_.data(), static_cast<std::uint32_t>(plain_ - plain_begin));
        std::size_t coded_bytes = 0;
        for (const coded_bitmap& each : coded_)
            coded_bytes += each.bytes;
        const std::size_t lanes = coded_bytes == 0 ? 0 : rans_lanes_for(coded_bytes);
        out_[4] = static_cast<std::uint8_t>(lanes);
        if (lanes == 0) return static_cast<std::size_t>(plain_ - out_.data());
        rans_encoder encoder(out_.data() + out_.size(), lanes, memory_.kernels());
        const bytes_view kept(kept_);
        std::size_t end = kept.size();
        for (std::size_t i = coded_.size(); i-- > 0;) {
            end -= coded_[i].bytes;
            encoder.push(bernoulli::all().codings[coded_[i].level].data(), kept.subspan(end, coded_[i].bytes));
        }
        return static_cast<std::size_t>(plain_ - out_.data()) + encoder.finish(plain_);
    }

private:
    static constexpr std::size_t front_bytes = 5;

    struct coded_bitmap {
        std::size_t bytes;
        std::uint8_t level;
    };

    void add_piece(const wavelet_code& code, bytes_view symbols) {
        const kernel::wavelet_functions& kernels = memory_.kernels().wavelet;
        // The symbols of a level's nodes lie one after another, zeros and ones apart because both grow at once.
        const std::size_t room = piece_symbols_ + (wavelet_tree::max_nodes + 1) * detail::wavelet_slack;
        bytes_span buffers = memory_.memory(scratch::purpose::symbols, 5 * room);
        std::array<std::uint8_t*, 2> zero_rooms{buffers.data(), buffers.data() + room};
        std::array<std::uint8_t*, 2> one_rooms{buffers.data() + 2 * room, buffers.data() + 3 * room};
        std::uint8_t* const ranks = buffers.data() + 4 * room;
        kernels.remap(symbols.data(), symbols.size(), code.tree.rank.data(), ranks);

        std::array<part, wavelet_tree::max_nodes> parts;
        parts[0] = {ranks, symbols.size()};
        std::uint8_t* zeros = zero_rooms[0];
        std::uint8_t* ones = one_rooms[0];
        unsigned depth = 0;
        for (std::size_t k = 0; k < code.tree.size; ++k) {
            const wavelet_tree::node& node = code.tree.nodes[k];
            if (node.depth != depth) {
                depth = node.depth;
                zeros = zero_rooms[depth % 2];
                ones = one_rooms[depth % 2];
            }
            const part& in = parts[k];
            const std::size_t bytes = detail::bitmap_bytes(in.count);
            std::uint8_t* const bits = place_for(code.levels[k], bytes);
            const bool zero_inner = node.zero >= wavelet_tree::first_inner,
                       one_inner = node.one >= wavelet_tree::first_inner;
            const kernel::part_function parting = zero_inner  ? kernels.part_both
                                                  : one_inner ? kernels.part_ones
                                                              : kernels.part_bits;
            const std::size_t taken = parting(in.symbols, in.count, node.first_one, bits, zeros, ones);
            if ((code.levels[k] & wavelet_code::inverted) != 0) detail::invert({bits, bytes});
            if (zero_inner) {
                parts[node.zero - wavelet_tree::first_inner] = {zeros, in.count - taken};
                zeros += in.count - taken + detail::wavelet_slack;
            }
            if (one_inner) {
                parts[node.one - wavelet_tree::first_inner] = {ones, taken};
                ones += taken + detail::wavelet_slack;
            }
        }
    }

    /// Where a bitmap goes: into the output, or among those that are coded at the end.
    std::uint8_t* place_for(std::uint8_t level, std::size_t bytes) {
        if (level == 0) {
            std::uint8_t* const here = plain_;
            plain_ += bytes;
            return here;
        }
        coded_.push_back({bytes, static_cast<std::uint8_t>(level & ~wavelet_code::inverted)});
        kept_.resize(kept_.size() + bytes);
        return kept_.data() + (kept_.size() - bytes);
    }

    struct part {
        const std::uint8_t* symbols = nullptr;
        std::size_t count = 0;
    };

    bytes_span out_;
    std::uint8_t* plain_;
    std::size_t piece_symbols_;
    scratch& memory_;
    std::vector<coded_bitmap> coded_;
    byte_buffer& kept_; // the bitmaps that are coded at the end
};

} // namespace bigsmall::entropy
