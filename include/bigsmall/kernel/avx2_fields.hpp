// SPDX-License-Identifier: BSL-1.0
// Joint fields with AVX2, 32 values a step; see scalar_fields.hpp for what they are.
#pragma once

#if defined(__x86_64__)

#include <cstddef>
#include <cstdint>
#include <immintrin.h>

#include <bigsmall/kernel/scalar_fields.hpp>
#include <bigsmall/kernel/x86_targets.hpp>

namespace bigsmall::kernel::avx2 {

BIGSMALL_TARGET_AVX2 inline __m256i every_byte(unsigned value) noexcept {
    return _mm256_set1_epi8(static_cast<char>(value));
}

// Both stop eight values early: the last store of a step writes, and the last load reads, four bytes too many.
BIGSMALL_TARGET_AVX2 inline void part_fields(const std::uint8_t* top, const std::uint8_t* next, std::size_t count,
                                             std::uint8_t first, std::uint8_t* lead, std::uint8_t* six) noexcept {
    const __m256i last_place = every_byte(scalar::window_exponents - 1);
    const __m256i three_of_four = _mm256_setr_epi8(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1, //
                                                   0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, -1, -1, -1, -1);
    std::size_t i = 0;
    for (; i + 40 <= count; i += 32) {
        const __m256i t = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(top + i));
        const __m256i n = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(next + i));
        const __m256i place = _mm256_sub_epi8(t, every_byte(first));
        const __m256i inside = _mm256_cmpeq_epi8(_mm256_min_epu8(place, last_place), place);
        const __m256i two_bits = _mm256_and_si256(_mm256_srli_epi16(n, 6), every_byte(3));
        const __m256i symbol =
            _mm256_or_si256(_mm256_and_si256(_mm256_slli_epi16(place, 2), every_byte(0xfc)), two_bits);
        const __m256i zero = _mm256_cmpeq_epi8(_mm256_or_si256(t, two_bits), _mm256_setzero_si256());
        const __m256i outside =
            _mm256_blendv_epi8(every_byte(scalar::escape_symbol), every_byte(scalar::zero_symbol), zero);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(lead + i), _mm256_blendv_epi8(outside, symbol, inside));
        // Pairs of six bits to twelve, pairs of these to 24, of which the fourth byte is dropped.
        const __m256i low = _mm256_and_si256(n, every_byte(63));
        const __m256i twelve = _mm256_maddubs_epi16(low, _mm256_set1_epi16(0x4001));
        const __m256i packed =
            _mm256_shuffle_epi8(_mm256_madd_epi16(twelve, _mm256_set1_epi32(0x10000001)), three_of_four);
        std::uint8_t* const at = six + i / 4 * 3;
        _mm_storeu_si128(reinterpret_cast<__m128i*>(at), _mm256_castsi256_si128(packed));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(at + 12), _mm256_extracti128_si256(packed, 1));
    }
    scalar::part_fields(top + i, next + i, count - i, first, lead + i, six + i / 4 * 3);
}

/// 32 values: the exponents, and the rest of the upper 16 bits.
struct joined_fields {
    __m256i top, next;
};

BIGSMALL_TARGET_AVX2 inline joined_fields join_32(const std::uint8_t* lead, const std::uint8_t* six,
                                                  std::uint8_t first) noexcept {
    const __m256i four_of_three = _mm256_setr_epi8(0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1, //
                                                   0, 1, 2, -1, 3, 4, 5, -1, 6, 7, 8, -1, 9, 10, 11, -1);
    const __m256i symbol = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(lead));
    const __m128i lower = _mm_loadu_si128(reinterpret_cast<const __m128i*>(six));
    const __m128i upper = _mm_loadu_si128(reinterpret_cast<const __m128i*>(six + 12));
    const __m256i packed =
        _mm256_shuffle_epi8(_mm256_inserti128_si256(_mm256_castsi128_si256(lower), upper, 1), four_of_three);
    // Each 24 bits hold four values, moved apart to a byte each.
    const __m256i low =
        _mm256_or_si256(_mm256_or_si256(_mm256_and_si256(packed, _mm256_set1_epi32(0x3f)),
                                        _mm256_and_si256(_mm256_slli_epi32(packed, 2), _mm256_set1_epi32(0x3f00))),
                        _mm256_or_si256(_mm256_and_si256(_mm256_slli_epi32(packed, 4), _mm256_set1_epi32(0x3f0000)),
                                        _mm256_and_si256(_mm256_slli_epi32(packed, 6), _mm256_set1_epi32(0x3f000000))));
    const __m256i place = _mm256_and_si256(_mm256_srli_epi16(symbol, 2), every_byte(0x3f));
    const __m256i zero = _mm256_cmpeq_epi8(symbol, every_byte(scalar::zero_symbol));
    const __m256i two_bits = _mm256_and_si256(_mm256_slli_epi16(symbol, 6), every_byte(0xc0));
    return {_mm256_andnot_si256(zero, _mm256_add_epi8(place, every_byte(first))), _mm256_or_si256(two_bits, low)};
}

BIGSMALL_TARGET_AVX2 inline void join_fields(const std::uint8_t* lead, const std::uint8_t* six, std::size_t count,
                                             std::uint8_t first, std::uint8_t* top, std::uint8_t* next) noexcept {
    std::size_t i = 0;
    for (; i + 40 <= count; i += 32) {
        const joined_fields joined = join_32(lead + i, six + i / 4 * 3, first);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(top + i), joined.top);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(next + i), joined.next);
    }
    scalar::join_fields(lead + i, six + i / 4 * 3, count - i, first, top + i, next + i);
}

} // namespace bigsmall::kernel::avx2

#endif
