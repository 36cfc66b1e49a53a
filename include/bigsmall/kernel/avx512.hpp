// SPDX-License-Identifier: BSL-1.0
// AVX-512 kernels for processors with VBMI2 (Ice Lake, Zen 4 and later): its byte and word expansion is what
// makes the wide entropy decoders pay. Older AVX-512 processors use the AVX2 table.
#pragma once

#if defined(__x86_64__)

#include <cstddef>
#include <cstdint>
#include <immintrin.h>

#include <bigsmall/kernel/avx2_symbols.hpp>
#include <bigsmall/kernel/avx512_bytes.hpp>
#include <bigsmall/kernel/avx512_fields.hpp>
#include <bigsmall/kernel/avx512_galois.hpp>
#include <bigsmall/kernel/avx512_symbols.hpp>
#include <bigsmall/kernel/avx512_wavelet.hpp>
#include <bigsmall/kernel/scalar.hpp>
#include <bigsmall/kernel/x86_targets.hpp>

BIGSMALL_BEGIN_AVX512

namespace bigsmall::kernel::avx512 {

inline bool line_aligned(const std::uint8_t* to) noexcept { return reinterpret_cast<std::uintptr_t>(to) % 64 == 0; }

/// Past the caches when streaming: a line that is written whole need not be read first. `to` is then line-aligned, and
/// a fence must follow before another thread looks.
template <bool Streaming>
BIGSMALL_TARGET_AVX512 inline void store_64(std::uint8_t* to, __m512i x) noexcept {
    if constexpr (Streaming)
        _mm512_stream_si512(reinterpret_cast<__m512i*>(to), x);
    else
        _mm512_storeu_si512(to, x);
}

template <int Rotation>
BIGSMALL_TARGET_AVX512 inline void split16(const std::uint8_t* words, std::size_t count,
                                           std::uint8_t* const* planes) noexcept {
    std::size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        __m512i x = _mm512_loadu_si512(words + 2 * i);
        if constexpr (Rotation == 1) x = _mm512_or_si512(_mm512_slli_epi16(x, 1), _mm512_srli_epi16(x, 15));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(planes[0] + i), _mm512_cvtepi16_epi8(x));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(planes[1] + i), _mm512_cvtepi16_epi8(_mm512_srli_epi16(x, 8)));
    }
    std::uint8_t* const rest[] = {planes[0] + i, planes[1] + i};
    scalar::split<std::uint16_t, Rotation>(words + 2 * i, count - i, rest);
}

/// Byte i of the first plane to byte 2 i, byte i of the second to byte 2 i + 1: for the lower and the upper 32 bytes.
struct weaving_indices {
    alignas(64) std::uint8_t lower[64], upper[64];
};
inline constexpr weaving_indices weaving = [] {
    weaving_indices made{};
    for (std::uint8_t i = 0; i < 64; ++i) {
        made.lower[i] = static_cast<std::uint8_t>(i / 2 + i % 2 * 64);
        made.upper[i] = static_cast<std::uint8_t>(32 + i / 2 + i % 2 * 64);
    }
    return made;
}();

template <int Rotation, bool Streaming = false>
BIGSMALL_TARGET_AVX512 inline void merge16(const std::uint8_t* const* planes, std::size_t count,
                                           std::uint8_t* words) noexcept {
    if (Streaming && !line_aligned(words)) return merge16<Rotation>(planes, count, words);
    const __m512i lower = _mm512_load_si512(weaving.lower), upper = _mm512_load_si512(weaving.upper);
    std::size_t i = 0;
    for (; i + 64 <= count; i += 64) {
        const __m512i low = _mm512_loadu_si512(planes[0] + i), high = _mm512_loadu_si512(planes[1] + i);
        __m512i a = _mm512_permutex2var_epi8(low, lower, high), b = _mm512_permutex2var_epi8(low, upper, high);
        if constexpr (Rotation == 1) { // a word joined to itself and shifted is rotated
            a = _mm512_shrdi_epi16(a, a, 1);
            b = _mm512_shrdi_epi16(b, b, 1);
        }
        store_64<Streaming>(words + 2 * i, a);
        store_64<Streaming>(words + 2 * i + 64, b);
    }
    if (Streaming) _mm_sfence();
    const std::uint8_t* const rest[] = {planes[0] + i, planes[1] + i};
    scalar::merge<std::uint16_t, Rotation>(rest, count - i, words + 2 * i);
}

template <bool Streaming>
BIGSMALL_TARGET_AVX512 inline void join_words(const std::uint8_t* lead, const std::uint8_t* six, std::size_t count,
                                              std::uint8_t first, std::uint8_t* words) noexcept {
    if (Streaming && !line_aligned(words)) return join_words<false>(lead, six, count, first, words);
    const __m512i lower = _mm512_load_si512(weaving.lower), upper = _mm512_load_si512(weaving.upper);
    std::size_t i = 0;
    for (; i + 64 <= count; i += 64) {
        const joined_fields joined = join_64(lead + i, six + i / 4 * 3, first);
        const __m512i a = _mm512_permutex2var_epi8(joined.next, lower, joined.top);
        const __m512i b = _mm512_permutex2var_epi8(joined.next, upper, joined.top);
        store_64<Streaming>(words + 2 * i, _mm512_shrdi_epi16(a, a, 1));
        store_64<Streaming>(words + 2 * i + 64, _mm512_shrdi_epi16(b, b, 1));
    }
    if (Streaming) _mm_sfence();
    scalar::join_words(lead + i, six + i / 4 * 3, count - i, first, words + 2 * i);
}

template <int Rotation>
BIGSMALL_TARGET_AVX512 inline void split32(const std::uint8_t* words, std::size_t count,
                                           std::uint8_t* const* planes) noexcept {
    std::size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        __m512i x = _mm512_loadu_si512(words + 4 * i);
        if constexpr (Rotation == 1) x = _mm512_rol_epi32(x, 1);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(planes[0] + i), _mm512_cvtepi32_epi8(x));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(planes[1] + i), _mm512_cvtepi32_epi8(_mm512_srli_epi32(x, 8)));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(planes[2] + i), _mm512_cvtepi32_epi8(_mm512_srli_epi32(x, 16)));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(planes[3] + i), _mm512_cvtepi32_epi8(_mm512_srli_epi32(x, 24)));
    }
    std::uint8_t* const rest[] = {planes[0] + i, planes[1] + i, planes[2] + i, planes[3] + i};
    scalar::split<std::uint32_t, Rotation>(words + 4 * i, count - i, rest);
}

BIGSMALL_TARGET_AVX512 inline __m512i widen16(const std::uint8_t* bytes) noexcept {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes)));
}

template <int Rotation, bool Streaming = false>
BIGSMALL_TARGET_AVX512 inline void merge32(const std::uint8_t* const* planes, std::size_t count,
                                           std::uint8_t* words) noexcept {
    if (Streaming && !line_aligned(words)) return merge32<Rotation>(planes, count, words);
    std::size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const __m512i lower = _mm512_or_si512(widen16(planes[0] + i), _mm512_slli_epi32(widen16(planes[1] + i), 8));
        const __m512i upper = _mm512_or_si512(_mm512_slli_epi32(widen16(planes[2] + i), 16),
                                              _mm512_slli_epi32(widen16(planes[3] + i), 24));
        __m512i x = _mm512_or_si512(lower, upper);
        if constexpr (Rotation == 1) x = _mm512_ror_epi32(x, 1);
        store_64<Streaming>(words + 4 * i, x);
    }
    if (Streaming) _mm_sfence();
    const std::uint8_t* const rest[] = {planes[0] + i, planes[1] + i, planes[2] + i, planes[3] + i};
    scalar::merge<std::uint32_t, Rotation>(rest, count - i, words + 4 * i);
}

// Sixteen lanes of one round; the lanes that ran low take consecutive words in lane order, which is what
// expansion under a mask does.
BIGSMALL_TARGET_AVX512 inline __m512i rans_sixteen(const std::uint32_t* slots, __m512i state,
                                                   rans_cursor& at) noexcept {
    const __m512i low12 = _mm512_set1_epi32(0xfff);
    const __m512i slot = _mm512_i32gather_epi32(_mm512_and_si512(state, low12), slots, 4);
    state = _mm512_add_epi32(_mm512_mullo_epi32(_mm512_srli_epi32(slot, 20), _mm512_srli_epi32(state, 12)),
                             _mm512_and_si512(_mm512_srli_epi32(slot, 8), low12));
    const __mmask16 ran_low = _mm512_cmplt_epu32_mask(state, _mm512_set1_epi32(0x10000));
    const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at.words));
    const __m512i placed = _mm512_cvtepu16_epi32(_mm256_maskz_expand_epi16(ran_low, words));
    at.words += 2 * static_cast<unsigned>(__builtin_popcount(ran_low));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(at.symbols), _mm512_cvtepi32_epi8(slot));
    at.symbols += 16;
    return _mm512_mask_or_epi32(state, ran_low, _mm512_slli_epi32(state, 16), placed);
}

BIGSMALL_TARGET_AVX512 inline void rans_rounds(const std::uint32_t* slots, rans_cursor& at) noexcept {
    __m512i s0 = _mm512_loadu_si512(at.states), s1 = _mm512_loadu_si512(at.states + 16);
    rans_cursor local = at;
    while (local.words_end - local.words >= 64 && local.symbols_end - local.symbols >= 32) {
        s0 = rans_sixteen(slots, s0, local);
        s1 = rans_sixteen(slots, s1, local);
    }
    at = local;
    _mm512_storeu_si512(at.states, s0);
    _mm512_storeu_si512(at.states + 16, s1);
}

/// x / frequency in eight lanes; exact, see scalar::exact_quotient.
BIGSMALL_TARGET_AVX512 inline __m256i exact_quotients(__m256i x, __m256i frequency) noexcept {
    const __m512d dividend = _mm512_add_pd(_mm512_cvtepu32_pd(x), _mm512_set1_pd(0.5));
    return _mm512_cvttpd_epu32(_mm512_div_pd(dividend, _mm512_cvtepu32_pd(frequency)));
}

BIGSMALL_TARGET_AVX512 inline __m512i exact_quotients(__m512i x, __m512i frequency) noexcept {
    const __m256i lower = exact_quotients(_mm512_castsi512_si256(x), _mm512_castsi512_si256(frequency));
    const __m256i upper = exact_quotients(_mm512_extracti64x4_epi64(x, 1), _mm512_extracti64x4_epi64(frequency, 1));
    return _mm512_inserti64x4(_mm512_castsi256_si512(lower), upper, 1);
}

// Sixteen lanes: the full ones move a word out. Compression keeps lane order, and the block of words goes right below
// the last one, which is where the scalar loop, running lanes downwards, would put them.
BIGSMALL_TARGET_AVX512 inline __m512i rans_push_sixteen(const std::uint32_t* codings, const std::uint8_t* symbols,
                                                        __m512i x, std::uint8_t*& words) noexcept {
    const __m512i coding = _mm512_i32gather_epi32(widen16(symbols), codings, 4);
    const __m512i frequency = _mm512_and_si512(coding, _mm512_set1_epi32(0xfff));
    const __mmask16 full = _mm512_cmpge_epu32_mask(x, _mm512_slli_epi32(frequency, 20));
    const auto count = static_cast<unsigned>(__builtin_popcount(full));
    words -= 2 * count;
    // A store under a mask: nothing above the last word may be touched.
    _mm256_mask_storeu_epi16(words, static_cast<__mmask16>((1u << count) - 1),
                             _mm256_maskz_compress_epi16(full, _mm512_cvtepi32_epi16(x)));
    x = _mm512_mask_srli_epi32(x, full, x, 16);
    const __m512i quotient = exact_quotients(x, frequency);
    const __m512i remainder = _mm512_sub_epi32(x, _mm512_mullo_epi32(quotient, frequency));
    return _mm512_add_epi32(_mm512_add_epi32(_mm512_slli_epi32(quotient, 12), _mm512_srli_epi32(coding, 12)),
                            remainder);
}

BIGSMALL_TARGET_AVX512 inline std::uint8_t* rans_encode_rounds(const std::uint32_t* codings,
                                                               const std::uint8_t* symbols, std::size_t rounds,
                                                               std::uint32_t* states,
                                                               std::uint8_t* words_end) noexcept {
    __m512i s0 = _mm512_loadu_si512(states), s1 = _mm512_loadu_si512(states + 16);
    std::uint8_t* words = words_end;
    while (rounds-- > 0) {
        s1 = rans_push_sixteen(codings, symbols + 32 * rounds + 16, s1, words);
        s0 = rans_push_sixteen(codings, symbols + 32 * rounds, s0, words);
    }
    _mm512_storeu_si512(states, s0);
    _mm512_storeu_si512(states + 16, s1);
    return words;
}

inline constexpr table cached_functions{
    "avx512",
    {split16<0>, split32<0>, scalar::split<std::uint64_t, 0>},
    {merge16<0>, merge32<0>, scalar::merge<std::uint64_t, 0>},
    {split16<1>, split32<1>, scalar::split<std::uint64_t, 1>},
    {merge16<1>, merge32<1>, scalar::merge<std::uint64_t, 1>},
    avx2::histogram,
    rans_rounds,
    rans_encode_rounds,
    {count_ones, weave_leaves, weave_leaf, weave, part<false, false>, part<false, true>, part<true, true>, remap},
    part_fields,
    join_fields,
    join_words<false>,
    {part_bytes<2>, part_bytes<3>},
    {join_bytes<2, false>, join_bytes<3, false>},
    differences_table,
    galois_table,
    nullptr,
};

inline constexpr table streaming_functions = [] {
    table streaming = cached_functions;
    streaming.merge_rotated[0] = merge16<1, true>;
    streaming.merge_rotated[1] = merge32<1, true>;
    streaming.join_words = join_words<true>;
    streaming.join_bytes[0] = join_bytes<2, true>;
    streaming.join_bytes[1] = join_bytes<3, true>;
    return streaming;
}();

inline constexpr table functions = [] {
    table with_streaming = cached_functions;
    with_streaming.streaming = &streaming_functions;
    return with_streaming;
}();

} // namespace bigsmall::kernel::avx512

BIGSMALL_END_AVX512

#endif
