// SPDX-License-Identifier: BSL-1.0
// The portable kernels of wavelet trees: weaving two child sequences under a bitmap, and parting a sequence into a
// bitmap and its children. Bit i of a bitmap is bit i % 8 of byte i / 8; the unused bits of its last byte are zero.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <bigsmall/core/bytes.hpp>

namespace bigsmall::kernel::scalar {

/// spread_bits[b]: byte k is 0xff where bit k of b is set, so eight bits become a mask over eight symbols.
inline constexpr auto spread_bits = [] {
    std::array<std::uint64_t, 256> masks{};
    for (std::size_t bits = 0; bits < 256; ++bits)
        for (std::size_t k = 0; k < 8; ++k)
            if (bits >> k & 1) masks[bits] |= std::uint64_t{0xff} << (8 * k);
    return masks;
}();

inline bool bit_at(const std::uint8_t* bits, std::size_t i) noexcept { return bits[i / 8] >> (i % 8) & 1; }

inline std::size_t count_ones(const std::uint8_t* bits, std::size_t count) noexcept {
    std::size_t ones = 0, i = 0;
    for (; i + 64 <= count; i += 64)
        ones += static_cast<std::size_t>(std::popcount(load_le<std::uint64_t>(bits + i / 8)));
    for (; i < count; i += 8) {
        const unsigned used = count - i < 8 ? (1u << (count - i)) - 1 : 0xffu;
        ones += static_cast<std::size_t>(std::popcount(bits[i / 8] & used));
    }
    return ones;
}

inline void weave_leaves(const std::uint8_t* bits, std::size_t count, std::uint8_t zero, std::uint8_t one,
                         std::uint8_t* out) noexcept {
    constexpr std::uint64_t every_byte = 0x0101010101010101u;
    const std::uint64_t zeros = zero * every_byte, flips = (zero ^ one) * every_byte;
    std::size_t i = 0;
    for (; i + 8 <= count; i += 8)
        store_le<std::uint64_t>(out + i, zeros ^ (spread_bits[bits[i / 8]] & flips));
    for (; i < count; ++i)
        out[i] = bit_at(bits, i) ? one : zero;
}

// Moving bytes within a 64-bit word to the set bits of an eight-bit mask, or from them (H. Warren, Hacker's Delight,
// "Compress, or Generalized Extract", on bytes instead of bits). The k-th byte goes to the k-th set bit, which is d
// places up, and d never falls from one byte to the next. So all bytes with bit 2 of d set can move by four places at
// once without meeting one that stays, then those with bit 1 by two, then those with bit 0 by one; the inverse runs
// backwards. moves[m][s]: the places that receive a byte in step s of the expansion, and send one in that of the
// compression.
inline constexpr auto moves = [] {
    std::array<std::array<std::uint64_t, 3>, 256> places{};
    for (std::size_t mask = 0; mask < 256; ++mask) {
        std::size_t k = 0;
        for (std::size_t target = 0; target < 8; ++target) {
            if ((mask >> target & 1) == 0) continue;
            const std::size_t distance = target - k;
            std::size_t at = k++;
            for (std::size_t step = 0; step < 3; ++step) {
                if ((distance & (4u >> step)) == 0) continue;
                at += 4u >> step;
                places[mask][step] |= std::uint64_t{0xff} << (8 * at);
            }
        }
    }
    return places;
}();

/// The first bytes of `packed` go to the set bits of `mask`; the other bytes of the result are undefined.
inline std::uint64_t expand_bytes(std::uint64_t packed, std::size_t mask) noexcept {
    const auto& places = moves[mask];
    packed = (packed & ~places[0]) | ((packed << 32) & places[0]);
    packed = (packed & ~places[1]) | ((packed << 16) & places[1]);
    return (packed & ~places[2]) | ((packed << 8) & places[2]);
}

/// The bytes at the set bits of `mask` come to the front; the bytes behind them are undefined.
inline std::uint64_t compress_bytes(std::uint64_t spread, std::size_t mask) noexcept {
    const auto& places = moves[mask];
    spread = (spread & ~(places[2] >> 8)) | ((spread & places[2]) >> 8);
    spread = (spread & ~(places[1] >> 16)) | ((spread & places[1]) >> 16);
    return (spread & ~(places[0] >> 32)) | ((spread & places[0]) >> 32);
}

inline std::size_t weave_leaf(const std::uint8_t* bits, std::size_t count, std::uint8_t zero, const std::uint8_t* ones,
                              std::uint8_t* out) noexcept {
    const std::uint64_t zeros = zero * std::uint64_t{0x0101010101010101u};
    const std::uint8_t* const first_one = ones;
    std::size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const std::size_t mask = bits[i / 8];
        const std::uint64_t set = spread_bits[mask];
        store_le<std::uint64_t>(out + i, (zeros & ~set) | (expand_bytes(load_le<std::uint64_t>(ones), mask) & set));
        ones += std::popcount(mask);
    }
    for (; i < count; ++i)
        out[i] = bit_at(bits, i) ? *ones++ : zero;
    return static_cast<std::size_t>(ones - first_one);
}

inline std::size_t weave(const std::uint8_t* bits, std::size_t count, const std::uint8_t* zeros,
                         const std::uint8_t* ones, std::uint8_t* out) noexcept {
    const std::uint8_t* const first_one = ones;
    std::size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const std::size_t mask = bits[i / 8];
        const std::uint64_t set = spread_bits[mask];
        const std::uint64_t from_zeros = expand_bytes(load_le<std::uint64_t>(zeros), mask ^ 0xffu);
        const std::uint64_t from_ones = expand_bytes(load_le<std::uint64_t>(ones), mask);
        store_le<std::uint64_t>(out + i, (from_zeros & ~set) | (from_ones & set));
        const auto taken = std::popcount(mask);
        ones += taken;
        zeros += 8 - taken;
    }
    for (; i < count; ++i)
        out[i] = bit_at(bits, i) ? *ones++ : *zeros++;
    return static_cast<std::size_t>(ones - first_one);
}

/// Bit k: whether byte k of `bytes` is at least `least`, unsigned.
inline unsigned at_least(std::uint64_t bytes, std::uint8_t least) noexcept {
    constexpr std::uint64_t every_byte = 0x0101010101010101u, low_seven = 0x7f * every_byte;
    // The lower seven bits plus (128 - lower seven of least) carry into the top bit exactly when they reach it. Where
    // least is below 128, a set top bit is enough; otherwise it is needed as well.
    const std::uint64_t carried = (bytes & low_seven) + (128u - (least & 0x7fu)) * every_byte;
    const std::uint64_t reached = (least < 128 ? carried | bytes : carried & bytes) & ~low_seven;
    // One flag a byte, gathered: byte k has to move by 56 - 7k bits to become bit 56 + k.
    return static_cast<unsigned>((reached >> 7) * 0x0102040810204080u >> 56);
}

template <bool KeepZeros, bool KeepOnes>
inline std::size_t part(const std::uint8_t* symbols, std::size_t count, std::uint8_t first_one, std::uint8_t* bits,
                        std::uint8_t* zeros, std::uint8_t* ones) noexcept {
    std::size_t i = 0, taken = 0;
    for (; i + 8 <= count; i += 8) {
        const auto eight = load_le<std::uint64_t>(symbols + i);
        const std::size_t mask = at_least(eight, first_one);
        bits[i / 8] = static_cast<std::uint8_t>(mask);
        if constexpr (KeepZeros) store_le<std::uint64_t>(zeros + (i - taken), compress_bytes(eight, mask ^ 0xffu));
        if constexpr (KeepOnes) store_le<std::uint64_t>(ones + taken, compress_bytes(eight, mask));
        taken += static_cast<std::size_t>(std::popcount(mask));
    }
    if (i == count) return taken;
    unsigned packed = 0;
    for (unsigned k = 0; i + k < count; ++k) {
        const std::uint8_t symbol = symbols[i + k];
        const bool bit = symbol >= first_one;
        packed |= static_cast<unsigned>(bit) << k;
        if constexpr (KeepZeros)
            if (!bit) zeros[i + k - taken] = symbol;
        if constexpr (KeepOnes)
            if (bit) ones[taken] = symbol;
        taken += bit;
    }
    bits[i / 8] = static_cast<std::uint8_t>(packed);
    return taken;
}

inline void remap(const std::uint8_t* symbols, std::size_t count, const std::uint8_t* map, std::uint8_t* out) noexcept {
    for (std::size_t i = 0; i < count; ++i)
        out[i] = map[symbols[i]];
}

} // namespace bigsmall::kernel::scalar
