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

/// Set bits among the first `count` bits of a bitmap (bit i is bit i % 8 of byte i / 8).
using count_ones_function = std::size_t (*)(const std::uint8_t* bits, std::size_t count) noexcept;

/// Weaving, the decoding step of a wavelet tree: out[i] is the next of the ones where bit i is set, else the next of
/// the zeros. Writes exactly `count` symbols; may read 64 bytes past the end of `zeros` and `ones`. Either both
/// children are leaves (one symbol each), or the zeros are a leaf, or none is. Returns the number of ones where there
/// are any to be taken.
using weave_leaves_function = void (*)(const std::uint8_t* bits, std::size_t count, std::uint8_t zero, std::uint8_t one,
                                       std::uint8_t* out) noexcept;
using weave_leaf_function = std::size_t (*)(const std::uint8_t* bits, std::size_t count, std::uint8_t zero,
                                            const std::uint8_t* ones, std::uint8_t* out) noexcept;
using weave_function = std::size_t (*)(const std::uint8_t* bits, std::size_t count, const std::uint8_t* zeros,
                                       const std::uint8_t* ones, std::uint8_t* out) noexcept;

/// Parting, the encoding step: sets bit i where symbols[i] >= first_one, appends each symbol to its child and returns
/// the number of ones. Unused bits of the last byte are zero. May write 64 bytes past the end of a child; which
/// children are kept depends on the function, the others may be null.
using part_function = std::size_t (*)(const std::uint8_t* symbols, std::size_t count, std::uint8_t first_one,
                                      std::uint8_t* bits, std::uint8_t* zeros, std::uint8_t* ones) noexcept;

/// out[i] = map[symbols[i]]; `map` has 256 entries.
using remap_function = void (*)(const std::uint8_t* symbols, std::size_t count, const std::uint8_t* map,
                                std::uint8_t* out) noexcept;

struct wavelet_functions {
    count_ones_function count_ones;
    weave_leaves_function weave_leaves;
    weave_leaf_function weave_leaf;
    weave_function weave;
    part_function part_bits; ///< keeps no child
    part_function part_ones; ///< keeps the ones
    part_function part_both;
    remap_function remap;
};

/// Exponents (`top`) and upper mantissa bits (`next`) become symbols and packed six-bit values, and back; `first` is
/// the first exponent of the window. See scalar_fields.hpp.
using part_fields_function = void (*)(const std::uint8_t* top, const std::uint8_t* next, std::size_t count,
                                      std::uint8_t first, std::uint8_t* lead, std::uint8_t* six) noexcept;
using join_fields_function = void (*)(const std::uint8_t* lead, const std::uint8_t* six, std::size_t count,
                                      std::uint8_t first, std::uint8_t* top, std::uint8_t* next) noexcept;

/// join_fields and the merge of its two planes to 16-bit words in one: words[i] is next | top << 8 rotated right by
/// one.
using join_words_function = void (*)(const std::uint8_t* lead, const std::uint8_t* six, std::size_t count,
                                     std::uint8_t first, std::uint8_t* words) noexcept;

/// Floats of one byte taken apart and put together again (scalar_bytes.hpp). Pairs take a quarter of `count` bytes; if
/// the rest has three bits, single bits take an eighth, otherwise they may be null. Both are rounded up.
using part_bytes_function = void (*)(const std::uint8_t* bytes, std::size_t count, std::uint8_t* symbols,
                                     std::uint8_t* pairs, std::uint8_t* singles) noexcept;
using join_bytes_function = void (*)(const std::uint8_t* symbols, const std::uint8_t* pairs,
                                     const std::uint8_t* singles, std::size_t count, std::uint8_t* bytes) noexcept;

/// Zigzag differences of words to a base, and the words again (scalar_differences.hpp): with the bits of words as
/// integers, or those of floats in the order of their values. All have the same width.
using differences_function = void (*)(const std::uint8_t* words, const std::uint8_t* base, std::size_t count,
                                      std::uint8_t* zigzags) noexcept;
using restore_function = void (*)(const std::uint8_t* zigzags, const std::uint8_t* base, std::size_t count,
                                  std::uint8_t* words) noexcept;

/// The context of a word: (word & mask) >> shift, less offset, within 0 and 255.
struct context_rule {
    std::uint64_t mask = 0;
    unsigned shift = 0; ///< less than the width of the words
    std::uint64_t offset = 0;
};
using contexts_function = void (*)(const std::uint8_t* base, std::size_t count, const context_rule& rule,
                                   std::uint8_t* contexts) noexcept;

/// symbols[i] = min(zigzag >> low_bits, 255); the low bits are packed from the least significant bit up. Up to 64 bytes
/// behind the packed ones may be written, and read by the inverse, which knows nothing of what was cut off. There are
/// at most as many low bits as the width has above eight.
using part_symbols_function = void (*)(const std::uint8_t* zigzags, std::size_t count, unsigned low_bits,
                                       std::uint8_t* symbols, std::uint8_t* low) noexcept;
using join_symbols_function = void (*)(const std::uint8_t* symbols, const std::uint8_t* low, std::size_t count,
                                       unsigned low_bits, std::uint8_t* zigzags) noexcept;

/// Adds the next of `rests`, words of the same width, times 2^low_bits to the zigzag of each symbol of 255, and returns
/// how many there were. Up to 64 bytes behind the rests may be read.
using add_rests_function = std::size_t (*)(const std::uint8_t* symbols, std::size_t count, const std::uint8_t* rests,
                                           unsigned low_bits, std::uint8_t* zigzags) noexcept;

/// Contexts belong to classes: limits[c - 1] is the first context of class c, and limits go up.
struct context_classes {
    static constexpr std::size_t most = 16;
    std::size_t classes = 1;
    std::uint8_t limits[most - 1] = {};
    std::uint8_t of_context[256] = {}; ///< the same as a map
};

/// Adds the number of contexts in each class to sizes. Sorting appends each symbol to its class and moves its pointer
/// on; up to 64 bytes behind may be written. Unsorting takes each symbol from its class, and may read so far.
using count_classes_function = void (*)(const std::uint8_t* contexts, std::size_t count, const context_classes& classes,
                                        std::size_t* sizes) noexcept;
using sort_classes_function = void (*)(const std::uint8_t* contexts, const std::uint8_t* symbols, std::size_t count,
                                       const context_classes& classes, std::uint8_t** next) noexcept;
using unsort_classes_function = void (*)(const std::uint8_t* contexts, std::size_t count,
                                         const context_classes& classes, const std::uint8_t** next,
                                         std::uint8_t* symbols) noexcept;

/// Arrays over widths: words of 1 << i bytes.
struct difference_functions {
    differences_function of_integers[4];
    differences_function of_floats[4];
    restore_function restore_integers[4];
    restore_function restore_floats[4];
    contexts_function contexts[4];
    part_symbols_function part_symbols[4];
    join_symbols_function join_symbols[4];
    add_rests_function add_rests[4];
    count_classes_function count_classes;
    sort_classes_function sort_classes;
    unsort_classes_function unsort_classes;
};

/// A byte times a factor in GF(256), by its lower and its upper four bits (galois_field.hpp).
struct galois_products {
    alignas(16) std::uint8_t low[16];
    alignas(16) std::uint8_t high[16];
};

/// An additive FFT of 32 points (scalar_galois.hpp) for the columns of 32 rows of `count` bytes; `count` is a multiple
/// of 64. `factors` are the 31 of the points. Interpolation adds the coefficients to `sums`, 32 rows of `count` bytes,
/// one after the other; evaluation takes them from there and writes the values.
using interpolate_function = void (*)(const std::uint8_t* const* rows, std::size_t count,
                                      const galois_products* factors, std::uint8_t* sums) noexcept;
using evaluate_function = void (*)(const std::uint8_t* sums, std::size_t count, const galois_products* factors,
                                   std::uint8_t* const* rows) noexcept;

/// sum[i] += the sum over all `rows` of factors[row] * rows[row][i], in GF(256); any `count`, any alignment.
using multiply_add_function = void (*)(const std::uint8_t* const* rows, const std::uint8_t* factors,
                                       std::size_t row_count, std::size_t count, std::uint8_t* sum) noexcept;

struct galois_functions {
    interpolate_function interpolate;
    evaluate_function evaluate;
    multiply_add_function multiply_add;
};

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
    wavelet_functions wavelet;
    part_fields_function part_fields;
    join_fields_function join_fields;
    join_words_function join_words;
    part_bytes_function part_bytes[2]; ///< with two and with three bits of rest
    join_bytes_function join_bytes[2];
    difference_functions differences;
    galois_functions galois;
    /// The same table whose merges write past the caches, or null: for output that is not read again soon.
    const table* streaming;
};

/// The table for output larger than the caches that nobody reads again soon.
inline const table& streaming(const table& kernels) noexcept {
    return kernels.streaming != nullptr ? *kernels.streaming : kernels;
}

} // namespace bigsmall::kernel
