// SPDX-License-Identifier: BSL-1.0
// Symbols that do not tell all.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include <bigsmall/codec/delta/sparse_runs.hpp>
#include <bigsmall/codec/delta/stretches.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/kernel/table.hpp>

namespace bigsmall::delta {

/// What a symbol of 255 stands for: the zigzag difference may be larger. Words of one byte have no more to say.
inline constexpr std::uint8_t escape_symbol = 255;

/// Counts the escapes; the symbols may be more than those of a stretch.
inline std::size_t count_escapes(bytes_view symbols, const kernel::table& kernels) noexcept {
    std::array<std::uint8_t, bitmap_bytes(stretch::most_words)> bits;
    std::size_t escapes = 0;
    for (std::size_t at = 0; at < symbols.size(); at += stretch::most_words)
        escapes += kernels.wavelet.part_bits(symbols.data() + at, std::min(stretch::most_words, symbols.size() - at),
                                             escape_symbol, bits.data(), nullptr, nullptr);
    return escapes;
}

/// Calls found(i) for each escape among the symbols of a stretch.
template <class Found>
void for_each_escape(bytes_view symbols, const kernel::table& kernels, const Found& found) {
    std::array<std::uint8_t, bitmap_bytes(stretch::most_words)> bits;
    const std::size_t escapes =
        kernels.wavelet.part_bits(symbols.data(), symbols.size(), escape_symbol, bits.data(), nullptr, nullptr);
    if (escapes != 0) for_each_set_bit(bytes_view(bits).first(bitmap_bytes(symbols.size())), found);
}

} // namespace bigsmall::delta
