// SPDX-License-Identifier: BSL-1.0
// Lengths of the codes of a length-limited prefix code over bytes: Huffman's construction and two stored forms.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

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
        differences = 1, ///< as below, when all symbols between the lowest and the highest occur: without the gaps
        gaps = 2,        ///< for each symbol that occurs: absent symbols before it (Rice, k = 1), then the zigzag
                         ///< difference of its length to that of the one before, at first 8 (Rice, k = 0)
    };

    /// Writes the smallest form and returns its size. A code of a single symbol has the length 0 everywhere: lowest and
    /// highest are equal then, and nothing follows.
    static std::size_t store(const code_lengths& lengths, std::uint8_t lowest, std::uint8_t highest,
                             std::uint8_t* out) noexcept {
        out[0] = lowest;
        out[1] = highest;
        if (lowest == highest) return 2;
        const choice best = smallest(lengths, lowest, highest);
        out[2] = best.stored_form;
        bit_writer writer(out + 3);
        if (best.stored_form == nibbles)
            for (std::size_t v = lowest; v <= highest; ++v)
                writer.put(lengths[v], 4);
        else
            for_each_present(lengths, lowest, highest, [&](std::uint32_t absent, std::uint32_t zigzag) {
                if (best.stored_form == gaps) writer.put_rice(absent, 1);
                writer.put_rice(zigzag, 0);
            });
        return 3 + writer.finish();
    }

    static std::size_t stored_bytes(const code_lengths& lengths, std::uint8_t lowest, std::uint8_t highest) noexcept {
        return lowest == highest ? 2 : 3 + (smallest(lengths, lowest, highest).bits + 7) / 8;
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
        if (lowest > highest || stored_form > gaps) return status::corrupt;
        bit_reader reader(cursor);
        const status loaded = stored_form == nibbles
                                  ? load_nibbles(reader, lengths, lowest, highest)
                                  : load_differences(reader, stored_form == gaps, lengths, lowest, highest);
        if (reader.exhausted()) return status::truncated;
        if (loaded != status::ok) return loaded;
        std::uint32_t used = 0;
        for (const std::uint8_t length : lengths)
            if (length != 0) used += code_space >> length;
        return used == code_space ? status::ok : status::corrupt;
    }

private:
    static constexpr int first_guess = 8;
    static constexpr std::uint32_t code_space = 1u << max_length;

    struct choice {
        form stored_form = nibbles;
        std::size_t bits = 0;
    };

    static choice smallest(const code_lengths& lengths, std::uint8_t lowest, std::uint8_t highest) noexcept {
        std::size_t difference_bits = 0, gap_bits = 0;
        bool dense = true;
        for_each_present(lengths, lowest, highest, [&](std::uint32_t absent, std::uint32_t zigzag) {
            difference_bits += zigzag + 1;
            gap_bits += absent / 2 + 2;
            dense = dense && absent == 0;
        });
        choice best{nibbles, 4 * (std::size_t{highest} - lowest + 1)};
        if (dense && difference_bits < best.bits) best = {differences, difference_bits};
        if (!dense && difference_bits + gap_bits < best.bits) best = {gaps, difference_bits + gap_bits};
        return best;
    }

    static void for_each_present(const code_lengths& lengths, std::uint8_t lowest, std::uint8_t highest,
                                 auto&& visit) noexcept {
        int before = first_guess;
        std::uint32_t absent = 0;
        for (std::size_t v = lowest; v <= highest; ++v) {
            if (lengths[v] == 0) {
                ++absent;
                continue;
            }
            const int difference = lengths[v] - before;
            visit(std::exchange(absent, 0u),
                  static_cast<std::uint32_t>(difference >= 0 ? 2 * difference : -2 * difference - 1));
            before = lengths[v];
        }
    }

    static status load_nibbles(bit_reader& reader, code_lengths& lengths, std::uint8_t lowest,
                               std::uint8_t highest) noexcept {
        for (std::size_t v = lowest; v <= highest; ++v)
            for (unsigned bit = 0; bit < 4; ++bit)
                lengths[v] = static_cast<std::uint8_t>(lengths[v] | reader.get_bit() << bit);
        return status::ok;
    }

    static status load_differences(bit_reader& reader, bool with_gaps, code_lengths& lengths, std::uint8_t lowest,
                                   std::uint8_t highest) noexcept {
        int length = first_guess;
        for (std::size_t v = lowest; v <= highest; ++v) {
            if (with_gaps) {
                const auto absent = reader.get_rice(1, 255);
                if (!absent || *absent > highest - v) return status::corrupt;
                v += *absent;
            }
            const auto zigzag = reader.get_rice(0, 2 * max_length + 1);
            if (!zigzag) return status::corrupt;
            length += (*zigzag & 1u) != 0 ? -static_cast<int>(*zigzag / 2) - 1 : static_cast<int>(*zigzag / 2);
            if (length < 1 || length > static_cast<int>(max_length)) return status::corrupt;
            lengths[v] = static_cast<std::uint8_t>(length);
        }
        return status::ok;
    }
};

} // namespace bigsmall::entropy
