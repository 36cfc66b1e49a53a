// SPDX-License-Identifier: BSL-1.0
// Symbols counted and looked up with AVX2.
#pragma once

#if defined(__x86_64__)

#include <cstddef>
#include <cstdint>
#include <immintrin.h>

#include <bigsmall/kernel/avx2_differences.hpp>
#include <bigsmall/kernel/avx2_fields.hpp>
#include <bigsmall/kernel/scalar.hpp>
#include <bigsmall/kernel/x86_targets.hpp>

namespace bigsmall::kernel::avx2 {

/// How many vectors of `count` bytes are counted at once: counters of one byte hold no more than 255.
inline std::size_t vectors_to_count(std::size_t count) noexcept { return count / 32 < 255 ? count / 32 : 255; }

BIGSMALL_TARGET_AVX2 inline std::uint8_t least_byte(const std::uint8_t* bytes, std::size_t vectors) noexcept {
    __m256i least = _mm256_set1_epi8(-1);
    for (std::size_t i = 0; i < vectors; ++i)
        least = _mm256_min_epu8(least, load_32(bytes + 32 * i));
    alignas(32) std::uint8_t each[32];
    _mm256_store_si256(reinterpret_cast<__m256i*>(each), least);
    std::uint8_t found = each[0];
    for (const std::uint8_t byte : each)
        found = byte < found ? byte : found;
    return found;
}

BIGSMALL_TARGET_AVX2 inline std::uint32_t sum_of_counters(__m256i counters) noexcept {
    const __m256i sums = _mm256_sad_epu8(counters, _mm256_setzero_si256());
    const __m128i both = _mm_add_epi64(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
    return static_cast<std::uint32_t>(_mm_cvtsi128_si32(_mm_add_epi64(both, _mm_unpackhi_epi64(both, both))));
}

/// A bit for each byte at or above `least`.
BIGSMALL_TARGET_AVX2 inline std::uint32_t not_below(__m256i x, __m256i least) noexcept {
    return static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_max_epu8(x, least), x)));
}

/// Counts the four values from `first` on, and returns how many bytes have one of them.
BIGSMALL_TARGET_AVX2 inline std::size_t count_four(const std::uint8_t* bytes, std::size_t vectors, std::size_t first,
                                                   std::uint32_t* counts) noexcept {
    const __m256i one = _mm256_set1_epi8(1);
    const __m256i a = every_byte(static_cast<unsigned>(first)), b = _mm256_add_epi8(a, one);
    const __m256i c = _mm256_add_epi8(b, one), d = _mm256_add_epi8(c, one);
    __m256i of_a = _mm256_setzero_si256(), of_b = of_a, of_c = of_a, of_d = of_a;
    for (std::size_t i = 0; i < vectors; ++i) {
        const __m256i x = load_32(bytes + 32 * i);
        of_a = _mm256_sub_epi8(of_a, _mm256_cmpeq_epi8(x, a));
        of_b = _mm256_sub_epi8(of_b, _mm256_cmpeq_epi8(x, b));
        of_c = _mm256_sub_epi8(of_c, _mm256_cmpeq_epi8(x, c));
        of_d = _mm256_sub_epi8(of_d, _mm256_cmpeq_epi8(x, d));
    }
    const std::uint32_t sums[4] = {sum_of_counters(of_a), sum_of_counters(of_b), sum_of_counters(of_c),
                                   sum_of_counters(of_d)};
    for (std::size_t k = 0; k < 4; ++k)
        counts[first + k] += sums[k];
    return std::size_t{sums[0]} + sums[1] + sums[2] + sums[3];
}

/// Most symbols are small, or lie close together: from the least value on, four are compared with 32 bytes at once,
/// until few bytes are left, which are counted one by one. Returns how many that were.
BIGSMALL_TARGET_AVX2 inline std::size_t count_vectors(const std::uint8_t* bytes, std::size_t vectors,
                                                      std::uint32_t* counts) noexcept {
    constexpr std::size_t most_compared = 96; // more take longer than counting one by one
    const std::size_t least = least_byte(bytes, vectors), few = vectors;
    std::size_t left = 32 * vectors, value = least;
    for (; left > few && value < least + most_compared && value + 4 <= 256; value += 4)
        left -= count_four(bytes, vectors, value, counts);
    if (left == 0) return 0; // as there is no value left, or nobody has one
    const __m256i limit = every_byte(static_cast<unsigned>(value));
    for (std::size_t i = 0; i < vectors; ++i) {
        std::uint32_t some = not_below(load_32(bytes + 32 * i), limit);
        for (; some != 0; some &= some - 1)
            ++counts[bytes[32 * i + _tzcnt_u32(some)]];
    }
    return left;
}

BIGSMALL_TARGET_AVX2 inline void histogram(const std::uint8_t* bytes, std::size_t count,
                                           std::uint32_t* counts) noexcept {
    while (count >= 2048) { // fewer are not worth it
        const std::size_t vectors = vectors_to_count(count);
        const std::size_t left = count_vectors(bytes, vectors, counts);
        bytes += 32 * vectors;
        count -= 32 * vectors;
        if (left > 4 * vectors) break; // one in eight
    }
    scalar::histogram(bytes, count, counts);
}

/// Sixteen values share a row of the map; rows of nothing but zeros are left out. In the row of other values a byte
/// shuffle finds a zero, for their index has its top bit set.
BIGSMALL_TARGET_AVX2 inline void remap(const std::uint8_t* symbols, std::size_t count, const std::uint8_t* map,
                                       std::uint8_t* out) noexcept {
    __m256i rows[16], tags[16];
    std::size_t used = 0;
    for (std::size_t row = 0; row < 16; ++row) {
        const __m128i values = _mm_loadu_si128(reinterpret_cast<const __m128i*>(map + 16 * row));
        if (_mm_testz_si128(values, values) != 0) continue;
        rows[used] = _mm256_broadcastsi128_si256(values);
        tags[used++] = every_byte(static_cast<unsigned>(16 * row));
    }
    const __m256i above = _mm256_set1_epi8(0x70);
    std::size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        const __m256i x = load_32(symbols + i);
        __m256i found = _mm256_setzero_si256();
        for (std::size_t row = 0; row < used; ++row) {
            const __m256i index = _mm256_adds_epu8(_mm256_xor_si256(x, tags[row]), above);
            found = _mm256_or_si256(found, _mm256_shuffle_epi8(rows[row], index));
        }
        keep_32(out + i, found);
    }
    scalar::remap(symbols + i, count - i, map, out + i);
}

} // namespace bigsmall::kernel::avx2

#endif
