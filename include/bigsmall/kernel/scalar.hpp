// SPDX-License-Identifier: BSL-1.0
// The portable kernels: the specification to which every other table is tested equal.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/kernel/scalar_bytes.hpp>
#include <bigsmall/kernel/scalar_differences.hpp>
#include <bigsmall/kernel/scalar_fields.hpp>
#include <bigsmall/kernel/scalar_galois.hpp>
#include <bigsmall/kernel/scalar_wavelet.hpp>
#include <bigsmall/kernel/table.hpp>

namespace bigsmall::kernel::scalar {

// Why rotate: a float is sign | exponent | mantissa from the top bit down. After a rotation to the left by one
// the sign sits at the bottom, and the top byte holds exactly the eight exponent bits of BF16 and F32, or the five
// exponent bits and three mantissa bits of F16. That byte is the skewed one; all others are close to noise.
template <class Word, int Rotation>
void split(const std::uint8_t* words, std::size_t count, std::uint8_t* const* planes) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
        const Word word = std::rotl(load_le<Word>(words + i * sizeof(Word)), Rotation);
        for (std::size_t p = 0; p < sizeof(Word); ++p)
            planes[p][i] = static_cast<std::uint8_t>(word >> (8 * p));
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
        for (unsigned k = 0; k < 8; ++k)
            ++parts[k % 4][(eight >> (8 * k)) & 0xff];
    }
    for (; i < count; ++i)
        ++parts[0][bytes[i]];
    for (std::size_t v = 0; v < 256; ++v)
        counts[v] += parts[0][v] + parts[1][v] + parts[2][v] + parts[3][v];
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

// An integer quotient by a floating-point division, which vectorises. x < f * 2^20 < 2^32 and f < 2^12, so the exact
// (x + 1/2) / f lies at least 2^-13 away from every integer. A double is off by less than 2^-31 here even where
// fast-math flags turn the division into a product with a reciprocal: the integer part is always right.
inline std::uint32_t exact_quotient(std::uint32_t x, std::uint32_t frequency) noexcept {
    return static_cast<std::uint32_t>((static_cast<double>(x) + 0.5) / static_cast<double>(frequency));
}

/// Codes one symbol: returns the new state, and moves `words` down by a word if one had to go.
inline std::uint32_t rans_push(std::uint32_t coding, std::uint32_t x, std::uint8_t*& words) noexcept {
    const std::uint32_t frequency = coding & 0xfffu;
    // x may reach f * 2^20 at most, so that coding keeps it below 2^32. Without a branch: the word is always written,
    // below what counts.
    const std::uint32_t full = x >= frequency << 20;
    store_le<std::uint16_t>(words - 2, static_cast<std::uint16_t>(x));
    words -= 2 * full;
    x >>= 16 * full;
    const std::uint32_t quotient = exact_quotient(x, frequency);
    return (quotient << 12) + (coding >> 12) + (x - quotient * frequency);
}

inline std::uint8_t* rans_encode_rounds(const std::uint32_t* codings, const std::uint8_t* symbols, std::size_t rounds,
                                        std::uint32_t* states, std::uint8_t* words_end) noexcept {
    std::uint8_t* words = words_end;
    while (rounds-- > 0)
        for (std::size_t lane = 32; lane-- > 0;)
            states[lane] = rans_push(codings[symbols[32 * rounds + lane]], states[lane], words);
    return words;
}

inline constexpr table functions{
    "scalar",
    {split<std::uint16_t, 0>, split<std::uint32_t, 0>, split<std::uint64_t, 0>},
    {merge<std::uint16_t, 0>, merge<std::uint32_t, 0>, merge<std::uint64_t, 0>},
    {split<std::uint16_t, 1>, split<std::uint32_t, 1>, split<std::uint64_t, 1>},
    {merge<std::uint16_t, 1>, merge<std::uint32_t, 1>, merge<std::uint64_t, 1>},
    histogram,
    rans_rounds,
    rans_encode_rounds,
    {count_ones, weave_leaves, weave_leaf, weave, part<false, false>, part<false, true>, part<true, true>, remap},
    part_fields,
    join_fields,
    join_words,
    {part_bytes<2>, part_bytes<3>},
    {join_bytes<2>, join_bytes<3>},
    differences_table,
    galois_table,
    nullptr,
};

} // namespace bigsmall::kernel::scalar
