// SPDX-License-Identifier: BSL-1.0
// Which tensors of a model go to which shard: the tensors of one layer stay together, those outside of layers go to the
// first.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <bigsmall/archive/names.hpp>
#include <bigsmall/core/error.hpp>

namespace bigsmall::archive {

/// How many shards a model is divided into.
struct shard_layout {
    std::uint64_t shards = 0;                  ///< exactly so many; 0: as few as `shard_bytes` allows
    std::uint64_t shard_bytes = 2'000'000'000; ///< a shard has no more, unless its only layer has
};

struct sized_tensor {
    std::string_view name;
    std::uint64_t bytes = 0;
};

namespace detail {

/// Tensors that stay in one shard.
struct layer_group {
    std::uint64_t bytes = 0;
    std::vector<std::size_t> tensors; ///< indexes, ascending
};

/// First the tensors outside of layers, if there are any, then the layers: stack after stack, as they come, and in each
/// by their numbers.
inline std::vector<layer_group> layer_groups(const std::vector<sized_tensor>& tensors) {
    std::map<std::string, std::size_t> stacks;
    using place = std::pair<std::size_t, std::uint32_t>; // number of the stack, from 1, and of the layer
    std::map<place, layer_group> groups;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        const tensor_place at = place_of(tensors[i].name);
        place key{0, 0};
        if (at.layer) key = {stacks.try_emplace(at.stack, stacks.size() + 1).first->second, *at.layer};
        groups[key].bytes += tensors[i].bytes;
        groups[key].tensors.push_back(i);
    }
    std::vector<layer_group> in_order;
    for (auto& [key, group] : groups)
        in_order.push_back(std::move(group));
    return in_order;
}

/// The number of the first group of each part when parts of at most `limit` bytes are filled in order; at least
/// `least_parts` of them, as long as there are groups.
inline std::vector<std::size_t> fill_parts(const std::vector<layer_group>& groups, std::uint64_t limit,
                                           std::size_t least_parts) {
    std::vector<std::size_t> firsts;
    std::uint64_t filled = 0;
    for (std::size_t g = 0; g < groups.size(); ++g) {
        const bool full = filled > limit || groups[g].bytes > limit - filled;
        // As many groups as parts are left to begin: each begins one.
        const bool needed = firsts.size() < least_parts && groups.size() - g <= least_parts - firsts.size();
        if (firsts.empty() || full || needed) {
            firsts.push_back(g);
            filled = 0;
        }
        filled += groups[g].bytes;
    }
    return firsts;
}

/// Exactly `parts` parts, of which the largest is as small as it can be.
inline std::vector<std::size_t> balance_parts(const std::vector<layer_group>& groups, std::size_t parts) {
    std::uint64_t low = 0, high = 0;
    for (const layer_group& group : groups) {
        low = std::max(low, group.bytes);
        high += group.bytes;
    }
    while (low < high) {
        const std::uint64_t middle = low + (high - low) / 2;
        if (fill_parts(groups, middle, 0).size() <= parts)
            high = middle;
        else
            low = middle + 1;
    }
    return fill_parts(groups, low, parts);
}

} // namespace detail

/// The tensors of each shard, as indexes, in the order of groups and within a group as given.
/// Throws: errc::invalid_argument when there are fewer groups than shards are wanted.
inline std::vector<std::vector<std::size_t>> divide_into_shards(const std::vector<sized_tensor>& tensors,
                                                                const shard_layout& layout) {
    const std::vector<detail::layer_group> groups = detail::layer_groups(tensors);
    if (layout.shards > std::max<std::size_t>(groups.size(), 1))
        throw error(errc::invalid_argument, "the model has " + std::to_string(groups.size()) +
                                                (groups.size() == 1 ? " group" : " groups") +
                                                " of tensors that stay together (its layers, and what is outside of "
                                                "layers), fewer than the " +
                                                std::to_string(layout.shards) + " shards asked for");
    const std::vector<std::size_t> firsts = layout.shards > 0
                                                ? detail::balance_parts(groups, static_cast<std::size_t>(layout.shards))
                                                : detail::fill_parts(groups, layout.shard_bytes, 0);
    std::vector<std::vector<std::size_t>> shards(std::max<std::size_t>(firsts.size(), 1));
    for (std::size_t s = 0; s < firsts.size(); ++s) {
        const std::size_t end = s + 1 < firsts.size() ? firsts[s + 1] : groups.size();
        for (std::size_t g = firsts[s]; g < end; ++g)
            shards[s].insert(shards[s].end(), groups[g].tensors.begin(), groups[g].tensors.end());
    }
    return shards;
}

} // namespace bigsmall::archive
