// SPDX-License-Identifier: BSL-1.0
// How words changed, against figures computed by hand and by the simplest loop.
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <random>
#include <string_view>
#include <vector>

#include <bigsmall/archive/diff_statistics.hpp>

#include "support/catch.hpp"

using namespace bigsmall;
using archive::update_statistics;
using Catch::Matchers::WithinRel;

namespace {

template <class Word>
byte_buffer bytes_of(const std::vector<Word>& words) {
    byte_buffer bytes(words.size() * sizeof(Word));
    for (std::size_t i = 0; i < words.size(); ++i)
        store_le(bytes.data() + i * sizeof(Word), words[i]);
    return bytes;
}

byte_buffer floats(const std::vector<float>& values) {
    std::vector<std::uint32_t> words;
    for (const float value : values)
        words.push_back(std::bit_cast<std::uint32_t>(value));
    return bytes_of(words);
}

update_statistics compare(std::string_view type, const byte_buffer& a, const byte_buffer& b) {
    return archive::compare_words(find_dtype(type).value(), a, b);
}

/// One word against another.
template <class Word>
update_statistics compare_one(std::string_view type, Word a, Word b) {
    return compare(type, bytes_of<Word>({a}), bytes_of<Word>({b}));
}

/// The value of a word: its distance from that of a zero.
template <class Word>
double value_of(std::string_view type, Word bits) {
    return compare_one<Word>(type, 0, bits).max_update;
}

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();

} // namespace

TEST_CASE("the figures of four floats", "[archive]") {
    const update_statistics found = compare("F32", floats({1, 2, -3, 0}), floats({1, 2.5f, -3, -0.5f}));
    CHECK(found.words == 4);
    CHECK(found.changed_words == 2);
    CHECK(found.changed_share() == 0.5);
    CHECK(found.squared_a == 14);
    CHECK(found.squared_update == 0.5);
    CHECK(found.max_update == 0.5);
    CHECK_THAT(*found.relative_l2(), WithinRel(std::sqrt(0.5 / 14), 1e-14));
    // From 2 to 2.5 are 2^21 steps of 2^-22; from 0 to -0.5 as many as the bits of 0.5 say, and one to -0.
    std::vector<std::uint64_t> steps(32);
    steps[0] = 2;
    steps[22] = 1;
    steps[31] = 1;
    CHECK(found.steps == steps);
    CHECK(archive::most_steps_of(22) == 1u << 21);
    CHECK(archive::fewest_steps_of(22) == (1u << 20) + 1);
    CHECK(found.excluded == 0);
}

TEST_CASE("steps are counted in powers of two", "[archive]") {
    const std::vector<std::uint16_t> from(10, 0), to{0, 1, 2, 3, 4, 5, 8, 9, 16, 65535};
    const update_statistics found = compare("U16", bytes_of(from), bytes_of(to));
    CHECK(found.steps == std::vector<std::uint64_t>{1, 1, 1, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
    CHECK(found.changed_words == 9);
    CHECK(compare("U16", bytes_of(to), bytes_of(from)).steps == found.steps);
    const std::vector<std::uint64_t> least{0, 1, 2, 3, 5, 9}, most{0, 1, 2, 4, 8, 16};
    for (std::size_t bin = 0; bin < 6; ++bin) {
        CHECK(archive::fewest_steps_of(bin) == least[bin]);
        CHECK(archive::most_steps_of(bin) == most[bin]);
    }
    CHECK(archive::most_steps_of(65) == std::numeric_limits<std::uint64_t>::max());
    CHECK(archive::fewest_steps_of(65) == (std::uint64_t{1} << 63) + 1);
    CHECK(archive::steps_of_share(found.steps, 0.5) == 8); // 1, 2, 3, 4, 5 are five of nine
    CHECK(archive::steps_of_share(found.steps, 0.99) == 65536);
    CHECK(archive::steps_of_share(found.steps, 0.1) == 1);
    CHECK_FALSE(archive::steps_of_share({7}, 0.5));
    CHECK_FALSE(archive::steps_of_share({}, 0.5));
}

TEST_CASE("the zeros are neighbours of each other", "[archive]") {
    const std::vector<std::uint64_t> by_one{0, 1};
    const auto check = [&](const update_statistics& found) {
        CHECK(found.changed_words == 1);
        CHECK(found.steps == by_one);
        CHECK(found.squared_update == 0);
        CHECK(found.relative_l2() == 0.0);
    };
    check(compare_one<std::uint16_t>("BF16", 0, 0x8000));
    check(compare_one<std::uint16_t>("F16", 0x8000, 0));
    check(compare_one<std::uint32_t>("F32", 0, 0x8000'0000));
    check(compare_one<std::uint64_t>("F64", 0x8000'0000'0000'0000, 0));
    check(compare_one<std::uint8_t>("F8_E4M3", 0, 0x80));
    check(compare_one<std::uint8_t>("F8_E5M2", 0, 0x80));
    // From the least negative number to the least positive one there are three steps.
    CHECK(compare_one<std::uint16_t>("BF16", 0x8001, 1).steps == std::vector<std::uint64_t>{0, 0, 0, 1});
    CHECK(compare_one<std::uint16_t>("BF16", 0xbf80, 0xbf81).steps == by_one);
    // The largest distance there is: from -inf's neighbour to inf's.
    CHECK(compare_one<std::uint64_t>("F64", 0xffef'ffff'ffff'ffff, 0x7fef'ffff'ffff'ffff).steps.size() == 66);
}

TEST_CASE("what is no number is counted apart", "[archive]") {
    const byte_buffer a = floats({not_a_number, 1, inf, 2, not_a_number, 3}),
                      b = floats({not_a_number, not_a_number, inf, -inf, 1, 4});
    const update_statistics found = compare("F32", a, b);
    CHECK(found.words == 6);
    CHECK(found.changed_words == 4);
    CHECK(found.excluded == 5);
    CHECK(found.not_finite_a == 3);
    CHECK(found.not_finite_b == 4);
    CHECK(found.squared_a == 9);
    CHECK(found.squared_update == 1);
    CHECK(found.max_update == 1);
    std::uint64_t counted = 0;
    for (const std::uint64_t count : found.steps)
        counted += count;
    CHECK(counted == 1);
    CHECK(found.steps[0] == 0);
    const update_statistics all = compare("F32", floats({not_a_number}), floats({inf}));
    CHECK(all.changed_words == 1);
    CHECK(all.steps.empty());
    CHECK(all.relative_l2() == 0.0);
}

TEST_CASE("every type has its values", "[archive]") {
    CHECK(value_of<std::uint16_t>("BF16", 0xbf80) == 1);
    CHECK(value_of<std::uint16_t>("F16", 0x3c00) == 1);
    CHECK(value_of<std::uint16_t>("F16", 0x0001) == std::ldexp(1, -24));
    CHECK(value_of<std::uint64_t>("F64", std::bit_cast<std::uint64_t>(0.1)) == 0.1);
    CHECK(value_of<std::uint8_t>("F8_E4M3", 0x38) == 1);
    CHECK(value_of<std::uint8_t>("F8_E4M3", 0xfe) == 448);
    CHECK(value_of<std::uint8_t>("F8_E4M3", 0x01) == std::ldexp(1, -9));
    CHECK(compare_one<std::uint8_t>("F8_E4M3", 0, 0x7f).excluded == 1);
    CHECK(value_of<std::uint8_t>("F8_E5M2", 0x3c) == 1);
    CHECK(value_of<std::uint8_t>("F8_E5M2", 0x7b) == 57344);
    CHECK(compare_one<std::uint8_t>("F8_E5M2", 0, 0x7c).excluded == 1);
    CHECK(compare_one<std::uint8_t>("F8_E5M2", 0, 0xfd).excluded == 1);
    CHECK(value_of<std::uint8_t>("F8_E4M3FNUZ", 0x40) == 1);
    CHECK(value_of<std::uint8_t>("F8_E4M3FNUZ", 0x7f) == 240);
    CHECK(compare_one<std::uint8_t>("F8_E4M3FNUZ", 0, 0x80).excluded == 1);
    CHECK(value_of<std::uint8_t>("F8_E5M2FNUZ", 0x40) == 1);
    CHECK(value_of<std::uint8_t>("F8_E5M2FNUZ", 0xff) == 57344);
    CHECK(value_of<std::uint8_t>("U8", 200) == 200);
    CHECK(value_of<std::uint8_t>("I8", 200) == 56);
    CHECK(value_of<std::uint8_t>("BOOL", 1) == 1);
    CHECK(value_of<std::uint32_t>("I32", 0xffff'ffff) == 1);
    CHECK(value_of<std::uint32_t>("U32", 0xffff'ffff) == 4294967295.0);
    const update_statistics far = compare_one<std::uint64_t>("I64", std::uint64_t{1} << 63, ~std::uint64_t{0} >> 1);
    CHECK(far.max_update == 18446744073709551615.0);
    CHECK(far.steps.size() == 66);
    // Both are more than doubles can tell apart.
    CHECK(compare_one<std::uint64_t>("U64", ~std::uint64_t{0}, ~std::uint64_t{0} - 1).max_update == 1);
}

TEST_CASE("complex numbers are two words, and what has no values is bytes", "[archive]") {
    const update_statistics found = compare("C64", floats({1, 2, 3, 4}), floats({1, 2, 3, 6}));
    CHECK(found.words == 4);
    CHECK(found.changed_words == 1);
    CHECK(found.squared_update == 4);
    for (const char* type : {"F8_E8M0", "F4"}) {
        const update_statistics bytes = compare(type, {1, 2, 3}, {1, 0, 0});
        CHECK(bytes.words == 3);
        CHECK(bytes.changed_words == 2);
        CHECK(bytes.steps.empty());
        CHECK(bytes.squared_a == 0);
    }
    CHECK(archive::compare_words(dtype{}, byte_buffer{1, 2}, byte_buffer{1, 3}).changed_words == 1);
}

TEST_CASE("a relative size needs something to be relative to", "[archive]") {
    CHECK(compare("F32", floats({0, 0}), floats({0, 0})).relative_l2() == 0.0);
    CHECK_FALSE(compare("F32", floats({0, 0}), floats({0, 1})).relative_l2());
    const auto huge = std::bit_cast<std::uint64_t>(1e300), other = std::bit_cast<std::uint64_t>(-1e300);
    CHECK_FALSE(compare_one<std::uint64_t>("F64", huge, other).relative_l2());
}

TEST_CASE("many words, as the simplest loop counts them", "[archive]") {
    std::mt19937_64 random(1);
    for (const std::size_t words : {1u, 3u, 511u, 512u, 513u, 5003u}) {
        std::vector<std::uint16_t> a(words), b(words);
        update_statistics expected;
        std::vector<std::uint64_t> steps(archive::detail::step_bins);
        for (std::size_t i = 0; i < words; ++i) {
            a[i] = static_cast<std::uint16_t>(random());
            b[i] = random() % 4 == 0 ? static_cast<std::uint16_t>(random()) : a[i];
            ++expected.words;
            expected.changed_words += a[i] != b[i] ? 1u : 0u;
            const auto value = [](std::uint16_t bits) {
                return static_cast<double>(std::bit_cast<float>(std::uint32_t{bits} << 16));
            };
            const double from = value(a[i]), to = value(b[i]);
            expected.not_finite_a += std::isfinite(from) ? 0u : 1u;
            expected.not_finite_b += std::isfinite(to) ? 0u : 1u;
            if (!std::isfinite(from) || !std::isfinite(to)) {
                ++expected.excluded;
                continue;
            }
            expected.squared_a += from * from;
            expected.squared_update += (to - from) * (to - from);
            expected.max_update = std::max(expected.max_update, std::abs(to - from));
            const auto place = [](std::uint16_t bits) {
                return (bits & 0x8000) != 0 ? -1 - (bits & 0x7fff) : int{bits};
            };
            std::size_t bin = 0;
            for (const int moved = std::abs(place(b[i]) - place(a[i])); moved > (bin == 0 ? 0 : 1 << (bin - 1));)
                ++bin;
            ++steps[bin];
        }
        while (!steps.empty() && steps.back() == 0)
            steps.pop_back();
        const update_statistics found = compare("BF16", bytes_of(a), bytes_of(b));
        CHECK(found.words == words);
        CHECK(found.changed_words == expected.changed_words);
        CHECK(found.not_finite_a == expected.not_finite_a);
        CHECK(found.not_finite_b == expected.not_finite_b);
        CHECK(found.excluded == expected.excluded);
        CHECK_THAT(found.squared_a, WithinRel(expected.squared_a, 1e-12));
        CHECK_THAT(found.squared_update, WithinRel(expected.squared_update, 1e-12));
        CHECK(found.max_update == expected.max_update);
        CHECK(found.steps == steps);
    }
}

TEST_CASE("figures of parts add up", "[archive]") {
    update_statistics sum = compare("U8", {1, 2, 3}, {1, 3, 3});
    sum.add(compare("U8", {4, 0}, {0, 0}));
    CHECK(sum == compare("U8", {1, 2, 3, 4, 0}, {1, 3, 3, 0, 0}));
    CHECK(sum.words == 5);
    CHECK(sum.changed_words == 2);
    CHECK(sum.squared_a == 30);
    CHECK(sum.squared_update == 17);
    CHECK(sum.max_update == 4);
    CHECK(sum.steps == std::vector<std::uint64_t>{3, 1, 0, 1});
}
