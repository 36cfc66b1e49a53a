// SPDX-License-Identifier: BSL-1.0
// Wavelet trees with AVX-512 VBMI2. A node of the tree is 64 bits of bitmap for 64 symbols a step: the expansion
// instruction spreads the next symbols of a child over the set bits, the compression does the inverse. No tables, no
// gathers, and the only chain from step to step is a population count. Idea: M. Zukowski, arXiv 2606.05765.
#pragma once

#if defined(__x86_64__)

#include <cstddef>
#include <cstdint>
#include <immintrin.h>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/kernel/x86_targets.hpp>

BIGSMALL_BEGIN_AVX512

namespace bigsmall::kernel::avx512 {

/// The last, incomplete word of a bitmap. A masked load touches no byte that its mask leaves out.
BIGSMALL_TARGET_AVX512 inline std::uint64_t last_bits(const std::uint8_t* bits, std::size_t count) noexcept {
    const auto bytes = static_cast<__mmask16>((1u << ((count + 7) / 8)) - 1);
    const auto word = static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_maskz_loadu_epi8(bytes, bits)));
    return _bzhi_u64(word, static_cast<unsigned>(count));
}

/// 64 bytes in a register. The expansion that reads memory itself, into which compilers would fold the load, is slow on
/// Zen 4: it may touch only the bytes that it places.
BIGSMALL_TARGET_AVX512 inline __m512i in_register(const std::uint8_t* from) noexcept {
    __m512i loaded = _mm512_loadu_si512(from);
    asm("" : "+v"(loaded));
    return loaded;
}

BIGSMALL_TARGET_AVX512 inline std::size_t ones_in(std::uint64_t word) noexcept {
    return static_cast<std::size_t>(_mm_popcnt_u64(word));
}

BIGSMALL_TARGET_AVX512 inline std::size_t count_ones(const std::uint8_t* bits, std::size_t count) noexcept {
    std::size_t i = 0;
    __m512i sums = _mm512_setzero_si512();
    for (; i + 512 <= count; i += 512)
        sums = _mm512_add_epi64(sums, _mm512_popcnt_epi64(_mm512_loadu_si512(bits + i / 8)));
    auto ones = static_cast<std::size_t>(_mm512_reduce_add_epi64(sums));
    for (; i + 64 <= count; i += 64)
        ones += ones_in(load_le<std::uint64_t>(bits + i / 8));
    return ones + (i < count ? ones_in(last_bits(bits + i / 8, count - i)) : 0);
}

BIGSMALL_TARGET_AVX512 inline void weave_leaves(const std::uint8_t* bits, std::size_t count, std::uint8_t zero,
                                                std::uint8_t one, std::uint8_t* out) noexcept {
    const __m512i zeros = _mm512_set1_epi8(static_cast<char>(zero)), ones = _mm512_set1_epi8(static_cast<char>(one));
    std::size_t i = 0;
    for (; i + 64 <= count; i += 64)
        _mm512_storeu_si512(out + i, _mm512_mask_blend_epi8(load_le<std::uint64_t>(bits + i / 8), zeros, ones));
    if (i == count) return;
    const std::uint64_t word = last_bits(bits + i / 8, count - i);
    _mm512_mask_storeu_epi8(out + i, (std::uint64_t{1} << (count - i)) - 1, _mm512_mask_blend_epi8(word, zeros, ones));
}

BIGSMALL_TARGET_AVX512 inline std::size_t weave_leaf(const std::uint8_t* bits, std::size_t count, std::uint8_t zero,
                                                     const std::uint8_t* ones, std::uint8_t* out) noexcept {
    const __m512i zeros = _mm512_set1_epi8(static_cast<char>(zero));
    const std::uint8_t* const first_one = ones;
    std::size_t i = 0;
    for (; i + 64 <= count; i += 64) {
        const std::uint64_t word = load_le<std::uint64_t>(bits + i / 8);
        _mm512_storeu_si512(out + i, _mm512_mask_expand_epi8(zeros, word, in_register(ones)));
        ones += ones_in(word);
    }
    const auto taken = static_cast<std::size_t>(ones - first_one);
    if (i == count) return taken;
    const std::uint64_t word = last_bits(bits + i / 8, count - i);
    _mm512_mask_storeu_epi8(out + i, (std::uint64_t{1} << (count - i)) - 1,
                            _mm512_mask_expand_epi8(zeros, word, in_register(ones)));
    return taken + ones_in(word);
}

/// The next zeros where the word has none, the next ones where it has. The first expansion keeps what was loaded
/// instead of zeros, since the second replaces it: into a register that has nothing to do with it, Zen 4 expands only
/// when the last expansion into that register is done, which took 1.7 times as long.
BIGSMALL_TARGET_AVX512 inline __m512i woven(std::uint64_t word, const std::uint8_t* zeros,
                                            const std::uint8_t* ones) noexcept {
    const __m512i loaded = in_register(zeros);
    return _mm512_mask_expand_epi8(_mm512_mask_expand_epi8(loaded, ~word, loaded), word, in_register(ones));
}

BIGSMALL_TARGET_AVX512 inline std::size_t weave(const std::uint8_t* bits, std::size_t count, const std::uint8_t* zeros,
                                                const std::uint8_t* ones, std::uint8_t* out) noexcept {
    const std::uint8_t* const first_one = ones;
    std::size_t i = 0;
    for (; i + 64 <= count; i += 64) {
        const std::uint64_t word = load_le<std::uint64_t>(bits + i / 8);
        _mm512_storeu_si512(out + i, woven(word, zeros, ones));
        const std::size_t step = ones_in(word);
        ones += step;
        zeros += 64 - step;
    }
    const auto taken = static_cast<std::size_t>(ones - first_one);
    if (i == count) return taken;
    const std::uint64_t word = last_bits(bits + i / 8, count - i);
    _mm512_mask_storeu_epi8(out + i, (std::uint64_t{1} << (count - i)) - 1, woven(word, zeros, ones));
    return taken + ones_in(word);
}

// Compression into a register and a full store: the form that stores only the selected bytes is microcoded on Zen 4.
template <bool KeepZeros, bool KeepOnes>
BIGSMALL_TARGET_AVX512 inline std::size_t part(const std::uint8_t* symbols, std::size_t count, std::uint8_t first_one,
                                               std::uint8_t* bits, std::uint8_t* zeros, std::uint8_t* ones) noexcept {
    const __m512i threshold = _mm512_set1_epi8(static_cast<char>(first_one));
    std::size_t taken = 0;
    for (std::size_t i = 0; i < count; i += 64) {
        const std::size_t here = count - i < 64 ? count - i : 64;
        const std::uint64_t valid = here == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << here) - 1;
        const __m512i x = _mm512_maskz_loadu_epi8(valid, symbols + i);
        const std::uint64_t word = _mm512_cmpge_epu8_mask(x, threshold) & valid;
        if (here == 64)
            store_le<std::uint64_t>(bits + i / 8, word);
        else
            for (std::size_t k = 0; k < (here + 7) / 8; ++k)
                bits[i / 8 + k] = static_cast<std::uint8_t>(word >> (8 * k));
        if constexpr (KeepZeros) _mm512_storeu_si512(zeros + (i - taken), _mm512_maskz_compress_epi8(~word & valid, x));
        if constexpr (KeepOnes) _mm512_storeu_si512(ones + taken, _mm512_maskz_compress_epi8(word, x));
        taken += ones_in(word);
    }
    return taken;
}

BIGSMALL_TARGET_AVX512 inline void remap(const std::uint8_t* symbols, std::size_t count, const std::uint8_t* map,
                                         std::uint8_t* out) noexcept {
    const __m512i a = _mm512_loadu_si512(map), b = _mm512_loadu_si512(map + 64);
    const __m512i c = _mm512_loadu_si512(map + 128), d = _mm512_loadu_si512(map + 192);
    std::size_t i = 0;
    for (; i + 64 <= count; i += 64) {
        const __m512i x = _mm512_loadu_si512(symbols + i);
        const __m512i lower = _mm512_permutex2var_epi8(a, x, b), upper = _mm512_permutex2var_epi8(c, x, d);
        _mm512_storeu_si512(out + i, _mm512_mask_blend_epi8(_mm512_movepi8_mask(x), lower, upper));
    }
    for (; i < count; ++i)
        out[i] = map[symbols[i]];
}

} // namespace bigsmall::kernel::avx512

BIGSMALL_END_AVX512

#endif
