// SPDX-License-Identifier: BSL-1.0
// AVX2 kernels. Every function names its target itself, so the including file needs no -m flag and one program
// can hold several instruction sets without breaking the one-definition rule.
#pragma once

#if defined(__x86_64__)

#include <array>
#include <cstddef>
#include <cstdint>
#include <immintrin.h>

#include <bigsmall/kernel/avx2_bytes.hpp>
#include <bigsmall/kernel/avx2_classes.hpp>
#include <bigsmall/kernel/avx2_fields.hpp>
#include <bigsmall/kernel/avx2_galois.hpp>
#include <bigsmall/kernel/avx2_symbols.hpp>
#include <bigsmall/kernel/avx2_wavelet.hpp>
#include <bigsmall/kernel/scalar.hpp>
#include <bigsmall/kernel/x86_targets.hpp>

namespace bigsmall::kernel::avx2 {

inline bool half_line_aligned(const std::uint8_t* to) noexcept {
    return reinterpret_cast<std::uintptr_t>(to) % 32 == 0;
}

/// Past the caches when streaming: lines that are written whole need not be read first. `to` is then aligned, and a
/// fence must follow before another thread looks.
template <bool Streaming>
BIGSMALL_TARGET_AVX2 inline void store_32(std::uint8_t* to, __m256i x) noexcept {
    if constexpr (Streaming)
        _mm256_stream_si256(reinterpret_cast<__m256i*>(to), x);
    else
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), x);
}

template <int Rotation>
BIGSMALL_TARGET_AVX2 inline void split16(const std::uint8_t* words, std::size_t count,
                                         std::uint8_t* const* planes) noexcept {
    const __m256i low_byte = _mm256_set1_epi16(0xff);
    std::size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words + 2 * i));
        __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words + 2 * i + 32));
        if constexpr (Rotation == 1) {
            a = _mm256_or_si256(_mm256_add_epi16(a, a), _mm256_srli_epi16(a, 15));
            b = _mm256_or_si256(_mm256_add_epi16(b, b), _mm256_srli_epi16(b, 15));
        }
        // packus works within 128-bit halves; 0xd8 swaps the middle quarters back into order.
        const __m256i low = _mm256_packus_epi16(_mm256_and_si256(a, low_byte), _mm256_and_si256(b, low_byte));
        const __m256i high = _mm256_packus_epi16(_mm256_srli_epi16(a, 8), _mm256_srli_epi16(b, 8));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(planes[0] + i), _mm256_permute4x64_epi64(low, 0xd8));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(planes[1] + i), _mm256_permute4x64_epi64(high, 0xd8));
    }
    std::uint8_t* const rest[] = {planes[0] + i, planes[1] + i};
    scalar::split<std::uint16_t, Rotation>(words + 2 * i, count - i, rest);
}

template <int Rotation, bool Streaming = false>
BIGSMALL_TARGET_AVX2 inline void merge16(const std::uint8_t* const* planes, std::size_t count,
                                         std::uint8_t* words) noexcept {
    if (Streaming && !half_line_aligned(words)) return merge16<Rotation>(planes, count, words);
    std::size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        const __m256i low =
            _mm256_permute4x64_epi64(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(planes[0] + i)), 0xd8);
        const __m256i high =
            _mm256_permute4x64_epi64(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(planes[1] + i)), 0xd8);
        __m256i a = _mm256_unpacklo_epi8(low, high);
        __m256i b = _mm256_unpackhi_epi8(low, high);
        if constexpr (Rotation == 1) {
            a = _mm256_or_si256(_mm256_srli_epi16(a, 1), _mm256_slli_epi16(a, 15));
            b = _mm256_or_si256(_mm256_srli_epi16(b, 1), _mm256_slli_epi16(b, 15));
        }
        store_32<Streaming>(words + 2 * i, a);
        store_32<Streaming>(words + 2 * i + 32, b);
    }
    if (Streaming) _mm_sfence();
    const std::uint8_t* const rest[] = {planes[0] + i, planes[1] + i};
    scalar::merge<std::uint16_t, Rotation>(rest, count - i, words + 2 * i);
}

template <bool Streaming>
BIGSMALL_TARGET_AVX2 inline void join_words(const std::uint8_t* lead, const std::uint8_t* six, std::size_t count,
                                            std::uint8_t first, std::uint8_t* words) noexcept {
    if (Streaming && !half_line_aligned(words)) return join_words<false>(lead, six, count, first, words);
    std::size_t i = 0;
    for (; i + 40 <= count; i += 32) {
        const joined_fields joined = join_32(lead + i, six + i / 4 * 3, first);
        const __m256i low = _mm256_permute4x64_epi64(joined.next, 0xd8);
        const __m256i high = _mm256_permute4x64_epi64(joined.top, 0xd8);
        const __m256i a = _mm256_unpacklo_epi8(low, high), b = _mm256_unpackhi_epi8(low, high);
        store_32<Streaming>(words + 2 * i, _mm256_or_si256(_mm256_srli_epi16(a, 1), _mm256_slli_epi16(a, 15)));
        store_32<Streaming>(words + 2 * i + 32, _mm256_or_si256(_mm256_srli_epi16(b, 1), _mm256_slli_epi16(b, 15)));
    }
    if (Streaming) _mm_sfence();
    scalar::join_words(lead + i, six + i / 4 * 3, count - i, first, words + 2 * i);
}

template <int Rotation>
BIGSMALL_TARGET_AVX2 inline void split32(const std::uint8_t* words, std::size_t count,
                                         std::uint8_t* const* planes) noexcept {
    // Within each half: the four lowest bytes, then the four second bytes, ...; then the halves are woven together.
    const __m256i by_byte = _mm256_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, //
                                             0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m256i weave = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    std::size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(words + 4 * i));
        if constexpr (Rotation == 1) x = _mm256_or_si256(_mm256_add_epi32(x, x), _mm256_srli_epi32(x, 31));
        x = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(x, by_byte), weave);
        const __m128i lower = _mm256_castsi256_si128(x);
        const __m128i upper = _mm256_extracti128_si256(x, 1);
        _mm_storel_epi64(reinterpret_cast<__m128i*>(planes[0] + i), lower);
        _mm_storel_epi64(reinterpret_cast<__m128i*>(planes[1] + i), _mm_unpackhi_epi64(lower, lower));
        _mm_storel_epi64(reinterpret_cast<__m128i*>(planes[2] + i), upper);
        _mm_storel_epi64(reinterpret_cast<__m128i*>(planes[3] + i), _mm_unpackhi_epi64(upper, upper));
    }
    std::uint8_t* const rest[] = {planes[0] + i, planes[1] + i, planes[2] + i, planes[3] + i};
    scalar::split<std::uint32_t, Rotation>(words + 4 * i, count - i, rest);
}

BIGSMALL_TARGET_AVX2 inline __m256i widen8(const std::uint8_t* bytes) noexcept {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(bytes)));
}

template <int Rotation, bool Streaming = false>
BIGSMALL_TARGET_AVX2 inline void merge32(const std::uint8_t* const* planes, std::size_t count,
                                         std::uint8_t* words) noexcept {
    if (Streaming && !half_line_aligned(words)) return merge32<Rotation>(planes, count, words);
    std::size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const __m256i lower = _mm256_or_si256(widen8(planes[0] + i), _mm256_slli_epi32(widen8(planes[1] + i), 8));
        const __m256i upper =
            _mm256_or_si256(_mm256_slli_epi32(widen8(planes[2] + i), 16), _mm256_slli_epi32(widen8(planes[3] + i), 24));
        __m256i x = _mm256_or_si256(lower, upper);
        if constexpr (Rotation == 1) x = _mm256_or_si256(_mm256_srli_epi32(x, 1), _mm256_slli_epi32(x, 31));
        store_32<Streaming>(words + 4 * i, x);
    }
    if (Streaming) _mm_sfence();
    const std::uint8_t* const rest[] = {planes[0] + i, planes[1] + i, planes[2] + i, planes[3] + i};
    scalar::merge<std::uint32_t, Rotation>(rest, count - i, words + 4 * i);
}

/// expand_lanes[m] sends the k-th loaded word to the k-th set bit of m (one byte per lane; others are not used).
inline constexpr auto expand_lanes = [] {
    std::array<std::array<std::uint8_t, 8>, 256> lanes{};
    for (std::size_t mask = 0; mask < 256; ++mask) {
        std::uint8_t next = 0;
        for (std::size_t lane = 0; lane < 8; ++lane)
            if (mask >> lane & 1) lanes[mask][lane] = next++;
    }
    return lanes;
}();

/// compress_lanes[m] brings the lanes of the set bits of m to the end, in order (the rest is not used).
inline constexpr auto compress_lanes = [] {
    std::array<std::array<std::uint8_t, 8>, 256> lanes{};
    for (std::size_t mask = 0; mask < 256; ++mask) {
        std::size_t next = 8;
        for (std::uint8_t lane = 8; lane-- > 0;)
            if (mask >> lane & 1) lanes[mask][--next] = lane;
    }
    return lanes;
}();

// Eight lanes of one round: gather the slots, advance, and refill the lanes that ran low from consecutive words.
BIGSMALL_TARGET_AVX2 inline __m256i rans_eight(const std::uint32_t* slots, __m256i state, rans_cursor& at) noexcept {
    const __m256i low12 = _mm256_set1_epi32(0xfff);
    const __m256i slot = _mm256_i32gather_epi32(reinterpret_cast<const int*>(slots), _mm256_and_si256(state, low12), 4);
    state = _mm256_add_epi32(_mm256_mullo_epi32(_mm256_srli_epi32(slot, 20), _mm256_srli_epi32(state, 12)),
                             _mm256_and_si256(_mm256_srli_epi32(slot, 8), low12));
    const __m256i ran_low = _mm256_cmpeq_epi32(_mm256_srli_epi32(state, 16), _mm256_setzero_si256());
    const auto mask = static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(ran_low)));
    const __m256i words = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at.words)));
    const __m256i placed = _mm256_permutevar8x32_epi32(words, widen8(expand_lanes[mask].data()));
    at.words += 2 * static_cast<unsigned>(__builtin_popcount(mask));
    // The lowest byte of each slot is the symbol: collect eight of them.
    const __m256i gathered =
        _mm256_shuffle_epi8(slot, _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, //
                                                   -1, -1, -1, -1, 0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1));
    const __m128i symbols = _mm_or_si128(_mm256_castsi256_si128(gathered), _mm256_extracti128_si256(gathered, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(at.symbols), symbols);
    at.symbols += 8;
    return _mm256_blendv_epi8(state, _mm256_or_si256(_mm256_slli_epi32(state, 16), placed), ran_low);
}

BIGSMALL_TARGET_AVX2 inline void rans_rounds(const std::uint32_t* slots, rans_cursor& at) noexcept {
    auto* states = reinterpret_cast<__m256i*>(at.states);
    __m256i s0 = _mm256_loadu_si256(states), s1 = _mm256_loadu_si256(states + 1);
    __m256i s2 = _mm256_loadu_si256(states + 2), s3 = _mm256_loadu_si256(states + 3);
    rans_cursor local = at;
    while (local.words_end - local.words >= 64 && local.symbols_end - local.symbols >= 32) {
        s0 = rans_eight(slots, s0, local);
        s1 = rans_eight(slots, s1, local);
        s2 = rans_eight(slots, s2, local);
        s3 = rans_eight(slots, s3, local);
    }
    at = local;
    _mm256_storeu_si256(states, s0);
    _mm256_storeu_si256(states + 1, s1);
    _mm256_storeu_si256(states + 2, s2);
    _mm256_storeu_si256(states + 3, s3);
}

/// x / frequency in four lanes, below 2^20; exact, see scalar::exact_quotient. There is no unsigned conversion: x is
/// converted as a signed number around 2^31.
BIGSMALL_TARGET_AVX2 inline __m128i exact_quotients(__m128i x, __m128i frequency) noexcept {
    const __m128i around_zero = _mm_xor_si128(x, _mm_set1_epi32(static_cast<int>(0x80000000u)));
    const __m256d dividend = _mm256_add_pd(_mm256_cvtepi32_pd(around_zero), _mm256_set1_pd(2147483648.5));
    return _mm256_cvttpd_epi32(_mm256_div_pd(dividend, _mm256_cvtepi32_pd(frequency)));
}

BIGSMALL_TARGET_AVX2 inline __m256i exact_quotients(__m256i x, __m256i frequency) noexcept {
    const __m128i lower = exact_quotients(_mm256_castsi256_si128(x), _mm256_castsi256_si128(frequency));
    const __m128i upper = exact_quotients(_mm256_extracti128_si256(x, 1), _mm256_extracti128_si256(frequency, 1));
    return _mm256_inserti128_si256(_mm256_castsi128_si256(lower), upper, 1);
}

// Eight lanes: the full ones move a word out, in lane order, right below the words that are there. All eight words are
// stored so that they end there; what lies below the words that count is overwritten by the next ones.
BIGSMALL_TARGET_AVX2 inline __m256i rans_push_eight(const std::uint32_t* codings, const std::uint8_t* symbols,
                                                    __m256i x, std::uint8_t*& words) noexcept {
    const __m256i coding = _mm256_i32gather_epi32(reinterpret_cast<const int*>(codings), widen8(symbols), 4);
    const __m256i frequency = _mm256_and_si256(coding, _mm256_set1_epi32(0xfff));
    // x >= f << 20 for unsigned numbers: the larger of both is x.
    const __m256i full = _mm256_cmpeq_epi32(_mm256_max_epu32(x, _mm256_slli_epi32(frequency, 20)), x);
    const auto mask = static_cast<unsigned>(_mm256_movemask_ps(_mm256_castsi256_ps(full)));
    const __m256i packed = _mm256_permutevar8x32_epi32(x, widen8(compress_lanes[mask].data()));
    const __m256i low_words = _mm256_and_si256(packed, _mm256_set1_epi32(0xffff));
    const __m128i eight_words =
        _mm_packus_epi32(_mm256_castsi256_si128(low_words), _mm256_extracti128_si256(low_words, 1));
    const auto count = static_cast<unsigned>(__builtin_popcount(mask));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(words - 16), eight_words);
    words -= 2 * count;
    x = _mm256_blendv_epi8(x, _mm256_srli_epi32(x, 16), full);
    const __m256i quotient = exact_quotients(x, frequency);
    const __m256i remainder = _mm256_sub_epi32(x, _mm256_mullo_epi32(quotient, frequency));
    return _mm256_add_epi32(_mm256_add_epi32(_mm256_slli_epi32(quotient, 12), _mm256_srli_epi32(coding, 12)),
                            remainder);
}

BIGSMALL_TARGET_AVX2 inline std::uint8_t* rans_encode_rounds(const std::uint32_t* codings, const std::uint8_t* symbols,
                                                             std::size_t rounds, std::uint32_t* states,
                                                             std::uint8_t* words_end) noexcept {
    __m256i lanes[4];
    for (std::size_t k = 0; k < 4; ++k)
        lanes[k] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(states + 8 * k));
    std::uint8_t* words = words_end;
    while (rounds-- > 0)
        for (std::size_t k = 4; k-- > 0;)
            lanes[k] = rans_push_eight(codings, symbols + 32 * rounds + 8 * k, lanes[k], words);
    for (std::size_t k = 0; k < 4; ++k)
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(states + 8 * k), lanes[k]);
    return words;
}

inline constexpr table cached_functions{
    "avx2",
    {split16<0>, split32<0>, scalar::split<std::uint64_t, 0>},
    {merge16<0>, merge32<0>, scalar::merge<std::uint64_t, 0>},
    {split16<1>, split32<1>, scalar::split<std::uint64_t, 1>},
    {merge16<1>, merge32<1>, scalar::merge<std::uint64_t, 1>},
    histogram,
    rans_rounds,
    rans_encode_rounds,
    {count_ones, weave_leaves, weave_leaf, weave, part<false, false>, part<false, true>, part<true, true>,
     remap},
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

} // namespace bigsmall::kernel::avx2

#endif
