// SPDX-License-Identifier: BSL-1.0
// Dequantised weights: integers times a scale are found in every format and group size, by every point, and whatever
// does not fit lies beside them.
#include <array>
#include <bit>
#include <cfenv>
#include <cmath>

#include <bigsmall/archive/default_codec.hpp>
#include <bigsmall/codec.hpp>
#include <bigsmall/codec/laws.hpp>

#include "support/catch.hpp"

using namespace bigsmall;
using archive::operating_point;

namespace {

constexpr std::array points{operating_point::storage, operating_point::balanced, operating_point::inference};

template <class Format>
byte_buffer quantised(std::size_t group, unsigned levels, std::size_t count = 131072) {
    laws::fixed_random random(group + levels);
    byte_buffer raw;
    float scale = 0;
    for (std::size_t i = 0; i < count; ++i) {
        if (i % group == 0) scale = 0.01f + static_cast<float>(random() >> 40) * 0x1p-30f;
        const int integer = static_cast<int>(random.below(levels)) - static_cast<int>(levels / 2);
        const auto word = Format::rounded(static_cast<float>(integer) * scale);
        for (std::size_t b = 0; b < sizeof(word); ++b)
            raw.push_back(static_cast<std::uint8_t>(word >> (8 * b)));
    }
    return raw;
}

struct coded {
    std::size_t bytes;
    wire_id grouping;
};

coded code(operating_point point, const char* type, bytes_view raw) {
    const codec_ref codec = archive::recipe_of(point).codec;
    scratch memory;
    byte_buffer out(codec.bound(raw.size())), back(raw.size());
    const encoded_block block = codec.encode({*find_dtype(type), 1024}, raw, out, memory);
    REQUIRE(codec.decode(bytes_view(out).first(block.bytes), back, memory) == status::ok);
    REQUIRE(std::equal(back.begin(), back.end(), raw.begin()));
    return {block.bytes, block.label.grouping};
}

// Bits of a word: those of its integer, 48 for the scale of its group, and an eighth more.
template <class Format>
void is_found(const char* type, std::size_t group, unsigned levels) {
    const byte_buffer raw = quantised<Format>(group, levels);
    const double words = static_cast<double>(raw.size() / sizeof(typename Format::word));
    const double bits = std::log2(levels) + 48.0 / static_cast<double>(group);
    for (const operating_point point : points) {
        INFO(type << " group " << group << " levels " << levels << " " << archive::recipe_of(point).name);
        const coded block = code(point, type, raw);
        CHECK(block.grouping == grouping::multiples<Format>::id);
        CHECK(static_cast<double>(block.bytes) < words * bits / 8 * 1.125);
    }
}

template <class Format>
void all_are_found(const char* type) {
    is_found<Format>(type, 1024, 256);
    is_found<Format>(type, 131072, 256);
    is_found<Format>(type, 128, 16);
    is_found<Format>(type, 64, 16);
    is_found<Format>(type, 32, 16);
}

} // namespace

TEST_CASE("integers times a scale cost their bits", "[archive][multiples]") {
    all_are_found<grouping::f32_words>("F32");
    all_are_found<grouping::bf16_words>("BF16");
    all_are_found<grouping::f16_words>("F16");
}

TEST_CASE("dense weights are no multiples", "[archive][multiples]") {
    laws::fixed_random random(3);
    byte_buffer raw;
    for (std::size_t i = 0; i < 65536; ++i) {
        double sum = 0;
        for (int k = 0; k < 12; ++k)
            sum += static_cast<double>(random() >> 40) * 0x1p-24 - 0.5;
        const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(sum * 0.02));
        for (std::size_t b = 0; b < 4; ++b)
            raw.push_back(static_cast<std::uint8_t>(bits >> (8 * b)));
    }
    CHECK_FALSE(grouping::f32_multiples::applies(*find_dtype("F32"), raw));
    byte_buffer upper;
    for (std::size_t i = 0; i < raw.size(); i += 4)
        upper.insert(upper.end(), {raw[i + 2], raw[i + 3]});
    CHECK_FALSE(grouping::bf16_multiples::applies(*find_dtype("BF16"), upper));
}

TEST_CASE("F16 is rounded as the format says", "[archive][multiples]") {
    using grouping::f16_words;
    for (std::uint32_t word = 0; word < 0x7c00; ++word) {
        const double value = f16_words::value(static_cast<std::uint16_t>(word));
        const double next = f16_words::value(static_cast<std::uint16_t>(word + 1));
        REQUIRE(f16_words::rounded(static_cast<float>(value)) == word);
        REQUIRE(f16_words::rounded(-static_cast<float>(value)) == (word | 0x8000));
        const auto half = static_cast<float>((value + next) / 2); // ties go to the even word
        REQUIRE(f16_words::rounded(half) == word + (word & 1));
        REQUIRE(f16_words::rounded(std::nextafter(half, 0.0f)) == word);
        REQUIRE(f16_words::rounded(std::nextafter(half, 1e6f)) == word + 1);
    }
}

TEST_CASE("values of a codebook are left to the LZ coder, at every point", "[archive][multiples]") {
    laws::fixed_random random(9);
    std::array<float, 16> book;
    byte_buffer raw;
    for (std::size_t i = 0; i < 262144; ++i) {
        if (i % 64 == 0)
            for (float& each : book)
                each = static_cast<float>(random() >> 40) * 0x1p-28f - 0.03f;
        const auto bits = std::bit_cast<std::uint32_t>(book[random.below(16)]);
        for (std::size_t b = 0; b < 4; ++b)
            raw.push_back(static_cast<std::uint8_t>(bits >> (8 * b)));
    }
    std::size_t faster = raw.size() * 2 / 3;
    for (const operating_point point : {points[2], points[1], points[0]}) {
        const std::size_t bytes = code(point, "F32", raw).bytes;
        CHECK(bytes <= faster + raw.size() * 3 / 1000);
        faster = bytes;
    }
}

TEST_CASE("planes for integers take floats where they are all there is", "[codec][selection]") {
    struct planes_only : storage_policies {
        using grouping = bigsmall::grouping::byte_planes<4>;
    };
    const byte_buffer raw = quantised<grouping::f32_words>(1024, 256, 16384);
    scratch memory;
    byte_buffer out(basic_codec<planes_only>::bound(raw.size()));
    CHECK(basic_codec<planes_only>::encode(*find_dtype("F32"), raw, out, memory).label.grouping ==
          grouping::byte_planes<4>::id);
    CHECK_FALSE(grouping::byte_planes<4>::applies(*find_dtype("F32"), raw));
}

TEST_CASE("another rounding mode makes no wrong numbers", "[archive][multiples]") {
    const byte_buffer raw = quantised<grouping::f32_words>(1024, 256, 16384);
    const codec_ref codec = archive::recipe_of(operating_point::storage).codec;
    scratch memory;
    byte_buffer out(codec.bound(raw.size())), back(raw.size());
    const std::size_t bytes = codec.encode(*find_dtype("F32"), raw, out, memory).bytes;
    REQUIRE(std::fesetround(FE_UPWARD) == 0);
    const status elsewhere = codec.decode(bytes_view(out).first(bytes), back, memory);
    const bool applies = grouping::f32_multiples::applies(*find_dtype("F32"), raw);
    REQUIRE(std::fesetround(FE_TONEAREST) == 0);
    CHECK(elsewhere == status::unsupported);
    CHECK_FALSE(applies);
    CHECK(codec.decode(bytes_view(out).first(bytes), back, memory) == status::ok);
}
