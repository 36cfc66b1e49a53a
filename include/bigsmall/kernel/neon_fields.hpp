// SPDX-License-Identifier: BSL-1.0
// Joint fields with NEON, 64 values a step; see scalar_fields.hpp for what they are.
#pragma once

#if defined(__AARCH64EL__)

#include <arm_neon.h>
#include <cstddef>
#include <cstdint>

#include <bigsmall/kernel/scalar_fields.hpp>

namespace bigsmall::kernel::neon {

/// Exponents and the bytes below them to symbols.
inline uint8x16_t lead_of(uint8x16_t top, uint8x16_t next, uint8x16_t first) noexcept {
    const uint8x16_t place = vsubq_u8(top, first), two_bits = vshrq_n_u8(next, 6);
    const uint8x16_t outside = vbslq_u8(vceqzq_u8(vorrq_u8(top, two_bits)), vdupq_n_u8(scalar::zero_symbol),
                                        vdupq_n_u8(scalar::escape_symbol));
    const uint8x16_t inside = vcltq_u8(place, vdupq_n_u8(scalar::window_exponents));
    return vbslq_u8(inside, vsliq_n_u8(two_bits, place, 2), outside);
}

/// Symbols to exponents.
inline uint8x16_t top_of(uint8x16_t lead, uint8x16_t first) noexcept {
    return vbicq_u8(vaddq_u8(vshrq_n_u8(lead, 2), first), vceqq_u8(lead, vdupq_n_u8(scalar::zero_symbol)));
}

// Vector k holds every fourth value, from value k: what is packed into three bytes lies in the same lane, and the
// structure store puts the bytes in order. An inserting shift keeps the bits that it does not fill, so the two upper
// bits of a value, which are not packed, are always overwritten.
inline void part_fields(const std::uint8_t* top, const std::uint8_t* next, std::size_t count, std::uint8_t first,
                        std::uint8_t* lead, std::uint8_t* six) noexcept {
    const uint8x16_t firsts = vdupq_n_u8(first);
    std::size_t i = 0;
    for (; i + 64 <= count; i += 64) {
        const uint8x16x4_t t = vld4q_u8(top + i), n = vld4q_u8(next + i);
        const uint8x16x4_t symbols = {{lead_of(t.val[0], n.val[0], firsts), lead_of(t.val[1], n.val[1], firsts),
                                       lead_of(t.val[2], n.val[2], firsts), lead_of(t.val[3], n.val[3], firsts)}};
        const uint8x16x3_t packed = {{vsliq_n_u8(n.val[0], n.val[1], 6),
                                      vsliq_n_u8(vshrq_n_u8(n.val[1], 2), n.val[2], 4),
                                      vsliq_n_u8(vshrq_n_u8(n.val[2], 4), n.val[3], 2)}};
        vst4q_u8(lead + i, symbols);
        vst3q_u8(six + i / 4 * 3, packed);
    }
    scalar::part_fields(top + i, next + i, count - i, first, lead + i, six + i / 4 * 3);
}

inline void join_fields(const std::uint8_t* lead, const std::uint8_t* six, std::size_t count, std::uint8_t first,
                        std::uint8_t* top, std::uint8_t* next) noexcept {
    const uint8x16_t firsts = vdupq_n_u8(first);
    std::size_t i = 0;
    for (; i + 64 <= count; i += 64) {
        const uint8x16x4_t l = vld4q_u8(lead + i);
        const uint8x16x3_t s = vld3q_u8(six + i / 4 * 3);
        const uint8x16x4_t exponents = {
            {top_of(l.val[0], firsts), top_of(l.val[1], firsts), top_of(l.val[2], firsts), top_of(l.val[3], firsts)}};
        const uint8x16_t second = vsliq_n_u8(vshrq_n_u8(s.val[0], 6), s.val[1], 2);
        const uint8x16_t third = vsliq_n_u8(vshrq_n_u8(s.val[1], 4), s.val[2], 4);
        const uint8x16_t fourth = vshrq_n_u8(s.val[2], 2);
        const uint8x16x4_t lower = {{vsliq_n_u8(s.val[0], l.val[0], 6), vsliq_n_u8(second, l.val[1], 6),
                                     vsliq_n_u8(third, l.val[2], 6), vsliq_n_u8(fourth, l.val[3], 6)}};
        vst4q_u8(top + i, exponents);
        vst4q_u8(next + i, lower);
    }
    scalar::join_fields(lead + i, six + i / 4 * 3, count - i, first, top + i, next + i);
}

} // namespace bigsmall::kernel::neon

#endif
