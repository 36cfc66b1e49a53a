// SPDX-License-Identifier: BSL-1.0
// Parity rows and lost rows, against a plain implementation of the same code and with every table of kernels.
#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

#include <bigsmall/codec/ecc/reconstruct.hpp>
#include <bigsmall/codec/ecc/reed_solomon.hpp>
#include <bigsmall/codec/laws.hpp>

#include "support/catch.hpp"
#include "support/plain_reed_solomon.hpp"

using namespace bigsmall;

namespace {

/// 255 rows, each in a buffer of its own with a byte behind that must stay.
struct word_set {
    std::size_t width, shift;
    std::vector<byte_buffer> buffers;

    word_set(std::size_t width_, std::size_t shift_, std::uint64_t seed) : width(width_), shift(shift_) {
        laws::fixed_random random(seed);
        for (std::size_t row = 0; row < ecc::word_symbols; ++row) {
            buffers.emplace_back(before(row) + width + 1, std::uint8_t{0xa5});
            for (std::size_t i = 0; i < width; ++i)
                buffers[row][before(row) + i] = static_cast<std::uint8_t>(random() >> 17);
        }
    }
    std::size_t before(std::size_t row) const { return shift * row % 64; }
    std::uint8_t* row(std::size_t r) { return buffers[r].data() + before(r); }
    std::array<std::uint8_t*, ecc::word_symbols> rows() {
        std::array<std::uint8_t*, ecc::word_symbols> all;
        for (std::size_t r = 0; r < all.size(); ++r)
            all[r] = row(r);
        return all;
    }
    void encode(const kernel::table& kernels) {
        std::array<const std::uint8_t*, ecc::data_symbols> data;
        std::array<std::uint8_t*, ecc::parity_symbols> parity;
        for (std::size_t r = 0; r < ecc::data_symbols; ++r)
            data[r] = row(r);
        for (std::size_t r = 0; r < ecc::parity_symbols; ++r)
            parity[r] = row(ecc::data_symbols + r);
        ecc::encode(data, width, parity, kernels);
    }
    plain::symbols column(std::size_t i) {
        plain::symbols word(ecc::word_symbols);
        for (std::size_t r = 0; r < word.size(); ++r)
            word[r] = row(r)[i];
        return word;
    }
};

/// `count` different rows from first to last - 1, in any order.
std::vector<std::uint8_t> some_rows(std::size_t count, std::size_t first, std::size_t last,
                                    laws::fixed_random& random) {
    std::vector<std::uint8_t> all(last - first);
    std::iota(all.begin(), all.end(), static_cast<std::uint8_t>(first));
    for (std::size_t i = 0; i < count; ++i)
        std::swap(all[i], all[i + random.below(all.size() - i)]);
    all.resize(count);
    return all;
}

plain::symbols numbered_data() {
    plain::symbols data(ecc::data_symbols);
    for (std::size_t i = 0; i < data.size(); ++i)
        data[i] = static_cast<std::uint8_t>(7 * i + 3);
    return data;
}

} // namespace

TEST_CASE("the parity of a fixed word stays what it is", "[codec][ecc]") {
    // The same bytes are in docs/format/ecc.md. Whoever changes them makes all parity in the world worthless.
    const plain::symbols expected{0x58, 0x4f, 0x30, 0x00, 0xaf, 0x2a, 0x32, 0x33, 0x7a, 0x13, 0xd8,
                                  0x3a, 0xff, 0x57, 0x3a, 0x28, 0xc9, 0x03, 0xe9, 0xf2, 0x25, 0x68,
                                  0x3a, 0x50, 0x89, 0x47, 0xe9, 0x3b, 0x78, 0x24, 0xab, 0x93};
    const plain::symbols data = numbered_data();
    CHECK(plain::parity_of(data) == expected);
    for (const kernel::table* table : kernel::runnable()) {
        word_set words(1, 0, 1);
        for (std::size_t r = 0; r < data.size(); ++r)
            words.row(r)[0] = data[r];
        words.encode(*table);
        const plain::symbols word = words.column(0);
        CHECK(plain::symbols(word.begin() + ecc::data_symbols, word.end()) == expected);
    }
}

TEST_CASE("a word divides by the generator polynomial of the classical code", "[codec][ecc]") {
    word_set words(3, 0, 2);
    words.encode(kernel::scalar::functions);
    plain::symbols generator{1}; // highest power first
    for (std::size_t j = 0; j < ecc::parity_symbols; ++j) {
        generator.push_back(0);
        for (std::size_t i = generator.size(); i-- > 1;)
            generator[i] = static_cast<std::uint8_t>(generator[i] ^ plain::times(generator[i - 1], plain::power(2, j)));
    }
    for (std::size_t column = 0; column < 3; ++column) {
        const plain::symbols word = words.column(column);
        plain::symbols classical(ecc::word_symbols); // the point 2^k stands at z^k
        for (std::size_t k = 0; k < classical.size(); ++k)
            classical[classical.size() - 1 - k] = word[plain::power(2, k) - 1u];
        for (std::size_t i = 0; i + ecc::parity_symbols < classical.size(); ++i)
            for (std::size_t j = generator.size(); j-- > 0;)
                classical[i + j] =
                    static_cast<std::uint8_t>(classical[i + j] ^ plain::times(classical[i], generator[j]));
        CHECK(classical == plain::symbols(ecc::word_symbols));
    }
}

TEST_CASE("parity is right in every column", "[codec][ecc]") {
    for (const std::size_t width : {1u, 63u, 64u, 577u}) {
        word_set words(width, 5, width);
        words.encode(kernel::best());
        for (std::size_t i = 0; i < width; i += 1 + width / 40) {
            const plain::symbols word = words.column(i);
            REQUIRE(plain::symbols(word.begin() + ecc::data_symbols, word.end()) ==
                    plain::parity_of({word.begin(), word.begin() + ecc::data_symbols}));
        }
    }
}

TEST_CASE("every table gives the same parity at all small widths and alignments", "[codec][ecc]") {
    std::vector<std::size_t> widths{511, 512, 513, 575, 576, 1024, 1300};
    for (std::size_t width = 0; width <= 200; ++width)
        widths.push_back(width);
    for (const std::size_t width : widths)
        for (const std::size_t shift : {0u, 1u, 32u}) {
            word_set expected(width, shift, width + shift);
            expected.encode(kernel::scalar::functions);
            for (const kernel::table* table : kernel::runnable()) {
                INFO(table->name << ", " << width << " columns");
                word_set words(width, shift, width + shift);
                words.encode(*table);
                REQUIRE(words.buffers == expected.buffers);
            }
        }
}

TEST_CASE("any rows that are lost come back, up to 32", "[codec][ecc]") {
    laws::fixed_random random(7);
    for (const kernel::table* table : kernel::runnable())
        for (std::size_t lost = 0; lost <= 32; ++lost)
            for (const std::array<std::size_t, 2>& range :
                 {std::array<std::size_t, 2>{0, 223}, {223, 255}, {0, 255}, {207, 247}, {0, 32}}) {
                const std::size_t width = std::array<std::size_t, 6>{1, 31, 64, 100, 512, 700}[random.below(6)];
                INFO(table->name << ", " << lost << " lost of " << range[0] << " to " << range[1]);
                word_set words(width, 3, lost + 1);
                words.encode(*table);
                const std::vector<byte_buffer> expected = words.buffers;
                const std::vector<std::uint8_t> erased = some_rows(lost, range[0], range[1], random);
                for (const std::uint8_t row : erased)
                    std::generate_n(words.row(row), width, [&] { return static_cast<std::uint8_t>(random() >> 9); });
                REQUIRE(ecc::reconstruct(words.rows(), width, erased, *table) == status::ok);
                REQUIRE(words.buffers == expected);
            }
}

TEST_CASE("rows that cannot be reconstructed are left alone", "[codec][ecc]") {
    word_set words(65, 1, 3);
    const std::vector<byte_buffer> before = words.buffers;
    std::vector<std::uint8_t> too_many(33);
    std::iota(too_many.begin(), too_many.end(), std::uint8_t{0});
    for (const std::vector<std::uint8_t>& erased :
         {too_many, std::vector<std::uint8_t>{4, 7, 4}, {255}, {223, 223}, {1, 2, 255}}) {
        CHECK(ecc::reconstruct(words.rows(), 65, erased) == status::corrupt);
        CHECK(words.buffers == before);
    }
    CHECK(ecc::reconstruct(words.rows(), 65, {}) == status::ok);
    CHECK(words.buffers == before);
    CHECK(ecc::reconstruct(words.rows(), 0, std::vector<std::uint8_t>{1, 230}) == status::ok);
    CHECK(words.buffers == before);
}
