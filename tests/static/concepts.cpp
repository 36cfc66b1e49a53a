// SPDX-License-Identifier: BSL-1.0
// What must hold before anything runs: the library's policies satisfy their concepts, and wire ids are unique.
#include <array>

#include <bigsmall/codec.hpp>

namespace {

using namespace bigsmall;

static_assert(entropy_policy<entropy::stored> && entropy_policy<entropy::constant>);
static_assert(entropy_policy<entropy::huffman> && entropy_policy<entropy::rans>);
static_assert(entropy_policy<entropy::wavelet> && entropy_policy<entropy::classed_wavelet>);
static_assert(grouping_policy<grouping::byte_fields<2>> && grouping_policy<grouping::byte_fields<3>>);
static_assert(grouping_policy<grouping::joint_fields<2>> && grouping_policy<grouping::joint_fields<4>>);
static_assert(grouping_policy<grouping::whole>);
static_assert(grouping_policy<grouping::byte_planes<2>> && grouping_policy<grouping::field_planes<8>>);
static_assert(grouping_policy<grouping::zero_runs<1>> && grouping_policy<grouping::zero_runs<8>>);
static_assert(selector_policy<selector::smallest> && selector_policy<selector::balanced>);
static_assert(!entropy_policy<grouping::whole> && !entropy_policy<int>);

template <class... Ps>
consteval bool ids_are_distinct(one_of<Ps...>) {
    const std::array ids{Ps::id...};
    for (std::size_t i = 0; i < ids.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
            if (ids[i] == ids[j]) return false;
    return true;
}
static_assert(ids_are_distinct(inference_policies::grouping{}) && ids_are_distinct(inference_policies::entropy{}));
static_assert(ids_are_distinct(balanced_policies::grouping{}) && ids_are_distinct(balanced_policies::entropy{}));
static_assert(ids_are_distinct(storage_policies::grouping{}) && ids_are_distinct(storage_policies::entropy{}));

// A wire id is a promise. These numbers are in people's files.
static_assert(entropy::stored::id == 0 && entropy::constant::id == 1 && entropy::huffman::id == 2 &&
              entropy::rans::id == 3);
static_assert(grouping::whole::id == 0);
static_assert(grouping::byte_planes<2>::id == 1 && grouping::byte_planes<4>::id == 2 &&
              grouping::byte_planes<8>::id == 3);
static_assert(grouping::field_planes<2>::id == 4 && grouping::field_planes<4>::id == 5 &&
              grouping::field_planes<8>::id == 6);
static_assert(grouping::zero_runs<1>::id == 7 && grouping::zero_runs<2>::id == 8 && grouping::zero_runs<4>::id == 9 &&
              grouping::zero_runs<8>::id == 10);
static_assert(grouping::byte_fields<2>::id == 17 && grouping::byte_fields<3>::id == 18);
static_assert(grouping::joint_fields<2>::id == 11 && grouping::joint_fields<4>::id == 12);
static_assert(grouping::sign_apart<2>::id == 13 && grouping::sign_apart<4>::id == 14 &&
              grouping::sign_planes<2>::id == 15 && grouping::sign_planes<4>::id == 16);
static_assert(entropy::wavelet::id == 5 && entropy::plain_wavelet::id == 5 && entropy::classed_wavelet::id == 6);

static_assert(std::is_same_v<codec, basic_codec<default_policies>>);
static_assert(log2_in_4096ths(1) == 0 && log2_in_4096ths(1u << 20) == 20 * 4096);

} // namespace
