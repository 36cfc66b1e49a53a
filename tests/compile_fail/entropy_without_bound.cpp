// expect: bigsmall: an entropy_policy needs `static std::size_t bound(std::size_t raw_bytes)`
// SPDX-License-Identifier: BSL-1.0
#include <bigsmall/codec.hpp>

struct mine {
    static constexpr bigsmall::wire_id id = 0x8001;
    static constexpr std::string_view name = "mine";
    static std::optional<std::size_t> encode(bigsmall::bytes_view, bigsmall::bytes_span) { return std::nullopt; }
    static bigsmall::status decode(bigsmall::bytes_view, bigsmall::bytes_span) { return bigsmall::status::ok; }
};
using reader = bigsmall::policy_set<mine>;
auto use = &reader::decode;
