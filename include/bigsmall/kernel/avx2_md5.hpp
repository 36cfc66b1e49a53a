// SPDX-License-Identifier: BSL-1.0
// MD5 (RFC 1321) of eight messages side by side with AVX2. One message is a chain in which each step waits for the one
// before, so that a processor has most of its units idle; eight chains take half as long again as one.
#pragma once

#if defined(__x86_64__)

#include <array>
#include <cstddef>
#include <cstdint>
#include <immintrin.h>

#include <bigsmall/kernel/md5_states.hpp>
#include <bigsmall/kernel/x86_targets.hpp>

namespace bigsmall::kernel::avx2 {

namespace md5 {

/// floor(2^32 |sin(i + 1)|).
inline constexpr std::array<std::uint32_t, 64> sines = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};

inline constexpr int rotations[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

/// The word of the block that step i of a round takes is (factor * i + first) % 16.
inline constexpr int factors[4] = {1, 5, 3, 7}, firsts[4] = {0, 1, 5, 0};

/// The function of a round, added to `sum`. In the second round its two terms have no bits in common: the one without
/// b, which comes last, is added early.
template <int Round>
BIGSMALL_TARGET_AVX2 inline __m256i mixed(__m256i sum, __m256i b, __m256i c, __m256i d) noexcept {
    __m256i last;
    if constexpr (Round == 0) last = _mm256_xor_si256(d, _mm256_and_si256(b, _mm256_xor_si256(c, d)));
    if constexpr (Round == 1) {
        sum = _mm256_add_epi32(sum, _mm256_andnot_si256(d, c));
        last = _mm256_and_si256(b, d);
    }
    if constexpr (Round == 2) last = _mm256_xor_si256(b, _mm256_xor_si256(c, d));
    if constexpr (Round == 3)
        last = _mm256_xor_si256(c, _mm256_or_si256(b, _mm256_xor_si256(d, _mm256_set1_epi32(-1))));
    return _mm256_add_epi32(sum, last);
}

/// Step number I of a round; `a` becomes what the next one calls b.
template <int Round, int I>
BIGSMALL_TARGET_AVX2 inline void step(__m256i& a, __m256i b, __m256i c, __m256i d, const __m256i* block) noexcept {
    constexpr int left = rotations[Round][I % 4];
    const __m256i sine = _mm256_set1_epi32(static_cast<int>(sines[16 * Round + I]));
    const __m256i known = _mm256_add_epi32(block[(factors[Round] * I + firsts[Round]) % 16], sine);
    const __m256i sum = mixed<Round>(_mm256_add_epi32(a, known), b, c, d);
    a = _mm256_add_epi32(b, _mm256_or_si256(_mm256_slli_epi32(sum, left), _mm256_srli_epi32(sum, 32 - left)));
}

template <int Round, int First>
BIGSMALL_TARGET_AVX2 inline void four_steps(__m256i (&state)[4], const __m256i* block) noexcept {
    auto& [a, b, c, d] = state;
    step<Round, First>(a, b, c, d, block);
    step<Round, First + 1>(d, a, b, c, block);
    step<Round, First + 2>(c, d, a, b, block);
    step<Round, First + 3>(b, c, d, a, block);
}

template <int Round>
BIGSMALL_TARGET_AVX2 inline void round(__m256i (&state)[4], const __m256i* block) noexcept {
    four_steps<Round, 0>(state, block);
    four_steps<Round, 4>(state, block);
    four_steps<Round, 8>(state, block);
    four_steps<Round, 12>(state, block);
}

/// 32 bytes of each message become eight vectors of the messages' words.
BIGSMALL_TARGET_AVX2 inline void transpose(const std::uint8_t* const* messages, std::size_t at,
                                           __m256i* words) noexcept {
    __m256i pairs[8], fours[8];
    for (std::size_t m = 0; m < 8; m += 2) {
        const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(messages[m] + at));
        const __m256i y = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(messages[m + 1] + at));
        pairs[m] = _mm256_unpacklo_epi32(x, y);
        pairs[m + 1] = _mm256_unpackhi_epi32(x, y);
    }
    for (std::size_t half = 0; half < 8; half += 4)
        for (std::size_t k = 0; k < 2; ++k) {
            fours[half + 2 * k] = _mm256_unpacklo_epi64(pairs[half + k], pairs[half + k + 2]);
            fours[half + 2 * k + 1] = _mm256_unpackhi_epi64(pairs[half + k], pairs[half + k + 2]);
        }
    for (std::size_t w = 0; w < 4; ++w) {
        words[w] = _mm256_permute2x128_si256(fours[w], fours[w + 4], 0x20);
        words[w + 4] = _mm256_permute2x128_si256(fours[w], fours[w + 4], 0x31);
    }
}

} // namespace md5

/// An md5_blocks_function.
BIGSMALL_TARGET_AVX2 inline void md5_blocks(md5_states& states, const std::uint8_t* const* messages,
                                            std::size_t blocks) noexcept {
    __m256i state[4], block[16];
    for (std::size_t w = 0; w < 4; ++w)
        state[w] = _mm256_load_si256(reinterpret_cast<const __m256i*>(states.words[w]));
    for (std::size_t at = 0; at < 64 * blocks; at += 64) {
        md5::transpose(messages, at, block);
        md5::transpose(messages, at + 32, block + 8);
        __m256i next[4] = {state[0], state[1], state[2], state[3]};
        md5::round<0>(next, block);
        md5::round<1>(next, block);
        md5::round<2>(next, block);
        md5::round<3>(next, block);
        for (std::size_t w = 0; w < 4; ++w)
            state[w] = _mm256_add_epi32(state[w], next[w]);
    }
    for (std::size_t w = 0; w < 4; ++w)
        _mm256_store_si256(reinterpret_cast<__m256i*>(states.words[w]), state[w]);
}

} // namespace bigsmall::kernel::avx2

#endif
