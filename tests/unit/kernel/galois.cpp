// SPDX-License-Identifier: BSL-1.0
// The kernels of GF(256): the scalar ones against what they say, every table against the scalar one, at small lengths
// and several alignments.
#include <array>
#include <vector>

#include <bigsmall/codec/ecc/transform_factors.hpp>
#include <bigsmall/codec/laws.hpp>
#include <bigsmall/kernel.hpp>

#include "support/catch.hpp"
#include "support/plain_reed_solomon.hpp"

using namespace bigsmall;

namespace {

constexpr std::size_t points = 32;
using ecc::detail::factors_of_cosets;

byte_buffer random_bytes(std::size_t size, laws::fixed_random& random) {
    byte_buffer bytes(size);
    for (std::uint8_t& byte : bytes)
        byte = static_cast<std::uint8_t>(random() >> 21);
    return bytes;
}

/// Rows of exactly this size each, so that a sanitizer sees every byte too many; each begins at another alignment.
struct row_set {
    std::vector<byte_buffer> buffers;
    std::vector<std::uint8_t*> rows;
    row_set(std::size_t count, std::size_t size, std::size_t shift, laws::fixed_random& random) {
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t before = shift * i % 64;
            buffers.push_back(random_bytes(before + size, random));
            rows.push_back(buffers.back().data() + before);
        }
    }
    row_set(const row_set&) = delete;
    row_set& operator=(const row_set&) = delete;
};

/// s_k of the definition: the product over its zeros, divided by its value at 2^k.
std::uint8_t vanishing(std::size_t k, std::size_t x) {
    std::uint8_t at_x = 1, at_one = 1;
    for (std::size_t zero = 0; zero < std::size_t{1} << k; ++zero) {
        at_x = plain::times(at_x, static_cast<std::uint8_t>(x ^ zero));
        at_one = plain::times(at_one, static_cast<std::uint8_t>((std::size_t{1} << k) ^ zero));
    }
    return plain::times(at_x, plain::inverse(at_one));
}

std::uint8_t basis(std::size_t i, std::size_t x) {
    std::uint8_t value = 1;
    for (std::size_t k = 0; k < 8; ++k)
        if (i >> k & 1) value = plain::times(value, vanishing(k, x));
    return value;
}

} // namespace

TEST_CASE("products and quotients are those of the polynomial", "[kernel]") {
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < 256; ++i)
        for (std::size_t j = 0; j < 256; ++j) {
            const auto a = static_cast<std::uint8_t>(i), b = static_cast<std::uint8_t>(j);
            const std::uint8_t expected = plain::times(a, b);
            wrong += kernel::galois::product(a, b) != expected;
            wrong += kernel::scalar::product(kernel::galois::products[a], b) != expected;
            wrong += b != 0 && kernel::galois::quotient(expected, b) != a;
        }
    CHECK(wrong == 0);
}

TEST_CASE("evaluation gives the values of the polynomial, interpolation its coefficients", "[kernel]") {
    laws::fixed_random random(1);
    for (std::size_t coset = 0; coset < 8; ++coset) {
        const byte_buffer coefficients = random_bytes(points * 64, random);
        row_set values(points, 64, 0, random);
        kernel::scalar::functions.galois.evaluate(coefficients.data(), 64, factors_of_cosets[coset].data(),
                                                  values.rows.data());
        for (std::size_t point = 0; point < points; ++point) {
            std::uint8_t expected = 0;
            for (std::size_t i = 0; i < points; ++i)
                expected = static_cast<std::uint8_t>(
                    expected ^ plain::times(coefficients[64 * i + 5], basis(i, points * coset + point)));
            REQUIRE(values.rows[point][5] == expected);
        }
        byte_buffer sums(points * 64, 0x5a);
        kernel::scalar::functions.galois.interpolate(values.rows.data(), 64, factors_of_cosets[coset].data(),
                                                     sums.data());
        for (std::size_t i = 0; i < sums.size(); ++i)
            REQUIRE(sums[i] == (coefficients[i] ^ 0x5a)); // it adds
    }
}

TEST_CASE("the coefficients of all cosets add up to zero where the degree is below 224, and not at 224", "[kernel]") {
    laws::fixed_random random(2);
    for (const std::size_t terms : {1u, 33u, 200u, 224u, 225u}) {
        byte_buffer polynomial = random_bytes(terms, random);
        polynomial.back() = 1;
        byte_buffer sums(points * 64);
        for (std::size_t coset = 0; coset < 8; ++coset) {
            row_set values(points, 64, 0, random);
            for (std::size_t point = 0; point < points; ++point) {
                std::uint8_t value = 0;
                for (std::size_t i = terms; i-- > 0;)
                    value = static_cast<std::uint8_t>(
                        plain::times(value, static_cast<std::uint8_t>(points * coset + point)) ^ polynomial[i]);
                std::fill_n(values.rows[point], 64, value);
            }
            kernel::scalar::functions.galois.interpolate(values.rows.data(), 64, factors_of_cosets[coset].data(),
                                                         sums.data());
        }
        CHECK((sums == byte_buffer(points * 64)) == (terms <= 224));
    }
}

TEST_CASE("transforms are alike in every table", "[kernel]") {
    laws::fixed_random random(3);
    const kernel::galois_functions& reference = kernel::scalar::functions.galois;
    for (const kernel::table* table : kernel::runnable())
        for (std::size_t count = 0; count <= 320; count += 64)
            for (const std::size_t shift : {0u, 1u, 13u, 32u})
                for (const auto& factors : factors_of_cosets) {
                    INFO(table->name << ", " << count << " columns");
                    const row_set values(points, count, shift, random);
                    byte_buffer expected = random_bytes(points * count, random), sums = expected;
                    reference.interpolate(values.rows.data(), count, factors.data(), expected.data());
                    table->galois.interpolate(values.rows.data(), count, factors.data(), sums.data());
                    REQUIRE(sums == expected);

                    laws::fixed_random same(count + shift), again(count + shift);
                    row_set expected_values(points, count, shift, same), back(points, count, shift, again);
                    reference.evaluate(sums.data(), count, factors.data(), expected_values.rows.data());
                    table->galois.evaluate(sums.data(), count, factors.data(), back.rows.data());
                    REQUIRE(back.buffers == expected_values.buffers);
                }
}

TEST_CASE("sums of products are right in every table", "[kernel]") {
    laws::fixed_random random(4);
    for (const kernel::table* table : kernel::runnable())
        for (std::size_t count = 0; count <= 300; ++count)
            for (const std::size_t row_count : {0u, 1u, 2u, 5u}) {
                INFO(table->name << ", " << count << " columns of " << row_count);
                const row_set from(row_count, count, 7, random);
                const byte_buffer factors = random_bytes(row_count, random);
                const std::size_t shift = count % 33;
                byte_buffer sum = random_bytes(shift + count, random), expected = sum;
                for (std::size_t row = 0; row < row_count; ++row)
                    for (std::size_t i = 0; i < count; ++i)
                        expected[shift + i] = static_cast<std::uint8_t>(expected[shift + i] ^
                                                                        plain::times(factors[row], from.rows[row][i]));
                table->galois.multiply_add(from.rows.data(), factors.data(), row_count, count, sum.data() + shift);
                REQUIRE(sum == expected);
            }
}
