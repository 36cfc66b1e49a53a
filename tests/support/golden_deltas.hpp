// SPDX-License-Identifier: BSL-1.0
// The golden blocks that are differences to a base, one for each way of the format; see golden_blocks.hpp.
#pragma once

#include <bit>
#include <stdexcept>
#include <string>
#include <vector>

#include <bigsmall/codec.hpp>
#include <bigsmall/codec/laws.hpp>

namespace golden {

struct delta_case {
    std::string name; ///< file name without ending
    bigsmall::byte_buffer base, raw, coded;
};

/// What a case is to show.
struct delta_feature {
    std::size_t run_classes = 1;
    bool sparse = false;
    bool many_contexts = false;
    bool low_bits = false;
};

// Words whose upper half is skewed, and the same words moved by steps of about 2^step_log2 to either side, larger where
// `wider` bits of the word are clear. One word in `one_in` moves, in `moving` of each 3000 words.
struct delta_recipe {
    const char* dtype_name;
    std::size_t width, bytes;
    unsigned step_log2;
    std::size_t one_in = 1, moving = 3000;
    bool two_speeds = false;
};

inline delta_case moved_words(const delta_recipe& recipe) {
    bigsmall::laws::fixed_random random(recipe.bytes + recipe.step_log2);
    delta_case made;
    const unsigned bits = static_cast<unsigned>(8 * recipe.width);
    for (std::size_t i = 0; i < recipe.bytes / recipe.width; ++i) {
        const std::uint64_t noise = random() >> 3 << (64 - bits) >> (64 - bits);
        const auto exponent = static_cast<std::uint64_t>(std::countr_zero(random() | 64));
        std::uint64_t word = noise;
        if (recipe.width > 1) word = (noise & ~(std::uint64_t{0x7f80} << (bits - 16))) | (123 - exponent) << (bits - 9);
        const unsigned faster = recipe.two_speeds && i / 1500 % 2 == 1 ? 5 : 0;
        std::uint64_t step = (random() >> 9) % (std::uint64_t{2} << (recipe.step_log2 + faster + exponent / 2));
        if (random.below(recipe.one_in) != 0 || i % 3000 >= recipe.moving) step = 0;
        const std::uint64_t moved = random.below(2) == 0 ? word + step : word - step;
        for (std::size_t b = 0; b < recipe.width; ++b) {
            made.base.push_back(static_cast<std::uint8_t>(word >> (8 * b)));
            made.raw.push_back(static_cast<std::uint8_t>(moved >> (8 * b)));
        }
    }
    while (made.raw.size() < recipe.bytes) { // no whole word
        made.base.push_back(7);
        made.raw.push_back(8);
    }
    return made;
}

inline void add_delta(std::vector<delta_case>& cases, std::string name, const delta_recipe& recipe,
                      const delta_feature& wanted) {
    using codec = bigsmall::delta_codec;
    delta_case made = moved_words(recipe);
    bigsmall::scratch memory;
    made.coded.resize(codec::bound(made.raw.size()));
    const auto block = codec::encode(*bigsmall::find_dtype(recipe.dtype_name), made.raw, made.base, made.raw.size(),
                                     made.coded, memory);
    // A case that is coded in another way would show nothing.
    bigsmall::delta::delta_front front;
    bigsmall::byte_cursor cursor(made.coded);
    if (!block || bigsmall::delta::delta_front::load(cursor, front) != bigsmall::status::ok ||
        front.run_classes != wanted.run_classes || front.has_sparse_runs() != wanted.sparse ||
        front.needs_contexts() != wanted.many_contexts || (front.classes[0].low_bits != 0) != wanted.low_bits)
        throw std::logic_error("golden case not as named: " + name);
    made.coded.resize(block->bytes);
    made.name = std::move(name);
    cases.push_back(std::move(made));
}

inline std::vector<delta_case> delta_cases() {
    std::vector<delta_case> cases;
    add_delta(cases, "delta_bf16", {"BF16", 2, 12001, 0}, {1, false, true, false});
    add_delta(cases, "delta_bf16_unchanged", {"BF16", 2, 2000, 0, 1, 0}, {0, false, false, false});
    add_delta(cases, "delta_bf16_sparse", {"BF16", 2, 12000, 1, 20}, {1, true, false, false});
    add_delta(cases, "delta_bf16_two_speeds", {"BF16", 2, 24000, 0, 1, 2300, true}, {2, false, true, false});
    add_delta(cases, "delta_f32_low_bits", {"F32", 4, 20003, 14}, {1, false, true, true});
    add_delta(cases, "delta_f64_low_bits", {"F64", 8, 20000, 30}, {1, false, true, true});
    add_delta(cases, "delta_i64", {"I64", 8, 20000, 2}, {1, false, false, false});
    add_delta(cases, "delta_u8", {"U8", 1, 5000, 1}, {1, false, false, false});
    return cases;
}

} // namespace golden
