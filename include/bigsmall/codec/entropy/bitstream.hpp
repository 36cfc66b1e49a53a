// SPDX-License-Identifier: BSL-1.0
// Bits, least significant first: the small reader and writer for tables. The coders' hot loops keep their own state.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/varint.hpp>

namespace bigsmall::entropy {

/// Writes at `to` with eight-byte stores: leave eight bytes of slack.
class bit_writer {
public:
    explicit bit_writer(std::uint8_t* to) noexcept : begin_(to), at_(to) {}

    /// The low `count` bits of `value`, count <= 56; higher bits of value must be zero.
    void put(std::uint64_t value, unsigned count) noexcept {
        pending_ |= value << held_;
        held_ += count;
        store_le<std::uint64_t>(at_, pending_);
        at_ += held_ / 8;
        pending_ >>= held_ & ~7u;
        held_ &= 7u;
    }

    /// Rice code: value / 2^k zeros, a one, the low k bits.
    void put_rice(std::uint32_t value, unsigned k) noexcept {
        for (std::uint32_t zeros = value >> k; zeros != 0;) {
            const std::uint32_t some = zeros < 48 ? zeros : 48;
            put(0, some);
            zeros -= some;
        }
        put(1, 1);
        put(value & ((1u << k) - 1), k);
    }

    /// Pads with zero bits to a whole byte and returns the number of bytes written.
    std::size_t finish() noexcept {
        if (held_ != 0) put(0, 8 - held_);
        return static_cast<std::size_t>(at_ - begin_);
    }

private:
    std::uint8_t* begin_;
    std::uint8_t* at_;
    std::uint64_t pending_ = 0;
    unsigned held_ = 0;
};

/// Reads bits from a cursor, a byte at a time; when it is done the cursor stands after the last byte touched.
class bit_reader {
public:
    explicit bit_reader(byte_cursor& cursor) noexcept : cursor_(cursor) {}

    /// True when a read went past the end.
    bool exhausted() const noexcept { return !cursor_.ok(); }

    unsigned get_bit() noexcept {
        if (held_ == 0) {
            byte_ = cursor_.read<std::uint8_t>();
            held_ = 8;
        }
        const unsigned bit = byte_ & 1u;
        byte_ >>= 1;
        --held_;
        return bit;
    }

    /// A Rice-coded value of at most `limit`, or nothing.
    std::optional<std::uint32_t> get_rice(unsigned k, std::uint32_t limit) noexcept {
        std::uint32_t quotient = 0;
        while (get_bit() == 0) {
            if (exhausted() || ++quotient > limit >> k) return std::nullopt;
        }
        std::uint32_t value = quotient << k;
        for (unsigned i = 0; i < k; ++i)
            value |= get_bit() << i;
        if (exhausted() || value > limit) return std::nullopt;
        return value;
    }

private:
    byte_cursor& cursor_;
    unsigned byte_ = 0;
    unsigned held_ = 0;
};

} // namespace bigsmall::entropy
