// SPDX-License-Identifier: BSL-1.0
// The kernels as one struct of function pointers, one instance per instruction set. Dispatch happens once
// per block: a codec holds a reference to a table and calls through it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace bigsmall::kernel {

/// Splits `count` words into byte planes, planes[0] taking the lowest byte. `words` needs no alignment.
using split_function = void (*)(const std::uint8_t* words, std::size_t count, std::uint8_t* const* planes) noexcept;

/// The inverse of a split: planes[0] gives the lowest byte of each word.
using merge_function = void (*)(const std::uint8_t* const* planes, std::size_t count, std::uint8_t* words) noexcept;

/// Adds the number of occurrences of each byte value to counts[0..255].
using histogram_function = void (*)(const std::uint8_t* bytes, std::size_t count, std::uint32_t* counts) noexcept;

/// What a rANS decoder advances: `states` of all lanes, the next word and the next symbol.
struct rans_cursor {
    std::uint32_t* states;
    const std::uint8_t* words; ///< next little-endian 16-bit word
    const std::uint8_t* words_end;
    std::uint8_t* symbols; ///< next symbol to write
    std::uint8_t* symbols_end;
};

/// Decodes whole rounds of 32 interleaved lanes while at least 64 bytes of words and 32 symbols of room are
/// left, and stops there; the caller finishes with the scalar step. `slots` has 4096 entries (entropy/rans.hpp).
using rans_rounds_function = void (*)(const std::uint32_t* slots, rans_cursor& at) noexcept;

/// Codes `rounds` whole rounds of 32 interleaved lanes, the last round first, and returns where the words now begin:
/// they are written downwards from `words_end`. `codings` has 256 entries (entropy/rans_table.hpp).
using rans_encode_function = std::uint8_t* (*)(const std::uint32_t* codings, const std::uint8_t* symbols,
                                               std::size_t rounds, std::uint32_t* states,
                                               std::uint8_t* words_end) noexcept;

/// Word widths in bytes that have a split and a merge: index with width_index().
constexpr std::size_t width_index(std::size_t width_bytes) noexcept {
    return width_bytes == 2 ? 0 : width_bytes == 4 ? 1 : 2;
}

struct table {
    std::string_view name;
    split_function split[3]; ///< words as they are
    merge_function merge[3];
    split_function split_rotated[3]; ///< words rotated left by one bit first: a float's exponent fills the top byte
    merge_function merge_rotated[3];
    histogram_function histogram;
    rans_rounds_function rans_rounds;
    rans_encode_function rans_encode_rounds;
};

} // namespace bigsmall::kernel
