// SPDX-License-Identifier: BSL-1.0
// Which tensors go to which shard.
#include <string>
#include <vector>

#include <bigsmall/archive/layer_groups.hpp>

#include "support/catch.hpp"
#include "support/model_files.hpp"

using namespace support;
using Catch::Matchers::ContainsSubstring;

namespace {

using shards = std::vector<std::vector<std::size_t>>;

shards divide(const std::vector<archive::sized_tensor>& tensors, std::uint64_t count, std::uint64_t bytes = 0) {
    return archive::divide_into_shards(tensors, {count, bytes});
}

} // namespace

TEST_CASE("layers stay together and come in their order, the rest is in the first shard", "[archive][reshard]") {
    const std::vector<archive::sized_tensor> tensors{
        {"lm_head.weight", 5},     {"model.layers.10.a", 10}, {"model.layers.2.a", 10}, {"model.layers.10.b", 10},
        {"model.embed.weight", 5}, {"model.layers.2.b", 10},  {"model.layers.0.a", 20}, {"model.norm.weight", 1}};
    CHECK(divide(tensors, 4) == shards{{0, 4, 7}, {6}, {2, 5}, {1, 3}});
    CHECK(divide(tensors, 1) == shards{{0, 4, 7, 6, 2, 5, 1, 3}});
    CHECK(divide(tensors, 0, 31) == shards{{0, 4, 7, 6}, {2, 5}, {1, 3}});
    CHECK(divide(tensors, 0, 30) == shards{{0, 4, 7}, {6}, {2, 5}, {1, 3}});
    CHECK(divide(tensors, 0, 1) == shards{{0, 4, 7}, {6}, {2, 5}, {1, 3}});
    CHECK(divide(tensors, 0, ~std::uint64_t{0}) == shards{{0, 4, 7, 6, 2, 5, 1, 3}});
    const error e = thrown_by([&] { divide(tensors, 5); });
    CHECK(e.code() == errc::invalid_argument);
    CHECK_THAT(e.what(), ContainsSubstring("4 groups of tensors"));
}

TEST_CASE("layers of one number in different stacks are different layers", "[archive][reshard]") {
    const std::vector<archive::sized_tensor> tensors{{"encoder.block.0.w", 1},
                                                     {"decoder.block.0.w", 1},
                                                     {"encoder.block.1.layer.7.w", 1},
                                                     {"encoder.block.1.layer.8.w", 1},
                                                     {"decoder.block.1.w", 1}};
    CHECK(divide(tensors, 0, 1) == shards{{0}, {2, 3}, {1}, {4}});
    CHECK(divide(tensors, 2) == shards{{0, 2, 3}, {1, 4}});
}

TEST_CASE("a model without layers is one shard", "[archive][reshard]") {
    CHECK(divide({{"a", 1}, {"b", 100}}, 0, 10) == shards{{0, 1}});
    CHECK(divide({}, 0, 10) == shards{{}});
    CHECK(divide({}, 1) == shards{{}});
    CHECK(thrown_by([] { divide({{"a", 1}}, 2); }).code() == errc::invalid_argument);
}

TEST_CASE("the largest of so many shards is as small as can be", "[archive][reshard]") {
    std::vector<std::string> names;
    for (int i = 0; i < 7; ++i)
        names.push_back("h." + std::to_string(i) + ".w");
    const std::vector<std::uint64_t> bytes{5, 1, 1, 1, 7, 1, 4};
    std::vector<archive::sized_tensor> tensors;
    for (std::size_t i = 0; i < names.size(); ++i)
        tensors.push_back({names[i], bytes[i]});
    CHECK(divide(tensors, 3) == shards{{0, 1, 2, 3}, {4, 5}, {6}});
    CHECK(divide(tensors, 6) == shards{{0, 1}, {2}, {3}, {4}, {5}, {6}});
    CHECK(divide(tensors, 7).size() == 7);
}
