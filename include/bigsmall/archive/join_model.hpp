// SPDX-License-Identifier: BSL-1.0
// Finds the one container that several are, or would make.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <bigsmall/archive/content_pool.hpp>
#include <bigsmall/archive/index_parts.hpp>
#include <bigsmall/archive/joined_model.hpp>
#include <bigsmall/archive/names.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/core/checked.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/printable.hpp>
#include <bigsmall/io/safetensors/header_writer.hpp>
#include <bigsmall/io/safetensors/layout.hpp>

namespace bigsmall::archive::detail {

/// A member of `path` that has these tensors and no hash yet. Extents have the contents of the tensors.
inline io::member_entry make_member(std::string path, std::vector<joined_tensor> tensors,
                                    const io::text_pairs& metadata) {
    io::sort_by_alignment(tensors, [](const joined_tensor& tensor) { return tensor.dtype_name; });
    io::member_entry member;
    member.path = std::move(path);
    std::vector<io::tensor_record> records;
    std::uint64_t position = 0;
    for (joined_tensor& tensor : tensors) {
        const auto end = checked_add(position, tensor.bytes);
        if (!end || *end > std::uint64_t{1} << 62)
            throw error(errc::limit, "a file of all these tensors would have more than 2^62 bytes");
        records.push_back(
            {std::move(tensor.name), std::move(tensor.dtype_name), std::move(tensor.shape), position, *end});
        member.extents.push_back({io::extent_kind::tensor, tensor.content});
        position = *end;
    }
    member.header = io::make_safetensors_header(records, metadata);
    member.raw_bytes = member.header.size() + position;
    return member;
}

class model_joiner {
public:
    explicit model_joiner(const std::vector<const opened_container*>& containers)
        : containers_(containers), pool_(containers) {
        for (std::size_t c = 0; c < containers.size(); ++c)
            for (const io::member_entry& member : containers[c]->index().members)
                if (member.kind == io::member_kind::safetensors) add_member(c, member);
        if (members_.empty())
            throw error(errc::invalid_input, "there is no safetensors file in it, and so no tensors")
                .in_file(containers.empty() ? std::string() : containers[0]->path.string());
    }

    joined_model run() {
        if (auto original = find_original()) return std::move(*original);
        if (is_one_file()) return as_it_is();
        return put_together();
    }

private:
    struct tensor_origin {
        joined_tensor tensor;
        const opened_container* container = nullptr;
    };
    struct model_member {
        std::size_t container = 0;
        const io::member_entry* member = nullptr;
    };

    void add_member(std::size_t c, const io::member_entry& member) {
        const opened_container& container = *containers_[c];
        const std::string path = container.folder + member.path;
        const std::string folder = path.substr(0, path.rfind('/') + 1);
        if (!members_.empty() && folder != folder_)
            throw error(errc::invalid_input, "it has models in several folders, " + io::in_quotes(folder_) + " and " +
                                                 io::in_quotes(folder) + ", which are not one model")
                .in_file(container.path.string())
                .with_hint("give the containers of one of them");
        folder_ = folder;
        members_.push_back({c, &member});
        const auto number_of = [&](std::uint32_t content) { return pool_.number_of(c, content); };
        for (joined_tensor& tensor : tensors_of(container.index(), member, number_of))
            add_tensor(std::move(tensor), container);
    }

    void add_tensor(joined_tensor tensor, const opened_container& container) {
        const auto at = tensors_.find(tensor.name);
        if (at == tensors_.end()) {
            std::string name = tensor.name;
            tensors_.emplace(std::move(name), tensor_origin{std::move(tensor), &container});
            return;
        }
        if (same_tensor(at->second.tensor, pool_.index(), tensor, pool_.index())) return;
        throw error(errc::invalid_input, "it has another tensor of that name than " +
                                             io::in_quotes(at->second.container->path.string()) + " has")
            .in_file(container.path.string())
            .in_tensor(io::printable(tensor.name))
            .with_hint("these are files of different models, which do not make one");
    }

    static bool same_tensor(const joined_tensor& a, const io::container_index& of_a, const joined_tensor& b,
                            const io::container_index& of_b) {
        return a.dtype_name == b.dtype_name && a.shape == b.shape && a.bytes == b.bytes &&
               of_a.contents[a.content].md5 == of_b.contents[b.content].md5;
    }

    /// The container of which these are the shards, when all of it is there.
    std::optional<joined_model> find_original() const {
        for (const opened_container* container : containers_) {
            if (container->index().joined.empty()) continue;
            try {
                joined_model model;
                model.index = decode_joined(container->index().joined);
                model.known_hash = model.index.members[0].sha256 != io::sha256_digest{};
                if (!fill(model)) continue;
                return model;
            } catch (error& e) {
                e.in_file(container->path.string());
                throw;
            }
        }
        return std::nullopt;
    }

    /// Finds the blocks of a model and compares its tensors with those that are there.
    bool fill(joined_model& model) const {
        io::container_index& index = model.index;
        if (index.is_patch() && !pool_.index().is_patch()) return false; // nobody was asked for its base
        model.places.resize(index.contents.size());
        const auto slices = slices_of(index);
        const std::vector<std::uint32_t> order = order_of_places(index);
        for (const std::uint32_t i : order) {
            const bool bundle = i >= index.first_bundle();
            const content_key key =
                bundle ? key_of_bundle(index, i, slices[i - index.first_bundle()]) : key_of(index.contents[i]);
            if (const content_place* place = pool_.find(key)) {
                model.places[i] = *place;
            } else if (const auto number = pool_.find_recoded(key)) {
                take_coding(index.contents[i], pool_.index().contents[*number]);
                model.places[i] = pool_.places()[*number];
            } else {
                return false;
            }
        }
        model.tensors = tensors_of(index, index.members[0], [](std::uint32_t content) { return content; });
        if (model.tensors.size() != tensors_.size()) return false;
        for (const joined_tensor& tensor : model.tensors) {
            const auto at = tensors_.find(tensor.name);
            if (at == tensors_.end() || !same_tensor(at->second.tensor, pool_.index(), tensor, index)) return false;
        }
        finish_index(model, order);
        return true;
    }

    /// A shard may have been migrated since: its blocks are other ones of the same bytes.
    static void take_coding(io::content_entry& content, const io::content_entry& other) {
        content.block_bytes = other.block_bytes;
        content.offset = other.offset;
        content.blocks = other.blocks;
    }

    static void finish_index(joined_model& model, const std::vector<std::uint32_t>& order) {
        place_blocks(model.index, order, [](std::uint32_t) { return false; });
    }

    bool is_one_file() const {
        const io::container_index& index = containers_[0]->index();
        return containers_.size() == 1 && index.members.size() == 1 && !index.directory && index.siblings.empty();
    }

    joined_model as_it_is() const {
        joined_model model;
        model.index = containers_[0]->index();
        model.index.joined.clear();
        model.known_hash = true;
        for (std::uint32_t i = 0; i < model.index.contents.size(); ++i)
            model.places.push_back({containers_[0], i});
        model.tensors = tensors_of(model.index, model.index.members[0], [](std::uint32_t content) { return content; });
        finish_index(model, order_of_places(model.index));
        return model;
    }

    /// One safetensors file stays as it is, several become one.
    joined_model put_together() const {
        io::container_index whole = pool_.index();
        whole.writer = containers_[0]->index().writer;
        joined_model model;
        model.known_hash = members_.size() == 1;
        index_part part = index_splitter(whole).take({model.known_hash ? only_member() : new_member()}, {}, {}, {});
        model.index = std::move(part.index);
        for (const std::uint32_t origin : part.origins)
            model.places.push_back(pool_.places()[origin]);
        model.tensors = tensors_of(model.index, model.index.members[0], [](std::uint32_t content) { return content; });
        return model;
    }

    io::member_entry only_member() const {
        io::member_entry member = *members_[0].member;
        member.path = member.path.substr(member.path.rfind('/') + 1);
        for (io::extent_entry& extent : member.extents)
            extent.content = pool_.number_of(members_[0].container, extent.content);
        return member;
    }

    /// The order does not depend on how the tensors are spread over files.
    io::member_entry new_member() const {
        using sort_key = std::tuple<bool, std::string, std::uint32_t, std::string_view>;
        std::vector<std::pair<sort_key, const joined_tensor*>> sorted;
        for (const auto& [name, origin] : tensors_) {
            tensor_place at = place_of(name);
            const bool in_layer = at.layer.has_value();
            sorted.push_back({{in_layer, in_layer ? std::move(at.stack) : std::string(), at.layer.value_or(0), name},
                              &origin.tensor});
        }
        std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
        std::vector<joined_tensor> tensors;
        for (const auto& [key, tensor] : sorted)
            tensors.push_back(*tensor);
        return make_member("model.safetensors", std::move(tensors), metadata());
    }

    /// Of keys that several files have, the first value.
    io::text_pairs metadata() const {
        std::set<std::string, std::less<>> keys;
        io::text_pairs all;
        for (const model_member& one : members_) {
            const io::text_pairs pairs =
                io::parse_safetensors_header(one.member->header, one.member->raw_bytes).metadata;
            for (std::size_t i = 0; i < pairs.size(); ++i)
                if (keys.emplace(pairs[i].first).second) all.push_back(pairs[i].first, pairs[i].second);
        }
        return all;
    }

    const std::vector<const opened_container*>& containers_;
    content_pool pool_;
    std::string folder_; // of the members
    std::vector<model_member> members_;
    std::map<std::string, tensor_origin> tensors_;
};

} // namespace bigsmall::archive::detail
