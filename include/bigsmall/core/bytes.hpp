// SPDX-License-Identifier: BSL-1.0
// Byte views and little-endian access. Every format of this library is little-endian on every machine.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace bigsmall {

using bytes_view = std::span<const std::uint8_t>;
using bytes_span = std::span<std::uint8_t>;
using byte_buffer = std::vector<std::uint8_t>;

/// The bytes of a string, for hashing and writing.
inline bytes_view as_bytes_view(std::string_view text) noexcept {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// The characters of a byte view, for parsing.
inline std::string_view as_string_view(bytes_view bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

namespace detail {

template <std::unsigned_integral T>
constexpr T byteswap(T value) noexcept {
    T swapped = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
        swapped = static_cast<T>((swapped << (sizeof(T) > 1 ? 8 : 0)) | (value & 0xff));
        if constexpr (sizeof(T) > 1) value = static_cast<T>(value >> 8);
    }
    return swapped;
}

} // namespace detail

/// Reads an unsigned little-endian integer; `from` needs no alignment.
template <std::unsigned_integral T>
T load_le(const std::uint8_t* from) noexcept {
    T value;
    std::memcpy(&value, from, sizeof value);
    if constexpr (std::endian::native == std::endian::big) value = detail::byteswap(value);
    return value;
}

/// Writes an unsigned little-endian integer; `to` needs no alignment.
template <std::unsigned_integral T>
void store_le(std::uint8_t* to, T value) noexcept {
    if constexpr (std::endian::native == std::endian::big) value = detail::byteswap(value);
    std::memcpy(to, &value, sizeof value);
}

} // namespace bigsmall
