// SPDX-License-Identifier: BSL-1.0
#include <array>
#include <limits>
#include <string>

#include <bigsmall/core.hpp>

#include "support/catch.hpp"

using namespace bigsmall;

TEST_CASE("varints round-trip and reject what does not fit", "[core]") {
    for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{127}, std::uint64_t{128}, std::uint64_t{300},
                                      std::uint64_t{1} << 35, std::numeric_limits<std::uint64_t>::max()}) {
        std::array<std::uint8_t, max_varint_bytes> bytes{};
        const std::size_t n = store_varint(bytes.data(), value);
        byte_cursor whole(bytes_view(bytes).first(n));
        CHECK(whole.read_varint() == value);
        CHECK(whole.finished());
        byte_cursor cut(bytes_view(bytes).first(n - 1));
        CHECK(cut.read_varint() == 0);
        CHECK_FALSE(cut.ok());
    }
    const std::array<std::uint8_t, 10> too_large{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
    byte_cursor cursor{bytes_view(too_large)};
    CHECK(cursor.read_varint() == 0);
    CHECK_FALSE(cursor.ok());
}

TEST_CASE("a cursor that failed stays failed", "[core]") {
    const std::array<std::uint8_t, 3> bytes{1, 2, 3};
    byte_cursor cursor{bytes_view(bytes)};
    CHECK(cursor.read<std::uint16_t>() == 0x0201);
    CHECK(cursor.take(2).empty());
    CHECK_FALSE(cursor.ok());
    CHECK(cursor.read<std::uint8_t>() == 0);
    CHECK(cursor.left() == 0);
}

TEST_CASE("an error keeps the first context and reads as one sentence", "[core]") {
    error e(errc::corrupt, "block 7 fails its checksum");
    e.in_tensor("w").in_file("m.bs").in_file("other").at_offset(640).with_hint("restore it from a copy");
    CHECK(std::string(e.what()) == "m.bs: tensor w: at byte 640: block 7 fails its checksum (restore it from a copy)");
    CHECK(e.code() == errc::corrupt);
    CHECK(std::string(name_of(e.code())) == "corrupt");
}

TEST_CASE("dtypes have the widths of the format", "[core]") {
    CHECK(find_dtype("BF16")->bits == 16);
    CHECK(find_dtype("F8_E8M0")->bits == 8);
    CHECK(find_dtype("C64")->bits == 64);
    CHECK_FALSE(find_dtype("bf16").has_value());
    CHECK(size_in_bytes(*find_dtype("F4"), 6) == 3u);
    CHECK_FALSE(size_in_bytes(*find_dtype("F4"), 5).has_value());
    CHECK(size_in_bytes(*find_dtype("F6_E2M3"), 4) == 3u);
    CHECK_FALSE(size_in_bytes(*find_dtype("F64"), std::numeric_limits<std::uint64_t>::max() / 8).has_value());
    for (const dtype& type : detail::dtypes)
        if (type.kind == number_kind::floating) CHECK(type.bits == 1 + type.exponent_bits + type.mantissa_bits);
}

TEST_CASE("element counts do not overflow and zero wins", "[core]") {
    const std::uint64_t huge = std::uint64_t{1} << 40;
    CHECK(element_count(std::array<std::uint64_t, 0>{}) == 1u);
    CHECK(element_count(std::array<std::uint64_t, 2>{3, 4}) == 12u);
    CHECK_FALSE(element_count(std::array<std::uint64_t, 2>{huge, huge}).has_value());
    CHECK(element_count(std::array<std::uint64_t, 3>{huge, huge, 0}) == 0u);
}

TEST_CASE("loads and stores are little-endian", "[core]") {
    std::array<std::uint8_t, 8> bytes{};
    store_le<std::uint32_t>(bytes.data() + 1, 0x01020304u);
    CHECK(bytes[1] == 4);
    CHECK(bytes[4] == 1);
    CHECK(load_le<std::uint32_t>(bytes.data() + 1) == 0x01020304u);
    CHECK(detail::byteswap<std::uint32_t>(0x01020304u) == 0x04030201u);
    CHECK(detail::byteswap<std::uint8_t>(7) == 7);
}
