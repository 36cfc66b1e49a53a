// expect: bigsmall: an entropy_policy needs `static constexpr wire_id id`
// SPDX-License-Identifier: BSL-1.0
#include <bigsmall/codec.hpp>

struct mine {};
using reader = bigsmall::policy_set<mine>;
auto use = &reader::decode;
