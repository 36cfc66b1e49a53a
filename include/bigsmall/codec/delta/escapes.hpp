// SPDX-License-Identifier: BSL-1.0
// Symbols that do not tell all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <bigsmall/core/bytes.hpp>

namespace bigsmall::delta {

/// What a symbol of 255 stands for: the zigzag difference may be larger. Words of one byte have no more to say.
inline constexpr std::uint8_t escape_symbol = 255;

/// Calls found(i) for each escape among the symbols.
template <class Found>
void for_each_escape(bytes_view symbols, const Found& found) {
    const std::uint8_t* at = symbols.data();
    std::size_t left = symbols.size();
    while (left != 0) {
        const auto* const next = static_cast<const std::uint8_t*>(std::memchr(at, escape_symbol, left));
        if (next == nullptr) return;
        found(static_cast<std::size_t>(next - symbols.data()));
        left -= static_cast<std::size_t>(next - at) + 1;
        at = next + 1;
    }
}

} // namespace bigsmall::delta
