// SPDX-License-Identifier: BSL-1.0
// Unsigned LEB128 and a bounds-checked cursor: the two tools with which every header of ours is read.
#pragma once

#include <cstddef>
#include <cstdint>

#include <bigsmall/core/bytes.hpp>

namespace bigsmall {

/// Most bytes that one varint takes.
inline constexpr std::size_t max_varint_bytes = 10;

/// Writes `value` as LEB128 at `to` (room for max_varint_bytes) and returns the number of bytes written.
inline std::size_t store_varint(std::uint8_t* to, std::uint64_t value) noexcept {
    std::size_t n = 0;
    while (value >= 0x80) {
        to[n++] = static_cast<std::uint8_t>(value | 0x80);
        value >>= 7;
    }
    to[n++] = static_cast<std::uint8_t>(value);
    return n;
}

/// Reads forward through untrusted bytes. The first read past the end, or of a malformed varint, makes the
/// cursor fail for good: every later read gives zero or an empty view, so one `ok()` at the end is enough
/// as long as no size read from it is used for an allocation or a loop before it was compared with `left()`.
class byte_cursor {
public:
    explicit byte_cursor(bytes_view bytes) noexcept : bytes_(bytes) {}

    bool ok() const noexcept { return ok_; }
    std::size_t left() const noexcept { return bytes_.size() - at_; }
    std::size_t position() const noexcept { return at_; }
    /// True when everything was read and nothing failed.
    bool finished() const noexcept { return ok_ && left() == 0; }

    template <std::unsigned_integral T>
    T read() noexcept {
        const bytes_view piece = take(sizeof(T));
        return piece.size() == sizeof(T) ? load_le<T>(piece.data()) : T{0};
    }

    std::uint64_t read_varint() noexcept {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64 && ok_; shift += 7) {
            const std::uint8_t byte = read<std::uint8_t>();
            const std::uint64_t payload = byte & 0x7fu;
            if (shift == 63 && payload > 1) break; // does not fit in 64 bits
            value |= payload << shift;
            if ((byte & 0x80u) == 0) return ok_ ? value : 0;
        }
        fail();
        return 0;
    }

    /// The next `count` bytes, or an empty view and failure when fewer are left.
    bytes_view take(std::uint64_t count) noexcept {
        if (!ok_ || count > left()) {
            fail();
            return {};
        }
        const bytes_view piece = bytes_.subspan(at_, static_cast<std::size_t>(count));
        at_ += piece.size();
        return piece;
    }

    void fail() noexcept {
        ok_ = false;
        at_ = bytes_.size();
    }

private:
    bytes_view bytes_;
    std::size_t at_ = 0;
    bool ok_ = true;
};

} // namespace bigsmall
