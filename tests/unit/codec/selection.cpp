// SPDX-License-Identifier: BSL-1.0
// Choosing: user policies join the contest, ties go to the lowest id, declining is no failure.
#include <array>
#include <bit>
#include <type_traits>

#include <bigsmall/codec.hpp>
#include <bigsmall/codec/laws.hpp>

#include "support/catch.hpp"

using namespace bigsmall;

namespace {

template <wire_id Id>
struct halves_everything { // keeps every second byte: legal only where each byte is doubled
    static constexpr wire_id id = Id;
    static constexpr std::string_view name = "halves_everything";
    static std::size_t bound(std::size_t raw_bytes) noexcept { return raw_bytes; }
    static std::optional<std::size_t> encode(bytes_view raw, bytes_span out) noexcept {
        if (raw.size() % 2 != 0) return std::nullopt;
        for (std::size_t i = 0; i < raw.size(); i += 2) {
            if (raw[i] != raw[i + 1]) return std::nullopt;
            out[i / 2] = raw[i];
        }
        return raw.size() / 2;
    }
    static status decode(bytes_view coded, bytes_span raw) noexcept {
        if (coded.size() * 2 != raw.size()) return status::corrupt;
        for (std::size_t i = 0; i < raw.size(); ++i)
            raw[i] = coded[i / 2];
        return status::ok;
    }
};

template <class... Es>
struct with_entropies : default_policies {
    using grouping = bigsmall::grouping::whole;
    using entropy = one_of<Es...>;
    using selector = bigsmall::selector::smallest;
};

byte_buffer doubled_noise() {
    laws::fixed_random random(2);
    byte_buffer raw(4096);
    for (std::size_t i = 0; i < raw.size(); i += 2)
        raw[i] = raw[i + 1] = static_cast<std::uint8_t>(random() >> 9);
    return raw;
}

template <class Policies>
coding_label label_of(bytes_view raw) {
    scratch memory;
    byte_buffer out(basic_codec<Policies>::bound(raw.size()));
    const encoded_block block = basic_codec<Policies>::encode(*find_dtype("U8"), raw, out, memory);
    byte_buffer back(raw.size());
    REQUIRE(basic_codec<Policies>::decode(bytes_view(out).first(block.bytes), back, memory) == status::ok);
    REQUIRE(std::equal(back.begin(), back.end(), raw.begin()));
    return block.label;
}

} // namespace

TEST_CASE("a user's policy obeys the laws and wins where it is smaller", "[codec][selection]") {
    using mine = halves_everything<0x8001>;
    CHECK(laws::broken_by_entropy<mine>() == "");
    CHECK(label_of<with_entropies<entropy::stored, entropy::rans, mine>>(doubled_noise()).entropy == 0x8001);
    CHECK(label_of<with_entropies<mine>>(doubled_noise()).entropy == 0x8001);
}

TEST_CASE("ties go to the lowest wire id, whatever the order in the list", "[codec][selection]") {
    using low = halves_everything<0x8001>;
    using high = halves_everything<0x8002>;
    CHECK(label_of<with_entropies<low, high>>(doubled_noise()).entropy == 0x8001);
    CHECK(label_of<with_entropies<high, low>>(doubled_noise()).entropy == 0x8001);
}

TEST_CASE("when every policy declines the stream is stored", "[codec][selection]") {
    const byte_buffer odd{1, 2, 3};
    CHECK(label_of<with_entropies<halves_everything<0x8001>>>(odd).entropy == entropy::stored::id);
}

TEST_CASE("balanced prices decoding, smallest does not", "[codec][selection]") {
    CHECK(selector::smallest::cost(entropy::rans::id, 99, 100000) < selector::smallest::cost(0, 100, 100000));
    CHECK(selector::balanced::cost(entropy::rans::id, 99900, 100000) > selector::balanced::cost(0, 100000, 100000));
    CHECK(selector::balanced::cost(entropy::rans::id, 90000, 100000) < selector::balanced::cost(0, 100000, 100000));
}

TEST_CASE("log2 in integers is the real logarithm rounded down", "[codec][statistics]") {
    CHECK(log2_in_4096ths(1) == 0);
    CHECK(log2_in_4096ths(2) == 4096);
    CHECK(log2_in_4096ths(3) == 6492);     // log2(3) = 1.5849625
    CHECK(log2_in_4096ths(1000) == 40819); // 9.9657843 * 4096 = 40819.85
    CHECK(log2_in_4096ths(0x80000000u) == 31 * 4096);
    CHECK(log2_in_4096ths(0xffffffffu) == 32 * 4096 - 1);
}

TEST_CASE("floats of one byte leave their noise out of the tree", "[codec]") {
    laws::fixed_random random(5);
    byte_buffer raw(300000);
    for (std::uint8_t& byte : raw) {
        const int exponent = 13 - std::countr_zero(random() | 1ull << 12);
        byte = static_cast<std::uint8_t>((static_cast<unsigned>(exponent) << 3) | (random() >> 17 & 0x87));
    }
    const auto grouping_of = [&]<class Policies>(std::type_identity<Policies>) {
        using chosen = basic_codec<Policies>;
        scratch memory;
        byte_buffer out(chosen::bound(raw.size())), back(raw.size());
        const encoded_block block = chosen::encode(*find_dtype("F8_E4M3"), raw, out, memory);
        REQUIRE(known_policies::decode(bytes_view(out).first(block.bytes), back, memory) == status::ok);
        REQUIRE(back == raw);
        return block.label.grouping;
    };
    CHECK(grouping_of(std::type_identity<inference_policies>{}) == grouping::byte_fields<3>::id);
    CHECK(grouping_of(std::type_identity<balanced_policies>{}) == grouping::byte_fields<2>::id);
    // The fewest bytes: small blocks are tried both ways, large ones whole.
    CHECK(detail::in_small_blocks<grouping::byte_fields<2>>::applies(*find_dtype("F8_E4M3"), raw));
    CHECK_FALSE(
        detail::in_small_blocks<grouping::byte_fields<2>>::applies(*find_dtype("F8_E4M3"), byte_buffer(2 * MiB)));
    // Three values: here the sign is no noise, since it depends on the magnitude.
    for (std::uint8_t& byte : raw)
        byte = std::array<std::uint8_t, 3>{0x38, 0xb8, 0xc0}[random.below(3)];
    CHECK(grouping_of(std::type_identity<inference_policies>{}) == grouping::whole::id);
    CHECK(grouping_of(std::type_identity<balanced_policies>{}) == grouping::whole::id);
}
