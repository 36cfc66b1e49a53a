// SPDX-License-Identifier: BSL-1.0
// Wavelet trees with NEON: 64 bits of bitmap a step, one byte shuffle for eight symbols, its control looked up by eight
// bits of bitmap.
#pragma once

#if defined(__AARCH64EL__)

#include <arm_neon.h>
#include <cstddef>
#include <cstdint>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/kernel/scalar_wavelet.hpp>
#include <bigsmall/kernel/shuffles.hpp>

namespace bigsmall::kernel::neon {

/// Of 64 bits of bitmap: how many ones are before each of the eight bytes. Counting byte by byte would wait each time
/// for a count to come back from the vector registers; a product adds up all eight at once.
class ones_before {
public:
    explicit ones_before(std::uint64_t word) noexcept
        : up_to_(vget_lane_u64(vreinterpret_u64_u8(vcnt_u8(vcreate_u8(word))), 0) * 0x0101010101010101u) {}
    std::size_t byte(unsigned k) const noexcept { return k == 0 ? 0 : up_to_ >> (8 * k - 8) & 0xffu; }
    std::size_t all() const noexcept { return up_to_ >> 56; }

private:
    std::uint64_t up_to_; ///< byte k: the ones in bytes 0 to k
};

inline std::size_t count_ones(const std::uint8_t* bits, std::size_t count) noexcept {
    uint64x2_t ones = vdupq_n_u64(0);
    std::size_t i = 0;
    for (; i + 128 <= count; i += 128)
        ones = vpadalq_u32(ones, vpaddlq_u16(vpaddlq_u8(vcntq_u8(vld1q_u8(bits + i / 8)))));
    return vaddvq_u64(ones) + scalar::count_ones(bits + i / 8, count - i);
}

/// Bit k % 8 in byte k.
inline uint8x16_t bit_of_each() noexcept { return vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201u)); }

inline void weave_leaves(const std::uint8_t* bits, std::size_t count, std::uint8_t zero, std::uint8_t one,
                         std::uint8_t* out) noexcept {
    const uint8x16_t which_bit = bit_of_each(), zeros = vdupq_n_u8(zero), ones = vdupq_n_u8(one);
    std::size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const uint8x16_t spread = vcombine_u8(vld1_dup_u8(bits + i / 8), vld1_dup_u8(bits + i / 8 + 1));
        vst1q_u8(out + i, vbslq_u8(vtstq_u8(spread, which_bit), ones, zeros));
    }
    scalar::weave_leaves(bits + i / 8, count - i, zero, one, out + i);
}

/// The k-th eight outputs under `word`, from the next eight zeros and the next eight ones.
inline uint8x8_t weave_eight(std::uint64_t word, unsigned k, uint8x8_t zeros, uint8x8_t ones) noexcept {
    return vqtbl1_u8(vcombine_u8(zeros, ones), vld1_u8(shuffles::weave[word >> (8 * k) & 0xffu].data()));
}

inline std::size_t weave_leaf(const std::uint8_t* bits, std::size_t count, std::uint8_t zero, const std::uint8_t* ones,
                              std::uint8_t* out) noexcept {
    const uint8x8_t zeros = vdup_n_u8(zero);
    const std::uint8_t* const first_one = ones;
    std::size_t i = 0;
    for (; i + 64 <= count; i += 64) {
        const auto word = load_le<std::uint64_t>(bits + i / 8);
        const ones_before before(word);
        for (unsigned k = 0; k < 8; ++k)
            vst1_u8(out + i + 8 * k, weave_eight(word, k, zeros, vld1_u8(ones + before.byte(k))));
        ones += before.all();
    }
    return static_cast<std::size_t>(ones - first_one) +
           scalar::weave_leaf(bits + i / 8, count - i, zero, ones, out + i);
}

inline std::size_t weave(const std::uint8_t* bits, std::size_t count, const std::uint8_t* zeros,
                         const std::uint8_t* ones, std::uint8_t* out) noexcept {
    const std::uint8_t* const first_one = ones;
    std::size_t i = 0;
    for (; i + 64 <= count; i += 64) {
        const auto word = load_le<std::uint64_t>(bits + i / 8);
        const ones_before before(word);
        for (unsigned k = 0; k < 8; ++k) {
            const std::size_t taken = before.byte(k);
            vst1_u8(out + i + 8 * k, weave_eight(word, k, vld1_u8(zeros + (8 * k - taken)), vld1_u8(ones + taken)));
        }
        ones += before.all();
        zeros += 64 - before.all();
    }
    return static_cast<std::size_t>(ones - first_one) + scalar::weave(bits + i / 8, count - i, zeros, ones, out + i);
}

/// Bit k: whether the k-th of 64 symbols is at least the threshold. Each keeps one bit of its own place, and three
/// pairwise additions bring eight of them into a byte.
inline std::uint64_t at_least_64(const std::uint8_t* symbols, uint8x16_t threshold) noexcept {
    const auto sixteen = [&](std::size_t at) {
        return vandq_u8(vcgeq_u8(vld1q_u8(symbols + at), threshold), bit_of_each());
    };
    const uint8x16_t lower = vpaddq_u8(sixteen(0), sixteen(16)), upper = vpaddq_u8(sixteen(32), sixteen(48));
    const uint8x16_t all = vpaddq_u8(lower, upper);
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(all, all)), 0);
}

template <bool KeepZeros, bool KeepOnes>
inline std::size_t part(const std::uint8_t* symbols, std::size_t count, std::uint8_t first_one, std::uint8_t* bits,
                        std::uint8_t* zeros, std::uint8_t* ones) noexcept {
    const uint8x16_t threshold = vdupq_n_u8(first_one);
    std::size_t i = 0, taken = 0;
    for (; i + 64 <= count; i += 64) {
        const std::uint64_t word = at_least_64(symbols + i, threshold);
        store_le<std::uint64_t>(bits + i / 8, word);
        const ones_before before(word);
        if constexpr (KeepZeros || KeepOnes) {
            for (unsigned k = 0; k < 8; ++k) {
                const uint8x8_t eight = vld1_u8(symbols + i + 8 * k);
                const uint8x16_t control = vld1q_u8(shuffles::part[word >> (8 * k) & 0xffu].data());
                const uint8x16_t parted = vqtbl1q_u8(vcombine_u8(eight, eight), control);
                const std::size_t at = taken + before.byte(k);
                if constexpr (KeepZeros) vst1_u8(zeros + (i + 8 * k - at), vget_low_u8(parted));
                if constexpr (KeepOnes) vst1_u8(ones + at, vget_high_u8(parted));
            }
        }
        taken += before.all();
    }
    std::uint8_t* const more_zeros = KeepZeros ? zeros + (i - taken) : nullptr;
    std::uint8_t* const more_ones = KeepOnes ? ones + taken : nullptr;
    return taken +
           scalar::part<KeepZeros, KeepOnes>(symbols + i, count - i, first_one, bits + i / 8, more_zeros, more_ones);
}

// A lookup takes 64 entries. Out of range the first gives zero and the others leave their operand alone, and a place
// below a quarter wraps around to far above it: each symbol hits one of the four.
inline void remap(const std::uint8_t* symbols, std::size_t count, const std::uint8_t* map, std::uint8_t* out) noexcept {
    const uint8x16x4_t a = vld1q_u8_x4(map), b = vld1q_u8_x4(map + 64);
    const uint8x16x4_t c = vld1q_u8_x4(map + 128), d = vld1q_u8_x4(map + 192);
    std::size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const uint8x16_t x = vld1q_u8(symbols + i);
        uint8x16_t y = vqtbl4q_u8(a, x);
        y = vqtbx4q_u8(y, b, vsubq_u8(x, vdupq_n_u8(64)));
        y = vqtbx4q_u8(y, c, vsubq_u8(x, vdupq_n_u8(128)));
        vst1q_u8(out + i, vqtbx4q_u8(y, d, vsubq_u8(x, vdupq_n_u8(192))));
    }
    scalar::remap(symbols + i, count - i, map, out + i);
}

} // namespace bigsmall::kernel::neon

#endif
