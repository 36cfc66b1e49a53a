// expect: bigsmall: a grouping_policy needs `static void plan(bytes_view raw, std::span<std::size_t, streams> sizes)`
// SPDX-License-Identifier: BSL-1.0
#include <bigsmall/codec.hpp>

struct mine {
    static constexpr bigsmall::wire_id id = 0x8001;
    static constexpr std::string_view name = "mine";
    static constexpr std::size_t streams = 1;
    static bool applies(const bigsmall::dtype&, bigsmall::bytes_view) { return true; }
};
using reader = bigsmall::policy_set<mine>;
auto use = &reader::decode;
