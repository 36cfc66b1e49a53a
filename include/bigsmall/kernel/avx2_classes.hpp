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
#include <bigsmall/kernel/avx2_symbols.hpp>
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

/// For each class the contexts in it, as bits.
BIGSMALL_TARGET_AVX2 inline void find_members(__m256i contexts, const context_classes& classes,
                                              std::uint32_t* members) noexcept {
    std::uint32_t here = 0xffffffffu;
    for (std::size_t c = 0; c + 1 < classes.classes; ++c) {
        const std::uint32_t above = not_below(contexts, every_byte(classes.limits[c]));
        members[c] = here & ~above;
        here = above;
    }
    members[classes.classes - 1] = here;
}

/// How many contexts in some vectors, at most 255, are at or above a limit.
BIGSMALL_TARGET_AVX2 inline std::size_t count_not_below(const std::uint8_t* contexts, std::size_t vectors,
                                                        std::uint8_t limit) noexcept {
    const __m256i least = every_byte(limit);
    __m256i counters = _mm256_setzero_si256();
    for (std::size_t i = 0; i < vectors; ++i) {
        const __m256i x = load_32(contexts + 32 * i);
        counters = _mm256_sub_epi8(counters, _mm256_cmpeq_epi8(_mm256_max_epu8(x, least), x));
    }
    return sum_of_counters(counters);
}

BIGSMALL_TARGET_AVX2 inline void count_classes(const std::uint8_t* contexts, std::size_t count,
                                               const context_classes& classes, std::size_t* sizes) noexcept {
    while (count >= 32) {
        const std::size_t vectors = vectors_to_count(count);
        std::size_t here = 32 * vectors;
        contexts += here;
        count -= here;
        for (std::size_t c = 0; c + 1 < classes.classes; ++c) {
            const std::size_t above = count_not_below(contexts - 32 * vectors, vectors, classes.limits[c]);
            sizes[c] += here - above;
            here = above;
        }
        sizes[classes.classes - 1] += here;
    }
    scalar::count_classes(contexts, count, classes, sizes);
}

BIGSMALL_TARGET_AVX2 inline void keep_class(__m128i eight, std::uint32_t mask, std::uint8_t* to) noexcept {
    const __m128i together = _mm_shuffle_epi8(eight, eight_at(moves.compress[mask & 0xffu]));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), together);
}

BIGSMALL_TARGET_AVX2 inline void sort_classes(const std::uint8_t* contexts, const std::uint8_t* symbols,
                                              std::size_t count, const context_classes& classes,
                                              std::uint8_t** next) noexcept {
    std::uint32_t members[context_classes::most];
    std::size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        find_members(load_32(contexts + i), classes, members);
        const __m128i first = eight_at(symbols + i), second = eight_at(symbols + i + 8);
        const __m128i third = eight_at(symbols + i + 16), fourth = eight_at(symbols + i + 24);
        for (std::size_t c = 0; c < classes.classes; ++c) {
            const std::uint32_t here = members[c];
            std::uint8_t* const to = next[c];
            keep_class(first, here, to);
            keep_class(second, here >> 8, to + ones_of(here & 0xffu));
            keep_class(third, here >> 16, to + ones_of(here & 0xffffu));
            keep_class(fourth, here >> 24, to + ones_of(here & 0xffffffu));
            next[c] = to + ones_of(here);
        }
    }
    scalar::sort_classes(contexts + i, symbols + i, count - i, classes, next);
}

/// Two classes are woven: one shuffle for both.
BIGSMALL_TARGET_AVX2 inline void unsort_two(const std::uint8_t* contexts, std::size_t count,
                                            const context_classes& classes, const std::uint8_t** next,
                                            std::uint8_t* symbols) noexcept {
    std::size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        const std::uint32_t above = not_below(load_32(contexts + i), every_byte(classes.limits[0]));
        weave_32(above, next[0], next[1], symbols + i);
        next[0] += 32 - ones_of(above);
        next[1] += ones_of(above);
    }
    scalar::unsort_classes(contexts + i, count - i, classes, next, symbols + i);
}

/// `eight` with the next symbols of a class at the places of its members.
BIGSMALL_TARGET_AVX2 inline __m128i with_class(__m128i eight, std::uint32_t mask, const std::uint8_t* from) noexcept {
    return _mm_or_si128(eight, _mm_shuffle_epi8(eight_at(from), eight_at(moves.expand[mask & 0xffu])));
}

BIGSMALL_TARGET_AVX2 inline void unsort_classes(const std::uint8_t* contexts, std::size_t count,
                                                const context_classes& classes, const std::uint8_t** next,
                                                std::uint8_t* symbols) noexcept {
    if (classes.classes == 2) return unsort_two(contexts, count, classes, next, symbols);
    std::uint32_t members[context_classes::most];
    std::size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        find_members(load_32(contexts + i), classes, members);
        __m128i first = _mm_setzero_si128(), second = first, third = first, fourth = first;
        for (std::size_t c = 0; c < classes.classes; ++c) {
            const std::uint32_t here = members[c];
            const std::uint8_t* const from = next[c];
            first = with_class(first, here, from);
            second = with_class(second, here >> 8, from + ones_of(here & 0xffu));
            third = with_class(third, here >> 16, from + ones_of(here & 0xffffu));
            fourth = with_class(fourth, here >> 24, from + ones_of(here & 0xffffffu));
            next[c] = from + ones_of(here);
        }
        const __m128i lower = _mm_unpacklo_epi64(first, second), upper = _mm_unpacklo_epi64(third, fourth);
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
    {scalar::part_symbols8, part_symbols16, part_symbols32, scalar::part_symbols<std::uint64_t>},
    {scalar::join_symbols8, join_symbols16, join_symbols32, scalar::join_symbols<std::uint64_t>},
    {add_rests<std::uint8_t>, add_rests<std::uint16_t>, add_rests<std::uint32_t>, add_rests<std::uint64_t>},
    count_classes,
    sort_classes,
    unsort_classes,
};

} // namespace bigsmall::kernel::avx2

#endif
