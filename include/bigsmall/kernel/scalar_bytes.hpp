// SPDX-License-Identifier: BSL-1.0
// Floats of one byte: their upper bits without the sign as a symbol, the rest packed.
//
// The rest are two bits, sign and lowest bit (a pair: the sign below), or three, with the bit above the lowest (a
// single bit). They are packed by groups of 256 values. A byte of pairs belongs to four values that lie a quarter of a
// group apart, one of single bits to eight that lie an eighth apart, the first of them in the lowest bits: so
// neighbours in one stream belong to neighbours in the others, and whole words or vectors are packed without shuffling.
// What is left behind the last whole group is a smaller group, whose quarters and eighths are rounded up.
#pragma once

#include <cstddef>
#include <cstdint>

#include <bigsmall/core/bytes.hpp>

namespace bigsmall::kernel::scalar {

inline constexpr std::size_t byte_group = 256;

// These work on each byte of a word. Shifts move bits into the neighbours, where the masks drop them.
inline constexpr std::uint64_t in_every_byte(std::uint64_t byte) noexcept { return byte * 0x0101010101010101u; }

template <unsigned RestBits>
constexpr std::uint64_t symbols_of(std::uint64_t bytes) noexcept {
    return bytes >> (RestBits - 1) & in_every_byte(0xffu >> RestBits);
}
constexpr std::uint64_t pairs_of(std::uint64_t bytes) noexcept {
    return (bytes >> 7 & in_every_byte(1)) | (bytes << 1 & in_every_byte(2));
}
constexpr std::uint64_t singles_of(std::uint64_t bytes) noexcept { return bytes >> 1 & in_every_byte(1); }

template <unsigned RestBits>
constexpr std::uint64_t joined(std::uint64_t symbols, std::uint64_t pairs, std::uint64_t singles) noexcept {
    std::uint64_t bytes = symbols << (RestBits - 1) & in_every_byte((0xffu >> RestBits) << (RestBits - 1));
    bytes |= (pairs << 7 & in_every_byte(0x80)) | (pairs >> 1 & in_every_byte(1));
    if constexpr (RestBits == 3) bytes |= singles << 1 & in_every_byte(2);
    return bytes;
}

/// The last group, which may be smaller than the others.
template <unsigned RestBits>
inline void part_last_bytes(const std::uint8_t* bytes, std::size_t count, std::uint8_t* symbols, std::uint8_t* pairs,
                            std::uint8_t* singles) noexcept {
    const std::size_t quarter = (count + 3) / 4, eighth = (count + 7) / 8;
    for (std::size_t i = 0; i < count; ++i) {
        symbols[i] = static_cast<std::uint8_t>(symbols_of<RestBits>(bytes[i]));
        const std::uint64_t pair = pairs_of(bytes[i]) << i / quarter * 2, single = singles_of(bytes[i]) << i / eighth;
        pairs[i % quarter] = static_cast<std::uint8_t>(i < quarter ? pair : pairs[i % quarter] | pair);
        if constexpr (RestBits == 3)
            singles[i % eighth] = static_cast<std::uint8_t>(i < eighth ? single : singles[i % eighth] | single);
    }
}

template <unsigned RestBits>
inline void part_bytes(const std::uint8_t* bytes, std::size_t count, std::uint8_t* symbols, std::uint8_t* pairs,
                       std::uint8_t* singles) noexcept {
    std::size_t at = 0;
    for (; at + byte_group <= count; at += byte_group) {
        for (std::size_t j = 0; j < 64; j += 8) {
            std::uint64_t four = 0;
            for (unsigned k = 0; k < 4; ++k) {
                const auto eight = load_le<std::uint64_t>(bytes + at + 64 * k + j);
                store_le<std::uint64_t>(symbols + at + 64 * k + j, symbols_of<RestBits>(eight));
                four |= pairs_of(eight) << 2 * k;
            }
            store_le<std::uint64_t>(pairs + at / 4 + j, four);
        }
        for (std::size_t j = 0; RestBits == 3 && j < 32; j += 8) {
            std::uint64_t eight = 0;
            for (unsigned k = 0; k < 8; ++k)
                eight |= singles_of(load_le<std::uint64_t>(bytes + at + 32 * k + j)) << k;
            store_le<std::uint64_t>(singles + at / 8 + j, eight);
        }
    }
    part_last_bytes<RestBits>(bytes + at, count - at, symbols + at, pairs + at / 4,
                              RestBits == 3 ? singles + at / 8 : nullptr);
}

template <unsigned RestBits>
inline void join_last_bytes(const std::uint8_t* symbols, const std::uint8_t* pairs, const std::uint8_t* singles,
                            std::size_t count, std::uint8_t* bytes) noexcept {
    const std::size_t quarter = (count + 3) / 4, eighth = (count + 7) / 8;
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t pair = std::uint64_t{pairs[i % quarter]} >> i / quarter * 2;
        std::uint64_t single = 0;
        if constexpr (RestBits == 3) single = std::uint64_t{singles[i % eighth]} >> i / eighth;
        bytes[i] = static_cast<std::uint8_t>(joined<RestBits>(symbols[i], pair, single));
    }
}

template <unsigned RestBits>
inline void join_bytes(const std::uint8_t* symbols, const std::uint8_t* pairs, const std::uint8_t* singles,
                       std::size_t count, std::uint8_t* bytes) noexcept {
    std::size_t at = 0;
    for (; at + byte_group <= count; at += byte_group)
        for (std::size_t j = 0; j < 64; j += 8) {
            const auto four = load_le<std::uint64_t>(pairs + at / 4 + j);
            std::uint64_t eight = 0; // of which the next four are every other bit
            if constexpr (RestBits == 3) eight = load_le<std::uint64_t>(singles + at / 8 + j % 32) >> j / 32;
            for (unsigned k = 0; k < 4; ++k)
                store_le<std::uint64_t>(
                    bytes + at + 64 * k + j,
                    joined<RestBits>(load_le<std::uint64_t>(symbols + at + 64 * k + j), four >> 2 * k, eight >> 2 * k));
        }
    join_last_bytes<RestBits>(symbols + at, pairs + at / 4, RestBits == 3 ? singles + at / 8 : nullptr, count - at,
                              bytes + at);
}

} // namespace bigsmall::kernel::scalar
