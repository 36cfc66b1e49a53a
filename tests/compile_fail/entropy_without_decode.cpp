// expect: bigsmall: an entropy_policy needs `static status decode(bytes_view coded, bytes_span raw)`
// SPDX-License-Identifier: BSL-1.0
#include <bigsmall/codec.hpp>

struct mine {
    static constexpr bigsmall::wire_id id = 0x8001;
    static constexpr std::string_view name = "mine";
    static std::size_t bound(std::size_t n) { return n; }
    static std::optional<std::size_t> encode(bigsmall::bytes_view, bigsmall::bytes_span) { return std::nullopt; }
};
using reader = bigsmall::policy_set<mine>;
auto use = &reader::decode;
