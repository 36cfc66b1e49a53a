// SPDX-License-Identifier: BSL-1.0
// The kernels of differences: the scalar ones against what they say, every table against the scalar one, at all small
// lengths and several alignments.
#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include <bigsmall/codec/laws.hpp>
#include <bigsmall/kernel.hpp>

#include "support/catch.hpp"

using namespace bigsmall;

namespace {

constexpr std::size_t slack = 64, most = 300;
const kernel::difference_functions& reference = kernel::scalar::functions.differences;

// Words near to each other, so that differences have all widths.
byte_buffer words(std::size_t size, std::size_t seed) {
    laws::fixed_random random(seed);
    byte_buffer bytes(size);
    for (std::uint8_t& byte : bytes)
        byte = static_cast<std::uint8_t>(random.below(3) == 0 ? random() >> 13 : random.below(2) * 255);
    return bytes;
}

// A buffer of exactly this size, so that a sanitizer sees every byte too many.
byte_buffer part_of(const byte_buffer& from, std::size_t begin, std::size_t size) {
    return {from.begin() + static_cast<std::ptrdiff_t>(begin),
            from.begin() + static_cast<std::ptrdiff_t>(begin + size)};
}

struct output {
    byte_buffer bytes;
    std::size_t shift;
    output(std::size_t size, std::size_t shift_) : bytes(size + shift_ + 1, 0xa5), shift(shift_) {}
    std::uint8_t* data() { return bytes.data() + shift; }
    bool equals(const byte_buffer& expected) const {
        return bytes.size() == expected.size() + shift + 1 && bytes.back() == 0xa5 &&
               std::equal(expected.begin(), expected.end(), bytes.begin() + static_cast<std::ptrdiff_t>(shift));
    }
};

template <class Check>
void for_each_case(const Check& check) {
    for (const kernel::table* table : kernel::runnable()) {
        INFO(table->name);
        for (std::size_t count = 0; count <= most; ++count)
            for (const std::size_t shift : {0u, 1u, 3u, 32u})
                check(table->differences, count, shift);
    }
}

kernel::context_classes classes_with(std::vector<std::uint8_t> limits) {
    kernel::context_classes made;
    made.classes = limits.size() + 1;
    std::copy(limits.begin(), limits.end(), made.limits);
    for (std::size_t context = 0; context < 256; ++context)
        for (const std::uint8_t limit : limits)
            made.of_context[context] = static_cast<std::uint8_t>(made.of_context[context] + (limit <= context));
    return made;
}

const std::vector<kernel::context_classes>& sets_of_classes() {
    static const std::vector<kernel::context_classes> sets{
        classes_with({}),
        classes_with({1}),
        classes_with({128, 255}),
        classes_with({1, 64, 254}),
        classes_with({20, 127, 128, 129}),
        classes_with({3, 9, 100, 127, 200}),
        classes_with({3, 9, 100, 127, 200, 201}),
        classes_with({10, 20, 30, 40, 50, 60, 70, 80, 128, 150, 160, 170, 180, 190, 200})};
    return sets;
}

} // namespace

TEST_CASE("differences count the floats between two", "[kernel]") {
    const auto zigzag = [](float x, float b) {
        std::array<std::uint8_t, 4> raw, base, out;
        store_le<std::uint32_t>(raw.data(), std::bit_cast<std::uint32_t>(x));
        store_le<std::uint32_t>(base.data(), std::bit_cast<std::uint32_t>(b));
        reference.of_floats[2](raw.data(), base.data(), 1, out.data());
        return load_le<std::uint32_t>(out.data());
    };
    CHECK(zigzag(1.0f, 1.0f) == 0);
    CHECK(zigzag(std::bit_cast<float>(0x3f800001u), 1.0f) == 2);
    CHECK(zigzag(1.0f, std::bit_cast<float>(0x3f800001u)) == 1);
    CHECK(zigzag(-1.0f, std::bit_cast<float>(0xbf800001u)) == 2); // up, though the bits go down
    CHECK(zigzag(0.0f, -0.0f) == 2);
    CHECK(zigzag(std::bit_cast<float>(1u), -0.0f) == 4);
    CHECK(zigzag(2.0f, 1.0f) == 2u << 23);
}

TEST_CASE("differences and their inverse are alike in every table", "[kernel]") {
    const byte_buffer x = words(8 * (most + 40), 1), b = words(8 * (most + 40), 2);
    for_each_case([&](const kernel::difference_functions& kernels, std::size_t count, std::size_t shift) {
        for (std::size_t i = 0; i < 4; ++i) {
            const std::size_t bytes = count << i;
            const byte_buffer raw = part_of(x, shift, bytes), base = part_of(b, 2 * shift, bytes);
            for (const bool floats : {false, true}) {
                byte_buffer expected(bytes);
                (floats ? reference.of_floats : reference.of_integers)[i](raw.data(), base.data(), count,
                                                                          expected.data());
                output zigzags(bytes, shift), back(bytes, shift);
                (floats ? kernels.of_floats : kernels.of_integers)[i](raw.data(), base.data(), count, zigzags.data());
                REQUIRE(zigzags.equals(expected));
                (floats ? kernels.restore_floats : kernels.restore_integers)[i](expected.data(), base.data(), count,
                                                                                back.data());
                REQUIRE(back.equals(raw));
            }
        }
    });
}

TEST_CASE("contexts are alike in every table", "[kernel]") {
    const byte_buffer b = words(8 * (most + 40), 3);
    CHECK([] {
        const std::array<std::uint8_t, 6> base{0x80, 0x3f, 0x40, 0xbf, 0xff, 0xff}; // BF16 1.0, -0.75, a NaN
        std::array<std::uint8_t, 3> out;
        reference.contexts[1](base.data(), 3, {0x7fff, 6, 100}, out.data());
        return out;
    }() == std::array<std::uint8_t, 3>{154, 153, 255});
    for_each_case([&](const kernel::difference_functions& kernels, std::size_t count, std::size_t shift) {
        for (std::size_t i = 0; i < 4; ++i) {
            const unsigned bits = 8u << i;
            const byte_buffer base = part_of(b, shift, count << i);
            const std::uint64_t all = ~std::uint64_t{0};
            for (const kernel::context_rule& rule : {kernel::context_rule{all, 0, 0},
                                                     {all >> 1 >> (64 - bits), bits / 2, 3},
                                                     {0, 0, 0},
                                                     {all, bits - 1, 0},
                                                     {all, bits - 3, all},
                                                     {all >> (64 - bits), bits > 8 ? bits - 10 : 2, 200},
                                                     {127, 2, 5}}) {
                byte_buffer expected(count);
                reference.contexts[i](base.data(), count, rule, expected.data());
                output contexts(count, shift);
                kernels.contexts[i](base.data(), count, rule, contexts.data());
                REQUIRE(contexts.equals(expected));
            }
        }
    });
}

TEST_CASE("symbols and low bits are alike in every table", "[kernel]") {
    const byte_buffer z = words(8 * (most + 40), 4);
    for (const kernel::table* table : kernel::runnable())
        for (std::size_t i = 0; i < 4; ++i)
            for (unsigned low_bits = 0; low_bits <= (8u << i) - 8; ++low_bits)
                for (std::size_t count = 0; count <= 80; count += count < 70 ? 1 : 5) {
                    INFO(table->name << ", " << (1u << i) << " bytes, " << low_bits << " bits, " << count);
                    const kernel::difference_functions& kernels = table->differences;
                    const byte_buffer zigzags = part_of(z, count, count << i);
                    const std::size_t low_bytes = (count * low_bits + 7) / 8;
                    byte_buffer symbols(count), low(low_bytes + slack), expected(count),
                        expected_low(low_bytes + slack);
                    reference.part_symbols[i](zigzags.data(), count, low_bits, expected.data(), expected_low.data());
                    kernels.part_symbols[i](zigzags.data(), count, low_bits, symbols.data(), low.data());
                    REQUIRE(symbols == expected);
                    REQUIRE(part_of(low, 0, low_bytes) == part_of(expected_low, 0, low_bytes));
                    byte_buffer back(count << i), expected_back(count << i);
                    reference.join_symbols[i](symbols.data(), low.data(), count, low_bits, expected_back.data());
                    std::fill(low.begin() + static_cast<std::ptrdiff_t>(low_bytes), low.end(), std::uint8_t{0xff});
                    kernels.join_symbols[i](symbols.data(), low.data(), count, low_bits, back.data());
                    REQUIRE(back == expected_back);
                    // What was not cut off is the whole word.
                    for (std::size_t k = 0; k < count && i == 0; ++k)
                        REQUIRE(back[k] == zigzags[k]);
                }
}

TEST_CASE("escapes get their rests alike in every table", "[kernel]") {
    const byte_buffer z = words(8 * (most + 40), 8), r = words(8 * most + slack, 9);
    laws::fixed_random random(10);
    for (const std::size_t one_in : {1u, 2u, 20u, 200u}) {
        byte_buffer x = words(most + 40, 11);
        for (std::uint8_t& symbol : x)
            symbol = static_cast<std::uint8_t>(random.below(one_in) == 0 ? 255 : random.below(255));
        for_each_case([&](const kernel::difference_functions& kernels, std::size_t count, std::size_t shift) {
            const byte_buffer symbols = part_of(x, shift, count);
            const auto escapes = static_cast<std::size_t>(std::count(symbols.begin(), symbols.end(), 255));
            for (std::size_t i = 0; i < 4; ++i) {
                const unsigned low_bits = static_cast<unsigned>(shift % ((8u << i) - 7));
                const byte_buffer rests = part_of(r, 0, (escapes << i) + slack);
                byte_buffer expected = part_of(z, 0, count << i);
                REQUIRE(reference.add_rests[i](symbols.data(), count, rests.data(), low_bits, expected.data()) ==
                        escapes);
                output sums(count << i, shift);
                std::copy_n(z.data(), count << i, sums.data());
                REQUIRE(kernels.add_rests[i](symbols.data(), count, rests.data(), low_bits, sums.data()) == escapes);
                REQUIRE(sums.equals(expected));
            }
        });
    }
    // What the portable one does: the next rest, shifted, to each word whose symbol is 255.
    const std::array<std::uint8_t, 4> symbols{255, 254, 255, 0};
    const std::array<std::uint8_t, 4> rests{1, 0, 0xff, 0x10};
    std::array<std::uint8_t, 8> sums{0xfc, 0x03, 9, 0, 0xfe, 0x03, 9, 0};
    CHECK(reference.add_rests[1](symbols.data(), 4, rests.data(), 2, sums.data()) == 2);
    CHECK(sums == std::array<std::uint8_t, 8>{0x00, 0x04, 9, 0, 0xfa, 0x47, 9, 0});
}

TEST_CASE("classes are counted, sorted and put back alike in every table", "[kernel]") {
    const byte_buffer x = words(most + 40, 5), c = words(most + 340, 6);
    for_each_case([&](const kernel::difference_functions& kernels, std::size_t count, std::size_t shift) {
        const byte_buffer symbols = part_of(x, shift, count), contexts = part_of(c, count + shift, count);
        for (const kernel::context_classes& classes : sets_of_classes()) {
            std::array<std::size_t, kernel::context_classes::most> expected{}, sizes{};
            reference.count_classes(contexts.data(), count, classes, expected.data());
            kernels.count_classes(contexts.data(), count, classes, sizes.data());
            REQUIRE(sizes == expected);

            std::array<byte_buffer, kernel::context_classes::most> expected_rooms, rooms;
            std::array<std::uint8_t*, kernel::context_classes::most> expected_next{}, next{};
            std::array<const std::uint8_t*, kernel::context_classes::most> from{};
            for (std::size_t k = 0; k < classes.classes; ++k) {
                expected_rooms[k].resize(sizes[k] + slack);
                rooms[k].resize(sizes[k] + slack);
                expected_next[k] = expected_rooms[k].data();
                from[k] = next[k] = rooms[k].data();
            }
            reference.sort_classes(contexts.data(), symbols.data(), count, classes, expected_next.data());
            kernels.sort_classes(contexts.data(), symbols.data(), count, classes, next.data());
            for (std::size_t k = 0; k < classes.classes; ++k) {
                REQUIRE(next[k] == rooms[k].data() + sizes[k]);
                REQUIRE(part_of(rooms[k], 0, sizes[k]) == part_of(expected_rooms[k], 0, sizes[k]));
            }
            output back(count, shift);
            kernels.unsort_classes(contexts.data(), count, classes, from.data(), back.data());
            REQUIRE(back.equals(symbols));
            for (std::size_t k = 0; k < classes.classes; ++k)
                REQUIRE(from[k] == rooms[k].data() + sizes[k]);
        }
    });
}

TEST_CASE("more contexts are counted than a counter of one byte can count", "[kernel][delta]") {
    for (const std::size_t count : {8159u, 8160u, 8192u, 17000u}) {
        const byte_buffer contexts = words(count, 7), equal(count, 200);
        for (const kernel::table* table : kernel::runnable()) {
            INFO(table->name << ", " << count << " contexts");
            for (const kernel::context_classes& classes : sets_of_classes()) {
                for (const byte_buffer& each : {contexts, equal}) {
                    std::array<std::size_t, kernel::context_classes::most> expected{}, sizes{};
                    reference.count_classes(each.data(), count, classes, expected.data());
                    table->differences.count_classes(each.data(), count, classes, sizes.data());
                    REQUIRE(sizes == expected);
                }
            }
        }
    }
}
