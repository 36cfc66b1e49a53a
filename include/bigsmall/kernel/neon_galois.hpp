// SPDX-License-Identifier: BSL-1.0
// The additive FFT and sums of products in GF(256) with NEON; see scalar_galois.hpp for what they are.
//
// The order of the steps is that of avx2_galois.hpp.
#pragma once

#if defined(__AARCH64EL__)

#include <arm_neon.h>
#include <cstddef>
#include <cstdint>

#include <bigsmall/kernel/galois_field.hpp>
#include <bigsmall/kernel/scalar_galois.hpp>

namespace bigsmall::kernel::neon {

inline uint8x16_t product(const galois_products& with, uint8x16_t x) noexcept {
    return veorq_u8(vqtbl1q_u8(vld1q_u8(with.low), vandq_u8(x, vdupq_n_u8(15))),
                    vqtbl1q_u8(vld1q_u8(with.high), vshrq_n_u8(x, 4)));
}

/// Two values to two coefficients, and back.
inline void interpolate_pair(uint8x16_t& a, uint8x16_t& b, const galois_products& factor) noexcept {
    b = veorq_u8(b, a);
    a = veorq_u8(a, product(factor, b));
}
inline void evaluate_pair(uint8x16_t& a, uint8x16_t& b, const galois_products& factor) noexcept {
    a = veorq_u8(a, product(factor, b));
    b = veorq_u8(b, a);
}

/// One vector of each of eight rows.
struct eight_vectors {
    uint8x16_t v0, v1, v2, v3, v4, v5, v6, v7;
};

inline eight_vectors load_eight(const std::uint8_t* const* rows, std::size_t at) noexcept {
    return {vld1q_u8(rows[0] + at), vld1q_u8(rows[1] + at), vld1q_u8(rows[2] + at), vld1q_u8(rows[3] + at),
            vld1q_u8(rows[4] + at), vld1q_u8(rows[5] + at), vld1q_u8(rows[6] + at), vld1q_u8(rows[7] + at)};
}
inline eight_vectors load_eight(const std::uint8_t* values) noexcept {
    return {vld1q_u8(values),       vld1q_u8(values + 64),  vld1q_u8(values + 128), vld1q_u8(values + 192),
            vld1q_u8(values + 256), vld1q_u8(values + 320), vld1q_u8(values + 384), vld1q_u8(values + 448)};
}
inline void store_eight(const eight_vectors& x, std::uint8_t* const* rows, std::size_t at) noexcept {
    vst1q_u8(rows[0] + at, x.v0);
    vst1q_u8(rows[1] + at, x.v1);
    vst1q_u8(rows[2] + at, x.v2);
    vst1q_u8(rows[3] + at, x.v3);
    vst1q_u8(rows[4] + at, x.v4);
    vst1q_u8(rows[5] + at, x.v5);
    vst1q_u8(rows[6] + at, x.v6);
    vst1q_u8(rows[7] + at, x.v7);
}
inline void store_eight(const eight_vectors& x, std::uint8_t* values) noexcept {
    vst1q_u8(values, x.v0);
    vst1q_u8(values + 64, x.v1);
    vst1q_u8(values + 128, x.v2);
    vst1q_u8(values + 192, x.v3);
    vst1q_u8(values + 256, x.v4);
    vst1q_u8(values + 320, x.v5);
    vst1q_u8(values + 384, x.v6);
    vst1q_u8(values + 448, x.v7);
}

/// Layers 0 to 2 within the rows 8 * eight to 8 * eight + 7; layers 2 to 0 the other way.
inline void interpolate_eight(eight_vectors& x, std::size_t eight, const galois_products* factors) noexcept {
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
inline void evaluate_eight(eight_vectors& x, std::size_t eight, const galois_products* factors) noexcept {
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
inline void interpolate_four(const std::uint8_t* values, const galois_products* factors, std::size_t count,
                             std::uint8_t* sums) noexcept {
    uint8x16_t a = vld1q_u8(values), b = vld1q_u8(values + 512), c = vld1q_u8(values + 1024),
               d = vld1q_u8(values + 1536);
    interpolate_pair(a, b, factors[28]);
    interpolate_pair(c, d, factors[29]);
    interpolate_pair(a, c, factors[30]);
    interpolate_pair(b, d, factors[30]);
    vst1q_u8(sums, veorq_u8(vld1q_u8(sums), a));
    vst1q_u8(sums + 8 * count, veorq_u8(vld1q_u8(sums + 8 * count), b));
    vst1q_u8(sums + 16 * count, veorq_u8(vld1q_u8(sums + 16 * count), c));
    vst1q_u8(sums + 24 * count, veorq_u8(vld1q_u8(sums + 24 * count), d));
}
inline void evaluate_four(const std::uint8_t* sums, std::size_t count, const galois_products* factors,
                          std::uint8_t* values) noexcept {
    uint8x16_t a = vld1q_u8(sums), b = vld1q_u8(sums + 8 * count), c = vld1q_u8(sums + 16 * count),
               d = vld1q_u8(sums + 24 * count);
    evaluate_pair(a, c, factors[30]);
    evaluate_pair(b, d, factors[30]);
    evaluate_pair(a, b, factors[28]);
    evaluate_pair(c, d, factors[29]);
    vst1q_u8(values, a);
    vst1q_u8(values + 512, b);
    vst1q_u8(values + 1024, c);
    vst1q_u8(values + 1536, d);
}

inline void interpolate(const std::uint8_t* const* rows, std::size_t count, const galois_products* factors,
                        std::uint8_t* sums) noexcept {
    alignas(64) std::uint8_t values[32 * 64];
    for (std::size_t at = 0; at < count; at += 64) {
        for (std::size_t eight = 0; eight < 4; ++eight) {
            scalar::prefetch_eight(rows + 8 * eight, at);
            for (std::size_t part = 0; part < 64; part += 16) {
                eight_vectors x = load_eight(rows + 8 * eight, at + part);
                interpolate_eight(x, eight, factors);
                store_eight(x, values + 512 * eight + part);
            }
        }
        for (std::size_t i = 0; i < 8; ++i)
            for (std::size_t part = 0; part < 64; part += 16)
                interpolate_four(values + 64 * i + part, factors, count, sums + i * count + at + part);
    }
}

inline void evaluate(const std::uint8_t* sums, std::size_t count, const galois_products* factors,
                     std::uint8_t* const* rows) noexcept {
    alignas(64) std::uint8_t values[32 * 64];
    for (std::size_t at = 0; at < count; at += 64) {
        for (std::size_t i = 0; i < 8; ++i)
            for (std::size_t part = 0; part < 64; part += 16)
                evaluate_four(sums + i * count + at + part, count, factors, values + 64 * i + part);
        for (std::size_t eight = 0; eight < 4; ++eight)
            for (std::size_t part = 0; part < 64; part += 16) {
                eight_vectors x = load_eight(values + 512 * eight + part);
                evaluate_eight(x, eight, factors);
                store_eight(x, rows + 8 * eight, at + part);
            }
    }
}

inline void multiply_add(const std::uint8_t* const* rows, const std::uint8_t* factors, std::size_t row_count,
                         std::size_t count, std::uint8_t* sum) noexcept {
    constexpr std::size_t one = 16, four = 4 * one;
    std::size_t i = 0;
    for (; i + four <= count; i += four) {
        uint8x16_t a = vld1q_u8(sum + i), b = vld1q_u8(sum + i + one), c = vld1q_u8(sum + i + 2 * one),
                   d = vld1q_u8(sum + i + 3 * one);
        for (std::size_t row = 0; row < row_count; ++row) {
            const galois_products& with = galois::products[factors[row]];
            const std::uint8_t* const from = rows[row] + i;
            a = veorq_u8(a, product(with, vld1q_u8(from)));
            b = veorq_u8(b, product(with, vld1q_u8(from + one)));
            c = veorq_u8(c, product(with, vld1q_u8(from + 2 * one)));
            d = veorq_u8(d, product(with, vld1q_u8(from + 3 * one)));
        }
        vst1q_u8(sum + i, a);
        vst1q_u8(sum + i + one, b);
        vst1q_u8(sum + i + 2 * one, c);
        vst1q_u8(sum + i + 3 * one, d);
    }
    for (; i + one <= count; i += one) {
        uint8x16_t a = vld1q_u8(sum + i);
        for (std::size_t row = 0; row < row_count; ++row)
            a = veorq_u8(a, product(galois::products[factors[row]], vld1q_u8(rows[row] + i)));
        vst1q_u8(sum + i, a);
    }
    for (std::size_t row = 0; row < row_count; ++row)
        scalar::add_products(rows[row] + i, galois::products[factors[row]], count - i, sum + i);
}

inline constexpr galois_functions galois_table{interpolate, evaluate, multiply_add};

} // namespace bigsmall::kernel::neon

#endif
