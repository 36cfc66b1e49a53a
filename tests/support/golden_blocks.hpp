// SPDX-License-Identifier: BSL-1.0
// The golden blocks: one per wire id and lane count, each with the policies that force it. Used by the tool that
// writes new files and by the test that decodes the committed ones.
#pragma once

#include <bit>
#include <stdexcept>
#include <string>
#include <vector>

#include <bigsmall/archive/default_codec.hpp>
#include <bigsmall/codec/laws.hpp>

namespace golden {

struct block_case {
    std::string name; ///< file name without ending
    bigsmall::coding_label label;
    bigsmall::byte_buffer raw;
    bigsmall::byte_buffer coded;
};

template <class G, class E>
struct only : bigsmall::default_policies {
    using grouping = G;
    using entropy = E;
    using selector = bigsmall::selector::smallest;
};

// Values whose top bytes are skewed for every word width: a geometric distribution over noise.
inline bigsmall::byte_buffer skewed_words(std::size_t size_bytes, std::size_t width, bool sparse) {
    bigsmall::laws::fixed_random random(size_bytes + width);
    bigsmall::byte_buffer raw(size_bytes);
    for (std::size_t i = 0; i + width <= size_bytes; i += width) {
        if (sparse && random.below(4) != 0) continue;
        for (std::size_t b = 0; b < width; ++b)
            raw[i + b] = static_cast<std::uint8_t>(random() >> 17);
        raw[i + width - 1] = static_cast<std::uint8_t>(60 - std::countr_zero(random() | 1ull << 30));
    }
    return raw;
}

// Floats of one byte: any sign and mantissa under a skewed exponent.
inline bigsmall::byte_buffer small_floats(std::size_t size_bytes) {
    bigsmall::laws::fixed_random random(size_bytes);
    bigsmall::byte_buffer raw(size_bytes);
    for (std::uint8_t& byte : raw) {
        const int exponent = 13 - std::countr_zero(random() | 1ull << 12);
        byte = static_cast<std::uint8_t>((static_cast<unsigned>(exponent) << 3) | (random() >> 17 & 0x87));
    }
    return raw;
}

// Rows, or with `columns` columns, whose symbols are near or far in turn.
inline bigsmall::byte_buffer rows_of_two_scales(std::size_t size_bytes, std::size_t row, bool columns) {
    bigsmall::laws::fixed_random random(size_bytes);
    bigsmall::byte_buffer raw(size_bytes);
    for (std::size_t i = 0; i < size_bytes; ++i) {
        const bool far = (columns ? i % row : i / row) % 3 == 0;
        raw[i] = static_cast<std::uint8_t>((far ? 200 : 100) - std::countr_zero(random() | 1ull << 30));
    }
    return raw;
}

// Words, and the same words again with the other sign.
inline bigsmall::byte_buffer mirrored(std::size_t width) {
    bigsmall::byte_buffer raw = skewed_words(800, width, false);
    raw.insert(raw.end(), raw.begin(), raw.begin() + 800);
    for (std::size_t top = 800 + width - 1; top < raw.size(); top += width)
        raw[top] = static_cast<std::uint8_t>(raw[top] ^ 0x80);
    return raw;
}

// One symbol most of the time: bits that are not fair.
inline bigsmall::byte_buffer mostly_one(std::size_t size_bytes) {
    bigsmall::laws::fixed_random random(size_bytes);
    bigsmall::byte_buffer raw(size_bytes);
    for (std::uint8_t& symbol : raw)
        symbol = static_cast<std::uint8_t>(random.below(5) == 0 ? random.below(40) : 7);
    return raw;
}

// Each symbol is near to the one `distance` before it.
inline bigsmall::byte_buffer echoes(std::size_t size_bytes, std::size_t distance) {
    bigsmall::laws::fixed_random random(size_bytes);
    bigsmall::byte_buffer raw(size_bytes);
    for (std::size_t i = 0; i < size_bytes; ++i) {
        const auto fresh = static_cast<std::uint8_t>(random() >> 20);
        const bool first = i < distance;
        raw[i] = first ? fresh : static_cast<std::uint8_t>((raw[i - distance] & 0xc0) | (fresh & 0x07));
    }
    return raw;
}

// Integers times a scale for each row of 100, some rows of other words, and perhaps zeros with a sign. The words are
// those of a format whose upper half, or all, an F32 is.
inline bigsmall::byte_buffer scaled_integers(std::size_t count, std::size_t width, bool negative_zeros) {
    bigsmall::laws::fixed_random random(count + width);
    bigsmall::byte_buffer raw;
    float scale = 0;
    for (std::size_t i = 0; i < count; ++i) {
        if (i % 100 == 0) scale = 0.01f + static_cast<float>(random.below(1000)) * 0.00001f;
        const int integer = static_cast<int>(random.below(61)) - 30;
        std::uint32_t bits = std::bit_cast<std::uint32_t>(static_cast<float>(integer) * scale);
        if (integer == 0 && negative_zeros) bits = 0x80000000u;
        if (i / 100 % 9 == 8)
            bits = std::bit_cast<std::uint32_t>(1.0f) + static_cast<std::uint32_t>(random.below(1 << 23));
        if (width == 2) bits = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
        for (std::size_t b = 0; b < width; ++b)
            raw.push_back(static_cast<std::uint8_t>(bits >> (8 * b)));
    }
    return raw;
}

// The same in F16, small enough to be subnormal in part; the product of integer and scale is exact.
inline bigsmall::byte_buffer scaled_integers_f16(std::size_t count) {
    bigsmall::laws::fixed_random random(count);
    bigsmall::byte_buffer raw;
    for (std::size_t i = 0; i < count; ++i) {
        const auto word =
            static_cast<std::uint16_t>(random.below(20) * (i < count / 2 ? 3 : 5) | (random() >> 20 & 0x8000));
        raw.push_back(static_cast<std::uint8_t>(word));
        raw.push_back(static_cast<std::uint8_t>(word >> 8));
    }
    return raw;
}

template <class G, class E>
void add(std::vector<block_case>& cases, std::string name, const char* dtype_name, bigsmall::byte_buffer raw,
         std::uint64_t row_elems = 0, std::uint64_t last_elems = 0) {
    using forced = bigsmall::basic_codec<only<G, E>>;
    bigsmall::scratch memory;
    bigsmall::byte_buffer coded(forced::bound(raw.size()));
    const auto block = forced::encode({*bigsmall::find_dtype(dtype_name), row_elems, row_elems / 2, {}, last_elems},
                                      raw, coded, memory);
    coded.resize(block.bytes);
    // A case that fell back to another coding would show nothing.
    if (block.label != bigsmall::coding_label{G::id, E::id})
        throw std::logic_error("golden case not as named: " + name);
    cases.push_back({std::move(name), block.label, std::move(raw), std::move(coded)});
}

inline std::vector<block_case> block_cases() {
    namespace e = bigsmall::entropy;
    namespace g = bigsmall::grouping;
    std::vector<block_case> cases;
    add<g::whole, e::stored>(cases, "whole_stored", "U8", skewed_words(300, 1, false));
    add<g::whole, e::constant>(cases, "whole_constant", "U8", bigsmall::byte_buffer(5000, 17));
    add<g::whole, e::huffman>(cases, "whole_huffman", "U8", skewed_words(4001, 1, false));
    add<g::whole, e::rans>(cases, "whole_rans_1_lane", "U8", skewed_words(300, 1, false));
    add<g::whole, e::rans>(cases, "whole_rans_4_lanes", "U8", skewed_words(4001, 1, false));
    add<g::whole, e::rans>(cases, "whole_rans_32_lanes", "U8", skewed_words(9001, 1, false));
    add<g::whole, bigsmall::archive::entropy::zstd>(cases, "whole_zstd", "U8", [] {
        bigsmall::byte_buffer twice = skewed_words(600, 2, false);
        twice.insert(twice.end(), twice.begin(), twice.begin() + 600);
        return twice;
    }());
    add<g::byte_planes<2>, e::rans>(cases, "byte_planes_2", "I16", skewed_words(4002, 2, false));
    add<g::byte_planes<4>, e::rans>(cases, "byte_planes_4", "I32", skewed_words(4004, 4, false));
    add<g::byte_planes<8>, e::rans>(cases, "byte_planes_8", "I64", skewed_words(8008, 8, false));
    add<g::field_planes<2>, e::huffman>(cases, "field_planes_2", "BF16", skewed_words(4002, 2, false));
    add<g::field_planes<4>, e::rans>(cases, "field_planes_4", "F32", skewed_words(4004, 4, false));
    add<g::field_planes<8>, e::rans>(cases, "field_planes_8", "F64", skewed_words(8008, 8, false));
    add<g::zero_runs<1>, e::rans>(cases, "zero_runs_1", "U8", skewed_words(4001, 1, true));
    add<g::zero_runs<2>, e::rans>(cases, "zero_runs_2", "BF16", skewed_words(4002, 2, true));
    add<g::zero_runs<4>, e::rans>(cases, "zero_runs_4", "F32", skewed_words(8004, 4, true));
    add<g::zero_runs<8>, e::rans>(cases, "zero_runs_8", "F64", skewed_words(16008, 8, true));
    add<g::whole, e::basic_wavelet<0, 12>>(cases, "whole_wavelet_plain", "U8", skewed_words(9001, 1, false));
    add<g::whole, e::basic_wavelet<1000, 12>>(cases, "whole_wavelet_coded", "U8", mostly_one(9001));
    add<g::joint_fields<2>, e::wavelet>(cases, "joint_fields_2", "BF16", skewed_words(4002, 2, true));
    add<g::joint_fields<4>, e::wavelet>(cases, "joint_fields_4", "F32", skewed_words(8004, 4, true));
    add<g::byte_fields<2>, e::wavelet>(cases, "byte_fields_2", "F8_E4M3", small_floats(4003));
    add<g::byte_fields<3>, e::wavelet>(cases, "byte_fields_3", "F8_E5M2", small_floats(4003));
    add<g::whole, e::classed_wavelet>(cases, "whole_classed_by_row", "U8", rows_of_two_scales(9000, 100, false), 100);
    add<g::whole, e::classed_wavelet>(cases, "whole_classed_by_column", "U8", rows_of_two_scales(9000, 100, true),
                                      0x10000, 100);
    add<g::whole, e::classed_wavelet>(cases, "whole_classed_by_lag", "U8", echoes(9000, 100), 100);
    add<g::sign_apart<2>, bigsmall::archive::entropy::zstd>(cases, "sign_apart_2", "F16", mirrored(2));
    add<g::sign_apart<4>, bigsmall::archive::entropy::zstd>(cases, "sign_apart_4", "F32", mirrored(4));
    add<g::sign_planes<2>, bigsmall::archive::entropy::zstd>(cases, "sign_planes_2", "F16", mirrored(2));
    add<g::sign_planes<4>, bigsmall::archive::entropy::zstd>(cases, "sign_planes_4", "F32", mirrored(4));
    add<g::f32_multiples, e::wavelet>(cases, "multiples_f32", "F32", scaled_integers(4000, 4, true));
    add<g::bf16_multiples, e::wavelet>(cases, "multiples_bf16", "BF16", scaled_integers(4000, 2, false));
    add<g::f16_multiples, e::wavelet>(cases, "multiples_f16", "F16", scaled_integers_f16(4000));
    return cases;
}

} // namespace golden
