// SPDX-License-Identifier: BSL-1.0
// NEON kernels. Every little-endian aarch64 processor has NEON: no target attributes, no check at run time.
#pragma once

#if defined(__AARCH64EL__)

#include <arm_neon.h>
#include <cstddef>
#include <cstdint>

#include <bigsmall/kernel/neon_fields.hpp>
#include <bigsmall/kernel/neon_galois.hpp>
#include <bigsmall/kernel/neon_wavelet.hpp>
#include <bigsmall/kernel/scalar.hpp>

namespace bigsmall::kernel::neon {

/// Sixteen words as one vector a plane, the lowest byte first.
template <std::size_t Width>
struct sixteen_words {
    uint8x16_t plane[Width];
};

// The structure loads part bytes by themselves; eight planes are parted in pairs first, then the pairs.
template <std::size_t Width>
inline sixteen_words<Width> load_words(const std::uint8_t* words) noexcept {
    if constexpr (Width == 2) {
        const uint8x16x2_t x = vld2q_u8(words);
        return {{x.val[0], x.val[1]}};
    } else if constexpr (Width == 4) {
        const uint8x16x4_t x = vld4q_u8(words);
        return {{x.val[0], x.val[1], x.val[2], x.val[3]}};
    } else {
        // Lane by lane: bytes 0 and 4 of a word in the first vector, 1 and 5 in the second, and so on.
        const uint8x16x4_t a = vld4q_u8(words), b = vld4q_u8(words + 64);
        return {{vuzp1q_u8(a.val[0], b.val[0]), vuzp1q_u8(a.val[1], b.val[1]), vuzp1q_u8(a.val[2], b.val[2]),
                 vuzp1q_u8(a.val[3], b.val[3]), vuzp2q_u8(a.val[0], b.val[0]), vuzp2q_u8(a.val[1], b.val[1]),
                 vuzp2q_u8(a.val[2], b.val[2]), vuzp2q_u8(a.val[3], b.val[3])}};
    }
}

// The stores take variables: in clang they are macros, for which a comma within braces ends an argument.
template <std::size_t Width>
inline void store_words(std::uint8_t* words, const sixteen_words<Width>& x) noexcept {
    const uint8x16_t* p = x.plane;
    if constexpr (Width == 2) {
        const uint8x16x2_t all = {{p[0], p[1]}};
        vst2q_u8(words, all);
    } else if constexpr (Width == 4) {
        const uint8x16x4_t all = {{p[0], p[1], p[2], p[3]}};
        vst4q_u8(words, all);
    } else {
        const uint8x16x4_t lower = {
            {vzip1q_u8(p[0], p[4]), vzip1q_u8(p[1], p[5]), vzip1q_u8(p[2], p[6]), vzip1q_u8(p[3], p[7])}};
        const uint8x16x4_t upper = {
            {vzip2q_u8(p[0], p[4]), vzip2q_u8(p[1], p[5]), vzip2q_u8(p[2], p[6]), vzip2q_u8(p[3], p[7])}};
        vst4q_u8(words, lower);
        vst4q_u8(words + 64, upper);
    }
}

// Words rotate plane by plane: each byte takes the bit that its neighbour loses.
template <std::size_t Width>
inline sixteen_words<Width> rotated_left(const sixteen_words<Width>& x) noexcept {
    sixteen_words<Width> y;
    for (std::size_t p = 0; p < Width; ++p)
        y.plane[p] = vsriq_n_u8(vshlq_n_u8(x.plane[p], 1), x.plane[(p + Width - 1) % Width], 7);
    return y;
}

template <std::size_t Width>
inline sixteen_words<Width> rotated_right(const sixteen_words<Width>& x) noexcept {
    sixteen_words<Width> y;
    for (std::size_t p = 0; p < Width; ++p)
        y.plane[p] = vsliq_n_u8(vshrq_n_u8(x.plane[p], 1), x.plane[(p + 1) % Width], 7);
    return y;
}

template <class Word, int Rotation>
inline void split(const std::uint8_t* words, std::size_t count, std::uint8_t* const* planes) noexcept {
    constexpr std::size_t width = sizeof(Word);
    std::size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        sixteen_words<width> x = load_words<width>(words + width * i);
        if constexpr (Rotation == 1) x = rotated_left(x);
        for (std::size_t p = 0; p < width; ++p)
            vst1q_u8(planes[p] + i, x.plane[p]);
    }
    std::uint8_t* rest[width];
    for (std::size_t p = 0; p < width; ++p)
        rest[p] = planes[p] + i;
    scalar::split<Word, Rotation>(words + width * i, count - i, rest);
}

template <class Word, int Rotation>
inline void merge(const std::uint8_t* const* planes, std::size_t count, std::uint8_t* words) noexcept {
    constexpr std::size_t width = sizeof(Word);
    std::size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        sixteen_words<width> x;
        for (std::size_t p = 0; p < width; ++p)
            x.plane[p] = vld1q_u8(planes[p] + i);
        if constexpr (Rotation == 1) x = rotated_right(x);
        store_words<width>(words + width * i, x);
    }
    const std::uint8_t* rest[width];
    for (std::size_t p = 0; p < width; ++p)
        rest[p] = planes[p] + i;
    scalar::merge<Word, Rotation>(rest, count - i, words + width * i);
}

// NEON has no gathers, and rANS is two of them a symbol: its rounds and the histogram stay scalar.
inline constexpr table functions{
    "neon",
    {split<std::uint16_t, 0>, split<std::uint32_t, 0>, split<std::uint64_t, 0>},
    {merge<std::uint16_t, 0>, merge<std::uint32_t, 0>, merge<std::uint64_t, 0>},
    {split<std::uint16_t, 1>, split<std::uint32_t, 1>, split<std::uint64_t, 1>},
    {merge<std::uint16_t, 1>, merge<std::uint32_t, 1>, merge<std::uint64_t, 1>},
    scalar::histogram,
    scalar::rans_rounds,
    scalar::rans_encode_rounds,
    {count_ones, weave_leaves, weave_leaf, weave, part<false, false>, part<false, true>, part<true, true>, remap},
    part_fields,
    join_fields,
    scalar::join_words,
    {scalar::part_bytes<2>, scalar::part_bytes<3>},
    {scalar::join_bytes<2>, scalar::join_bytes<3>},
    scalar::differences_table,
    galois_table,
    nullptr,
};

} // namespace bigsmall::kernel::neon

#endif
