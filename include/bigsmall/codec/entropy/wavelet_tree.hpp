// SPDX-License-Identifier: BSL-1.0
// The shape of a Huffman-shaped wavelet tree, from the lengths of a canonical code.
//
// Every inner node of the code tree holds one bit for each symbol that passes it: the next bit of that symbol's code.
// Canonical codes put the leaves of a level to the left of its inner nodes. Numbering the inner nodes level by level,
// the children of node k of a level are the places 2k and 2k + 1 of the next one, and of a pair only the second can be
// an inner node while the first is a leaf, never the other way round: three kinds of nodes are enough.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <bigsmall/codec/entropy/code_lengths.hpp>

namespace bigsmall::entropy {

struct wavelet_tree {
    /// A child: a symbol below 256, or 256 + the number of an inner node.
    using child = std::uint16_t;
    static constexpr child first_inner = 256;
    static constexpr std::size_t max_nodes = 255;

    struct node {
        child zero = 0, one = 0;
        std::uint8_t depth = 0;     ///< of the root: 0
        std::uint8_t first_one = 0; ///< the lowest rank that takes the bit 1
    };

    std::array<node, max_nodes> nodes{};  ///< level by level; the root first
    std::size_t size = 0;                 ///< inner nodes: symbols - 1
    std::array<std::uint8_t, 256> rank{}; ///< of each symbol in the order of the codes
    std::uint8_t only_symbol = 0;         ///< when size is 0

    /// Lengths must fill the code space, as huffman_lengths() and stored_lengths::load() promise; all zero with
    /// lowest == highest means a single symbol.
    static wavelet_tree from(const code_lengths& lengths, std::uint8_t lowest, std::uint8_t highest) noexcept {
        wavelet_tree tree;
        tree.only_symbol = lowest;
        if (lowest == highest) return tree;
        std::array<std::uint16_t, stored_lengths::max_length + 1> leaves{}; // of each level
        for (std::size_t v = lowest; v <= highest; ++v)
            ++leaves[lengths[v]];
        std::array<std::uint8_t, 256> in_code_order{};
        std::array<std::uint16_t, stored_lengths::max_length + 2> first{}; // in that order, of each level
        for (std::size_t l = 1; l <= stored_lengths::max_length; ++l)
            first[l + 1] = static_cast<std::uint16_t>(first[l] + leaves[l]);
        std::array<std::uint16_t, stored_lengths::max_length + 2> next = first;
        for (std::size_t v = lowest; v <= highest; ++v) {
            if (lengths[v] == 0) continue;
            tree.rank[v] = static_cast<std::uint8_t>(next[lengths[v]]);
            in_code_order[next[lengths[v]]++] = static_cast<std::uint8_t>(v);
        }
        std::size_t level_begin = 0, level_nodes = 1;
        for (std::uint8_t depth = 0; level_nodes != 0; ++depth) {
            const std::size_t below = level_begin + level_nodes, leaves_below = leaves[depth + 1u];
            const auto place = [&](std::size_t at) { // of the next level
                return at < leaves_below ? child{in_code_order[first[depth + 1u] + at]}
                                         : static_cast<child>(first_inner + below + at - leaves_below);
            };
            for (std::size_t k = 0; k < level_nodes; ++k)
                tree.nodes[level_begin + k] = {place(2 * k), place(2 * k + 1), depth, 0};
            level_begin = below;
            level_nodes = 2 * level_nodes - leaves_below;
        }
        tree.size = level_begin;
        tree.find_thresholds();
        return tree;
    }

private:
    void find_thresholds() noexcept {
        std::array<std::uint8_t, max_nodes> lowest_rank{};
        const auto lowest_of = [&](child c) { return c < first_inner ? rank[c] : lowest_rank[c - first_inner]; };
        for (std::size_t k = size; k-- > 0;) {
            lowest_rank[k] = lowest_of(nodes[k].zero);
            nodes[k].first_one = lowest_of(nodes[k].one);
        }
    }
};

} // namespace bigsmall::entropy
