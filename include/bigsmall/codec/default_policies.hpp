// SPDX-License-Identifier: BSL-1.0
// The library's own choices: three operating points, each a bundle of policies. Change one axis and keep the rest:
//   struct mine : bigsmall::default_policies { using entropy = my_entropy; };
// A codec reads what its own policies write; known_policies reads what any of them has written.
#pragma once

#include <bigsmall/codec/entropy/classed_wavelet.hpp>
#include <bigsmall/codec/entropy/huffman.hpp>
#include <bigsmall/codec/entropy/rans.hpp>
#include <bigsmall/codec/entropy/stored.hpp>
#include <bigsmall/codec/entropy/wavelet.hpp>
#include <bigsmall/codec/grouping/byte_fields.hpp>
#include <bigsmall/codec/grouping/joint_fields.hpp>
#include <bigsmall/codec/grouping/multiples.hpp>
#include <bigsmall/codec/grouping/planes.hpp>
#include <bigsmall/codec/grouping/sign_apart.hpp>
#include <bigsmall/codec/grouping/whole.hpp>
#include <bigsmall/codec/grouping/zero_runs.hpp>
#include <bigsmall/codec/policy_set.hpp>
#include <bigsmall/codec/selector.hpp>
#include <bigsmall/core/units.hpp>

namespace bigsmall {

/// Exponents alone, and plain bitmaps: decoded at the speed of memory.
struct inference_policies {
    using grouping =
        one_of<grouping::whole, grouping::byte_planes<2>, grouping::byte_planes<4>, grouping::byte_planes<8>,
               grouping::field_planes<2>, grouping::field_planes<4>, grouping::field_planes<8>, grouping::zero_runs<1>,
               grouping::zero_runs<2>, grouping::zero_runs<4>, grouping::zero_runs<8>, grouping::byte_fields<2>,
               grouping::byte_fields<3>, grouping::f32_multiples, grouping::bf16_multiples, grouping::f16_multiples>;
    /// Only bitmaps that shrink by an eighth are coded: those of masks and of planes that are nearly constant.
    using entropy = one_of<entropy::stored, entropy::constant, entropy::basic_wavelet<8, 14>>;
    using selector = selector::fastest;
    /// Counting is the dearest part of encoding exponents: a quarter is enough.
    static constexpr std::size_t counted_part = 4;
};

/// Exponents and top mantissa bits together, bitmaps coded where that pays.
struct balanced_policies {
    using grouping =
        one_of<grouping::whole, grouping::byte_planes<2>, grouping::byte_planes<4>, grouping::byte_planes<8>,
               grouping::field_planes<2>, grouping::field_planes<4>, grouping::field_planes<8>,
               grouping::joint_fields<2>, grouping::joint_fields<4>, grouping::zero_runs<1>, grouping::zero_runs<2>,
               grouping::zero_runs<4>, grouping::zero_runs<8>, grouping::byte_fields<2>, grouping::f32_multiples,
               grouping::bf16_multiples, grouping::f16_multiples>;
    using entropy = one_of<entropy::stored, entropy::constant, entropy::basic_wavelet<128, 17>>;
    using selector = selector::balanced;
};

namespace detail {

/// A grouping that wins on small blocks and would only be tried in vain on others.
template <class Grouping>
struct in_small_blocks : Grouping {
    static bool applies(const dtype& type, bytes_view raw) noexcept {
        return raw.size() < 2 * MiB && Grouping::applies(type, raw);
    }
};

} // namespace detail

/// The fewest bytes.
struct storage_policies {
    using grouping =
        one_of<grouping::whole, grouping::byte_planes<2>, grouping::byte_planes<4>, grouping::byte_planes<8>,
               grouping::field_planes<2>, grouping::field_planes<4>, grouping::field_planes<8>,
               grouping::joint_fields<2>, grouping::joint_fields<4>, grouping::zero_runs<1>, grouping::zero_runs<2>,
               grouping::zero_runs<4>, grouping::zero_runs<8>, grouping::sign_apart<2>, grouping::sign_apart<4>,
               grouping::sign_planes<2>, grouping::sign_planes<4>, detail::in_small_blocks<grouping::byte_fields<2>>,
               grouping::f32_multiples, grouping::bf16_multiples, grouping::f16_multiples>;
    using entropy = one_of<entropy::stored, entropy::constant, entropy::rans, entropy::basic_wavelet<1000, 18>,
                           entropy::basic_classed_wavelet<1000, 18>>;
    using selector = selector::smallest;
    static constexpr std::size_t probe_bytes = std::size_t{1} << 20;
    static constexpr bool tries_second = true;
};

struct default_policies : balanced_policies {};

/// Everything that any version of these policies has written. Blocks of archives may have zstd as well:
/// archive::readable_policies (archive/default_codec.hpp) reads both.
using known_policies = detail::joined_set<storage_policies::grouping, one_of<grouping::byte_fields<3>>,
                                          storage_policies::entropy, one_of<entropy::huffman>>::type;

} // namespace bigsmall
