// expect: bigsmall: an entropy_policy needs `static std::optional<std::size_t> encode(bytes_view raw, bytes_span out)`
// SPDX-License-Identifier: BSL-1.0
#include <bigsmall/codec.hpp>

struct mine {
    static constexpr bigsmall::wire_id id = 0x8001;
    static constexpr std::string_view name = "mine";
    static std::size_t bound(std::size_t n) { return n; }
    static bigsmall::status decode(bigsmall::bytes_view, bigsmall::bytes_span) { return bigsmall::status::ok; }
};
struct policies : bigsmall::default_policies { using entropy = mine; };
auto use = &bigsmall::basic_codec<policies>::encode;
