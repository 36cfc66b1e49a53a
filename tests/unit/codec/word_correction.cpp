// SPDX-License-Identifier: BSL-1.0
// Single words with errors and erasures: up to the limit all come back, beyond it the answer is that of another
// decoder.
#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

#include <bigsmall/codec/ecc/correct.hpp>
#include <bigsmall/codec/laws.hpp>

#include "support/catch.hpp"
#include "support/plain_reed_solomon.hpp"

using namespace bigsmall;

namespace {

using word_array = std::array<std::uint8_t, ecc::word_symbols>;

word_array encoded(std::uint64_t seed) {
    laws::fixed_random random(seed);
    word_array word;
    std::array<const std::uint8_t*, ecc::data_symbols> data;
    std::array<std::uint8_t*, ecc::parity_symbols> parity;
    for (std::size_t i = 0; i < word.size(); ++i) {
        word[i] = static_cast<std::uint8_t>(random() >> 11);
        if (i < ecc::data_symbols)
            data[i] = word.data() + i;
        else
            parity[i - ecc::data_symbols] = word.data() + i;
    }
    ecc::encode(data, 1, parity);
    return word;
}

struct damaged {
    word_array word;
    std::vector<std::uint8_t> erasures;
    unsigned changed = 0; ///< symbols that differ
};

/// Errors change their symbols; an erased symbol may be right by chance, one in eight is.
damaged damage(const word_array& word, std::size_t errors, std::size_t erasures, laws::fixed_random& random,
               std::size_t first = 0, std::size_t last = ecc::word_symbols) {
    damaged made{word, {}};
    std::vector<std::uint8_t> rows(last - first);
    std::iota(rows.begin(), rows.end(), static_cast<std::uint8_t>(first));
    for (std::size_t i = 0; i < errors + erasures; ++i) {
        std::swap(rows[i], rows[i + random.below(rows.size() - i)]);
        const bool stays = i < erasures && random.below(8) == 0;
        if (!stays) {
            made.word[rows[i]] ^= static_cast<std::uint8_t>(1 + random.below(255));
            ++made.changed;
        }
        if (i < erasures) made.erasures.push_back(rows[i]);
    }
    return made;
}

plain::symbols as_symbols(const word_array& word) { return {word.begin(), word.end()}; }

} // namespace

TEST_CASE("errors and erasures up to the limit are always corrected", "[codec][ecc]") {
    laws::fixed_random random(1);
    for (std::size_t erasures = 0; erasures <= 32; ++erasures)
        for (std::size_t errors = 0; 2 * errors + erasures <= 32; ++errors)
            for (std::uint64_t seed = 1; seed <= 4; ++seed) {
                INFO(errors << " errors, " << erasures << " erasures");
                const word_array word = encoded(seed);
                damaged hit = damage(word, errors, erasures, random);
                const auto changed = ecc::correct(hit.word, hit.erasures);
                REQUIRE(changed == hit.changed);
                REQUIRE(hit.word == word);
            }
}

TEST_CASE("sixteen errors are corrected wherever they are", "[codec][ecc]") {
    laws::fixed_random random(2);
    const word_array word = encoded(5);
    for (std::size_t first = 0; first + 16 <= ecc::word_symbols; ++first) { // one after the other, at every place
        damaged hit = damage(word, 16, 0, random, first, first + 16);
        REQUIRE(ecc::correct(hit.word) == 16u);
        REQUIRE(hit.word == word);
    }
    for (int round = 0; round < 500; ++round) {
        damaged hit = damage(word, 16, 0, random);
        REQUIRE(ecc::correct(hit.word) == 16u);
        REQUIRE(hit.word == word);
    }
}

TEST_CASE("one error is corrected at every place with every value", "[codec][ecc]") {
    const word_array word = encoded(6);
    std::size_t wrong = 0;
    for (std::size_t row = 0; row < ecc::word_symbols; ++row)
        for (unsigned value = 1; value < 256; value += row % 5 == 0 ? 1 : 50) {
            word_array hit = word;
            hit[row] = static_cast<std::uint8_t>(hit[row] ^ value);
            wrong += ecc::correct(hit) != 1u || hit != word;
        }
    CHECK(wrong == 0);
}

TEST_CASE("words of zeros and of ones are nothing special", "[codec][ecc]") {
    word_array zeros{};
    CHECK(ecc::correct(zeros) == 0u);
    word_array hit{};
    std::fill_n(hit.begin() + 100, 16, std::uint8_t{0xff});
    CHECK(ecc::correct(hit) == 16u);
    CHECK(hit == word_array{});
}

TEST_CASE("beyond the limit a word is refused and stays as it was", "[codec][ecc]") {
    laws::fixed_random random(3);
    for (std::size_t errors = 17; errors <= 255; errors += errors < 40 ? 1 : 43)
        for (int round = 0; round < 20; ++round) {
            INFO(errors << " errors");
            damaged hit = damage(encoded(7), errors, 0, random);
            const word_array before = hit.word;
            REQUIRE(!ecc::correct(hit.word)); // one in 10^13 would be taken for another word
            REQUIRE(hit.word == before);
        }
    for (std::size_t erasures = 1; erasures <= 20; ++erasures) {
        damaged hit = damage(encoded(8), (32 - erasures) / 2 + 1, erasures, random);
        const word_array before = hit.word;
        REQUIRE(!ecc::correct(hit.word, hit.erasures));
        REQUIRE(hit.word == before);
    }
}

TEST_CASE("another decoder gives the same answers, within the limit and beyond", "[codec][ecc]") {
    laws::fixed_random random(4);
    std::size_t refused = 0, other_word = 0;
    for (int round = 0; round < 500; ++round) {
        const std::size_t erasures = round % 3 == 0 ? 0 : random.below(33);
        const std::size_t limit = (32 - erasures) / 2;
        // Around the limit, and, with few checks left, where words are taken for others.
        const std::size_t errors = round % 2 == 0 ? random.below(limit + 1) : limit + random.below(4);
        const word_array word = encoded(static_cast<std::uint64_t>(round));
        damaged hit = damage(word, errors, erasures, random);
        INFO(errors << " errors, " << erasures << " erasures");
        const auto expected = plain::decode(as_symbols(hit.word), hit.erasures);
        const word_array before = hit.word;
        const auto changed = ecc::correct(hit.word, hit.erasures);
        REQUIRE(changed.has_value() == expected.has_value());
        REQUIRE(as_symbols(hit.word) == (expected ? *expected : as_symbols(before)));
        refused += !expected;
        other_word += expected && hit.word != word;
    }
    CHECK(refused > 100);
    CHECK(other_word > 3);
}

TEST_CASE("anything may be given as a word and as erasures", "[codec][ecc]") {
    laws::fixed_random random(5);
    for (int round = 0; round < 1000; ++round) {
        word_array word = encoded(9);
        for (std::uint8_t& symbol : word)
            if (random.below(4) == 0) symbol = static_cast<std::uint8_t>(random.below(3));
        std::vector<std::uint8_t> erasures(random.below(40));
        for (std::uint8_t& row : erasures)
            row = static_cast<std::uint8_t>(random() >> 5);
        const word_array before = word;
        const auto changed = ecc::correct(word, erasures);
        if (changed) REQUIRE(plain::is_word(as_symbols(word)));
        if (!changed) REQUIRE(word == before);
    }
    for (const std::uint8_t error : {std::uint8_t{0}, std::uint8_t{1}}) {
        word_array word = encoded(10);
        word[3] ^= error;
        const word_array before = word;
        for (const std::vector<std::uint8_t>& erasures :
             {std::vector<std::uint8_t>{255}, {3, 3}, std::vector<std::uint8_t>(33, 1)}) {
            CHECK(!ecc::correct(word, erasures));
            CHECK(word == before);
        }
    }
}
