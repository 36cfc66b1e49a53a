// SPDX-License-Identifier: BSL-1.0
// Runs in which most words are those of the base: what is done for all words of other runs is done for the few that
// changed, brought together. Bit i of a bitmap is bit i % 8 of byte i / 8.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <bigsmall/core/bytes.hpp>

namespace bigsmall::delta {

constexpr std::size_t bitmap_bytes(std::size_t bits) noexcept { return (bits + 7) / 8; }

/// Calls found(i) for each set bit, in order.
template <class Found>
void for_each_set_bit(bytes_view bits, const Found& found) {
    std::size_t at = 0;
    const auto take = [&](std::uint64_t some, std::size_t first) {
        for (; some != 0; some &= some - 1)
            found(first + static_cast<std::size_t>(std::countr_zero(some)));
    };
    for (; at + 8 <= bits.size(); at += 8)
        take(load_le<std::uint64_t>(bits.data() + at), 8 * at);
    for (; at < bits.size(); ++at)
        take(bits[at], 8 * at);
}

template <std::size_t Width>
void gather_words(bytes_view bits, const std::uint8_t* from, std::uint8_t* to) noexcept {
    for_each_set_bit(bits, [&](std::size_t i) {
        std::memcpy(to, from + i * Width, Width);
        to += Width;
    });
}

template <std::size_t Width>
void scatter_words(bytes_view bits, const std::uint8_t* from, std::uint8_t* to) noexcept {
    for_each_set_bit(bits, [&](std::size_t i) {
        std::memcpy(to + i * Width, from, Width);
        from += Width;
    });
}

/// The words of the set bits, one after another.
inline void gather(bytes_view bits, unsigned width_log2, const std::uint8_t* from, std::uint8_t* to) noexcept {
    switch (width_log2) {
    case 0: return gather_words<1>(bits, from, to);
    case 1: return gather_words<2>(bits, from, to);
    case 2: return gather_words<4>(bits, from, to);
    default: return gather_words<8>(bits, from, to);
    }
}

/// And back to their places.
inline void scatter(bytes_view bits, unsigned width_log2, const std::uint8_t* from, std::uint8_t* to) noexcept {
    switch (width_log2) {
    case 0: return scatter_words<1>(bits, from, to);
    case 1: return scatter_words<2>(bits, from, to);
    case 2: return scatter_words<4>(bits, from, to);
    default: return scatter_words<8>(bits, from, to);
    }
}

} // namespace bigsmall::delta
