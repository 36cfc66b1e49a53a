// SPDX-License-Identifier: BSL-1.0
// Every table against the scalar one: all small lengths, all alignments.
#include <array>

#include <bigsmall/codec/laws.hpp>
#include <bigsmall/kernel.hpp>

#include "support/catch.hpp"

using namespace bigsmall;

namespace {

byte_buffer noise(std::size_t size) {
    laws::fixed_random random(11);
    byte_buffer bytes(size);
    for (std::uint8_t& byte : bytes)
        byte = static_cast<std::uint8_t>(random() >> 13);
    return bytes;
}

template <std::size_t Width>
void check_planes(kernel::split_function split, kernel::merge_function merge, kernel::split_function reference) {
    const byte_buffer source = noise(64 + 260 * Width);
    for (std::size_t count = 0; count <= 257; ++count) {
        for (const std::size_t shift : {0u, 1u, 3u, 32u}) {
            std::array<byte_buffer, Width> got, expected;
            std::array<std::uint8_t*, Width> got_at, expected_at;
            std::array<const std::uint8_t*, Width> merge_from;
            for (std::size_t p = 0; p < Width; ++p) {
                got[p].assign(count + shift + 1, 0xa5);
                expected[p].assign(count, 0);
                got_at[p] = got[p].data() + shift;
                merge_from[p] = got_at[p];
                expected_at[p] = expected[p].data();
            }
            split(source.data() + shift, count, got_at.data());
            reference(source.data() + shift, count, expected_at.data());
            for (std::size_t p = 0; p < Width; ++p) {
                REQUIRE(std::equal(expected[p].begin(), expected[p].end(), got_at[p]));
                REQUIRE(got[p].back() == 0xa5);
            }
            byte_buffer back(count * Width + shift + 1, 0xa5);
            merge(merge_from.data(), count, back.data() + shift);
            REQUIRE(std::equal(source.begin() + static_cast<std::ptrdiff_t>(shift),
                               source.begin() + static_cast<std::ptrdiff_t>(shift + count * Width),
                               back.begin() + static_cast<std::ptrdiff_t>(shift)));
            REQUIRE(back.back() == 0xa5);
        }
    }
}

} // namespace

TEST_CASE("planes: every table equals the scalar one", "[kernel]") {
    const kernel::table& reference = kernel::scalar::functions;
    for (const kernel::table* table : kernel::runnable()) {
        INFO(table->name);
        check_planes<2>(table->split[0], table->merge[0], reference.split[0]);
        check_planes<4>(table->split[1], table->merge[1], reference.split[1]);
        check_planes<8>(table->split[2], table->merge[2], reference.split[2]);
        check_planes<2>(table->split_rotated[0], table->merge_rotated[0], reference.split_rotated[0]);
        check_planes<4>(table->split_rotated[1], table->merge_rotated[1], reference.split_rotated[1]);
        check_planes<8>(table->split_rotated[2], table->merge_rotated[2], reference.split_rotated[2]);
    }
}

TEST_CASE("the scalar split is what it says", "[kernel]") {
    const std::array<std::uint8_t, 4> words{0x80, 0x3f, 0x01, 0xc0}; // BF16 1.0 and -2.0 with the lowest bit set
    std::array<std::uint8_t, 2> low{}, high{};
    std::array<std::uint8_t*, 2> planes{low.data(), high.data()};
    kernel::scalar::functions.split_rotated[0](words.data(), 2, planes.data());
    CHECK(high == std::array<std::uint8_t, 2>{127, 128});  // exponents
    CHECK(low == std::array<std::uint8_t, 2>{0x00, 0x03}); // mantissa << 1 | sign
}

TEST_CASE("histogram: every table counts every byte once", "[kernel]") {
    for (const kernel::table* table : kernel::runnable()) {
        for (const std::size_t size : {0u, 1u, 7u, 8u, 9u, 100u, 1000u}) {
            const byte_buffer bytes = noise(size);
            std::array<std::uint32_t, 256> counts{}, expected{};
            for (const std::uint8_t byte : bytes)
                ++expected[byte];
            table->histogram(bytes.data(), bytes.size(), counts.data());
            CHECK(counts == expected);
        }
    }
}

TEST_CASE("tables are found by name, the portable one always", "[kernel]") {
    REQUIRE(kernel::find("scalar") == &kernel::scalar::functions);
    CHECK(kernel::find("no such table") == nullptr);
    CHECK(kernel::runnable().front()->name == "scalar");
    CHECK(&kernel::best() == kernel::runnable().back());
}
