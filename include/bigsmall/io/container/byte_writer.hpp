// SPDX-License-Identifier: BSL-1.0
// The opposite of core's byte_cursor: appends integers and byte strings to a buffer.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <utility>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/varint.hpp>

namespace bigsmall::io::detail {

class byte_writer {
public:
    void varint(std::uint64_t value) {
        std::array<std::uint8_t, max_varint_bytes> room{};
        bytes(bytes_view(room).first(store_varint(room.data(), value)));
    }

    void u8(std::uint8_t value) { out_.push_back(value); }

    /// A little-endian integer of its full width.
    template <std::unsigned_integral T>
    void fixed(T value) {
        std::array<std::uint8_t, sizeof(T)> room{};
        store_le(room.data(), value);
        bytes(room);
    }

    void bytes(bytes_view some) { out_.insert(out_.end(), some.begin(), some.end()); }

    /// The number of bytes as a varint, then the bytes.
    void sized(bytes_view some) {
        varint(some.size());
        bytes(some);
    }

    bytes_view written() const noexcept { return out_; }
    byte_buffer take() noexcept { return std::move(out_); }

private:
    byte_buffer out_;
};

} // namespace bigsmall::io::detail
