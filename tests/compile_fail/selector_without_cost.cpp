// expect: bigsmall: a selector_policy needs `static std::size_t cost(
// SPDX-License-Identifier: BSL-1.0
#include <bigsmall/codec.hpp>

struct mine {};
struct policies : bigsmall::default_policies { using selector = mine; };
auto use = &bigsmall::basic_codec<policies>::encode;
