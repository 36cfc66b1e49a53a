// SPDX-License-Identifier: BSL-1.0
// Ranges of an image, and the bytes of base tensors that make them.
#include <vector>

#include "io_fixtures.hpp"
#include "support/catch.hpp"

using namespace io_test;

TEST_CASE("a range of an image is made of these parts", "[io][patch]") {
    using enum base_conversion;
    const base_image image{none, {{3, 8, 16}, {no_base, 0, 8}, {3, 24, 40}}};
    const image_layout layout(image);
    CHECK(layout.bytes() == 64);
    using pieces = std::vector<base_piece>;
    CHECK(layout.find(0, 64) == pieces{{3, 8, 16, 0, 16}, {no_base, 0, 8, 16, 8}, {3, 24, 40, 24, 40}});
    CHECK(layout.find(0, 16) == pieces{{3, 8, 16, 0, 16}});
    CHECK(layout.find(15, 2) == pieces{{3, 23, 1, 0, 1}, {no_base, 0, 1, 1, 1}});
    CHECK(layout.find(20, 10) == pieces{{no_base, 0, 4, 0, 4}, {3, 24, 6, 4, 6}});
    CHECK(layout.find(24, 40) == pieces{{3, 24, 40, 0, 40}});
    CHECK(layout.find(63, 1) == pieces{{3, 63, 1, 0, 1}});
    CHECK(layout.find(64, 0).empty());
    CHECK(layout.find(5, 0).empty());
    CHECK(contains(thrown_by([&] { layout.find(65, 0); }).what(), "an image has only 64 bytes"));
    CHECK(contains(thrown_by([&] { layout.find(60, 5); }).what(), "an image has only 64 bytes"));
    CHECK(contains(thrown_by([&] { layout.find(1, ~std::uint64_t{0}); }).what(), "an image has only 64 bytes"));
    CHECK(image_layout({}).bytes() == 0);
    CHECK(image_layout({}).find(0, 0).empty());
}

TEST_CASE("a range of an image is counted in the bytes of the base where it is converted", "[io][patch]") {
    using enum base_conversion;
    using pieces = std::vector<base_piece>;
    const base_image halved{f32_to_f16, {{1, 6, 10}, {no_base, 0, 4}, {2, 0, 6}}};
    CHECK(image_layout(halved).find(0, 20) == pieces{{1, 12, 20, 0, 10}, {no_base, 0, 4, 10, 4}, {2, 0, 12, 14, 6}});
    CHECK(image_layout(halved).find(4, 8) == pieces{{1, 20, 12, 0, 6}, {no_base, 0, 2, 6, 2}});
    CHECK(contains(thrown_by([&] { image_layout(halved).find(1, 2); }).what(), "cuts elements"));
    CHECK(contains(thrown_by([&] { image_layout(halved).find(2, 3); }).what(), "cuts elements"));
    const base_image doubled{bf16_to_f32, {{1, 8, 16}}};
    CHECK(image_layout(doubled).find(4, 8) == pieces{{1, 6, 4, 0, 8}});
    CHECK(contains(thrown_by([&] { image_layout(doubled).find(2, 4); }).what(), "cuts elements"));
    const base_image same_width{bf16_to_f16, {{1, 8, 16}}};
    CHECK(image_layout(same_width).find(2, 4) == pieces{{1, 10, 4, 0, 4}});
}

TEST_CASE("every range of an image is what the bytes one by one are", "[io][patch]") {
    using enum base_conversion;
    const base_image image{none, {{0, 3, 5}, {1, 0, 1}, {no_base, 0, 4}, {0, 3, 2}, {0, 0, 7}}};
    const image_layout layout(image);
    for (std::uint64_t begin = 0; begin <= layout.bytes(); ++begin)
        for (std::uint64_t count = 0; count <= layout.bytes() - begin; ++count) {
            std::uint64_t at = 0;
            for (const base_piece& piece : layout.find(begin, count)) {
                REQUIRE(piece.at == at);
                REQUIRE((piece.bytes > 0 && piece.image_bytes == piece.bytes));
                for (std::uint64_t b = 0; b < piece.bytes; ++b) {
                    const base_piece one = layout.find(begin + at + b, 1).at(0);
                    REQUIRE(one.tensor == piece.tensor);
                    REQUIRE(one.offset == (piece.tensor == no_base ? 0 : piece.offset + b));
                }
                at += piece.bytes;
            }
            REQUIRE(at == count);
        }
}

TEST_CASE("an image of a million parts is searched quickly", "[io][patch]") {
    base_image image;
    constexpr std::uint64_t count = 1'000'000;
    for (std::uint32_t i = 0; i < count; ++i)
        image.parts.push_back({i % 2 == 0 ? 0 : no_base, i % 2 == 0 ? i : 0u, 3});
    const image_layout layout(image);
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto found = layout.find(3 * i, 3);
        if (found.size() != 1 || found[0].tensor != image.parts[i].tensor) FAIL(i);
    }
    SUCCEED();
}
