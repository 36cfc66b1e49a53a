// SPDX-License-Identifier: BSL-1.0
// Lengths of the codes of a length-limited prefix code over bytes: Huffman's construction and two stored forms.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include <bigsmall/codec/entropy/bitstream.hpp>
#include <bigsmall/codec/statistics.hpp>
#include <bigsmall/core/status.hpp>
#include <bigsmall/core/varint.hpp>

namespace bigsmall::entropy {

/// Bits of each symbol's code, 0 for a symbol that does not occur.
using code_lengths = std::array<std::uint8_t, 256>;

namespace detail {

// order: symbols from the rarest. Lengthening a symbol from l to l + 1 frees 2^-(l+1) of the code space.
inline void limit_lengths(code_lengths& lengths, const std::array<std::uint16_t, 256>& order, std::size_t n,
                          unsigned most) noexcept {
    const std::size_t space = std::size_t{1} << most;
    std::size_t used = 0;
    for (std::size_t i = 0; i < n; ++i)
        used += space >> lengths[order[i]];
    for (std::size_t i = 0; used > space; i = i + 1 == n ? 0 : i + 1) {
        std::uint8_t& length = lengths[order[i]];
        if (length == most) continue;
        ++length;
        used -= space >> length;
    }
    // Cutting may have freed too much: the most frequent symbols take the rest back.
    for (std::size_t i = n; i-- > 0 && used < space;) {
        std::uint8_t& length = lengths[order[i]];
        while (length > 1 && used + (space >> length) <= space)
            used += space >> length--;
    }
}

} // namespace detail

/// Optimal lengths for these counts, none above `most` (8 to 15), which fill the code space exactly. Needs at least two
/// distinct symbols. Huffman's construction on sorted counts with two queues (leaves in order; joined nodes appear in
/// order too), then lengths above the limit are cut and the code space they overdraw is paid back by the rarest
/// symbols.
inline code_lengths huffman_lengths(const std::array<std::uint32_t, 256>& counts, unsigned most) noexcept {
    std::array<std::uint16_t, 256> order{};
    std::size_t n = 0;
    for (std::size_t v = 0; v < 256; ++v)
        if (counts[v] != 0) order[n++] = static_cast<std::uint16_t>(v);
    std::sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(n),
              [&](std::uint16_t a, std::uint16_t b) { return counts[a] != counts[b] ? counts[a] < counts[b] : a < b; });

    std::array<std::uint64_t, 511> weight{};
    std::array<std::uint16_t, 511> parent{};
    for (std::size_t i = 0; i < n; ++i)
        weight[i] = counts[order[i]];
    std::size_t leaf = 0, joined = n;
    for (std::size_t node = n; node < 2 * n - 1; ++node) {
        for (int child = 0; child < 2; ++child) {
            const bool take_leaf = leaf < n && (joined == node || weight[leaf] <= weight[joined]);
            const std::size_t taken = take_leaf ? leaf++ : joined++;
            weight[node] += weight[taken];
            parent[taken] = static_cast<std::uint16_t>(node);
        }
    }
    std::array<std::uint16_t, 511> depth{};
    for (std::size_t i = 2 * n - 2; i-- > 0;)
        depth[i] = static_cast<std::uint16_t>(depth[parent[i]] + 1);
    code_lengths lengths{};
    for (std::size_t i = 0; i < n; ++i)
        lengths[order[i]] = static_cast<std::uint8_t>(std::min<unsigned>(depth[i], most));
    detail::limit_lengths(lengths, order, n, most);
    return lengths;
}

/// The stored form of a code: lowest symbol, highest symbol, a form, and the lengths between them.
struct stored_lengths {
    static constexpr unsigned max_length = 15;
    static constexpr std::size_t max_stored_bytes = 3 + 128 + 8;

    enum form : std::uint8_t {
        nibbles = 0,     ///< four bits a symbol, low nibble first
        differences = 1, ///< Rice codes (k = 0) of the zigzag difference to the length before, at first 8
    };

    /// Writes the smaller form and returns its size. A code of a single symbol has the length 0 everywhere: lowest and
    /// highest are equal then, and nothing follows.
    static std::size_t store(const code_lengths& lengths, std::uint8_t lowest, std::uint8_t highest,
                             std::uint8_t* out) noexcept {
        out[0] = lowest;
        out[1] = highest;
        if (lowest == highest) return 2;
        const std::size_t symbols = std::size_t{highest} - lowest + 1;
        std::size_t difference_bits = 0;
        for_each_difference(lengths, lowest, highest, [&](std::uint32_t zigzag) { difference_bits += zigzag + 1; });
        const bool smaller = (difference_bits + 7) / 8 < (symbols + 1) / 2;
        out[2] = smaller ? differences : nibbles;
        bit_writer writer(out + 3);
        if (smaller)
            for_each_difference(lengths, lowest, highest, [&](std::uint32_t zigzag) { writer.put_rice(zigzag, 0); });
        else
            for (std::size_t v = lowest; v <= highest; ++v)
                writer.put(lengths[v], 4);
        return 3 + writer.finish();
    }

    static std::size_t stored_bytes(const code_lengths& lengths, std::uint8_t lowest, std::uint8_t highest) noexcept {
        if (lowest == highest) return 2;
        std::size_t difference_bits = 0;
        for_each_difference(lengths, lowest, highest, [&](std::uint32_t zigzag) { difference_bits += zigzag + 1; });
        return 3 + std::min((difference_bits + 7) / 8, (std::size_t{highest} - lowest + 2) / 2);
    }

    /// Reads lengths that fill the code space exactly.
    static status load(byte_cursor& cursor, code_lengths& lengths, std::uint8_t& lowest,
                       std::uint8_t& highest) noexcept {
        lengths.fill(0);
        lowest = cursor.read<std::uint8_t>();
        highest = cursor.read<std::uint8_t>();
        if (!cursor.ok()) return status::truncated;
        if (lowest == highest) return status::ok;
        const auto stored_form = cursor.read<std::uint8_t>();
        if (lowest > highest || stored_form > differences) return status::corrupt;
        bit_reader reader(cursor);
        int before = first_guess;
        std::uint32_t used = 0;
        for (std::size_t v = lowest; v <= highest; ++v) {
            int length = 0;
            if (stored_form == differences) {
                const auto zigzag = reader.get_rice(0, 2 * max_length + 1);
                if (!zigzag) return reader.exhausted() ? status::truncated : status::corrupt;
                length =
                    before + ((*zigzag & 1u) != 0 ? -static_cast<int>(*zigzag / 2) - 1 : static_cast<int>(*zigzag / 2));
            } else {
                for (unsigned bit = 0; bit < 4; ++bit)
                    length |= static_cast<int>(reader.get_bit() << bit);
            }
            if (reader.exhausted()) return status::truncated;
            if (length < 0 || length > static_cast<int>(max_length)) return status::corrupt;
            lengths[v] = static_cast<std::uint8_t>(length);
            if (length != 0) used += code_space >> length;
            if (used > code_space) return status::corrupt;
            before = length;
        }
        return used == code_space ? status::ok : status::corrupt;
    }

private:
    static constexpr int first_guess = 8;
    static constexpr std::uint32_t code_space = 1u << max_length;

    static void for_each_difference(const code_lengths& lengths, std::uint8_t lowest, std::uint8_t highest,
                                    auto&& visit) noexcept {
        int before = first_guess;
        for (std::size_t v = lowest; v <= highest; ++v) {
            const int difference = lengths[v] - before;
            visit(static_cast<std::uint32_t>(difference >= 0 ? 2 * difference : -2 * difference - 1));
            before = lengths[v];
        }
    }
};

} // namespace bigsmall::entropy
