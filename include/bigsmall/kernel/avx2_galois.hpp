// SPDX-License-Identifier: BSL-1.0
// The additive FFT and sums of products in GF(256) with AVX2; see scalar_galois.hpp for what they are.
//
// A product is two shuffles: one looks up what the lower four bits of each byte give, one the upper four. The transform
// goes over 64 columns twice: layers 0 to 2 are within eight rows in a row, 3 and 4 between every eighth, so that
// the values of a step fit in registers. In between are `values`, 32 rows of 64 bytes.
#pragma once

#if defined(__x86_64__)

#include <cstddef>
#include <cstdint>
#include <immintrin.h>

#include <bigsmall/kernel/galois_field.hpp>
#include <bigsmall/kernel/scalar_galois.hpp>
#include <bigsmall/kernel/x86_targets.hpp>

namespace bigsmall::kernel::avx2 {

BIGSMALL_TARGET_AVX2 inline __m256i load_vector(const std::uint8_t* from) noexcept {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}
BIGSMALL_TARGET_AVX2 inline void store_vector(std::uint8_t* to, __m256i x) noexcept {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), x);
}

BIGSMALL_TARGET_AVX2 inline __m256i product(const galois_products& with, __m256i x) noexcept {
    const __m256i low = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(with.low)));
    const __m256i high = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(with.high)));
    const __m256i four_bits = _mm256_set1_epi8(15);
    return _mm256_xor_si256(_mm256_shuffle_epi8(low, _mm256_and_si256(x, four_bits)),
                            _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(x, 4), four_bits)));
}

/// Two values to two coefficients, and back.
BIGSMALL_TARGET_AVX2 inline void interpolate_pair(__m256i& a, __m256i& b, const galois_products& factor) noexcept {
    b = _mm256_xor_si256(b, a);
    a = _mm256_xor_si256(a, product(factor, b));
}
BIGSMALL_TARGET_AVX2 inline void evaluate_pair(__m256i& a, __m256i& b, const galois_products& factor) noexcept {
    a = _mm256_xor_si256(a, product(factor, b));
    b = _mm256_xor_si256(b, a);
}

/// One vector of each of eight rows.
struct eight_vectors {
    __m256i v0, v1, v2, v3, v4, v5, v6, v7;
};

BIGSMALL_TARGET_AVX2 inline eight_vectors load_eight(const std::uint8_t* const* rows, std::size_t at) noexcept {
    return {load_vector(rows[0] + at), load_vector(rows[1] + at), load_vector(rows[2] + at), load_vector(rows[3] + at),
            load_vector(rows[4] + at), load_vector(rows[5] + at), load_vector(rows[6] + at), load_vector(rows[7] + at)};
}
BIGSMALL_TARGET_AVX2 inline eight_vectors load_eight(const std::uint8_t* values) noexcept {
    return {load_vector(values),       load_vector(values + 64),  load_vector(values + 128), load_vector(values + 192),
            load_vector(values + 256), load_vector(values + 320), load_vector(values + 384), load_vector(values + 448)};
}
BIGSMALL_TARGET_AVX2 inline void store_eight(const eight_vectors& x, std::uint8_t* const* rows,
                                             std::size_t at) noexcept {
    store_vector(rows[0] + at, x.v0);
    store_vector(rows[1] + at, x.v1);
    store_vector(rows[2] + at, x.v2);
    store_vector(rows[3] + at, x.v3);
    store_vector(rows[4] + at, x.v4);
    store_vector(rows[5] + at, x.v5);
    store_vector(rows[6] + at, x.v6);
    store_vector(rows[7] + at, x.v7);
}
BIGSMALL_TARGET_AVX2 inline void store_eight(const eight_vectors& x, std::uint8_t* values) noexcept {
    store_vector(values, x.v0);
    store_vector(values + 64, x.v1);
    store_vector(values + 128, x.v2);
    store_vector(values + 192, x.v3);
    store_vector(values + 256, x.v4);
    store_vector(values + 320, x.v5);
    store_vector(values + 384, x.v6);
    store_vector(values + 448, x.v7);
}

/// Layers 0 to 2 within the rows 8 * eight to 8 * eight + 7; layers 2 to 0 the other way.
BIGSMALL_TARGET_AVX2 inline void interpolate_eight(eight_vectors& x, std::size_t eight,
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
BIGSMALL_TARGET_AVX2 inline void evaluate_eight(eight_vectors& x, std::size_t eight,
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
BIGSMALL_TARGET_AVX2 inline void interpolate_four(const std::uint8_t* values, const galois_products* factors,
                                                  std::size_t count, std::uint8_t* sums) noexcept {
    __m256i a = load_vector(values), b = load_vector(values + 512), c = load_vector(values + 1024),
            d = load_vector(values + 1536);
    interpolate_pair(a, b, factors[28]);
    interpolate_pair(c, d, factors[29]);
    interpolate_pair(a, c, factors[30]);
    interpolate_pair(b, d, factors[30]);
    store_vector(sums, _mm256_xor_si256(load_vector(sums), a));
    store_vector(sums + 8 * count, _mm256_xor_si256(load_vector(sums + 8 * count), b));
    store_vector(sums + 16 * count, _mm256_xor_si256(load_vector(sums + 16 * count), c));
    store_vector(sums + 24 * count, _mm256_xor_si256(load_vector(sums + 24 * count), d));
}
BIGSMALL_TARGET_AVX2 inline void evaluate_four(const std::uint8_t* sums, std::size_t count,
                                               const galois_products* factors, std::uint8_t* values) noexcept {
    __m256i a = load_vector(sums), b = load_vector(sums + 8 * count), c = load_vector(sums + 16 * count),
            d = load_vector(sums + 24 * count);
    evaluate_pair(a, c, factors[30]);
    evaluate_pair(b, d, factors[30]);
    evaluate_pair(a, b, factors[28]);
    evaluate_pair(c, d, factors[29]);
    store_vector(values, a);
    store_vector(values + 512, b);
    store_vector(values + 1024, c);
    store_vector(values + 1536, d);
}

BIGSMALL_TARGET_AVX2 inline void interpolate(const std::uint8_t* const* rows, std::size_t count,
                                             const galois_products* factors, std::uint8_t* sums) noexcept {
    alignas(64) std::uint8_t values[32 * 64];
    for (std::size_t at = 0; at < count; at += 64) {
        for (std::size_t eight = 0; eight < 4; ++eight) {
            scalar::prefetch_eight(rows + 8 * eight, at);
            for (std::size_t part = 0; part < 64; part += 32) {
                eight_vectors x = load_eight(rows + 8 * eight, at + part);
                interpolate_eight(x, eight, factors);
                store_eight(x, values + 512 * eight + part);
            }
        }
        for (std::size_t i = 0; i < 8; ++i)
            for (std::size_t part = 0; part < 64; part += 32)
                interpolate_four(values + 64 * i + part, factors, count, sums + i * count + at + part);
    }
}

BIGSMALL_TARGET_AVX2 inline void evaluate(const std::uint8_t* sums, std::size_t count, const galois_products* factors,
                                          std::uint8_t* const* rows) noexcept {
    alignas(64) std::uint8_t values[32 * 64];
    for (std::size_t at = 0; at < count; at += 64) {
        for (std::size_t i = 0; i < 8; ++i)
            for (std::size_t part = 0; part < 64; part += 32)
                evaluate_four(sums + i * count + at + part, count, factors, values + 64 * i + part);
        for (std::size_t eight = 0; eight < 4; ++eight)
            for (std::size_t part = 0; part < 64; part += 32) {
                eight_vectors x = load_eight(values + 512 * eight + part);
                evaluate_eight(x, eight, factors);
                store_eight(x, rows + 8 * eight, at + part);
            }
    }
}

BIGSMALL_TARGET_AVX2 inline void multiply_add(const std::uint8_t* const* rows, const std::uint8_t* factors,
                                              std::size_t row_count, std::size_t count, std::uint8_t* sum) noexcept {
    constexpr std::size_t one = 32, four = 4 * one;
    std::size_t i = 0;
    for (; i + four <= count; i += four) {
        __m256i a = load_vector(sum + i), b = load_vector(sum + i + one), c = load_vector(sum + i + 2 * one),
                d = load_vector(sum + i + 3 * one);
        for (std::size_t row = 0; row < row_count; ++row) {
            const galois_products& with = galois::products[factors[row]];
            const std::uint8_t* const from = rows[row] + i;
            a = _mm256_xor_si256(a, product(with, load_vector(from)));
            b = _mm256_xor_si256(b, product(with, load_vector(from + one)));
            c = _mm256_xor_si256(c, product(with, load_vector(from + 2 * one)));
            d = _mm256_xor_si256(d, product(with, load_vector(from + 3 * one)));
        }
        store_vector(sum + i, a);
        store_vector(sum + i + one, b);
        store_vector(sum + i + 2 * one, c);
        store_vector(sum + i + 3 * one, d);
    }
    for (; i + one <= count; i += one) {
        __m256i a = load_vector(sum + i);
        for (std::size_t row = 0; row < row_count; ++row)
            a = _mm256_xor_si256(a, product(galois::products[factors[row]], load_vector(rows[row] + i)));
        store_vector(sum + i, a);
    }
    for (std::size_t row = 0; row < row_count; ++row)
        scalar::add_products(rows[row] + i, galois::products[factors[row]], count - i, sum + i);
}

inline constexpr galois_functions galois_table{interpolate, evaluate, multiply_add};

} // namespace bigsmall::kernel::avx2

#endif
