// SPDX-License-Identifier: BSL-1.0
// Wavelet trees with AVX2: eight symbols a step, one byte shuffle each, its control looked up by eight bits of bitmap.
#pragma once

#if defined(__x86_64__)

#include <cstddef>
#include <cstdint>
#include <immintrin.h>

#include <bigsmall/kernel/scalar_wavelet.hpp>
#include <bigsmall/kernel/shuffles.hpp>
#include <bigsmall/kernel/x86_targets.hpp>

namespace bigsmall::kernel::avx2 {

BIGSMALL_TARGET_AVX2 inline std::size_t count_ones(const std::uint8_t* bits, std::size_t count) noexcept {
    std::size_t ones = 0, i = 0;
    for (; i + 64 <= count; i += 64)
        ones += static_cast<std::size_t>(_mm_popcnt_u64(load_le<std::uint64_t>(bits + i / 8)));
    return ones + scalar::count_ones(bits + i / 8, count - i);
}

BIGSMALL_TARGET_AVX2 inline void weave_leaves(const std::uint8_t* bits, std::size_t count, std::uint8_t zero,
                                              std::uint8_t one, std::uint8_t* out) noexcept {
    // Byte k of the vector looks at bit k % 8 of byte k / 8 of four bytes of bitmap.
    const __m256i which_byte = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, //
                                                2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    const __m256i which_bit = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201u));
    const __m256i zeros = _mm256_set1_epi8(static_cast<char>(zero)), ones = _mm256_set1_epi8(static_cast<char>(one));
    std::size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        const auto four = static_cast<int>(load_le<std::uint32_t>(bits + i / 8));
        const __m256i spread = _mm256_shuffle_epi8(_mm256_set1_epi32(four), which_byte);
        const __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(spread, which_bit), which_bit);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), _mm256_blendv_epi8(zeros, ones, set));
    }
    scalar::weave_leaves(bits + i / 8, count - i, zero, one, out + i);
}

/// The lower eight bytes hold the next zeros, the upper ones the next ones: one shuffle weaves them.
BIGSMALL_TARGET_AVX2 inline void weave_eight(unsigned byte, __m128i children, std::uint8_t* out) noexcept {
    const __m128i control = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(shuffles::weave[byte].data()));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out), _mm_shuffle_epi8(children, control));
}

BIGSMALL_TARGET_AVX2 inline __m128i eight_at(const std::uint8_t* bytes) noexcept {
    return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes));
}

BIGSMALL_TARGET_AVX2 inline std::size_t ones_of(std::uint32_t bits) noexcept {
    return static_cast<std::size_t>(_mm_popcnt_u32(bits));
}

// The four eights of 32 bits are written out, here and for classes: GCC does not unroll a loop over them at -O2, and
// each of them would wait for the count of the one before.

BIGSMALL_TARGET_AVX2 inline std::size_t weave_leaf(const std::uint8_t* bits, std::size_t count, std::uint8_t zero,
                                                   const std::uint8_t* ones, std::uint8_t* out) noexcept {
    const __m128i zeros = _mm_set1_epi8(static_cast<char>(zero));
    const std::uint8_t* const first_one = ones;
    std::size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        const auto four = load_le<std::uint32_t>(bits + i / 8);
        const std::uint8_t *const second = ones + ones_of(four & 0xffu), *const third = ones + ones_of(four & 0xffffu);
        const std::uint8_t* const fourth = ones + ones_of(four & 0xffffffu);
        weave_eight(four & 0xffu, _mm_unpacklo_epi64(zeros, eight_at(ones)), out + i);
        weave_eight(four >> 8 & 0xffu, _mm_unpacklo_epi64(zeros, eight_at(second)), out + i + 8);
        weave_eight(four >> 16 & 0xffu, _mm_unpacklo_epi64(zeros, eight_at(third)), out + i + 16);
        weave_eight(four >> 24, _mm_unpacklo_epi64(zeros, eight_at(fourth)), out + i + 24);
        ones += ones_of(four);
    }
    return static_cast<std::size_t>(ones - first_one) +
           scalar::weave_leaf(bits + i / 8, count - i, zero, ones, out + i);
}

/// The next eight of each child, after `taken` of `before` symbols were ones.
BIGSMALL_TARGET_AVX2 inline __m128i children_at(const std::uint8_t* zeros, const std::uint8_t* ones, std::size_t before,
                                                std::size_t taken) noexcept {
    return _mm_unpacklo_epi64(eight_at(zeros + (before - taken)), eight_at(ones + taken));
}

/// Weaves 32 symbols; a bit says which child has the next one.
BIGSMALL_TARGET_AVX2 inline void weave_32(std::uint32_t bits, const std::uint8_t* zeros, const std::uint8_t* ones,
                                          std::uint8_t* out) noexcept {
    weave_eight(bits & 0xffu, children_at(zeros, ones, 0, 0), out);
    weave_eight(bits >> 8 & 0xffu, children_at(zeros, ones, 8, ones_of(bits & 0xffu)), out + 8);
    weave_eight(bits >> 16 & 0xffu, children_at(zeros, ones, 16, ones_of(bits & 0xffffu)), out + 16);
    weave_eight(bits >> 24, children_at(zeros, ones, 24, ones_of(bits & 0xffffffu)), out + 24);
}

BIGSMALL_TARGET_AVX2 inline std::size_t weave(const std::uint8_t* bits, std::size_t count, const std::uint8_t* zeros,
                                              const std::uint8_t* ones, std::uint8_t* out) noexcept {
    std::size_t i = 0, taken = 0;
    for (; i + 32 <= count; i += 32) {
        const auto four = load_le<std::uint32_t>(bits + i / 8);
        weave_32(four, zeros + (i - taken), ones + taken, out + i);
        taken += ones_of(four);
    }
    return taken + scalar::weave(bits + i / 8, count - i, zeros + (i - taken), ones + taken, out + i);
}

/// Parts eight symbols, behind `before` others of which `taken` were ones.
template <bool KeepZeros, bool KeepOnes>
BIGSMALL_TARGET_AVX2 inline void part_eight(const std::uint8_t* symbols, unsigned byte, std::size_t before,
                                            std::size_t taken, std::uint8_t* zeros, std::uint8_t* ones) noexcept {
    const auto* control = reinterpret_cast<const __m128i*>(shuffles::part[byte].data());
    const __m128i parted = _mm_shuffle_epi8(eight_at(symbols + before), _mm_loadu_si128(control));
    if constexpr (KeepZeros) _mm_storel_epi64(reinterpret_cast<__m128i*>(zeros + (before - taken)), parted);
    if constexpr (KeepOnes)
        _mm_storel_epi64(reinterpret_cast<__m128i*>(ones + taken), _mm_unpackhi_epi64(parted, parted));
}

template <bool KeepZeros, bool KeepOnes>
BIGSMALL_TARGET_AVX2 inline std::size_t part(const std::uint8_t* symbols, std::size_t count, std::uint8_t first_one,
                                             std::uint8_t* bits, std::uint8_t* zeros, std::uint8_t* ones) noexcept {
    const __m256i threshold = _mm256_set1_epi8(static_cast<char>(first_one));
    std::size_t i = 0, taken = 0;
    for (; i + 32 <= count; i += 32) {
        const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(symbols + i));
        const __m256i above = _mm256_cmpeq_epi8(_mm256_max_epu8(x, threshold), x); // unsigned >=
        const auto word = static_cast<std::uint32_t>(_mm256_movemask_epi8(above));
        store_le<std::uint32_t>(bits + i / 8, word);
        if constexpr (KeepZeros || KeepOnes) {
            const auto eight = part_eight<KeepZeros, KeepOnes>;
            eight(symbols, word & 0xffu, i, taken, zeros, ones);
            eight(symbols, word >> 8 & 0xffu, i + 8, taken + ones_of(word & 0xffu), zeros, ones);
            eight(symbols, word >> 16 & 0xffu, i + 16, taken + ones_of(word & 0xffffu), zeros, ones);
            eight(symbols, word >> 24, i + 24, taken + ones_of(word & 0xffffffu), zeros, ones);
        }
        taken += ones_of(word);
    }
    std::uint8_t* const more_zeros = KeepZeros ? zeros + (i - taken) : nullptr;
    std::uint8_t* const more_ones = KeepOnes ? ones + taken : nullptr;
    return taken +
           scalar::part<KeepZeros, KeepOnes>(symbols + i, count - i, first_one, bits + i / 8, more_zeros, more_ones);
}

} // namespace bigsmall::kernel::avx2

#endif
