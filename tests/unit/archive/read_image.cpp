// SPDX-License-Identifier: BSL-1.0
// Images of a base: every range of them, and conversions that are the same on every machine.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

#include <bigsmall/archive/base_conversion.hpp>
#include <bigsmall/archive/model_reader.hpp>
#include <bigsmall/archive/read_image.hpp>

#include "support/archive_runs.hpp"
#include "support/catch.hpp"

using namespace support;
using namespace bigsmall::archive::detail;
using archive::model_reader;

namespace {

float float_of(std::uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

/// The value of a number with so many bits of exponent and mantissa, by its definition.
double value_of(std::uint16_t bits, int exponent_bits, int mantissa_bits) {
    const int bias = (1 << (exponent_bits - 1)) - 1;
    const int exponent = (bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
    const int mantissa = bits & ((1 << mantissa_bits) - 1);
    const double sign = (bits & 0x8000) != 0 ? -1 : 1;
    if (exponent == (1 << exponent_bits) - 1)
        return mantissa != 0 ? std::nan("") : sign * std::numeric_limits<double>::infinity();
    const double fraction = exponent == 0 ? mantissa : mantissa + (1 << mantissa_bits);
    return sign * std::ldexp(fraction, (exponent == 0 ? 1 : exponent) - bias - mantissa_bits);
}

bool is_nan(std::uint16_t bits, int mantissa_bits) { return (bits & 0x7fff) > (0x7fff & ~((1 << mantissa_bits) - 1)); }

/// The nearest of all numbers of a 16-bit type to `value`, ties to the even one: `guess` is it.
bool is_nearest(std::uint16_t guess, double value, int exponent_bits, int mantissa_bits) {
    const std::uint16_t infinite = static_cast<std::uint16_t>(0x7fff & ~((1 << mantissa_bits) - 1));
    const double size = std::fabs(value);
    const auto at = static_cast<std::uint16_t>(guess & 0x7fff);
    if (((guess & 0x8000) != 0) != std::signbit(value)) return false;
    // One step beyond the largest is where infinity would be if it were a number.
    const auto place = [&](std::uint16_t bits) {
        return bits == infinite ? std::ldexp(1.0, 1 << (exponent_bits - 1))
                                : value_of(bits, exponent_bits, mantissa_bits);
    };
    const double error = std::fabs(place(at) - size);
    const auto beats = [&](double other) { return error < other || (error == other && at % 2 == 0); };
    if (at > 0 && !beats(std::fabs(place(static_cast<std::uint16_t>(at - 1)) - size))) return false;
    if (at == infinite) return size >= place(static_cast<std::uint16_t>(at - 1));
    return beats(std::fabs(place(static_cast<std::uint16_t>(at + 1)) - size));
}

} // namespace

TEST_CASE("16-bit floats become 32-bit floats of the same value and come back", "[archive]") {
    bool right = true;
    for (std::uint32_t i = 0; i < 0x10000; ++i) {
        const auto bits = static_cast<std::uint16_t>(i);
        const std::uint32_t of_bf16 = f32_of_bf16(bits), of_f16 = f32_of_f16(bits);
        right = right && bf16_of_f32(of_bf16) == bits && f16_of_f32(of_f16) == bits;
        if (is_nan(bits, 7))
            right = right && std::isnan(float_of(of_bf16));
        else
            right = right && static_cast<double>(float_of(of_bf16)) == value_of(bits, 8, 7);
        if (is_nan(bits, 10))
            right = right && std::isnan(float_of(of_f16));
        else
            right = right && static_cast<double>(float_of(of_f16)) == value_of(bits, 5, 10);
    }
    CHECK(right);
}

TEST_CASE("32-bit floats are rounded to the nearest", "[archive]") {
    bool right = true;
    const auto check = [&](std::uint32_t bits) {
        const float value = float_of(bits);
        const std::uint16_t to_bf16 = bf16_of_f32(bits), to_f16 = f16_of_f32(bits);
        if (std::isnan(value)) {
            right = right && is_nan(to_bf16, 7) && is_nan(to_f16, 10);
            right = right && (to_bf16 >> 15) == (bits >> 31) && (to_f16 >> 15) == (bits >> 31);
            return;
        }
        if (std::isinf(value)) {
            right = right && (to_bf16 & 0x7fff) == 0x7f80 && (to_f16 & 0x7fff) == 0x7c00;
            return;
        }
        right = right && is_nearest(to_bf16, static_cast<double>(value), 8, 7);
        right = right && is_nearest(to_f16, static_cast<double>(value), 5, 10);
    };
    // Every number of 16 bits, what is just beside it, and the middles on the way to the next.
    for (std::uint32_t i = 0; i < 0x10000; ++i)
        for (const std::uint32_t low : {0u, 1u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu})
            check((i << 16) | low);
    for (std::uint32_t i = 0; i < 0x10000; ++i) {
        const std::uint32_t at = f32_of_f16(static_cast<std::uint16_t>(i));
        for (const std::uint32_t step : {0u, 1u, 0xfffu, 0x1000u, 0x1001u, 0x1fffu})
            check(at + step);
    }
    // Middles between subnormal numbers of F16, exactly representable with 32 bits.
    for (std::uint32_t i = 0; i < 1024; ++i) {
        const float middle = std::ldexp(static_cast<float>(2 * i + 1), -25);
        std::uint32_t bits;
        std::memcpy(&bits, &middle, sizeof bits);
        for (const std::uint32_t near : {bits - 1, bits, bits + 1})
            check(near);
    }
    CHECK(right);
    CHECK(bf16_of_f32(0x3f80'8000) == 0x3f80); // a tie, to even
    CHECK(bf16_of_f32(0x3f81'8000) == 0x3f82);
    CHECK(bf16_of_f32(0x7f7f'ffff) == 0x7f80);
    CHECK(f16_of_f32(0x477f'efff) == 0x7bff); // just below 65520
    CHECK(f16_of_f32(0x477f'f000) == 0x7c00);
    CHECK(f16_of_f32(0x3300'0000) == 0x0000); // 2^-25, a tie
    CHECK(f16_of_f32(0x3300'0001) == 0x0001);
    CHECK(f16_of_f32(0xb3c0'0000) == 0x8002); // -1.5 * 2^-24, a tie
    CHECK(bf16_of_f32(0x7f80'0001) == 0x7fc0);
    CHECK(f16_of_f32(0xff80'0001) == 0xfe00);
}

TEST_CASE("conversions between the two types of 16 bits go by the value", "[archive]") {
    byte_buffer from(0x20000), to(0x20000);
    for (std::uint32_t i = 0; i < 0x10000; ++i)
        store_le(from.data() + 2 * i, static_cast<std::uint16_t>(i));
    bool right = true;
    archive::convert_floats(io::base_conversion::bf16_to_f16, from, to);
    for (std::uint32_t i = 0; i < 0x10000; ++i) {
        const auto bits = static_cast<std::uint16_t>(i), got = load_le<std::uint16_t>(to.data() + 2 * i);
        const double value = value_of(bits, 8, 7);
        right = right && (std::isnan(value)   ? is_nan(got, 10)
                          : std::isinf(value) ? (got & 0x7fff) == 0x7c00
                                              : is_nearest(got, value, 5, 10));
    }
    archive::convert_floats(io::base_conversion::f16_to_bf16, from, to);
    for (std::uint32_t i = 0; i < 0x10000; ++i) {
        const auto bits = static_cast<std::uint16_t>(i), got = load_le<std::uint16_t>(to.data() + 2 * i);
        const double value = value_of(bits, 5, 10);
        right = right && (std::isnan(value)   ? is_nan(got, 7)
                          : std::isinf(value) ? (got & 0x7fff) == 0x7f80
                                              : is_nearest(got, value, 8, 7));
    }
    CHECK(right);
}

TEST_CASE("any range of an image can be read", "[archive]") {
    const temporary_directory dir;
    const byte_buffer a = noise(4000, 1), b = noise(600000, 2);
    write_file(dir / "m.safetensors", safetensors_builder().add("a", "F32", a).add("b", "F32", b).build());
    pack(dir / "m.safetensors", dir / "m.bs");
    using enum io::base_conversion;
    for (const char* name : {"m.safetensors", "m.bs"})
        for (const auto conversion : {none, f32_to_bf16, f32_to_f16}) {
            const model_reader model(dir / name);
            const std::uint64_t half = conversion == none ? 1 : 2;
            const io::base_image image{
                conversion,
                {{0, 400 / half, 3000 / half}, {io::no_base, 0, 1000}, {1, 4 / half, 599996 / half}, {0, 0, 4 / half}}};
            byte_buffer expected(3000), rest(b.begin() + 4, b.end());
            std::copy_n(a.begin() + 400, 3000, expected.begin());
            expected.resize(3000 + 1000 * half, 0);
            expected.insert(expected.end(), rest.begin(), rest.end());
            expected.insert(expected.end(), a.begin(), a.begin() + 4);
            if (conversion != none) {
                const byte_buffer wide = expected;
                expected.resize(wide.size() / 2);
                archive::convert_floats(conversion, wide, expected);
            }
            const archive::image_reader reader(model, image);
            REQUIRE(reader.bytes() == expected.size());
            bool right = true;
            for (const std::size_t begin : {0u, 1u, 2u, 3u, 1499u, 1501u, 2499u, 2500u, 3000u, 4001u, 100001u})
                for (const std::size_t count : {0u, 1u, 2u, 3u, 5u, 1000u, 1001u, 150000u}) {
                    byte_buffer part(count);
                    reader.read(begin, part);
                    right = right &&
                            std::equal(part.begin(), part.end(), expected.begin() + static_cast<std::ptrdiff_t>(begin));
                }
            CHECK(right);
            byte_buffer whole(expected.size());
            read_image(model, image, 0, whole);
            CHECK(whole == expected);
            byte_buffer three(3);
            CHECK(thrown_by([&] { reader.read(expected.size() - 2, three); }).code() == errc::invalid_argument);
            CHECK(thrown_by([&] { reader.read(~std::uint64_t{0}, three); }).code() == errc::invalid_argument);
        }
}

TEST_CASE("an image of very many parts is read in no time", "[archive]") {
    const temporary_directory dir;
    const byte_buffer a = noise(4096, 1);
    write_file(dir / "m.safetensors", safetensors_builder().add("a", "U8", a).build());
    const model_reader model(dir / "m.safetensors");
    io::base_image image;
    byte_buffer expected;
    for (std::uint64_t i = 0; i < 100000; ++i) {
        image.parts.push_back({0, i * 31 % 4096, 1});
        expected.push_back(a[i * 31 % 4096]);
    }
    const archive::image_reader reader(model, image);
    byte_buffer got;
    for (std::size_t begin = 0; begin < expected.size(); begin += 100) {
        byte_buffer part(100);
        reader.read(begin, part);
        got.insert(got.end(), part.begin(), part.end());
    }
    CHECK(got == expected);
}
