// SPDX-License-Identifier: BSL-1.0
// The library's own choice on each axis. Change one axis and keep the rest:
//   struct mine : bigsmall::default_policies { using entropy = my_entropy; };
#pragma once

#include <bigsmall/codec/entropy/huffman.hpp>
#include <bigsmall/codec/entropy/rans.hpp>
#include <bigsmall/codec/entropy/stored.hpp>
#include <bigsmall/codec/grouping/planes.hpp>
#include <bigsmall/codec/grouping/whole.hpp>
#include <bigsmall/codec/grouping/zero_runs.hpp>
#include <bigsmall/codec/selector.hpp>

namespace bigsmall {

struct default_policies {
    using grouping =
        one_of<grouping::whole, grouping::byte_planes<2>, grouping::byte_planes<4>, grouping::byte_planes<8>,
               grouping::field_planes<2>, grouping::field_planes<4>, grouping::field_planes<8>, grouping::zero_runs<1>,
               grouping::zero_runs<2>, grouping::zero_runs<4>, grouping::zero_runs<8>>;
    using entropy = one_of<entropy::stored, entropy::constant, entropy::huffman, entropy::rans>;
    using selector = selector::balanced;
};

} // namespace bigsmall
