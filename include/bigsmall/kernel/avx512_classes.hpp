// SPDX-License-Identifier: BSL-1.0
// Symbols sorted by the class of their context with AVX-512 VBMI2, and back: compression and expansion under a mask, 64
// symbols a step and class. The number of classes is known when this is compiled, so limits and places stay in
// registers, which makes it twice as fast. This library's encoder makes up to six; more are left to the portable
// functions.
#pragma once

#if defined(__x86_64__)

#include <cstddef>
#include <cstdint>
#include <immintrin.h>
#include <type_traits>

#include <bigsmall/kernel/avx512_wavelet.hpp>
#include <bigsmall/kernel/scalar_differences.hpp>
#include <bigsmall/kernel/x86_targets.hpp>

BIGSMALL_BEGIN_AVX512

namespace bigsmall::kernel::avx512 {

constexpr std::uint64_t first_bits(std::size_t count) noexcept {
    return count >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}

template <std::size_t Classes>
struct class_limits {
    __m512i first[Classes]; ///< context of each class

    BIGSMALL_TARGET_AVX512 explicit class_limits(const context_classes& classes) noexcept {
        first[0] = _mm512_setzero_si512();
#pragma GCC unroll 8
        for (std::size_t c = 1; c < Classes; ++c)
            first[c] = _mm512_set1_epi8(static_cast<char>(classes.limits[c - 1]));
    }
};

/// The members of each class among up to 64 contexts, as bits.
template <std::size_t Classes>
struct class_members {
    std::uint64_t of[Classes];

    BIGSMALL_TARGET_AVX512 class_members(const std::uint8_t* contexts, std::uint64_t valid,
                                         const class_limits<Classes>& limits) noexcept {
        const __m512i x = _mm512_maskz_loadu_epi8(valid, contexts);
        of[0] = valid;
#pragma GCC unroll 8
        for (std::size_t c = 1; c < Classes; ++c) {
            of[c] = _mm512_mask_cmpge_epu8_mask(valid, x, limits.first[c]);
            of[c - 1] &= ~of[c];
        }
    }
};

template <std::size_t Classes>
BIGSMALL_TARGET_AVX512 inline void count_classes_of(const std::uint8_t* contexts, std::size_t count,
                                                    const context_classes& classes, std::size_t* sizes) noexcept {
    const class_limits<Classes> limits(classes);
    std::size_t counted[Classes] = {};
    for (std::size_t i = 0; i < count; i += 64) {
        const class_members<Classes> members(contexts + i, first_bits(count - i), limits);
#pragma GCC unroll 8
        for (std::size_t c = 0; c < Classes; ++c)
            counted[c] += ones_in(members.of[c]);
    }
    for (std::size_t c = 0; c < Classes; ++c)
        sizes[c] += counted[c];
}

template <std::size_t Classes>
BIGSMALL_TARGET_AVX512 inline void sort_classes_of(const std::uint8_t* contexts, const std::uint8_t* symbols,
                                                   std::size_t count, const context_classes& classes,
                                                   std::uint8_t** next) noexcept {
    const class_limits<Classes> limits(classes);
    std::uint8_t* to[Classes];
#pragma GCC unroll 8
    for (std::size_t c = 0; c < Classes; ++c)
        to[c] = next[c];
    for (std::size_t i = 0; i < count; i += 64) {
        const std::uint64_t valid = first_bits(count - i);
        const class_members<Classes> members(contexts + i, valid, limits);
        const __m512i x = _mm512_maskz_loadu_epi8(valid, symbols + i);
#pragma GCC unroll 8
        for (std::size_t c = 0; c < Classes; ++c) {
            _mm512_storeu_si512(to[c], _mm512_maskz_compress_epi8(members.of[c], x));
            to[c] += ones_in(members.of[c]);
        }
    }
#pragma GCC unroll 8
    for (std::size_t c = 0; c < Classes; ++c)
        next[c] = to[c];
}

template <std::size_t Classes>
BIGSMALL_TARGET_AVX512 inline void unsort_classes_of(const std::uint8_t* contexts, std::size_t count,
                                                     const context_classes& classes, const std::uint8_t** next,
                                                     std::uint8_t* symbols) noexcept {
    const class_limits<Classes> limits(classes);
    const std::uint8_t* from[Classes];
#pragma GCC unroll 8
    for (std::size_t c = 0; c < Classes; ++c)
        from[c] = next[c];
    for (std::size_t i = 0; i < count; i += 64) {
        const std::uint64_t valid = first_bits(count - i);
        const class_members<Classes> members(contexts + i, valid, limits);
        // All places are filled in the end: the first expansion may keep what was loaded, see woven().
        __m512i x = in_register(from[0]);
        x = _mm512_mask_expand_epi8(x, members.of[0], x);
        from[0] += ones_in(members.of[0]);
#pragma GCC unroll 8
        for (std::size_t c = 1; c < Classes; ++c) {
            x = _mm512_mask_expand_epi8(x, members.of[c], in_register(from[c]));
            from[c] += ones_in(members.of[c]);
        }
        _mm512_mask_storeu_epi8(symbols + i, valid, x);
    }
#pragma GCC unroll 8
    for (std::size_t c = 0; c < Classes; ++c)
        next[c] = from[c];
}

/// known(number of classes) where it is one of those that are compiled, else other().
template <class Known, class Other>
void by_classes(const context_classes& classes, const Known& known, const Other& other) noexcept {
    switch (classes.classes) {
    case 2: return known(std::integral_constant<std::size_t, 2>{});
    case 3: return known(std::integral_constant<std::size_t, 3>{});
    case 4: return known(std::integral_constant<std::size_t, 4>{});
    case 5: return known(std::integral_constant<std::size_t, 5>{});
    case 6: return known(std::integral_constant<std::size_t, 6>{});
    default: return other();
    }
}

inline void count_classes(const std::uint8_t* contexts, std::size_t count, const context_classes& classes,
                          std::size_t* sizes) noexcept {
    by_classes(
        classes, [&](auto n) { count_classes_of<n()>(contexts, count, classes, sizes); },
        [&] { scalar::count_classes(contexts, count, classes, sizes); });
}

inline void sort_classes(const std::uint8_t* contexts, const std::uint8_t* symbols, std::size_t count,
                         const context_classes& classes, std::uint8_t** next) noexcept {
    by_classes(
        classes, [&](auto n) { sort_classes_of<n()>(contexts, symbols, count, classes, next); },
        [&] { scalar::sort_classes(contexts, symbols, count, classes, next); });
}

inline void unsort_classes(const std::uint8_t* contexts, std::size_t count, const context_classes& classes,
                           const std::uint8_t** next, std::uint8_t* symbols) noexcept {
    by_classes(
        classes, [&](auto n) { unsort_classes_of<n()>(contexts, count, classes, next, symbols); },
        [&] { scalar::unsort_classes(contexts, count, classes, next, symbols); });
}

} // namespace bigsmall::kernel::avx512

BIGSMALL_END_AVX512

#endif
