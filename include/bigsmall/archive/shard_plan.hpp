// SPDX-License-Identifier: BSL-1.0
// What each new shard of a model will hold: its tensors, the contents that come with them, and what it lends to later
// shards.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <bigsmall/archive/hub_index.hpp>
#include <bigsmall/archive/index_parts.hpp>
#include <bigsmall/archive/join_model.hpp>
#include <bigsmall/archive/joined_model.hpp>
#include <bigsmall/archive/layer_groups.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/io/safetensors/layout.hpp>

namespace bigsmall::archive::detail {

/// Stored bytes of a content; of a slice, its share of the bundle.
inline std::uint64_t stored_share(const io::container_index& index, std::uint32_t number) {
    const io::content_entry& content = index.contents[number];
    if (content.is_slice()) {
        const io::content_entry& bundle = index.contents[content.bundle];
        return bundle.blocks[0].stored_bytes * content.raw_bytes / bundle.raw_bytes; // both are at most 32 MiB
    }
    std::uint64_t sum = 0;
    for (const io::block_entry& block : content.blocks)
        if (block.shared_at == 0) sum += block.stored_bytes;
    return sum;
}

/// Of each tensor, the stored bytes that come with it: none when an earlier one has brought them.
inline std::vector<sized_tensor> stored_sizes(const joined_model& model) {
    std::vector<bool> seen(model.index.contents.size());
    std::vector<sized_tensor> sizes;
    for (const joined_tensor& tensor : model.tensors) {
        const bool first = !seen[tensor.content];
        seen[tensor.content] = true;
        sizes.push_back({tensor.name, first ? stored_share(model.index, tensor.content) : 0});
    }
    return sizes;
}

class shard_plan {
public:
    /// Throws: errc::invalid_argument when there cannot be so many shards.
    shard_plan(const joined_model& model, const shard_layout& layout)
        : model_(model), shards_(divide_into_shards(stored_sizes(model), layout)) {
        find_owners();
        find_others();
    }

    std::size_t size() const noexcept { return shards_.size(); }
    std::size_t tensor_count(std::size_t shard) const { return shards_[shard].size(); }

    /// The file that a shard restores. Its extents have the contents of the model.
    io::member_entry member(std::size_t shard) const {
        if (size() == 1) return model_.index.members[0];
        std::vector<joined_tensor> tensors;
        for (const std::size_t t : shards_[shard])
            tensors.push_back(model_.tensors[t]);
        const io::member_entry& whole = model_.index.members[0];
        return make_member(shard_stem(shard, size()) + ".safetensors", std::move(tensors),
                           io::parse_safetensors_header(whole.header, whole.raw_bytes).metadata);
    }

    /// Contents that no tensor has, gaps between them for one: the first shard keeps them, for whoever joins the
    /// shards.
    const std::vector<std::uint32_t>& others() const noexcept { return others_; }

    /// Contents that a later shard wants from this one.
    const std::set<std::uint32_t>& wanted_from(std::size_t shard) const { return wanted_[shard]; }

    /// Contents that a shard wants from earlier ones, with the number of that shard.
    std::vector<std::pair<std::uint32_t, std::size_t>> wanted_by(std::size_t shard) const {
        std::vector<std::pair<std::uint32_t, std::size_t>> wanted;
        for (const std::size_t t : shards_[shard]) {
            const std::uint32_t content = model_.tensors[t].content;
            if (wanted_[owners_[content]].count(content) != 0 && owners_[content] != shard)
                wanted.emplace_back(content, owners_[content]);
        }
        return wanted;
    }

private:
    static constexpr std::size_t nobody = std::numeric_limits<std::size_t>::max();

    /// Slices come with their bundles, and images are for the file that they are in: both are stored where they are
    /// used.
    void find_owners() {
        owners_.assign(model_.index.contents.size(), nobody);
        wanted_.resize(size());
        for (std::size_t s = 0; s < size(); ++s)
            for (const std::size_t t : shards_[s]) {
                const std::uint32_t number = model_.tensors[t].content;
                const io::content_entry& content = model_.index.contents[number];
                if (owners_[number] == nobody) owners_[number] = s;
                if (owners_[number] != s && !content.blocks.empty() && content.image == io::no_image)
                    wanted_[owners_[number]].insert(number);
            }
    }

    void find_others() {
        const io::container_index& index = model_.index;
        std::set<std::uint32_t> bundles;
        for (const joined_tensor& tensor : model_.tensors)
            bundles.insert(index.contents[tensor.content].bundle);
        for (std::uint32_t i = 0; i < index.first_bundle(); ++i) {
            const io::content_entry& content = index.contents[i];
            if (owners_[i] == nobody && (!content.is_slice() || bundles.count(content.bundle) == 0))
                others_.push_back(i);
        }
    }

    const joined_model& model_;
    std::vector<std::vector<std::size_t>> shards_; // indexes of tensors
    std::vector<std::size_t> owners_;              // of each content, the first shard that has it
    std::vector<std::set<std::uint32_t>> wanted_;  // of each shard, what later ones want
    std::vector<std::uint32_t> others_;
};

} // namespace bigsmall::archive::detail
