// SPDX-License-Identifier: BSL-1.0
// Differences to a base with AVX2; see scalar_differences.hpp for what they are.
#pragma once

#if defined(__x86_64__)

#include <array>
#include <cstddef>
#include <cstdint>
#include <immintrin.h>

#include <bigsmall/kernel/scalar_differences.hpp>
#include <bigsmall/kernel/x86_targets.hpp>

namespace bigsmall::kernel::avx2 {

BIGSMALL_TARGET_AVX2 inline __m256i load_32(const std::uint8_t* from) noexcept {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}
BIGSMALL_TARGET_AVX2 inline void keep_32(std::uint8_t* to, __m256i x) noexcept {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), x);
}

/// Arithmetic of lanes as wide as Word.
template <class Word>
struct lanes;

template <>
struct lanes<std::uint8_t> {
    BIGSMALL_TARGET_AVX2 static __m256i add(__m256i a, __m256i b) noexcept { return _mm256_add_epi8(a, b); }
    BIGSMALL_TARGET_AVX2 static __m256i sub(__m256i a, __m256i b) noexcept { return _mm256_sub_epi8(a, b); }
    BIGSMALL_TARGET_AVX2 static __m256i sign(__m256i x) noexcept {
        return _mm256_cmpgt_epi8(_mm256_setzero_si256(), x);
    }
    BIGSMALL_TARGET_AVX2 static __m256i half(__m256i x) noexcept {
        return _mm256_and_si256(_mm256_srli_epi16(x, 1), _mm256_set1_epi8(0x7f));
    }
    BIGSMALL_TARGET_AVX2 static __m256i all(std::uint64_t x) noexcept { return _mm256_set1_epi8(static_cast<char>(x)); }
};
template <>
struct lanes<std::uint16_t> {
    BIGSMALL_TARGET_AVX2 static __m256i add(__m256i a, __m256i b) noexcept { return _mm256_add_epi16(a, b); }
    BIGSMALL_TARGET_AVX2 static __m256i sub(__m256i a, __m256i b) noexcept { return _mm256_sub_epi16(a, b); }
    BIGSMALL_TARGET_AVX2 static __m256i sign(__m256i x) noexcept { return _mm256_srai_epi16(x, 15); }
    BIGSMALL_TARGET_AVX2 static __m256i half(__m256i x) noexcept { return _mm256_srli_epi16(x, 1); }
    BIGSMALL_TARGET_AVX2 static __m256i all(std::uint64_t x) noexcept {
        return _mm256_set1_epi16(static_cast<short>(x));
    }
};
template <>
struct lanes<std::uint32_t> {
    BIGSMALL_TARGET_AVX2 static __m256i add(__m256i a, __m256i b) noexcept { return _mm256_add_epi32(a, b); }
    BIGSMALL_TARGET_AVX2 static __m256i sub(__m256i a, __m256i b) noexcept { return _mm256_sub_epi32(a, b); }
    BIGSMALL_TARGET_AVX2 static __m256i sign(__m256i x) noexcept { return _mm256_srai_epi32(x, 31); }
    BIGSMALL_TARGET_AVX2 static __m256i half(__m256i x) noexcept { return _mm256_srli_epi32(x, 1); }
    BIGSMALL_TARGET_AVX2 static __m256i all(std::uint64_t x) noexcept { return _mm256_set1_epi32(static_cast<int>(x)); }
};
template <>
struct lanes<std::uint64_t> {
    BIGSMALL_TARGET_AVX2 static __m256i add(__m256i a, __m256i b) noexcept { return _mm256_add_epi64(a, b); }
    BIGSMALL_TARGET_AVX2 static __m256i sub(__m256i a, __m256i b) noexcept { return _mm256_sub_epi64(a, b); }
    BIGSMALL_TARGET_AVX2 static __m256i sign(__m256i x) noexcept {
        return _mm256_cmpgt_epi64(_mm256_setzero_si256(), x);
    }
    BIGSMALL_TARGET_AVX2 static __m256i half(__m256i x) noexcept { return _mm256_srli_epi64(x, 1); }
    BIGSMALL_TARGET_AVX2 static __m256i all(std::uint64_t x) noexcept {
        return _mm256_set1_epi64x(static_cast<long long>(x));
    }
};

template <class Word>
BIGSMALL_TARGET_AVX2 inline __m256i ordered_lanes(__m256i x) noexcept {
    const __m256i magnitude = lanes<Word>::all(std::numeric_limits<Word>::max() >> 1);
    return _mm256_xor_si256(x, _mm256_and_si256(lanes<Word>::sign(x), magnitude));
}

template <class Word, bool Floats>
BIGSMALL_TARGET_AVX2 inline void differences(const std::uint8_t* words, const std::uint8_t* base, std::size_t count,
                                             std::uint8_t* zigzags) noexcept {
    using of = lanes<Word>;
    constexpr std::size_t step = 32 / sizeof(Word);
    std::size_t i = 0;
    for (; i + step <= count; i += step) {
        __m256i x = load_32(words + i * sizeof(Word)), b = load_32(base + i * sizeof(Word));
        if constexpr (Floats) {
            x = ordered_lanes<Word>(x);
            b = ordered_lanes<Word>(b);
        }
        const __m256i d = of::sub(x, b);
        keep_32(zigzags + i * sizeof(Word), _mm256_xor_si256(of::add(d, d), of::sign(d)));
    }
    scalar::differences<Word, Floats>(words + i * sizeof(Word), base + i * sizeof(Word), count - i,
                                      zigzags + i * sizeof(Word));
}

template <class Word, bool Floats>
BIGSMALL_TARGET_AVX2 inline void restore(const std::uint8_t* zigzags, const std::uint8_t* base, std::size_t count,
                                         std::uint8_t* words) noexcept {
    using of = lanes<Word>;
    constexpr std::size_t step = 32 / sizeof(Word);
    const __m256i one = of::all(1);
    std::size_t i = 0;
    for (; i + step <= count; i += step) {
        const __m256i z = load_32(zigzags + i * sizeof(Word));
        __m256i b = load_32(base + i * sizeof(Word));
        if constexpr (Floats) b = ordered_lanes<Word>(b);
        const __m256i negative = of::sub(_mm256_setzero_si256(), _mm256_and_si256(z, one));
        __m256i x = of::add(b, _mm256_xor_si256(of::half(z), negative));
        if constexpr (Floats) x = ordered_lanes<Word>(x);
        keep_32(words + i * sizeof(Word), x);
    }
    scalar::restore<Word, Floats>(zigzags + i * sizeof(Word), base + i * sizeof(Word), count - i,
                                  words + i * sizeof(Word));
}

BIGSMALL_TARGET_AVX2 inline void contexts8(const std::uint8_t* base, std::size_t count, const context_rule& rule,
                                           std::uint8_t* out) noexcept {
    const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(rule.shift));
    const __m256i mask = lanes<std::uint8_t>::all(rule.mask), kept = lanes<std::uint8_t>::all(0xffu >> rule.shift);
    const __m256i offset = lanes<std::uint8_t>::all(rule.offset < 255 ? rule.offset : 255);
    std::size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        const __m256i place = _mm256_srl_epi16(_mm256_and_si256(load_32(base + i), mask), shift);
        keep_32(out + i, _mm256_subs_epu8(_mm256_and_si256(place, kept), offset));
    }
    scalar::contexts<std::uint8_t>(base + i, count - i, rule, out + i);
}

BIGSMALL_TARGET_AVX2 inline __m256i context16(const std::uint8_t* base, __m256i mask, __m128i shift,
                                              __m256i offset) noexcept {
    const __m256i place = _mm256_srl_epi16(_mm256_and_si256(load_32(base), mask), shift);
    return _mm256_min_epu16(_mm256_subs_epu16(place, offset), _mm256_set1_epi16(255));
}

BIGSMALL_TARGET_AVX2 inline void contexts16(const std::uint8_t* base, std::size_t count, const context_rule& rule,
                                            std::uint8_t* out) noexcept {
    const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(rule.shift));
    const __m256i mask = lanes<std::uint16_t>::all(rule.mask);
    const __m256i offset = lanes<std::uint16_t>::all(rule.offset < 0xffff ? rule.offset : 0xffff);
    std::size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        const __m256i a = context16(base + 2 * i, mask, shift, offset);
        const __m256i b = context16(base + 2 * i + 32, mask, shift, offset);
        keep_32(out + i, _mm256_permute4x64_epi64(_mm256_packus_epi16(a, b), 0xd8));
    }
    scalar::contexts<std::uint16_t>(base + 2 * i, count - i, rule, out + i);
}

BIGSMALL_TARGET_AVX2 inline __m256i context32(const std::uint8_t* base, __m256i mask, __m128i shift,
                                              __m256i offset) noexcept {
    const __m256i place = _mm256_srl_epi32(_mm256_and_si256(load_32(base), mask), shift);
    return _mm256_min_epu32(_mm256_sub_epi32(_mm256_max_epu32(place, offset), offset), _mm256_set1_epi32(255));
}

/// Four vectors of 32-bit lanes below 256 as bytes, in order.
BIGSMALL_TARGET_AVX2 inline __m256i packed_bytes(__m256i a, __m256i b, __m256i c, __m256i d) noexcept {
    const __m256i mixed = _mm256_packus_epi16(_mm256_packus_epi32(a, b), _mm256_packus_epi32(c, d));
    return _mm256_permutevar8x32_epi32(mixed, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

BIGSMALL_TARGET_AVX2 inline void contexts32(const std::uint8_t* base, std::size_t count, const context_rule& rule,
                                            std::uint8_t* out) noexcept {
    const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(rule.shift));
    const __m256i mask = lanes<std::uint32_t>::all(rule.mask);
    const __m256i offset = lanes<std::uint32_t>::all(rule.offset < 0xffffffffu ? rule.offset : 0xffffffffu);
    std::size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        const std::uint8_t* const at = base + 4 * i;
        keep_32(out + i,
                packed_bytes(context32(at, mask, shift, offset), context32(at + 32, mask, shift, offset),
                             context32(at + 64, mask, shift, offset), context32(at + 96, mask, shift, offset)));
    }
    scalar::contexts<std::uint32_t>(base + 4 * i, count - i, rule, out + i);
}

/// 32 symbols, and the low bits of as many words packed by PEXT, which takes those of eight words at once.
BIGSMALL_TARGET_AVX2 inline void part_symbols16(const std::uint8_t* zigzags, std::size_t count, unsigned low_bits,
                                                std::uint8_t* symbols, std::uint8_t* low) noexcept {
    const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(low_bits));
    const __m256i most = _mm256_set1_epi16(255), low_mask = _mm256_set1_epi16(static_cast<short>((1u << low_bits) - 1));
    const std::uint64_t each_low = 0x0101010101010101u * ((1u << low_bits) - 1);
    std::size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        const __m256i a = load_32(zigzags + 2 * i), b = load_32(zigzags + 2 * i + 32);
        const __m256i top = _mm256_packus_epi16(_mm256_min_epu16(_mm256_srl_epi16(a, shift), most),
                                                _mm256_min_epu16(_mm256_srl_epi16(b, shift), most));
        keep_32(symbols + i, _mm256_permute4x64_epi64(top, 0xd8));
        if (low_bits == 0) continue;
        const __m256i rest = _mm256_packus_epi16(_mm256_and_si256(a, low_mask), _mm256_and_si256(b, low_mask));
        alignas(32) std::uint64_t eights[4];
        _mm256_store_si256(reinterpret_cast<__m256i*>(eights), _mm256_permute4x64_epi64(rest, 0xd8));
        for (const std::uint64_t eight : eights) {
            store_le<std::uint64_t>(low, _pext_u64(eight, each_low));
            low += low_bits;
        }
    }
    scalar::part_symbols<std::uint16_t>(zigzags + 2 * i, count - i, low_bits, symbols + i, low);
}

BIGSMALL_TARGET_AVX2 inline void join_symbols16(const std::uint8_t* symbols, const std::uint8_t* low, std::size_t count,
                                                unsigned low_bits, std::uint8_t* zigzags) noexcept {
    const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(low_bits));
    const std::uint64_t each_low = 0x0101010101010101u * ((1u << low_bits) - 1);
    std::size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        __m256i z = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(symbols + i)));
        if (low_bits != 0) {
            const std::uint64_t first = _pdep_u64(load_le<std::uint64_t>(low), each_low);
            const std::uint64_t second = _pdep_u64(load_le<std::uint64_t>(low + low_bits), each_low);
            low += 2 * low_bits;
            const __m128i rest = _mm_set_epi64x(static_cast<long long>(second), static_cast<long long>(first));
            z = _mm256_or_si256(_mm256_sll_epi16(z, shift), _mm256_cvtepu8_epi16(rest));
        }
        keep_32(zigzags + 2 * i, z);
    }
    scalar::join_symbols<std::uint16_t>(symbols + i, low, count - i, low_bits, zigzags + 2 * i);
}

/// Where eight numbers of so many bits lie: for each of 32-bit lanes the four bytes that hold it, and its first bit
/// there. The upper four begin in the byte `upper`.
struct low_bit_places {
    alignas(32) std::uint8_t bytes[32];
    alignas(32) std::uint32_t shifts[8];
    std::size_t upper;
};
inline constexpr auto places_of_low_bits = [] {
    std::array<low_bit_places, 25> made{};
    for (std::size_t bits = 0; bits < made.size(); ++bits) {
        made[bits].upper = 4 * bits / 8;
        for (std::size_t word = 0; word < 8; ++word) {
            const std::size_t first = word * bits, byte = first / 8 - (word < 4 ? 0 : made[bits].upper);
            for (std::size_t k = 0; k < 4; ++k)
                made[bits].bytes[4 * word + k] = static_cast<std::uint8_t>(byte + k);
            made[bits].shifts[word] = static_cast<std::uint32_t>(first % 8);
        }
    }
    return made;
}();

BIGSMALL_TARGET_AVX2 inline void join_symbols32(const std::uint8_t* symbols, const std::uint8_t* low, std::size_t count,
                                                unsigned low_bits, std::uint8_t* zigzags) noexcept {
    const low_bit_places& places = places_of_low_bits[low_bits];
    const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(low_bits));
    const __m256i low_mask = _mm256_set1_epi32(static_cast<int>((1u << low_bits) - 1));
    const __m256i bytes = load_32(places.bytes), shifts = load_32(reinterpret_cast<const std::uint8_t*>(places.shifts));
    std::size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const __m128i lower = _mm_loadu_si128(reinterpret_cast<const __m128i*>(low));
        const __m128i upper = _mm_loadu_si128(reinterpret_cast<const __m128i*>(low + places.upper));
        const __m256i packed = _mm256_inserti128_si256(_mm256_castsi128_si256(lower), upper, 1);
        const __m256i rest = _mm256_srlv_epi32(_mm256_shuffle_epi8(packed, bytes), shifts);
        const __m256i top = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(symbols + i)));
        keep_32(zigzags + 4 * i, _mm256_or_si256(_mm256_sll_epi32(top, shift), _mm256_and_si256(rest, low_mask)));
        low += low_bits;
    }
    scalar::join_symbols<std::uint32_t>(symbols + i, low, count - i, low_bits, zigzags + 4 * i);
}

/// The symbols alone; the low bits are the portable function's.
BIGSMALL_TARGET_AVX2 inline void part_symbols32(const std::uint8_t* zigzags, std::size_t count, unsigned low_bits,
                                                std::uint8_t* symbols, std::uint8_t* low) noexcept {
    const __m128i shift = _mm_cvtsi32_si128(static_cast<int>(low_bits));
    const __m256i most = _mm256_set1_epi32(255);
    const std::uint64_t two_low = (0x100000001u * ((std::uint64_t{1} << low_bits) - 1));
    std::uint64_t pending = 0;
    unsigned held = 0;
    std::size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        __m256i tops[4];
        for (std::size_t k = 0; k < 4; ++k)
            tops[k] = _mm256_min_epu32(_mm256_srl_epi32(load_32(zigzags + 4 * i + 32 * k), shift), most);
        keep_32(symbols + i, packed_bytes(tops[0], tops[1], tops[2], tops[3]));
        if (low_bits == 0) continue;
        for (std::size_t k = 0; k < 32; k += 2) { // two words have at most 48 bits
            pending |= _pext_u64(load_le<std::uint64_t>(zigzags + 4 * (i + k)), two_low) << held;
            held += 2 * low_bits;
            store_le<std::uint64_t>(low, pending);
            low += held / 8;
            pending >>= held & ~7u;
            held &= 7u;
        }
    }
    scalar::part_symbols<std::uint32_t>(zigzags + 4 * i, count - i, low_bits, symbols + i, low);
}

/// Up to 256 symbols: where they are 255. Without a branch on how many of 32 are, unless there are more than four,
/// which are written in any case (an idea of simdjson's). Returns how many; `places` has room for four more.
BIGSMALL_TARGET_AVX2 inline std::size_t find_escapes(const std::uint8_t* symbols, std::size_t count,
                                                     std::uint8_t* places) noexcept {
    const __m256i all_bits = _mm256_set1_epi8(-1);
    std::size_t found = 0, i = 0;
    for (; i + 32 <= count; i += 32) {
        const __m256i equal = _mm256_cmpeq_epi8(load_32(symbols + i), all_bits);
        auto escapes = static_cast<std::uint32_t>(_mm256_movemask_epi8(equal));
        const auto here = static_cast<std::size_t>(_mm_popcnt_u32(escapes));
        std::size_t k = 0;
        do {
            for (std::size_t four = 0; four < 4; ++four, ++k) {
                places[found + k] = static_cast<std::uint8_t>(i + _tzcnt_u32(escapes));
                escapes &= escapes - 1;
            }
        } while (k < here);
        found += here;
    }
    for (; i < count; ++i)
        if (symbols[i] == 255) places[found++] = static_cast<std::uint8_t>(i);
    return found;
}

template <class Word>
BIGSMALL_TARGET_AVX2 inline std::size_t add_rests(const std::uint8_t* symbols, std::size_t count,
                                                  const std::uint8_t* rests, unsigned low_bits,
                                                  std::uint8_t* zigzags) noexcept {
    constexpr std::size_t step = 256;
    std::array<std::uint8_t, step + 4> places;
    std::size_t added = 0;
    for (std::size_t i = 0; i < count; i += step) {
        const std::size_t found = find_escapes(symbols + i, count - i < step ? count - i : step, places.data());
        for (std::size_t k = 0; k < found; ++k, ++added)
            scalar::add_rest<Word>(rests + added * sizeof(Word), low_bits, zigzags + (i + places[k]) * sizeof(Word));
    }
    return added;
}

} // namespace bigsmall::kernel::avx2

#endif
