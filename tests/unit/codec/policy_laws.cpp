// SPDX-License-Identifier: BSL-1.0
// Every policy of the library under the law suite, and the suite itself under policies that break a law.
#include <bigsmall/codec.hpp>
#include <bigsmall/codec/laws.hpp>

#include "support/catch.hpp"

using namespace bigsmall;

TEST_CASE("entropy policies obey the laws", "[codec][laws]") {
    CHECK(laws::broken_by_entropy<entropy::stored>() == "");
    CHECK(laws::broken_by_entropy<entropy::constant>() == "");
    CHECK(laws::broken_by_entropy<entropy::huffman>() == "");
    CHECK(laws::broken_by_entropy<entropy::rans>() == "");
    CHECK(laws::broken_by_entropy<entropy::plain_wavelet>() == "");
    CHECK(laws::broken_by_entropy<entropy::wavelet>() == "");
    CHECK(laws::broken_by_entropy<entropy::basic_wavelet<8, 10>>() == "");
    CHECK(laws::broken_by_entropy<entropy::basic_wavelet<1000, 18>>() == "");
    CHECK(laws::broken_by_entropy<entropy::classed_wavelet>() == "");
    CHECK(laws::broken_by_entropy<entropy::basic_classed_wavelet<0, 10>>() == "");
}

TEST_CASE("grouping policies obey the laws", "[codec][laws]") {
    const auto type = [](const char* name) { return *find_dtype(name); };
    CHECK(laws::broken_by_grouping<grouping::whole>(type("U8")) == "");
    CHECK(laws::broken_by_grouping<grouping::byte_planes<2>>(type("I16")) == "");
    CHECK(laws::broken_by_grouping<grouping::byte_planes<4>>(type("U32")) == "");
    CHECK(laws::broken_by_grouping<grouping::byte_planes<8>>(type("I64")) == "");
    CHECK(laws::broken_by_grouping<grouping::field_planes<2>>(type("BF16")) == "");
    CHECK(laws::broken_by_grouping<grouping::field_planes<4>>(type("F32")) == "");
    CHECK(laws::broken_by_grouping<grouping::field_planes<4>>(type("C64")) == "");
    CHECK(laws::broken_by_grouping<grouping::field_planes<8>>(type("F64")) == "");
    CHECK(laws::broken_by_grouping<grouping::joint_fields<2>>(type("BF16")) == "");
    CHECK(laws::broken_by_grouping<grouping::joint_fields<4>>(type("F32")) == "");
    CHECK(laws::broken_by_grouping<grouping::joint_fields<4>>(type("C64")) == "");
    CHECK(laws::broken_by_grouping<grouping::byte_fields<2>>(type("F8_E4M3")) == "");
    CHECK(laws::broken_by_grouping<grouping::byte_fields<3>>(type("F8_E5M2")) == "");
    CHECK(laws::broken_by_grouping<grouping::f32_multiples>(type("F32")) == "");
    CHECK(laws::broken_by_grouping<grouping::bf16_multiples>(type("BF16")) == "");
    CHECK(laws::broken_by_grouping<grouping::f16_multiples>(type("F16")) == "");
    CHECK(laws::broken_by_grouping<grouping::sign_apart<2>>(type("F16")) == "");
    CHECK(laws::broken_by_grouping<grouping::sign_apart<4>>(type("F32")) == "");
    CHECK(laws::broken_by_grouping<grouping::sign_planes<2>>(type("BF16")) == "");
    CHECK(laws::broken_by_grouping<grouping::sign_planes<4>>(type("C64")) == "");
    CHECK(laws::broken_by_grouping<grouping::zero_runs<1>>(type("BOOL")) == "");
    CHECK(laws::broken_by_grouping<grouping::zero_runs<2>>(type("F16")) == "");
    CHECK(laws::broken_by_grouping<grouping::zero_runs<4>>(type("F32")) == "");
    CHECK(laws::broken_by_grouping<grouping::zero_runs<8>>(type("I64")) == "");
}

namespace {

struct loses_the_last_byte : entropy::stored {
    static std::optional<std::size_t> encode(bytes_view raw, bytes_span out) noexcept {
        std::copy(raw.begin(), raw.end(), out.begin());
        return raw.size();
    }
    static status decode(bytes_view coded, bytes_span raw) noexcept {
        if (coded.size() != raw.size()) return status::corrupt;
        std::copy(coded.begin(), coded.end(), raw.begin());
        if (!raw.empty()) raw.back() = 0;
        return status::ok;
    }
};

struct believes_any_size : loses_the_last_byte {
    static status decode(bytes_view coded, bytes_span raw) noexcept {
        std::copy_n(coded.begin(), std::min(coded.size(), raw.size()), raw.begin());
        return status::ok;
    }
};

struct promises_too_little : loses_the_last_byte {
    static std::size_t bound(std::size_t) noexcept { return 0; }
    static std::optional<std::size_t> encode(bytes_view raw, bytes_span) noexcept { return raw.size(); }
};

} // namespace

TEST_CASE("the law suite notices broken policies", "[codec][laws]") {
    CHECK(laws::broken_by_entropy<loses_the_last_byte>().find("decode(encode(x)) is not x") != std::string::npos);
    CHECK(laws::broken_by_entropy<believes_any_size>().find("accepted a byte too many") != std::string::npos);
    CHECK(laws::broken_by_entropy<promises_too_little>().find("more than bound()") != std::string::npos);
}
