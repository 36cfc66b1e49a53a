// SPDX-License-Identifier: BSL-1.0
// The portable kernels: the specification to which every other table is tested equal.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/kernel/table.hpp>

namespace bigsmall::kernel::scalar {

// Why rotate: a float is sign | exponent | mantissa from the top bit down. After a rotation to the left by one
// the sign sits at the bottom, and the top byte holds exactly the eight exponent bits of BF16 and F32, or the five
// exponent bits and three mantissa bits of F16. That byte is the skewed one; all others are close to noise.
template <class Word, int Rotation>
void split(const std::uint8_t* words, std::size_t count, std::uint8_t* const* planes) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
        const Word word = std::rotl(load_le<Word>(words + i * sizeof(Word)), Rotation);
        for (std::size_t p = 0; p < sizeof(Word); ++p) planes[p][i] = static_cast<std::uint8_t>(word >> (8 * p));
    }
}

template <class Word, int Rotation>
void merge(const std::uint8_t* const* planes, std::size_t count, std::uint8_t* words) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
        Word word = 0;
        for (std::size_t p = 0; p < sizeof(Word); ++p)
            word = static_cast<Word>(word | static_cast<Word>(static_cast<Word>(planes[p][i]) << (8 * p)));
        store_le<Word>(words + i * sizeof(Word), std::rotr(word, Rotation));
    }
}

// Four counters per value: consecutive equal bytes would otherwise wait for each other's store.
inline void histogram(const std::uint8_t* bytes, std::size_t count, std::uint32_t* counts) noexcept {
    std::uint32_t parts[4][256] = {};
    std::size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const auto eight = load_le<std::uint64_t>(bytes + i);
        for (unsigned k = 0; k < 8; ++k) ++parts[k % 4][(eight >> (8 * k)) & 0xff];
    }
    for (; i < count; ++i) ++parts[0][bytes[i]];
    for (std::size_t v = 0; v < 256; ++v) counts[v] += parts[0][v] + parts[1][v] + parts[2][v] + parts[3][v];
}

/// One rANS step: emits the symbol of `state` and advances it; see entropy/rans.hpp for the derivation.
inline std::uint8_t rans_step(const std::uint32_t* slots, std::uint32_t& state) noexcept {
    const std::uint32_t slot = slots[state & 0xfffu];
    state = (slot >> 20) * (state >> 12) + ((slot >> 8) & 0xfffu);
    return static_cast<std::uint8_t>(slot);
}

inline void rans_rounds(const std::uint32_t* slots, rans_cursor& at) noexcept {
    while (at.words_end - at.words >= 64 && at.symbols_end - at.symbols >= 32) {
        for (std::size_t lane = 0; lane < 32; ++lane) {
            std::uint32_t state = at.states[lane];
            at.symbols[lane] = rans_step(slots, state);
            // Branch-free: the word is loaded always and taken when the state ran low.
            const std::uint32_t low = state < 0x10000u;
            const std::uint32_t refilled = state << 16 | load_le<std::uint16_t>(at.words);
            at.words += 2 * low;
            at.states[lane] = low ? refilled : state;
        }
        at.symbols += 32;
    }
}

inline constexpr table functions{
    "scalar",
    {split<std::uint16_t, 0>, split<std::uint32_t, 0>, split<std::uint64_t, 0>},
    {merge<std::uint16_t, 0>, merge<std::uint32_t, 0>, merge<std::uint64_t, 0>},
    {split<std::uint16_t, 1>, split<std::uint32_t, 1>, split<std::uint64_t, 1>},
    {merge<std::uint16_t, 1>, merge<std::uint32_t, 1>, merge<std::uint64_t, 1>},
    histogram,
    rans_rounds,
};

} // namespace bigsmall::kernel::scalar
