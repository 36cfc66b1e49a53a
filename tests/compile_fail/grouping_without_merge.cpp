// expect: bigsmall: a grouping_policy needs `static status merge(
// SPDX-License-Identifier: BSL-1.0
#include <bigsmall/codec.hpp>

struct mine {
    static constexpr bigsmall::wire_id id = 0x8001;
    static constexpr std::string_view name = "mine";
    static constexpr std::size_t streams = 1;
    static bool applies(const bigsmall::dtype&, bigsmall::bytes_view) { return true; }
    static void plan(bigsmall::bytes_view, std::span<std::size_t, 1>) {}
    static void split(bigsmall::bytes_view, std::span<const bigsmall::bytes_span, 1>, const bigsmall::kernel::table&) {}
};
using reader = bigsmall::policy_set<mine>;
auto use = &reader::decode;
