// SPDX-License-Identifier: BSL-1.0
// The additive FFT and sums of products in GF(256) with AVX-512 BW; see scalar_galois.hpp for what they are.
//
// The order of the steps is that of avx2_galois.hpp.
#pragma once

#if defined(__x86_64__)

#include <cstddef>
#include <cstdint>
#include <immintrin.h>

#include <bigsmall/kernel/galois_field.hpp>
#include <bigsmall/kernel/scalar_galois.hpp>
#include <bigsmall/kernel/x86_targets.hpp>

BIGSMALL_BEGIN_AVX512

namespace bigsmall::kernel::avx512 {

BIGSMALL_TARGET_AVX512 inline __m512i product(const galois_products& with, __m512i x) noexcept {
    const __m512i low = _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(with.low)));
    const __m512i high = _mm512_broadcast_i32x4(_mm_load_si128(reinterpret_cast<const __m128i*>(with.high)));
    const __m512i four_bits = _mm512_set1_epi8(15);
    return _mm512_xor_si512(_mm512_shuffle_epi8(low, _mm512_and_si512(x, four_bits)),
                            _mm512_shuffle_epi8(high, _mm512_and_si512(_mm512_srli_epi16(x, 4), four_bits)));
}

/// Two values to two coefficients, and back.
BIGSMALL_TARGET_AVX512 inline void interpolate_pair(__m512i& a, __m512i& b, const galois_products& factor) noexcept {
    b = _mm512_xor_si512(b, a);
    a = _mm512_xor_si512(a, product(factor, b));
}
BIGSMALL_TARGET_AVX512 inline void evaluate_pair(__m512i& a, __m512i& b, const galois_products& factor) noexcept {
    a = _mm512_xor_si512(a, product(factor, b));
    b = _mm512_xor_si512(b, a);
}

/// One vector of each of eight rows.
struct eight_vectors {
    __m512i v0, v1, v2, v3, v4, v5, v6, v7;
};

BIGSMALL_TARGET_AVX512 inline eight_vectors load_eight(const std::uint8_t* const* rows, std::size_t at) noexcept {
    return {_mm512_loadu_si512(rows[0] + at), _mm512_loadu_si512(rows[1] + at), _mm512_loadu_si512(rows[2] + at),
            _mm512_loadu_si512(rows[3] + at), _mm512_loadu_si512(rows[4] + at), _mm512_loadu_si512(rows[5] + at),
            _mm512_loadu_si512(rows[6] + at), _mm512_loadu_si512(rows[7] + at)};
}
BIGSMALL_TARGET_AVX512 inline eight_vectors load_eight(const std::uint8_t* values) noexcept {
    return {_mm512_loadu_si512(values),       _mm512_loadu_si512(values + 64),  _mm512_loadu_si512(values + 128),
            _mm512_loadu_si512(values + 192), _mm512_loadu_si512(values + 256), _mm512_loadu_si512(values + 320),
            _mm512_loadu_si512(values + 384), _mm512_loadu_si512(values + 448)};
}
BIGSMALL_TARGET_AVX512 inline void store_eight(const eight_vectors& x, std::uint8_t* const* rows,
                                               std::size_t at) noexcept {
    _mm512_storeu_si512(rows[0] + at, x.v0);
    _mm512_storeu_si512(rows[1] + at, x.v1);
    _mm512_storeu_si512(rows[2] + at, x.v2);
    _mm512_storeu_si512(rows[3] + at, x.v3);
    _mm512_storeu_si512(rows[4] + at, x.v4);
    _mm512_storeu_si512(rows[5] + at, x.v5);
    _mm512_storeu_si512(rows[6] + at, x.v6);
    _mm512_storeu_si512(rows[7] + at, x.v7);
}
BIGSMALL_TARGET_AVX512 inline void store_eight(const eight_vectors& x, std::uint8_t* values) noexcept {
    _mm512_storeu_si512(values, x.v0);
    _mm512_storeu_si512(values + 64, x.v1);
    _mm512_storeu_si512(values + 128, x.v2);
    _mm512_storeu_si512(values + 192, x.v3);
    _mm512_storeu_si512(values + 256, x.v4);
    _mm512_storeu_si512(values + 320, x.v5);
    _mm512_storeu_si512(values + 384, x.v6);
    _mm512_storeu_si512(values + 448, x.v7);
}

/// Layers 0 to 2 within the rows 8 * eight to 8 * eight + 7; layers 2 to 0 the other way.
BIGSMALL_TARGET_AVX512 inline void interpolate_eight(eight_vectors& x, std::size_t eight,
                                                     const galois_products* factors) noexcept {
    const galois_products *first = factors + 4 * eight, *second = factors + 16 + 2 * eight;
    interpolate_pair(x.v0, x.v1, first[0]);
    interpolate_pair(x.v2, x.v3, first[1]);
    interpolate_pair(x.v4, x.v5, first[2]);
    interpolate_pair(x.v6, x.v7, first[3]);
    interpolate_pair(x.v0, x.v2, second[0]);
    interpolate_pair(x.v1, x.v3, second[0]);
    interpolate_pair(x.v4, x.v6, second[1]);
    interpolate_pair(x.v5, x.v7, second[1]);
    const galois_products& third = factors[24 + eight];
    interpolate_pair(x.v0, x.v4, third);
    interpolate_pair(x.v1, x.v5, third);
    interpolate_pair(x.v2, x.v6, third);
    interpolate_pair(x.v3, x.v7, third);
}
BIGSMALL_TARGET_AVX512 inline void evaluate_eight(eight_vectors& x, std::size_t eight,
                                                  const galois_products* factors) noexcept {
    const galois_products& third = factors[24 + eight];
    evaluate_pair(x.v0, x.v4, third);
    evaluate_pair(x.v1, x.v5, third);
    evaluate_pair(x.v2, x.v6, third);
    evaluate_pair(x.v3, x.v7, third);
    const galois_products *first = factors + 4 * eight, *second = factors + 16 + 2 * eight;
    evaluate_pair(x.v0, x.v2, second[0]);
    evaluate_pair(x.v1, x.v3, second[0]);
    evaluate_pair(x.v4, x.v6, second[1]);
    evaluate_pair(x.v5, x.v7, second[1]);
    evaluate_pair(x.v0, x.v1, first[0]);
    evaluate_pair(x.v2, x.v3, first[1]);
    evaluate_pair(x.v4, x.v5, first[2]);
    evaluate_pair(x.v6, x.v7, first[3]);
}

/// Layers 3 and 4, between rows at a distance of eight and sixteen, and the sums; the other way, layers 4 and 3.
BIGSMALL_TARGET_AVX512 inline void interpolate_four(const std::uint8_t* values, const galois_products* factors,
                                                    std::size_t count, std::uint8_t* sums) noexcept {
    __m512i a = _mm512_loadu_si512(values), b = _mm512_loadu_si512(values + 512), c = _mm512_loadu_si512(values + 1024),
            d = _mm512_loadu_si512(values + 1536);
    interpolate_pair(a, b, factors[28]);
    interpolate_pair(c, d, factors[29]);
    interpolate_pair(a, c, factors[30]);
    interpolate_pair(b, d, factors[30]);
    _mm512_storeu_si512(sums, _mm512_xor_si512(_mm512_loadu_si512(sums), a));
    _mm512_storeu_si512(sums + 8 * count, _mm512_xor_si512(_mm512_loadu_si512(sums + 8 * count), b));
    _mm512_storeu_si512(sums + 16 * count, _mm512_xor_si512(_mm512_loadu_si512(sums + 16 * count), c));
    _mm512_storeu_si512(sums + 24 * count, _mm512_xor_si512(_mm512_loadu_si512(sums + 24 * count), d));
}
BIGSMALL_TARGET_AVX512 inline void evaluate_four(const std::uint8_t* sums, std::size_t count,
                                                 const galois_products* factors, std::uint8_t* values) noexcept {
    __m512i a = _mm512_loadu_si512(sums), b = _mm512_loadu_si512(sums + 8 * count),
            c = _mm512_loadu_si512(sums + 16 * count), d = _mm512_loadu_si512(sums + 24 * count);
    evaluate_pair(a, c, factors[30]);
    evaluate_pair(b, d, factors[30]);
    evaluate_pair(a, b, factors[28]);
    evaluate_pair(c, d, factors[29]);
    _mm512_storeu_si512(values, a);
    _mm512_storeu_si512(values + 512, b);
    _mm512_storeu_si512(values + 1024, c);
    _mm512_storeu_si512(values + 1536, d);
}

BIGSMALL_TARGET_AVX512 inline void interpolate(const std::uint8_t* const* rows, std::size_t count,
                                               const galois_products* factors, std::uint8_t* sums) noexcept {
    alignas(64) std::uint8_t values[32 * 64];
    for (std::size_t at = 0; at < count; at += 64) {
        for (std::size_t eight = 0; eight < 4; ++eight) {
            scalar::prefetch_eight(rows + 8 * eight, at);
            eight_vectors x = load_eight(rows + 8 * eight, at);
            interpolate_eight(x, eight, factors);
            store_eight(x, values + 512 * eight);
        }
        for (std::size_t i = 0; i < 8; ++i)
            interpolate_four(values + 64 * i, factors, count, sums + i * count + at);
    }
}

BIGSMALL_TARGET_AVX512 inline void evaluate(const std::uint8_t* sums, std::size_t count, const galois_products* factors,
                                            std::uint8_t* const* rows) noexcept {
    alignas(64) std::uint8_t values[32 * 64];
    for (std::size_t at = 0; at < count; at += 64) {
        for (std::size_t i = 0; i < 8; ++i)
            evaluate_four(sums + i * count + at, count, factors, values + 64 * i);
        for (std::size_t eight = 0; eight < 4; ++eight) {
            eight_vectors x = load_eight(values + 512 * eight);
            evaluate_eight(x, eight, factors);
            store_eight(x, rows + 8 * eight, at);
        }
    }
}

BIGSMALL_TARGET_AVX512 inline void multiply_add(const std::uint8_t* const* rows, const std::uint8_t* factors,
                                                std::size_t row_count, std::size_t count, std::uint8_t* sum) noexcept {
    constexpr std::size_t one = 64, four = 4 * one;
    std::size_t i = 0;
    for (; i + four <= count; i += four) {
        __m512i a = _mm512_loadu_si512(sum + i), b = _mm512_loadu_si512(sum + i + one),
                c = _mm512_loadu_si512(sum + i + 2 * one), d = _mm512_loadu_si512(sum + i + 3 * one);
        for (std::size_t row = 0; row < row_count; ++row) {
            const galois_products& with = galois::products[factors[row]];
            const std::uint8_t* const from = rows[row] + i;
            a = _mm512_xor_si512(a, product(with, _mm512_loadu_si512(from)));
            b = _mm512_xor_si512(b, product(with, _mm512_loadu_si512(from + one)));
            c = _mm512_xor_si512(c, product(with, _mm512_loadu_si512(from + 2 * one)));
            d = _mm512_xor_si512(d, product(with, _mm512_loadu_si512(from + 3 * one)));
        }
        _mm512_storeu_si512(sum + i, a);
        _mm512_storeu_si512(sum + i + one, b);
        _mm512_storeu_si512(sum + i + 2 * one, c);
        _mm512_storeu_si512(sum + i + 3 * one, d);
    }
    for (; i + one <= count; i += one) {
        __m512i a = _mm512_loadu_si512(sum + i);
        for (std::size_t row = 0; row < row_count; ++row)
            a = _mm512_xor_si512(a, product(galois::products[factors[row]], _mm512_loadu_si512(rows[row] + i)));
        _mm512_storeu_si512(sum + i, a);
    }
    for (std::size_t row = 0; row < row_count; ++row)
        scalar::add_products(rows[row] + i, galois::products[factors[row]], count - i, sum + i);
}

inline constexpr galois_functions galois_table{interpolate, evaluate, multiply_add};

} // namespace bigsmall::kernel::avx512

BIGSMALL_END_AVX512

#endif
