// SPDX-License-Identifier: BSL-1.0
// Floats of one byte with AVX2, an eighth of a group in a register; see scalar_bytes.hpp for what they are.
#pragma once

#if defined(__x86_64__)

#include <cstddef>
#include <cstdint>
#include <immintrin.h>

#include <bigsmall/kernel/avx2_fields.hpp>
#include <bigsmall/kernel/scalar_bytes.hpp>
#include <bigsmall/kernel/x86_targets.hpp>

namespace bigsmall::kernel::avx2 {

template <unsigned RestBits>
BIGSMALL_TARGET_AVX2 inline void part_bytes(const std::uint8_t* bytes, std::size_t count, std::uint8_t* symbols,
                                            std::uint8_t* pairs, std::uint8_t* singles) noexcept {
    std::size_t at = 0;
    for (; at + scalar::byte_group <= count; at += scalar::byte_group) {
        __m256i packed[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()}, single_bits = _mm256_setzero_si256();
#pragma GCC unroll 8 // else GCC keeps the vectors in memory at -O2
        for (int k = 0; k < 8; ++k) {
            const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes + at + 32 * k));
            const __m256i symbol = _mm256_and_si256(_mm256_srli_epi16(x, RestBits - 1), every_byte(0xffu >> RestBits));
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(symbols + at + 32 * k), symbol);
            const __m256i pair = _mm256_or_si256(_mm256_and_si256(_mm256_srli_epi16(x, 7), every_byte(1)),
                                                 _mm256_and_si256(_mm256_slli_epi16(x, 1), every_byte(2)));
            packed[k % 2] = _mm256_or_si256(packed[k % 2], _mm256_slli_epi16(pair, k / 2 * 2));
            if constexpr (RestBits == 3) {
                const __m256i single = _mm256_and_si256(_mm256_srli_epi16(x, 1), every_byte(1));
                single_bits = _mm256_or_si256(single_bits, _mm256_slli_epi16(single, k));
            }
        }
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(pairs + at / 4), packed[0]);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(pairs + at / 4 + 32), packed[1]);
        if constexpr (RestBits == 3) _mm256_storeu_si256(reinterpret_cast<__m256i*>(singles + at / 8), single_bits);
    }
    scalar::part_last_bytes<RestBits>(bytes + at, count - at, symbols + at, pairs + at / 4,
                                      RestBits == 3 ? singles + at / 8 : nullptr);
}

/// Past the caches when streaming and `bytes` is aligned to 32.
template <unsigned RestBits, bool Streaming>
BIGSMALL_TARGET_AVX2 inline void join_bytes(const std::uint8_t* symbols, const std::uint8_t* pairs,
                                            const std::uint8_t* singles, std::size_t count,
                                            std::uint8_t* bytes) noexcept {
    if (Streaming && reinterpret_cast<std::uintptr_t>(bytes) % 32 != 0)
        return join_bytes<RestBits, false>(symbols, pairs, singles, count, bytes);
    std::size_t at = 0;
    for (; at + scalar::byte_group <= count; at += scalar::byte_group) {
        const __m256i packed[2] = {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(pairs + at / 4)),
                                   _mm256_loadu_si256(reinterpret_cast<const __m256i*>(pairs + at / 4 + 32))};
        __m256i single_bits = _mm256_setzero_si256();
        if constexpr (RestBits == 3)
            single_bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(singles + at / 8));
#pragma GCC unroll 8 // else GCC keeps the vectors in memory at -O2
        for (int k = 0; k < 8; ++k) {
            const __m256i symbol = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(symbols + at + 32 * k));
            const __m256i pair = _mm256_srli_epi16(packed[k % 2], k / 2 * 2);
            __m256i x = _mm256_and_si256(_mm256_slli_epi16(symbol, RestBits - 1),
                                         every_byte((0xffu >> RestBits) << (RestBits - 1)));
            x = _mm256_or_si256(x, _mm256_and_si256(_mm256_slli_epi16(pair, 7), every_byte(0x80)));
            x = _mm256_or_si256(x, _mm256_and_si256(_mm256_srli_epi16(pair, 1), every_byte(1)));
            if constexpr (RestBits == 3) {
                const __m256i single = _mm256_slli_epi16(_mm256_srli_epi16(single_bits, k), 1);
                x = _mm256_or_si256(x, _mm256_and_si256(single, every_byte(2)));
            }
            auto* const to = reinterpret_cast<__m256i*>(bytes + at + 32 * k);
            if constexpr (Streaming)
                _mm256_stream_si256(to, x);
            else
                _mm256_storeu_si256(to, x);
        }
    }
    if (Streaming) _mm_sfence();
    scalar::join_last_bytes<RestBits>(symbols + at, pairs + at / 4, RestBits == 3 ? singles + at / 8 : nullptr,
                                      count - at, bytes + at);
}

} // namespace bigsmall::kernel::avx2

#endif
