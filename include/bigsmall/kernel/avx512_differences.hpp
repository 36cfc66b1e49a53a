// SPDX-License-Identifier: BSL-1.0
// Differences to a base with AVX-512 VBMI; see scalar_differences.hpp for what they are.
#pragma once

#if defined(__x86_64__)

#include <cstddef>
#include <cstdint>
#include <immintrin.h>
#include <limits>

#include <bigsmall/kernel/scalar_differences.hpp>
#include <bigsmall/kernel/x86_targets.hpp>

BIGSMALL_BEGIN_AVX512

namespace bigsmall::kernel::avx512 {

/// Arithmetic of lanes as wide as Word.
template <class Word>
struct lanes;

template <>
struct lanes<std::uint8_t> {
    BIGSMALL_TARGET_AVX512 static __m512i add(__m512i a, __m512i b) noexcept { return _mm512_add_epi8(a, b); }
    BIGSMALL_TARGET_AVX512 static __m512i sub(__m512i a, __m512i b) noexcept { return _mm512_sub_epi8(a, b); }
    BIGSMALL_TARGET_AVX512 static __m512i sign(__m512i x) noexcept { return _mm512_movm_epi8(_mm512_movepi8_mask(x)); }
    BIGSMALL_TARGET_AVX512 static __m512i half(__m512i x) noexcept {
        return _mm512_and_si512(_mm512_srli_epi16(x, 1), _mm512_set1_epi8(0x7f));
    }
    BIGSMALL_TARGET_AVX512 static __m512i all(std::uint64_t x) noexcept {
        return _mm512_set1_epi8(static_cast<char>(x));
    }
};
template <>
struct lanes<std::uint16_t> {
    BIGSMALL_TARGET_AVX512 static __m512i add(__m512i a, __m512i b) noexcept { return _mm512_add_epi16(a, b); }
    BIGSMALL_TARGET_AVX512 static __m512i sub(__m512i a, __m512i b) noexcept { return _mm512_sub_epi16(a, b); }
    BIGSMALL_TARGET_AVX512 static __m512i sign(__m512i x) noexcept { return _mm512_srai_epi16(x, 15); }
    BIGSMALL_TARGET_AVX512 static __m512i half(__m512i x) noexcept { return _mm512_srli_epi16(x, 1); }
    BIGSMALL_TARGET_AVX512 static __m512i all(std::uint64_t x) noexcept {
        return _mm512_set1_epi16(static_cast<short>(x));
    }
};
template <>
struct lanes<std::uint32_t> {
    BIGSMALL_TARGET_AVX512 static __m512i add(__m512i a, __m512i b) noexcept { return _mm512_add_epi32(a, b); }
    BIGSMALL_TARGET_AVX512 static __m512i sub(__m512i a, __m512i b) noexcept { return _mm512_sub_epi32(a, b); }
    BIGSMALL_TARGET_AVX512 static __m512i sign(__m512i x) noexcept { return _mm512_srai_epi32(x, 31); }
    BIGSMALL_TARGET_AVX512 static __m512i half(__m512i x) noexcept { return _mm512_srli_epi32(x, 1); }
    BIGSMALL_TARGET_AVX512 static __m512i all(std::uint64_t x) noexcept {
        return _mm512_set1_epi32(static_cast<int>(x));
    }
};
template <>
struct lanes<std::uint64_t> {
    BIGSMALL_TARGET_AVX512 static __m512i add(__m512i a, __m512i b) noexcept { return _mm512_add_epi64(a, b); }
    BIGSMALL_TARGET_AVX512 static __m512i sub(__m512i a, __m512i b) noexcept { return _mm512_sub_epi64(a, b); }
    BIGSMALL_TARGET_AVX512 static __m512i sign(__m512i x) noexcept { return _mm512_srai_epi64(x, 63); }
    BIGSMALL_TARGET_AVX512 static __m512i half(__m512i x) noexcept { return _mm512_srli_epi64(x, 1); }
    BIGSMALL_TARGET_AVX512 static __m512i all(std::uint64_t x) noexcept {
        return _mm512_set1_epi64(static_cast<long long>(x));
    }
};

template <class Word>
BIGSMALL_TARGET_AVX512 inline __m512i ordered_lanes(__m512i x) noexcept {
    const __m512i magnitude = lanes<Word>::all(std::numeric_limits<Word>::max() >> 1);
    return _mm512_xor_si512(x, _mm512_and_si512(lanes<Word>::sign(x), magnitude));
}

template <class Word, bool Floats>
BIGSMALL_TARGET_AVX512 inline void differences(const std::uint8_t* words, const std::uint8_t* base, std::size_t count,
                                               std::uint8_t* zigzags) noexcept {
    using of = lanes<Word>;
    constexpr std::size_t step = 64 / sizeof(Word);
    std::size_t i = 0;
    for (; i + step <= count; i += step) {
        __m512i x = _mm512_loadu_si512(words + i * sizeof(Word)), b = _mm512_loadu_si512(base + i * sizeof(Word));
        if constexpr (Floats) {
            x = ordered_lanes<Word>(x);
            b = ordered_lanes<Word>(b);
        }
        const __m512i d = of::sub(x, b);
        _mm512_storeu_si512(zigzags + i * sizeof(Word), _mm512_xor_si512(of::add(d, d), of::sign(d)));
    }
    scalar::differences<Word, Floats>(words + i * sizeof(Word), base + i * sizeof(Word), count - i,
                                      zigzags + i * sizeof(Word));
}

template <class Word, bool Floats>
BIGSMALL_TARGET_AVX512 inline void restore(const std::uint8_t* zigzags, const std::uint8_t* base, std::size_t count,
                                           std::uint8_t* words) noexcept {
    using of = lanes<Word>;
    constexpr std::size_t step = 64 / sizeof(Word);
    const __m512i one = of::all(1);
    std::size_t i = 0;
    for (; i + step <= count; i += step) {
        const __m512i z = _mm512_loadu_si512(zigzags + i * sizeof(Word));
        __m512i b = _mm512_loadu_si512(base + i * sizeof(Word));
        if constexpr (Floats) b = ordered_lanes<Word>(b);
        const __m512i negative = of::sub(_mm512_setzero_si512(), _mm512_and_si512(z, one));
        __m512i x = of::add(b, _mm512_xor_si512(of::half(z), negative));
        if constexpr (Floats) x = ordered_lanes<Word>(x);
        _mm512_storeu_si512(words + i * sizeof(Word), x);
    }
    scalar::restore<Word, Floats>(zigzags + i * sizeof(Word), base + i * sizeof(Word), count - i,
                                  words + i * sizeof(Word));
}

BIGSMALL_TARGET_AVX512 inline void contexts8(const std::uint8_t* base, std::size_t count, const context_rule& rule,
                                             std::uint8_t* out) noexcept {
    const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(rule.shift));
    const __m512i mask = lanes<std::uint8_t>::all(rule.mask), kept = lanes<std::uint8_t>::all(0xffu >> rule.shift);
    const __m512i offset = lanes<std::uint8_t>::all(rule.offset < 255 ? rule.offset : 255);
    std::size_t i = 0;
    for (; i + 64 <= count; i += 64) {
        const __m512i place = _mm512_srl_epi16(_mm512_and_si512(_mm512_loadu_si512(base + i), mask), shift);
        _mm512_storeu_si512(out + i, _mm512_subs_epu8(_mm512_and_si512(place, kept), offset));
    }
    scalar::contexts<std::uint8_t>(base + i, count - i, rule, out + i);
}

// The conversions to bytes saturate.
BIGSMALL_TARGET_AVX512 inline void contexts16(const std::uint8_t* base, std::size_t count, const context_rule& rule,
                                              std::uint8_t* out) noexcept {
    const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(rule.shift));
    const __m512i mask = lanes<std::uint16_t>::all(rule.mask);
    const __m512i offset = lanes<std::uint16_t>::all(rule.offset < 0xffff ? rule.offset : 0xffff);
    std::size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        const __m512i place = _mm512_srl_epi16(_mm512_and_si512(_mm512_loadu_si512(base + 2 * i), mask), shift);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i),
                            _mm512_cvtusepi16_epi8(_mm512_subs_epu16(place, offset)));
    }
    scalar::contexts<std::uint16_t>(base + 2 * i, count - i, rule, out + i);
}

BIGSMALL_TARGET_AVX512 inline void contexts32(const std::uint8_t* base, std::size_t count, const context_rule& rule,
                                              std::uint8_t* out) noexcept {
    const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(rule.shift));
    const __m512i mask = lanes<std::uint32_t>::all(rule.mask);
    const __m512i offset = lanes<std::uint32_t>::all(rule.offset < 0xffffffffu ? rule.offset : 0xffffffffu);
    std::size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const __m512i place = _mm512_srl_epi32(_mm512_and_si512(_mm512_loadu_si512(base + 4 * i), mask), shift);
        const __m512i above = _mm512_sub_epi32(_mm512_max_epu32(place, offset), offset);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), _mm512_cvtusepi32_epi8(above));
    }
    scalar::contexts<std::uint32_t>(base + 4 * i, count - i, rule, out + i);
}

BIGSMALL_TARGET_AVX512 inline void contexts64(const std::uint8_t* base, std::size_t count, const context_rule& rule,
                                              std::uint8_t* out) noexcept {
    const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(rule.shift));
    const __m512i mask = lanes<std::uint64_t>::all(rule.mask), offset = lanes<std::uint64_t>::all(rule.offset);
    std::size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const __m512i place = _mm512_srl_epi64(_mm512_and_si512(_mm512_loadu_si512(base + 8 * i), mask), shift);
        const __m512i above = _mm512_sub_epi64(_mm512_max_epu64(place, offset), offset);
        _mm_storel_epi64(reinterpret_cast<__m128i*>(out + i), _mm512_cvtusepi64_epi8(above));
    }
    scalar::contexts<std::uint64_t>(base + 8 * i, count - i, rule, out + i);
}

} // namespace bigsmall::kernel::avx512

BIGSMALL_END_AVX512

#endif
