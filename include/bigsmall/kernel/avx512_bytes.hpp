// SPDX-License-Identifier: BSL-1.0
// Floats of one byte with AVX-512, a quarter of a group in a register; see scalar_bytes.hpp for what they are.
#pragma once

#if defined(__x86_64__)

#include <cstddef>
#include <cstdint>
#include <immintrin.h>

#include <bigsmall/kernel/avx512_fields.hpp>
#include <bigsmall/kernel/scalar_bytes.hpp>
#include <bigsmall/kernel/x86_targets.hpp>

BIGSMALL_BEGIN_AVX512

namespace bigsmall::kernel::avx512 {

template <unsigned RestBits>
BIGSMALL_TARGET_AVX512 inline void part_bytes(const std::uint8_t* bytes, std::size_t count, std::uint8_t* symbols,
                                              std::uint8_t* pairs, std::uint8_t* singles) noexcept {
    std::size_t at = 0;
    for (; at + scalar::byte_group <= count; at += scalar::byte_group) {
        // Quarter k has the eighths 2 k and 2 k + 1: the upper half of the single bits is one bit behind.
        __m512i packed = _mm512_setzero_si512(), every_other = _mm512_setzero_si512();
        for (unsigned k = 0; k < 4; ++k) {
            const __m512i x = _mm512_loadu_si512(bytes + at + 64 * k);
            _mm512_storeu_si512(symbols + at + 64 * k,
                                _mm512_and_si512(_mm512_srli_epi16(x, RestBits - 1), every_byte(0xffu >> RestBits)));
            const __m512i pair = _mm512_or_si512(_mm512_and_si512(_mm512_srli_epi16(x, 7), every_byte(1)),
                                                 _mm512_and_si512(_mm512_slli_epi16(x, 1), every_byte(2)));
            packed = _mm512_or_si512(packed, _mm512_slli_epi16(pair, 2 * k));
            const __m512i single = _mm512_and_si512(_mm512_srli_epi16(x, 1), every_byte(1));
            every_other = _mm512_or_si512(every_other, _mm512_slli_epi16(single, 2 * k));
        }
        _mm512_storeu_si512(pairs + at / 4, packed);
        if constexpr (RestBits == 3) {
            const __m256i odd = _mm256_slli_epi16(_mm512_extracti64x4_epi64(every_other, 1), 1);
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(singles + at / 8),
                                _mm256_or_si256(_mm512_castsi512_si256(every_other), odd));
        }
    }
    scalar::part_last_bytes<RestBits>(bytes + at, count - at, symbols + at, pairs + at / 4,
                                      RestBits == 3 ? singles + at / 8 : nullptr);
}

/// Past the caches when streaming and `bytes` is aligned to a line.
template <unsigned RestBits, bool Streaming>
BIGSMALL_TARGET_AVX512 inline void join_bytes(const std::uint8_t* symbols, const std::uint8_t* pairs,
                                              const std::uint8_t* singles, std::size_t count,
                                              std::uint8_t* bytes) noexcept {
    if (Streaming && reinterpret_cast<std::uintptr_t>(bytes) % 64 != 0)
        return join_bytes<RestBits, false>(symbols, pairs, singles, count, bytes);
    std::size_t at = 0;
    for (; at + scalar::byte_group <= count; at += scalar::byte_group) {
        const __m512i packed = _mm512_loadu_si512(pairs + at / 4);
        __m512i every_other = _mm512_setzero_si512(); // as above
        if constexpr (RestBits == 3) {
            const __m256i even = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(singles + at / 8));
            every_other = _mm512_inserti64x4(_mm512_castsi256_si512(even), _mm256_srli_epi16(even, 1), 1);
        }
        for (unsigned k = 0; k < 4; ++k) {
            const __m512i symbol = _mm512_loadu_si512(symbols + at + 64 * k);
            const __m512i pair = _mm512_srli_epi16(packed, 2 * k);
            __m512i x = _mm512_and_si512(_mm512_slli_epi16(symbol, RestBits - 1),
                                         every_byte((0xffu >> RestBits) << (RestBits - 1)));
            x = _mm512_or_si512(x, _mm512_and_si512(_mm512_slli_epi16(pair, 7), every_byte(0x80)));
            x = _mm512_or_si512(x, _mm512_and_si512(_mm512_srli_epi16(pair, 1), every_byte(1)));
            if constexpr (RestBits == 3) {
                const __m512i single = _mm512_slli_epi16(_mm512_srli_epi16(every_other, 2 * k), 1);
                x = _mm512_or_si512(x, _mm512_and_si512(single, every_byte(2)));
            }
            if constexpr (Streaming)
                _mm512_stream_si512(reinterpret_cast<__m512i*>(bytes + at + 64 * k), x);
            else
                _mm512_storeu_si512(bytes + at + 64 * k, x);
        }
    }
    if (Streaming) _mm_sfence();
    scalar::join_last_bytes<RestBits>(symbols + at, pairs + at / 4, RestBits == 3 ? singles + at / 8 : nullptr,
                                      count - at, bytes + at);
}

} // namespace bigsmall::kernel::avx512

BIGSMALL_END_AVX512

#endif
