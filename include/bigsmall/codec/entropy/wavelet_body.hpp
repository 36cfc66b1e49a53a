// SPDX-License-Identifier: BSL-1.0
// Writing and reading the bitmaps of a wavelet tree (wavelet_tree.hpp), piece by piece.
//
// Symbols are cut into pieces that fit a first-level cache. The bitmaps of a piece follow each other node by node, each
// padded to a byte; their sizes are nowhere stored, because the set bits of a node count the symbols of its children.
// Decoding runs from the leaves up: a node's symbols are those of its children woven together under its bitmap.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <bigsmall/codec/entropy/bernoulli.hpp>
#include <bigsmall/codec/entropy/rans_lanes.hpp>
#include <bigsmall/codec/entropy/wavelet_tree.hpp>
#include <bigsmall/codec/scratch.hpp>
#include <bigsmall/core/status.hpp>

namespace bigsmall::entropy {

/// A code and how the bitmap of each node is kept.
struct wavelet_code {
    static constexpr std::size_t max_stored_bytes = stored_lengths::max_stored_bytes + 1 + wavelet_tree::max_nodes + 8;
    static constexpr std::uint8_t inverted = 0x80;
    static constexpr unsigned level_bits = 6;

    code_lengths lengths{};
    std::uint8_t lowest = 0, highest = 0;
    wavelet_tree tree;
    /// Of each node: a level of bernoulli.hpp (0: the bits as they are), perhaps with `inverted`.
    std::array<std::uint8_t, wavelet_tree::max_nodes> levels{};
    std::size_t leveled = 0;      ///< nodes from this one on have level 0
    std::uint64_t coded_bits = 0; ///< bits, before coding, of the bitmaps that are coded; known to the encoder only

    /// The best code for these counts. A bitmap is coded when that saves more than 1 / `least_gain` of its bits and
    /// pays for saying so; 0 means never. `bits` becomes the size of all bitmaps, about.
    static wavelet_code from(const stream_statistics& s, std::uint32_t least_gain, std::uint64_t& bits) noexcept {
        wavelet_code code;
        code.lowest = s.lowest;
        code.highest = s.highest;
        bits = 0;
        if (s.distinct < 2) return code;
        code.lengths = huffman_lengths(s.counts, stored_lengths::max_length);
        code.tree = wavelet_tree::from(code.lengths, s.lowest, s.highest);
        std::array<std::uint64_t, wavelet_tree::max_nodes> passing{};
        const auto passing_of = [&](wavelet_tree::child c) {
            return c < wavelet_tree::first_inner ? std::uint64_t{s.counts[c]} : passing[c - wavelet_tree::first_inner];
        };
        for (std::size_t k = code.tree.size; k-- > 0;) {
            const wavelet_tree::node& node = code.tree.nodes[k];
            const std::uint64_t zeros = passing_of(node.zero), ones = passing_of(node.one);
            passing[k] = zeros + ones;
            bits += zeros + ones;
            if (least_gain == 0) continue;
            const bernoulli::coding chosen = bernoulli::choose(zeros, ones);
            const std::uint64_t gain = zeros + ones - chosen.bits;
            // A level takes seven bits, and each node before the last that has one takes a bit.
            if (gain < 12 || gain * least_gain < zeros + ones) continue;
            bits -= gain;
            code.coded_bits += zeros + ones;
            code.levels[k] = static_cast<std::uint8_t>(chosen.level | (chosen.inverted ? inverted : 0));
            code.leveled = std::max(code.leveled, k + 1);
        }
        return code;
    }

    /// Bytes of the final states of rANS that carry nothing, about half of them.
    std::size_t states_bytes() const noexcept {
        return coded_bits == 0 ? 0 : 2 * rans_lanes_for(static_cast<std::size_t>(coded_bits / 8)) + 1;
    }

    std::size_t stored_bytes() const noexcept {
        const std::size_t table = stored_lengths::stored_bytes(lengths, lowest, highest);
        if (tree.size == 0) return table;
        std::size_t bits = 0;
        for (std::size_t k = 0; k < leveled; ++k)
            bits += levels[k] == 0 ? 1 : 1 + level_bits;
        return table + 1 + (bits + 7) / 8;
    }

    /// Writes the lengths; then, for a code of several symbols, how many of its first nodes are told of (8 bits), and
    /// for each of them a zero for plain bits or a one, the level (5 bits) and whether inverted (1 bit).
    std::size_t store(std::uint8_t* out) const noexcept {
        std::uint8_t* at = out + stored_lengths::store(lengths, lowest, highest, out);
        if (tree.size == 0) return static_cast<std::size_t>(at - out);
        *at++ = static_cast<std::uint8_t>(leveled);
        bit_writer writer(at);
        for (std::size_t k = 0; k < leveled; ++k) {
            writer.put(levels[k] != 0, 1);
            if (levels[k] == 0) continue;
            writer.put(levels[k] & ~inverted & 0xffu, level_bits - 1);
            writer.put(levels[k] >> 7, 1);
        }
        return static_cast<std::size_t>(at - out) + writer.finish();
    }

    static status load(byte_cursor& cursor, wavelet_code& code) noexcept {
        if (const status s = stored_lengths::load(cursor, code.lengths, code.lowest, code.highest); s != status::ok)
            return s;
        code.tree = wavelet_tree::from(code.lengths, code.lowest, code.highest);
        code.levels.fill(0);
        code.leveled = 0;
        if (code.tree.size == 0) return status::ok;
        code.leveled = cursor.read<std::uint8_t>();
        if (!cursor.ok()) return status::truncated;
        if (code.leveled > code.tree.size) return status::corrupt;
        bit_reader reader(cursor);
        for (std::size_t k = 0; k < code.leveled; ++k) {
            if (reader.get_bit() == 0) continue;
            unsigned level = 0;
            for (unsigned bit = 0; bit + 1 < level_bits; ++bit)
                level |= reader.get_bit() << bit;
            const unsigned is_inverted = reader.get_bit();
            if (level == 0 || level >= bernoulli::levels)
                return reader.exhausted() ? status::truncated : status::corrupt;
            code.levels[k] = static_cast<std::uint8_t>(level | is_inverted << 7);
        }
        return reader.exhausted() ? status::truncated : status::ok;
    }
};

namespace detail {

constexpr std::size_t bitmap_bytes(std::size_t count) noexcept { return (count + 7) / 8; }

/// Bytes that kernels may touch behind the symbols they are given.
inline constexpr std::size_t wavelet_slack = 64;

inline void invert(bytes_span bits) noexcept {
    for (std::uint8_t& byte : bits)
        byte = static_cast<std::uint8_t>(~byte);
}

} // namespace detail

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
        : out_(out), plain_(out.data() + front_bytes), piece_symbols_(piece_symbols), memory_(memory) {}

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
    byte_buffer kept_; // the bitmaps that are coded at the end
};

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
            std::fill(out.begin(), out.end(), code.tree.only_symbol);
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
    struct bitmap {
        const std::uint8_t* bits = nullptr;
        std::size_t count = 0;
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
            // A symbol passes two nodes or more: half a byte at each fetches one for every symbol, which is what a
            // block of 16-bit words has beside the symbols.
            memory_.ahead().fetch(count / 2);
            next_plain_.fetch(count / 8);
            if (node.zero >= wavelet_tree::first_inner)
                kernels.weave(bits, count, woven[node.zero - wavelet_tree::first_inner],
                              woven[node.one - wavelet_tree::first_inner], to);
            else if (node.one >= wavelet_tree::first_inner)
                kernels.weave_leaf(bits, count, static_cast<std::uint8_t>(node.zero),
                                   woven[node.one - wavelet_tree::first_inner], to);
            else
                kernels.weave_leaves(bits, count, static_cast<std::uint8_t>(node.zero),
                                     static_cast<std::uint8_t>(node.one), to);
            woven[k] = to;
            at += (count + detail::wavelet_slack - 1) / detail::wavelet_slack * detail::wavelet_slack;
        }
    }

    std::size_t piece_symbols_;
    scratch& memory_;
    byte_cursor plain_{bytes_view{}};
    bytes_view plain_bytes_;
    read_ahead next_plain_;
    rans_decoder coded_;
    std::size_t lanes_ = 0;
};

} // namespace bigsmall::entropy
