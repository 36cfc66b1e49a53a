// SPDX-License-Identifier: BSL-1.0
// Symbols of differences with AVX-512 VBMI: parted from the low bits and joined.
#pragma once

#if defined(__x86_64__)

#include <cstddef>
#include <cstdint>
#include <immintrin.h>

#include <bigsmall/kernel/avx2_differences.hpp>
#include <bigsmall/kernel/avx512_classes.hpp>
#include <bigsmall/kernel/avx512_differences.hpp>
#include <bigsmall/kernel/scalar_differences.hpp>
#include <bigsmall/kernel/x86_targets.hpp>

BIGSMALL_BEGIN_AVX512

namespace bigsmall::kernel::avx512 {

inline constexpr std::uint64_t bytes_0_to_7 = 0x0706050403020100u, each_byte = 0x0101010101010101u;

BIGSMALL_TARGET_AVX512 inline void part_symbols16(const std::uint8_t* zigzags, std::size_t count, unsigned low_bits,
                                                  std::uint8_t* symbols, std::uint8_t* low) noexcept {
    const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(low_bits));
    const std::uint64_t each_low = each_byte * ((1u << low_bits) - 1);
    std::size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        const __m512i z = _mm512_loadu_si512(zigzags + 2 * i);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(symbols + i),
                            _mm512_cvtusepi16_epi8(_mm512_srl_epi16(z, shift)));
        if (low_bits == 0) continue;
        alignas(32) std::uint64_t eights[4];
        _mm256_store_si256(reinterpret_cast<__m256i*>(eights), _mm512_cvtepi16_epi8(z));
        for (const std::uint64_t eight : eights) {
            store_le<std::uint64_t>(low, _pext_u64(eight, each_low));
            low += low_bits;
        }
    }
    scalar::part_symbols<std::uint16_t>(zigzags + 2 * i, count - i, low_bits, symbols + i, low);
}

BIGSMALL_TARGET_AVX512 inline void part_symbols32(const std::uint8_t* zigzags, std::size_t count, unsigned low_bits,
                                                  std::uint8_t* symbols, std::uint8_t* low) noexcept {
    const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(low_bits));
    const std::uint64_t two_low = 0x100000001u * ((std::uint64_t{1} << low_bits) - 1);
    std::size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const __m512i z = _mm512_loadu_si512(zigzags + 4 * i);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(symbols + i), _mm512_cvtusepi32_epi8(_mm512_srl_epi32(z, shift)));
        if (low_bits == 0) continue;
        std::uint64_t pending = 0;
        unsigned held = 0;
        for (std::size_t k = 0; k < 16; k += 2) { // two words have at most 48 bits
            pending |= _pext_u64(load_le<std::uint64_t>(zigzags + 4 * (i + k)), two_low) << held;
            held += 2 * low_bits;
            store_le<std::uint64_t>(low, pending);
            low += held / 8;
            pending >>= held & ~7u;
            held &= 7u;
        }
    }
    scalar::part_symbols<std::uint32_t>(zigzags + 4 * i, count - i, low_bits, symbols + i, low);
}

/// 64 words a step: eight bytes that hold the bits of eight words go to each quadword, from which eight fields are
/// taken at once.
BIGSMALL_TARGET_AVX512 inline void join_symbols16(const std::uint8_t* symbols, const std::uint8_t* low,
                                                  std::size_t count, unsigned low_bits,
                                                  std::uint8_t* zigzags) noexcept {
    const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(low_bits));
    const __m512i first_bytes = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
    const __m512i bytes = _mm512_add_epi64(
        _mm512_mullo_epi64(first_bytes, _mm512_set1_epi64(static_cast<long long>(each_byte * low_bits))),
        _mm512_set1_epi64(static_cast<long long>(bytes_0_to_7)));
    const __m512i fields = _mm512_set1_epi64(static_cast<long long>(bytes_0_to_7 * low_bits));
    const __m512i low_mask = _mm512_set1_epi8(static_cast<char>((1u << low_bits) - 1));
    std::size_t i = 0;
    for (; i + 64 <= count; i += 64) {
        const __m512i top = _mm512_loadu_si512(symbols + i);
        __m512i a = _mm512_cvtepu8_epi16(_mm512_castsi512_si256(top));
        __m512i b = _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(top, 1));
        if (low_bits != 0) {
            const __m512i packed = _mm512_permutexvar_epi8(bytes, _mm512_loadu_si512(low));
            const __m512i rest = _mm512_and_si512(_mm512_multishift_epi64_epi8(fields, packed), low_mask);
            low += 8 * low_bits;
            a = _mm512_or_si512(_mm512_sll_epi16(a, shift), _mm512_cvtepu8_epi16(_mm512_castsi512_si256(rest)));
            b = _mm512_or_si512(_mm512_sll_epi16(b, shift), _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(rest, 1)));
        }
        _mm512_storeu_si512(zigzags + 2 * i, a);
        _mm512_storeu_si512(zigzags + 2 * i + 64, b);
    }
    scalar::join_symbols<std::uint16_t>(symbols + i, low, count - i, low_bits, zigzags + 2 * i);
}

BIGSMALL_TARGET_AVX512 inline void join_symbols32(const std::uint8_t* symbols, const std::uint8_t* low,
                                                  std::size_t count, unsigned low_bits,
                                                  std::uint8_t* zigzags) noexcept {
    const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(low_bits));
    const __m512i first_bits =
        _mm512_mullo_epi32(_mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
                           _mm512_set1_epi32(static_cast<int>(low_bits)));
    const __m512i shifts = _mm512_and_si512(first_bits, _mm512_set1_epi32(7));
    const __m512i bytes =
        _mm512_add_epi32(_mm512_mullo_epi32(_mm512_srli_epi32(first_bits, 3), _mm512_set1_epi32(0x01010101)),
                         _mm512_set1_epi32(0x03020100));
    const __m512i low_mask = _mm512_set1_epi32(static_cast<int>((1u << low_bits) - 1));
    std::size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const __m512i packed = _mm512_permutexvar_epi8(bytes, _mm512_loadu_si512(low));
        const __m512i rest = _mm512_and_si512(_mm512_srlv_epi32(packed, shifts), low_mask);
        const __m512i top = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(symbols + i)));
        _mm512_storeu_si512(zigzags + 4 * i, _mm512_or_si512(_mm512_sll_epi32(top, shift), rest));
        low += 2 * low_bits;
    }
    scalar::join_symbols<std::uint32_t>(symbols + i, low, count - i, low_bits, zigzags + 4 * i);
}

BIGSMALL_TARGET_AVX512 inline void join_symbols64(const std::uint8_t* symbols, const std::uint8_t* low,
                                                  std::size_t count, unsigned low_bits,
                                                  std::uint8_t* zigzags) noexcept {
    const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(low_bits));
    const __m512i first_bits =
        _mm512_mullo_epi64(_mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7), _mm512_set1_epi64(low_bits));
    const __m512i shifts = _mm512_and_si512(first_bits, _mm512_set1_epi64(7));
    const __m512i bytes = _mm512_add_epi64(
        _mm512_mullo_epi64(_mm512_srli_epi64(first_bits, 3), _mm512_set1_epi64(static_cast<long long>(each_byte))),
        _mm512_set1_epi64(static_cast<long long>(bytes_0_to_7)));
    const __m512i low_mask = _mm512_set1_epi64(static_cast<long long>((std::uint64_t{1} << low_bits) - 1));
    std::size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const __m512i packed = _mm512_permutexvar_epi8(bytes, _mm512_loadu_si512(low));
        const __m512i rest = _mm512_and_si512(_mm512_srlv_epi64(packed, shifts), low_mask);
        const __m512i top = _mm512_cvtepu8_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(symbols + i)));
        _mm512_storeu_si512(zigzags + 8 * i, _mm512_or_si512(_mm512_sll_epi64(top, shift), rest));
        low += low_bits;
    }
    scalar::join_symbols<std::uint64_t>(symbols + i, low, count - i, low_bits, zigzags + 8 * i);
}

/// The rests are spread over the escapes: no branch depends on where these are.
BIGSMALL_TARGET_AVX512 inline std::size_t add_rests16(const std::uint8_t* symbols, std::size_t count,
                                                      const std::uint8_t* rests, unsigned low_bits,
                                                      std::uint8_t* zigzags) noexcept {
    const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(low_bits));
    std::size_t added = 0, i = 0;
    for (; i + 32 <= count; i += 32) {
        const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(symbols + i));
        const __mmask32 escapes = _mm256_cmpeq_epi8_mask(x, _mm256_set1_epi8(-1));
        const __m512i more = _mm512_maskz_expand_epi16(escapes, in_register(rests + 2 * added));
        std::uint8_t* const to = zigzags + 2 * i;
        _mm512_storeu_si512(to, _mm512_add_epi16(_mm512_loadu_si512(to), _mm512_sll_epi16(more, shift)));
        added += ones_in(escapes);
    }
    return added +
           scalar::add_rests<std::uint16_t>(symbols + i, count - i, rests + 2 * added, low_bits, zigzags + 2 * i);
}

BIGSMALL_TARGET_AVX512 inline std::size_t add_rests32(const std::uint8_t* symbols, std::size_t count,
                                                      const std::uint8_t* rests, unsigned low_bits,
                                                      std::uint8_t* zigzags) noexcept {
    const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(low_bits));
    std::size_t added = 0, i = 0;
    for (; i + 16 <= count; i += 16) {
        const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(symbols + i));
        const __mmask16 escapes = _mm_cmpeq_epi8_mask(x, _mm_set1_epi8(-1));
        const __m512i more = _mm512_maskz_expand_epi32(escapes, in_register(rests + 4 * added));
        std::uint8_t* const to = zigzags + 4 * i;
        _mm512_storeu_si512(to, _mm512_add_epi32(_mm512_loadu_si512(to), _mm512_sll_epi32(more, shift)));
        added += ones_in(escapes);
    }
    return added +
           scalar::add_rests<std::uint32_t>(symbols + i, count - i, rests + 4 * added, low_bits, zigzags + 4 * i);
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
    {contexts8, contexts16, contexts32, contexts64},
    {scalar::part_symbols8, part_symbols16, part_symbols32, scalar::part_symbols<std::uint64_t>},
    {scalar::join_symbols8, join_symbols16, join_symbols32, join_symbols64},
    {avx2::add_rests<std::uint8_t>, add_rests16, add_rests32, avx2::add_rests<std::uint64_t>},
    count_classes,
    sort_classes,
    unsort_classes,
};

} // namespace bigsmall::kernel::avx512

BIGSMALL_END_AVX512

#endif
