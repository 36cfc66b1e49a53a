// SPDX-License-Identifier: BSL-1.0
// Symbols sorted by the class of their context with AVX2, and back: eight symbols a step and class, one byte shuffle
// each, its control looked up by eight bits that say which contexts are of the class.
#pragma once

#if defined(__x86_64__)

#include <array>
#include <cstddef>
#include <cstdint>
#include <immintrin.h>

#include <bigsmall/kernel/avx2_differences.hpp>
#include <bigsmall/kernel/avx2_wavelet.hpp>
#include <bigsmall/kernel/scalar_differences.hpp>
#include <bigsmall/kernel/x86_targets.hpp>

namespace bigsmall::kernel::avx2 {

/// expand[m]: the k-th input at the k-th set bit of m, zeros at the others; compress[m]: the inputs of the set bits
/// first.
struct byte_moves {
    alignas(8) std::uint8_t expand[256][8];
    alignas(8) std::uint8_t compress[256][8];
};
inline constexpr byte_moves moves = [] {
    byte_moves made{};
    for (std::size_t mask = 0; mask < 256; ++mask) {
        std::uint8_t next = 0;
        for (std::uint8_t k = 0; k < 8; ++k) {
            made.expand[mask][k] = 0x80;
            if ((mask >> k & 1) == 0) continue;
            made.compress[mask][next] = k;
            made.expand[mask][k] = next++;
        }
    }
    return made;
}();

/// A bit for each context at or above a limit.
BIGSMALL_TARGET_AVX2 inline std::uint32_t not_below(__m256i contexts, std::uint8_t limit) noexcept {
    const __m256i least = _mm256_set1_epi8(static_cast<char>(limit));
    const __m256i above = _mm256_cmpeq_epi8(_mm256_max_epu8(contexts, least), contexts);
    return static_cast<std::uint32_t>(_mm256_movemask_epi8(above));
}

/// For each class the contexts in it, as bits.
BIGSMALL_TARGET_AVX2 inline void find_members(__m256i contexts, const context_classes& classes,
                                              std::uint32_t* members) noexcept {
    std::uint32_t here = 0xffffffffu;
    for (std::size_t c = 0; c + 1 < classes.classes; ++c) {
        const std::uint32_t above = not_below(contexts, classes.limits[c]);
        members[c] = here & ~above;
        here = above;
    }
    members[classes.classes - 1] = here;
}

BIGSMALL_TARGET_AVX2 inline void count_classes(const std::uint8_t* contexts, std::size_t count,
                                               const context_classes& classes, std::size_t* sizes) noexcept {
    std::size_t above[context_classes::most] = {}; // contexts at or above each limit
    std::size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        const __m256i x = load_32(contexts + i);
        for (std::size_t c = 0; c + 1 < classes.classes; ++c)
            above[c] += static_cast<std::size_t>(_mm_popcnt_u32(not_below(x, classes.limits[c])));
    }
    std::size_t here = i;
    for (std::size_t c = 0; c + 1 < classes.classes; ++c) {
        sizes[c] += here - above[c];
        here = above[c];
    }
    sizes[classes.classes - 1] += here;
    scalar::count_classes(contexts + i, count - i, classes, sizes);
}

BIGSMALL_TARGET_AVX2 inline void sort_classes(const std::uint8_t* contexts, const std::uint8_t* symbols,
                                              std::size_t count, const context_classes& classes,
                                              std::uint8_t** next) noexcept {
    std::uint32_t members[context_classes::most];
    std::size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        find_members(load_32(contexts + i), classes, members);
        const __m128i eights[4] = {eight_at(symbols + i), eight_at(symbols + i + 8), eight_at(symbols + i + 16),
                                   eight_at(symbols + i + 24)};
        for (std::size_t c = 0; c < classes.classes; ++c) {
            std::uint8_t* to = next[c];
            for (unsigned k = 0; k < 4; ++k) {
                const unsigned mask = members[c] >> (8 * k) & 0xffu;
                const __m128i together = _mm_shuffle_epi8(eights[k], eight_at(moves.compress[mask]));
                _mm_storel_epi64(reinterpret_cast<__m128i*>(to), together);
                to += _mm_popcnt_u32(mask);
            }
            next[c] = to;
        }
    }
    scalar::sort_classes(contexts + i, symbols + i, count - i, classes, next);
}

/// Two classes are woven: one shuffle for both.
BIGSMALL_TARGET_AVX2 inline void unsort_two(const std::uint8_t* contexts, std::size_t count,
                                            const context_classes& classes, const std::uint8_t** next,
                                            std::uint8_t* symbols) noexcept {
    const std::uint8_t *zeros = next[0], *ones = next[1];
    std::size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        const std::uint32_t above = not_below(load_32(contexts + i), classes.limits[0]);
        for (unsigned k = 0; k < 4; ++k) {
            const unsigned mask = above >> (8 * k) & 0xffu;
            weave_eight(mask, _mm_unpacklo_epi64(eight_at(zeros), eight_at(ones)), symbols + i + 8 * k);
            const int taken = _mm_popcnt_u32(mask);
            ones += taken;
            zeros += 8 - taken;
        }
    }
    next[0] = zeros;
    next[1] = ones;
    scalar::unsort_classes(contexts + i, count - i, classes, next, symbols + i);
}

BIGSMALL_TARGET_AVX2 inline void unsort_classes(const std::uint8_t* contexts, std::size_t count,
                                                const context_classes& classes, const std::uint8_t** next,
                                                std::uint8_t* symbols) noexcept {
    if (classes.classes == 2) return unsort_two(contexts, count, classes, next, symbols);
    std::uint32_t members[context_classes::most];
    std::size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        find_members(load_32(contexts + i), classes, members);
        __m128i eights[4] = {_mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128(), _mm_setzero_si128()};
        for (std::size_t c = 0; c < classes.classes; ++c) {
            const std::uint8_t* from = next[c];
            for (unsigned k = 0; k < 4; ++k) {
                const unsigned mask = members[c] >> (8 * k) & 0xffu;
                const __m128i apart = _mm_shuffle_epi8(eight_at(from), eight_at(moves.expand[mask]));
                eights[k] = _mm_or_si128(eights[k], apart);
                from += _mm_popcnt_u32(mask);
            }
            next[c] = from;
        }
        const __m128i lower = _mm_unpacklo_epi64(eights[0], eights[1]);
        const __m128i upper = _mm_unpacklo_epi64(eights[2], eights[3]);
        keep_32(symbols + i, _mm256_inserti128_si256(_mm256_castsi128_si256(lower), upper, 1));
    }
    scalar::unsort_classes(contexts + i, count - i, classes, next, symbols + i);
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
    {contexts8, contexts16, contexts32, scalar::contexts<std::uint64_t>},
    {scalar::part_symbols<std::uint8_t>, part_symbols16, part_symbols32, scalar::part_symbols<std::uint64_t>},
    {scalar::join_symbols<std::uint8_t>, join_symbols16, join_symbols32, scalar::join_symbols<std::uint64_t>},
    count_classes,
    sort_classes,
    unsort_classes,
};

} // namespace bigsmall::kernel::avx2

#endif
