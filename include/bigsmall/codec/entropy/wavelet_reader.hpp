// SPDX-License-Identifier: BSL-1.0
// Reads what wavelet_writer.hpp writes: bitmaps from the root down, symbols from the leaves up.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include <bigsmall/codec/entropy/wavelet_code.hpp>
#include <bigsmall/codec/scratch.hpp>

namespace bigsmall::entropy {

/// Every run of symbols is read with the code that it was written with, in the same order. Total: any bytes give ok or
/// an error, and no more than the output and the scratch memory is written.
class wavelet_reader {
public:
    explicit wavelet_reader(std::size_t piece_symbols, scratch& memory) noexcept
        : piece_symbols_(piece_symbols), memory_(memory) {}

    std::size_t piece_symbols() const noexcept { return piece_symbols_; }

    /// Takes all that is left of the cursor.
    status open(byte_cursor& cursor) noexcept {
        const auto plain_bytes = cursor.read<std::uint32_t>();
        lanes_ = cursor.read<std::uint8_t>();
        const bytes_view plain = cursor.take(plain_bytes);
        plain_ = byte_cursor(plain);
        plain_bytes_ = plain;
        if (!cursor.ok()) return status::truncated;
        if (lanes_ == 0) return cursor.left() == 0 ? status::ok : status::corrupt;
        if (lanes_ > detail::max_rans_lanes) return status::corrupt;
        return coded_.open(cursor, lanes_);
    }

    /// Reads a run of out.size() symbols under a code.
    status read(const wavelet_code& code, bytes_span out) {
        if (code.tree.size == 0) {
            for (std::uint8_t& symbol : out)
                symbol = code.tree.only_symbol;
            return status::ok;
        }
        for (std::size_t at = 0; at < out.size(); at += piece_symbols_) {
            const status s = read_piece(code, out.subspan(at, std::min(piece_symbols_, out.size() - at)));
            if (s != status::ok) return s;
        }
        return status::ok;
    }

    /// ok when everything was used.
    status close() const noexcept {
        if (plain_.left() != 0) return status::corrupt;
        return lanes_ == 0 ? status::ok : coded_.close();
    }

private:
    // Not initialised: clearing all for every piece took a tenth of the time of decoding. A node is reached by its
    // parent, which comes before it and writes its count.
    struct bitmap {
        const std::uint8_t* bits;
        std::size_t count;
    };
    using bitmaps = std::array<bitmap, wavelet_tree::max_nodes>;

    status read_piece(const wavelet_code& code, bytes_span out) {
        bitmaps maps;
        maps[0].count = out.size();
        if (const status s = find_bitmaps(code, maps); s != status::ok) return s;
        next_plain_.expect(plain_bytes_.subspan(plain_.position()));
        weave_up(code.tree, maps, out);
        return status::ok;
    }

    /// From the root down: a node's set bits are the symbols of its second child.
    status find_bitmaps(const wavelet_code& code, bitmaps& maps) {
        // At most one bit for each symbol and level, and a byte of padding for each node.
        const std::size_t room =
            detail::bitmap_bytes(stored_lengths::max_length * piece_symbols_) + wavelet_tree::max_nodes;
        std::uint8_t* decoded = memory_.memory(scratch::purpose::bitmaps, room + detail::wavelet_slack).data();
        const kernel::wavelet_functions& kernels = memory_.kernels().wavelet;
        for (std::size_t k = 0; k < code.tree.size; ++k) {
            const std::size_t bytes = detail::bitmap_bytes(maps[k].count);
            if (code.levels[k] == 0) {
                maps[k].bits = plain_.take(bytes).data();
                if (!plain_.ok()) return status::truncated;
            } else {
                if (lanes_ == 0) return status::corrupt;
                const auto& slots = bernoulli::all().slots[code.levels[k] & ~wavelet_code::inverted];
                const bytes_span bits(decoded, bytes);
                if (const status s = coded_.pull(slots.data(), bits, memory_.kernels()); s != status::ok) return s;
                if ((code.levels[k] & wavelet_code::inverted) != 0) detail::invert(bits);
                maps[k].bits = decoded;
                decoded += bytes;
            }
            const std::size_t ones = kernels.count_ones(maps[k].bits, maps[k].count);
            const wavelet_tree::node& node = code.tree.nodes[k];
            if (node.zero >= wavelet_tree::first_inner)
                maps[node.zero - wavelet_tree::first_inner].count = maps[k].count - ones;
            if (node.one >= wavelet_tree::first_inner) maps[node.one - wavelet_tree::first_inner].count = ones;
        }
        return status::ok;
    }

    /// From the leaves up. The nodes of a level together have at most as many symbols as the piece: two buffers, for
    /// the level at hand and the one below.
    void weave_up(const wavelet_tree& tree, const bitmaps& maps, bytes_span out) {
        const kernel::wavelet_functions& kernels = memory_.kernels().wavelet;
        // Each node begins on a line of its own: 64-byte stores would be cut in two otherwise.
        const std::size_t room = piece_symbols_ + (wavelet_tree::max_nodes + 1) * detail::wavelet_slack;
        const bytes_span buffers = memory_.memory(scratch::purpose::symbols, 2 * room);
        std::array<const std::uint8_t*, wavelet_tree::max_nodes> woven;
        std::uint8_t* at = buffers.data();
        unsigned depth = static_cast<unsigned>(-1);
        for (std::size_t k = tree.size; k-- > 0;) {
            const wavelet_tree::node& node = tree.nodes[k];
            if (node.depth != depth) {
                depth = node.depth;
                at = buffers.data() + depth % 2 * room;
            }
            std::uint8_t* const to = k == 0 ? out.data() : at;
            const auto [bits, count] = maps[k];
            const bool zeros_woven = node.zero >= wavelet_tree::first_inner;
            const bool ones_woven = node.one >= wavelet_tree::first_inner;
            const std::uint8_t* zeros = zeros_woven ? woven[node.zero - wavelet_tree::first_inner] : nullptr;
            const std::uint8_t* ones = ones_woven ? woven[node.one - wavelet_tree::first_inner] : nullptr;
            for (std::size_t i = 0; i < count; i += fetched_symbols) {
                const std::size_t here = std::min(fetched_symbols, count - i);
                // A symbol passes two nodes or more: half a byte at each fetches one for every symbol, which is what
                // a block of 16-bit words has beside the symbols.
                memory_.ahead().fetch(here / 2);
                next_plain_.fetch(here / 8);
                if (zeros_woven) {
                    const std::size_t taken = kernels.weave(bits + i / 8, here, zeros, ones, to + i);
                    zeros += here - taken;
                    ones += taken;
                } else if (ones_woven) {
                    ones += kernels.weave_leaf(bits + i / 8, here, static_cast<std::uint8_t>(node.zero), ones, to + i);
                } else {
                    kernels.weave_leaves(bits + i / 8, here, static_cast<std::uint8_t>(node.zero),
                                         static_cast<std::uint8_t>(node.one), to + i);
                }
            }
            woven[k] = to;
            at += (count + detail::wavelet_slack - 1) / detail::wavelet_slack * detail::wavelet_slack;
        }
    }

    // What is fetched at once. A processor waits when it has asked for more lines than it can keep track of, some
    // twenty: a tenth of the time of decoding when all lines of a node were asked for in front of it.
    static constexpr std::size_t fetched_symbols = 2048;
    static_assert(fetched_symbols % 8 == 0);

    std::size_t piece_symbols_;
    scratch& memory_;
    byte_cursor plain_{bytes_view{}};
    bytes_view plain_bytes_;
    read_ahead next_plain_;
    rans_decoder coded_;
    std::size_t lanes_ = 0;
};

} // namespace bigsmall::entropy
