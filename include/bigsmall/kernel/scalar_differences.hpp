// SPDX-License-Identifier: BSL-1.0
// The portable kernels of differences to a base.
//
// A float is a sign and a magnitude, and magnitudes are in the order of their bits: with the magnitude of negative ones
// inverted, the bits are a two's complement number in the order of the values, and the difference of two such numbers
// counts the floats between them. Zigzag brings small differences of either sign together: 0, -1, 1, -2 become 0 to 3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/kernel/table.hpp>

namespace bigsmall::kernel::scalar {

/// All bits set if the top bit is, else none.
template <class Word>
constexpr Word sign_of(Word x) noexcept {
    return static_cast<Word>(0 - static_cast<Word>(x >> (8 * sizeof(Word) - 1)));
}

/// From the bits of a float to its place in the order of values, and back: its own inverse.
template <class Word>
constexpr Word ordered(Word x) noexcept {
    return static_cast<Word>(x ^ (sign_of(x) & (std::numeric_limits<Word>::max() >> 1)));
}

template <class Word, bool Floats>
void differences(const std::uint8_t* words, const std::uint8_t* base, std::size_t count,
                 std::uint8_t* zigzags) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
        Word x = load_le<Word>(words + i * sizeof(Word)), b = load_le<Word>(base + i * sizeof(Word));
        if constexpr (Floats) x = ordered(x), b = ordered(b);
        const auto d = static_cast<Word>(x - b);
        store_le<Word>(zigzags + i * sizeof(Word), static_cast<Word>(static_cast<Word>(d << 1) ^ sign_of(d)));
    }
}

template <class Word, bool Floats>
void restore(const std::uint8_t* zigzags, const std::uint8_t* base, std::size_t count, std::uint8_t* words) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
        const Word z = load_le<Word>(zigzags + i * sizeof(Word));
        Word b = load_le<Word>(base + i * sizeof(Word));
        if constexpr (Floats) b = ordered(b);
        const auto d = static_cast<Word>((z >> 1) ^ static_cast<Word>(0 - static_cast<Word>(z & 1)));
        auto x = static_cast<Word>(b + d);
        if constexpr (Floats) x = ordered(x);
        store_le<Word>(words + i * sizeof(Word), x);
    }
}

template <class Word>
void contexts(const std::uint8_t* base, std::size_t count, const context_rule& rule, std::uint8_t* out) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t place = (load_le<Word>(base + i * sizeof(Word)) & rule.mask) >> rule.shift;
        const std::uint64_t above = place > rule.offset ? place - rule.offset : 0;
        out[i] = static_cast<std::uint8_t>(above < 255 ? above : 255);
    }
}

/// Words of one byte have no low bits: they are their symbols.
inline void copy_symbols(const std::uint8_t* from, std::size_t count, std::uint8_t* to) noexcept {
    if (count != 0) std::memcpy(to, from, count);
}

inline void part_symbols8(const std::uint8_t* zigzags, std::size_t count, unsigned, std::uint8_t* symbols,
                          std::uint8_t*) noexcept {
    copy_symbols(zigzags, count, symbols);
}

inline void join_symbols8(const std::uint8_t* symbols, const std::uint8_t*, std::size_t count, unsigned,
                          std::uint8_t* zigzags) noexcept {
    copy_symbols(symbols, count, zigzags);
}

template <class Word>
void part_symbols(const std::uint8_t* zigzags, std::size_t count, unsigned low_bits, std::uint8_t* symbols,
                  std::uint8_t* low) noexcept {
    const std::uint64_t low_mask = (std::uint64_t{1} << low_bits) - 1;
    std::uint64_t pending = 0; // fewer than eight bits between words
    unsigned held = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t z = load_le<Word>(zigzags + i * sizeof(Word));
        const std::uint64_t high = z >> low_bits;
        symbols[i] = static_cast<std::uint8_t>(high < 255 ? high : 255);
        pending |= (z & low_mask) << held;
        held += low_bits;
        store_le<std::uint64_t>(low, pending);
        low += held / 8;
        pending >>= held & ~7u;
        held &= 7u;
    }
}

template <class Word>
void join_symbols(const std::uint8_t* symbols, const std::uint8_t* low, std::size_t count, unsigned low_bits,
                  std::uint8_t* zigzags) noexcept {
    const std::uint64_t low_mask = (std::uint64_t{1} << low_bits) - 1;
    std::size_t bit = 0;
    for (std::size_t i = 0; i < count; ++i, bit += low_bits) {
        const std::uint64_t bits = low_bits == 0 ? 0 : load_le<std::uint64_t>(low + bit / 8) >> bit % 8 & low_mask;
        store_le<Word>(zigzags + i * sizeof(Word), static_cast<Word>(std::uint64_t{symbols[i]} << low_bits | bits));
    }
}

template <class Word>
void add_rest(const std::uint8_t* rest, unsigned low_bits, std::uint8_t* zigzag) noexcept {
    const std::uint64_t more = std::uint64_t{load_le<Word>(rest)} << low_bits;
    store_le<Word>(zigzag, static_cast<Word>(load_le<Word>(zigzag) + more));
}

template <class Word>
std::size_t add_rests(const std::uint8_t* symbols, std::size_t count, const std::uint8_t* rests, unsigned low_bits,
                      std::uint8_t* zigzags) noexcept {
    std::size_t added = 0;
    for (std::size_t i = 0; i < count; ++i)
        if (symbols[i] == 255) add_rest<Word>(rests + added++ * sizeof(Word), low_bits, zigzags + i * sizeof(Word));
    return added;
}

inline void count_classes(const std::uint8_t* contexts, std::size_t count, const context_classes& classes,
                          std::size_t* sizes) noexcept {
    for (std::size_t i = 0; i < count; ++i)
        ++sizes[classes.of_context[contexts[i]]];
}

inline void sort_classes(const std::uint8_t* contexts, const std::uint8_t* symbols, std::size_t count,
                         const context_classes& classes, std::uint8_t** next) noexcept {
    for (std::size_t i = 0; i < count; ++i)
        *next[classes.of_context[contexts[i]]]++ = symbols[i];
}

inline void unsort_classes(const std::uint8_t* contexts, std::size_t count, const context_classes& classes,
                           const std::uint8_t** next, std::uint8_t* symbols) noexcept {
    for (std::size_t i = 0; i < count; ++i)
        symbols[i] = *next[classes.of_context[contexts[i]]]++;
}

inline constexpr difference_functions differences_table{
    {differences<std::uint8_t, false>, differences<std::uint16_t, false>, differences<std::uint32_t, false>,
     differences<std::uint64_t, false>},
    {differences<std::uint8_t, true>, differences<std::uint16_t, true>, differences<std::uint32_t, true>,
     differences<std::uint64_t, true>},
    {restore<std::uint8_t, false>, restore<std::uint16_t, false>, restore<std::uint32_t, false>,
     restore<std::uint64_t, false>},
    {restore<std::uint8_t, true>, restore<std::uint16_t, true>, restore<std::uint32_t, true>,
     restore<std::uint64_t, true>},
    {contexts<std::uint8_t>, contexts<std::uint16_t>, contexts<std::uint32_t>, contexts<std::uint64_t>},
    {part_symbols8, part_symbols<std::uint16_t>, part_symbols<std::uint32_t>, part_symbols<std::uint64_t>},
    {join_symbols8, join_symbols<std::uint16_t>, join_symbols<std::uint32_t>, join_symbols<std::uint64_t>},
    {add_rests<std::uint8_t>, add_rests<std::uint16_t>, add_rests<std::uint32_t>, add_rests<std::uint64_t>},
    count_classes,
    sort_classes,
    unsort_classes,
};

} // namespace bigsmall::kernel::scalar
