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

BIGSMALL_TARGET_AVX2 inline std::size_t weave_leaf(const std::uint8_t* bits, std::size_t count, std::uint8_t zero,
                                                   const std::uint8_t* ones, std::uint8_t* out) noexcept {
    const __m128i zeros = _mm_set1_epi8(static_cast<char>(zero));
    const std::uint8_t* const first_one = ones;
    std::size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        const std::uint32_t four = load_le<std::uint32_t>(bits + i / 8);
        for (unsigned k = 0; k < 4; ++k) {
            const unsigned byte = four >> (8 * k) & 0xffu;
            weave_eight(byte, _mm_unpacklo_epi64(zeros, eight_at(ones)), out + i + 8 * k);
            ones += _mm_popcnt_u32(byte);
        }
    }
    return static_cast<std::size_t>(ones - first_one) +
           scalar::weave_leaf(bits + i / 8, count - i, zero, ones, out + i);
}

BIGSMALL_TARGET_AVX2 inline std::size_t weave(const std::uint8_t* bits, std::size_t count, const std::uint8_t* zeros,
                                              const std::uint8_t* ones, std::uint8_t* out) noexcept {
    const std::uint8_t* const first_one = ones;
    std::size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        const std::uint32_t four = load_le<std::uint32_t>(bits + i / 8);
        for (unsigned k = 0; k < 4; ++k) {
            const unsigned byte = four >> (8 * k) & 0xffu;
            weave_eight(byte, _mm_unpacklo_epi64(eight_at(zeros), eight_at(ones)), out + i + 8 * k);
            const int taken = _mm_popcnt_u32(byte);
            ones += taken;
            zeros += 8 - taken;
        }
    }
    return static_cast<std::size_t>(ones - first_one) + scalar::weave(bits + i / 8, count - i, zeros, ones, out + i);
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
        if constexpr (!KeepZeros && !KeepOnes) {
            taken += static_cast<std::size_t>(_mm_popcnt_u32(word));
        } else {
            for (unsigned k = 0; k < 4; ++k) {
                const unsigned byte = word >> (8 * k) & 0xffu;
                const auto* control = reinterpret_cast<const __m128i*>(shuffles::part[byte].data());
                const __m128i parted = _mm_shuffle_epi8(eight_at(symbols + i + 8 * k), _mm_loadu_si128(control));
                if constexpr (KeepZeros)
                    _mm_storel_epi64(reinterpret_cast<__m128i*>(zeros + (i + 8 * k - taken)), parted);
                if constexpr (KeepOnes)
                    _mm_storel_epi64(reinterpret_cast<__m128i*>(ones + taken), _mm_unpackhi_epi64(parted, parted));
                taken += static_cast<std::size_t>(_mm_popcnt_u32(byte));
            }
        }
    }
    std::uint8_t* const more_zeros = KeepZeros ? zeros + (i - taken) : nullptr;
    std::uint8_t* const more_ones = KeepOnes ? ones + taken : nullptr;
    return taken +
           scalar::part<KeepZeros, KeepOnes>(symbols + i, count - i, first_one, bits + i / 8, more_zeros, more_ones);
}

} // namespace bigsmall::kernel::avx2

#endif
