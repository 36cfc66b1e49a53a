// SPDX-License-Identifier: BSL-1.0
// Joint fields with AVX-512 VBMI, 64 values a step; see scalar_fields.hpp for what they are.
#pragma once

#if defined(__x86_64__)

#include <cstddef>
#include <cstdint>
#include <immintrin.h>

#include <bigsmall/kernel/scalar_fields.hpp>
#include <bigsmall/kernel/x86_targets.hpp>

BIGSMALL_BEGIN_AVX512

namespace bigsmall::kernel::avx512 {

inline constexpr std::uint64_t first_48 = (std::uint64_t{1} << 48) - 1;

BIGSMALL_TARGET_AVX512 inline __m512i every_byte(unsigned value) noexcept {
    return _mm512_set1_epi8(static_cast<char>(value));
}

/// indices[4 d + k] for k below 3 is 3 d + k, and the inverse.
struct triple_indices {
    alignas(64) std::uint8_t spread[64], packed[64];
};
inline constexpr triple_indices triples = [] {
    triple_indices made{};
    for (std::size_t q = 0; q < 8; ++q) // eight values of six bits are six bytes of a quadword
        for (std::size_t k = 0; k < 8; ++k)
            made.spread[8 * q + k] = static_cast<std::uint8_t>(6 * q + (k < 6 ? k : 5));
    for (std::size_t i = 0; i < 48; ++i)
        made.packed[i] = static_cast<std::uint8_t>(i / 3 * 4 + i % 3);
    return made;
}();

BIGSMALL_TARGET_AVX512 inline void part_fields(const std::uint8_t* top, const std::uint8_t* next, std::size_t count,
                                               std::uint8_t first, std::uint8_t* lead, std::uint8_t* six) noexcept {
    const __m512i three_of_four = _mm512_load_si512(triples.packed);
    std::size_t i = 0;
    for (; i + 64 <= count; i += 64) {
        const __m512i t = _mm512_loadu_si512(top + i), n = _mm512_loadu_si512(next + i);
        const __m512i place = _mm512_sub_epi8(t, every_byte(first));
        const __m512i two_bits = _mm512_and_si512(_mm512_srli_epi16(n, 6), every_byte(3));
        const __m512i symbol =
            _mm512_or_si512(_mm512_and_si512(_mm512_slli_epi16(place, 2), every_byte(0xfc)), two_bits);
        const __mmask64 inside = _mm512_cmplt_epu8_mask(place, every_byte(scalar::window_exponents));
        const __mmask64 zero = _mm512_testn_epi8_mask(_mm512_or_si512(t, two_bits), every_byte(0xff));
        const __m512i outside =
            _mm512_mask_blend_epi8(zero, every_byte(scalar::escape_symbol), every_byte(scalar::zero_symbol));
        _mm512_storeu_si512(lead + i, _mm512_mask_blend_epi8(inside, outside, symbol));
        // Pairs of six bits to twelve, pairs of these to 24, of which the fourth byte is dropped.
        const __m512i low = _mm512_and_si512(n, every_byte(63));
        const __m512i twelve = _mm512_maddubs_epi16(low, _mm512_set1_epi16(0x4001));
        const __m512i packed =
            _mm512_permutexvar_epi8(three_of_four, _mm512_madd_epi16(twelve, _mm512_set1_epi32(0x10000001)));
        _mm512_mask_storeu_epi8(six + i / 4 * 3, first_48, packed);
    }
    scalar::part_fields(top + i, next + i, count - i, first, lead + i, six + i / 4 * 3);
}

/// 64 values: the exponents, and the rest of the upper 16 bits.
struct joined_fields {
    __m512i top, next;
};

BIGSMALL_TARGET_AVX512 inline joined_fields join_64(const std::uint8_t* lead, const std::uint8_t* six,
                                                    std::uint8_t first) noexcept {
    const __m512i spread = _mm512_load_si512(triples.spread);
    const __m512i every_six_bits = _mm512_set1_epi64(0x2a241e18120c0600);
    const __m512i symbol = _mm512_loadu_si512(lead);
    const __m512i bytes = _mm512_permutexvar_epi8(spread, _mm512_maskz_loadu_epi8(first_48, six));
    const __m512i low = _mm512_and_si512(_mm512_multishift_epi64_epi8(every_six_bits, bytes), every_byte(63));
    const __m512i place = _mm512_and_si512(_mm512_srli_epi16(symbol, 2), every_byte(0x3f));
    const __mmask64 not_zero = _mm512_cmpneq_epi8_mask(symbol, every_byte(scalar::zero_symbol));
    const __m512i two_bits = _mm512_and_si512(_mm512_slli_epi16(symbol, 6), every_byte(0xc0));
    return {_mm512_maskz_add_epi8(not_zero, place, every_byte(first)), _mm512_or_si512(two_bits, low)};
}

BIGSMALL_TARGET_AVX512 inline void join_fields(const std::uint8_t* lead, const std::uint8_t* six, std::size_t count,
                                               std::uint8_t first, std::uint8_t* top, std::uint8_t* next) noexcept {
    std::size_t i = 0;
    for (; i + 64 <= count; i += 64) {
        const joined_fields joined = join_64(lead + i, six + i / 4 * 3, first);
        _mm512_storeu_si512(top + i, joined.top);
        _mm512_storeu_si512(next + i, joined.next);
    }
    scalar::join_fields(lead + i, six + i / 4 * 3, count - i, first, top + i, next + i);
}

} // namespace bigsmall::kernel::avx512

BIGSMALL_END_AVX512

#endif
