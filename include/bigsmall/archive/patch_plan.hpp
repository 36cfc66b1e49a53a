// SPDX-License-Identifier: BSL-1.0
// Packing against a base: what each content of a plan may be a difference to, and which contents equal their base.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <bigsmall/archive/base_match.hpp>
#include <bigsmall/archive/bundle_block.hpp>
#include <bigsmall/archive/bundle_plan.hpp>
#include <bigsmall/archive/default_codec.hpp>
#include <bigsmall/archive/model_reader.hpp>
#include <bigsmall/archive/pack_options.hpp>
#include <bigsmall/archive/plan.hpp>
#include <bigsmall/archive/read_image.hpp>
#include <bigsmall/parallel/executor.hpp>
#include <bigsmall/parallel/pool.hpp>

namespace bigsmall::archive::detail {

/// What a base of its own costs a content, about: in both copies of the index an MD5, which does not compress, and the
/// place of its blocks.
inline constexpr std::size_t base_entry_bytes = 44;

/// Images of the contents of a plan. Their parts go by the numbers of the base's tensors.
class patch_plan {
public:
    /// A plan without a base.
    patch_plan() = default;
    patch_plan(std::shared_ptr<const model_reader> model, std::size_t contents)
        : model_(std::move(model)), image_of_(contents, none) {}

    const model_reader* model() const noexcept { return model_.get(); }
    bool has_image(std::uint32_t content) const noexcept { return model_ && image_of_[content] != none; }
    const io::base_image& image(std::uint32_t content) const { return images_[image_of_[content]].parts; }
    bool is_unchanged(std::uint32_t content) const noexcept {
        return has_image(content) && images_[image_of_[content]].unchanged != 0;
    }

    /// Those that have one.
    std::unordered_set<std::uint32_t> contents() const {
        std::unordered_set<std::uint32_t> all;
        for (std::uint32_t c = 0; c < image_of_.size(); ++c)
            if (has_image(c)) all.insert(c);
        return all;
    }

    /// How many of the bytes from `begin` on of a content with an image have a counterpart in the base.
    std::uint64_t based_bytes(std::uint32_t content, std::uint64_t begin, std::uint64_t bytes) const {
        std::uint64_t sum = 0, at = 0;
        for (const io::base_part& part : image(content).parts) {
            const std::uint64_t from = std::max(at, begin), end = std::min(at + part.bytes, begin + bytes);
            if (part.tensor != io::no_base && end > from) sum += end - from;
            at += part.bytes;
        }
        return sum;
    }

    /// Any thread may call. Throws: as reading the base does.
    void read(std::uint32_t content, std::uint64_t begin, bytes_span to) const {
        read_image(*model_, image(content), begin, to);
    }

    /// Tensors of the plan that have an image, and of these those that equal it.
    std::uint64_t matched = 0, unchanged = 0;

private:
    friend class patch_planner;
    static constexpr std::size_t none = ~std::size_t{0};
    struct planned_image {
        io::base_image parts;
        char unchanged = 0;
    };

    std::shared_ptr<const model_reader> model_;
    std::vector<std::size_t> image_of_; // of each content
    std::vector<planned_image> images_;
};

/// Finds images by matching tensors, and looks at every pair of tensors: equal ones need no blocks, and small ones that
/// gain nothing are better off among their likes.
class patch_planner {
public:
    patch_planner(const pack_plan& plan, const pack_options& options)
        : plan_(plan), options_(options), result_(options.base, plan.contents.size()) {}

    template <parallel::executor E>
    patch_plan run(const std::filesystem::path& source, E& e) {
        match(source, e);
        measure_bundles();
        std::vector<char> useless(contents_.size(), 0);
        e.for_each(contents_.size(), [&](std::size_t i) {
            check_cancelled(options_);
            const auto memory = memories_.borrow();
            memory->parts.emplace(plan_);
            useless[i] = look_at(contents_[i], *memory) == outlook::none ? 1 : 0;
            memory->parts.reset();
        });
        for (std::size_t i = 0; i < contents_.size(); ++i)
            if (useless[i] != 0) result_.image_of_[contents_[i]] = patch_plan::none;
        count();
        return std::move(result_);
    }

private:
    enum class outlook : std::uint8_t { good, none };

    struct memory_of_worker {
        std::optional<part_reader> parts;
        byte_buffer raw, base, coded;
        scratch codec;
    };

    template <parallel::executor E>
    void match(const std::filesystem::path& source, E& e) {
        std::map<std::pair<std::string, std::string>, std::uint32_t> numbers;
        for (std::uint32_t c = 0; c < plan_.contents.size(); ++c) {
            const planned_member& member = plan_.members[plan_.contents[c].member];
            const planned_extent& extent = member.extents[plan_.contents[c].extent];
            if (extent.kind == io::extent_kind::tensor && extent.bytes > 0)
                numbers.emplace(std::pair(member.file.name, extent.tensor), c);
        }
        if (numbers.empty()) return; // which no model_reader opens
        const model_reader target(source, model_form::files);
        for (tensor_match& found : match_tensors(target, *result_.model_, options_, e)) {
            const model_tensor& tensor = target.tensors()[found.target];
            const auto at = numbers.find({target.files()[tensor.file].name, tensor.name});
            // A tensor whose bytes an earlier one has is stored with that.
            if (at == numbers.end() || !is_first(at->second)) continue;
            result_.image_of_[at->second] = result_.images_.size();
            result_.images_.push_back({std::move(found.image), 0});
            contents_.push_back(at->second);
        }
        std::sort(contents_.begin(), contents_.end());
    }

    /// Whether the extent that a content was made for still refers to it.
    bool is_first(std::uint32_t content) const {
        const auto [member, extent] = plan_.contents[content];
        return plan_.members[member].extents[extent].content == content;
    }

    outlook look_at(std::uint32_t content, memory_of_worker& memory) {
        const planned_extent& extent = memory.parts->extent_of(content);
        constexpr std::uint64_t piece_bytes = 1 * MiB;
        for (std::uint64_t at = 0; at < extent.bytes; at += piece_bytes) {
            check_cancelled(options_);
            const auto now = static_cast<std::size_t>(std::min(piece_bytes, extent.bytes - at));
            memory.raw.resize(now);
            memory.base.resize(now);
            memory.parts->read(content, at, memory.raw);
            result_.read(content, at, memory.base);
            if (memory.raw == memory.base) continue;
            return extent.bytes < bundle_limit(options_) ? try_small(extent, memory) : outlook::good;
        }
        result_.images_[result_.image_of_[content]].unchanged = 1;
        return outlook::good;
    }

    /// How much smaller small parts are together, by a bundle of each type.
    void measure_bundles() {
        std::map<std::string_view, planned_bundle> samples;
        part_reader parts(plan_);
        for (const std::uint32_t content : contents_) {
            const planned_extent& extent = parts.extent_of(content);
            planned_bundle& sample = samples[extent.type.name];
            if (extent.bytes >= bundle_limit(options_) || sample.raw_bytes + extent.bytes > mixed_bundle_bytes)
                continue;
            sample.contents.push_back(content);
            sample.raw_bytes += extent.bytes;
        }
        scratch memory;
        for (const auto& [type, sample] : samples) {
            if (sample.contents.size() < 2) continue;
            check_cancelled(options_);
            bundled_bytes_[type] = {sample.raw_bytes,
                                    code_bundle(parts.read(sample), options_.codec, memory).stored.size()};
        }
    }

    /// A block of its own: its entry in the index, and what lies in front of it where it is aligned.
    static std::size_t block_cost(std::size_t stored_bytes) noexcept {
        return stored_bytes + block_entry_bytes + (stored_bytes < io::aligned_from_bytes ? 0 : io::block_alignment / 2);
    }

    /// What a small part takes without a base: alone, or its share of a bundle.
    std::size_t bytes_without(const planned_extent& extent, std::size_t alone) const {
        const std::size_t own = block_cost(alone);
        const auto at = bundled_bytes_.find(extent.type.name);
        if (at == bundled_bytes_.end()) return own;
        const auto [raw, coded] = at->second;
        return std::min(own, static_cast<std::size_t>(extent.bytes * coded / raw) + 2);
    }

    /// A small part would lie in a bundle with others, where it costs less than alone: its differences must be smaller
    /// than that.
    outlook try_small(const planned_extent& extent, memory_of_worker& memory) const {
        const std::size_t n = memory.raw.size();
        memory.coded.resize(std::max(options_.delta.bound(n), options_.codec.bound(n)));
        const auto different =
            options_.delta.encode(extent.type, memory.raw, memory.base, n, memory.coded, memory.codec);
        if (!different) return outlook::none;
        const block_info info{extent.type, extent.row_elems, 0, {}, extent.last_elems};
        const std::size_t alone = options_.codec.encode(info, memory.raw, memory.coded, memory.codec).bytes;
        return block_cost(different->bytes) + base_entry_bytes < bytes_without(extent, alone) ? outlook::good
                                                                                              : outlook::none;
    }

    void count() {
        for (const planned_member& member : plan_.members)
            for (const planned_extent& extent : member.extents) {
                if (extent.kind != io::extent_kind::tensor || !result_.has_image(extent.content)) continue;
                ++result_.matched;
                if (result_.is_unchanged(extent.content)) ++result_.unchanged;
            }
    }

    const pack_plan& plan_;
    const pack_options& options_;
    patch_plan result_;
    std::vector<std::uint32_t> contents_; // that have an image
    std::map<std::string_view, std::pair<std::uint64_t, std::uint64_t>> bundled_bytes_; // raw and coded, of a type
    parallel::object_pool<memory_of_worker> memories_;
};

} // namespace bigsmall::archive::detail
