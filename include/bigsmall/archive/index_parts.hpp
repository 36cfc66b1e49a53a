// SPDX-License-Identifier: BSL-1.0
// An index made of parts of another: the same contents, blocks, bundles and images, in another file.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <bigsmall/io/container/format.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/io/container/index_rules.hpp>

namespace bigsmall::archive::detail {

/// Contents that another file holds already: as it has them, and its name.
struct lent_content {
    io::content_entry entry;
    std::string file;
};
using lent_contents = std::map<std::uint32_t, lent_content>; // by number in the whole

struct index_part {
    io::container_index index;
    std::vector<std::uint32_t> origins; ///< of each content, its number in the whole
    std::vector<std::uint32_t> order;   ///< the contents that have blocks here, as they are to be written
};

/// Says where the blocks of an index will lie once its contents are written in `order`, front to back. Until then
/// offsets are those of another file, in which equal places mean equal blocks: they go on sharing bytes, except those
/// of contents that `stands_alone(number)`.
template <class StandsAlone>
void place_blocks(io::container_index& index, const std::vector<std::uint32_t>& order, StandsAlone stands_alone) {
    std::unordered_map<std::uint64_t, std::uint64_t> written; // where a block was, and where it is now
    std::uint64_t position = io::container_header_bytes;
    for (const std::uint32_t number : order) {
        io::content_entry& content = index.contents[number];
        const bool may_share = !stands_alone(number);
        std::uint64_t before = std::exchange(content.offset, 0);
        for (io::block_entry& block : content.blocks) {
            const std::uint64_t was = io::offset_of(block, before);
            if (block.shared_at == 0) before = was + block.stored_bytes;
            const auto found = written.find(was);
            if (may_share && found != written.end()) {
                block.shared_at = found->second;
                continue;
            }
            block.shared_at = 0;
            const std::uint64_t start = io::block_start(position, block.stored_bytes);
            if (content.offset == 0) content.offset = start;
            position = start + block.stored_bytes;
            written.emplace(was, start);
        }
    }
}

/// The contents of this file that have blocks, in the order of their places.
inline std::vector<std::uint32_t> order_of_places(const io::container_index& index) {
    std::vector<std::uint32_t> order;
    for (std::uint32_t i = 0; i < index.contents.size(); ++i)
        if (index.contents[i].home == 0 && !index.contents[i].blocks.empty()) order.push_back(i);
    // Offset 0 has what shares all its blocks: it comes when those are there.
    const auto place_of = [&](std::uint32_t i) {
        const std::uint64_t offset = index.contents[i].offset;
        return offset != 0 ? offset : ~std::uint64_t{0};
    };
    std::stable_sort(order.begin(), order.end(),
                     [&](std::uint32_t a, std::uint32_t b) { return place_of(a) < place_of(b); });
    return order;
}

/// Takes what members need out of the index of the whole.
class index_splitter {
public:
    explicit index_splitter(const io::container_index& whole) : whole_(whole), slices_(whole.bundles) {
        for (std::uint32_t i = 0; i < whole.contents.size(); ++i)
            if (whole.contents[i].is_slice()) slices_[whole.contents[i].bundle - whole.first_bundle()].push_back(i);
    }

    /// An index of these members, whose extents have numbers of the whole. It has the contents of the members,
    /// `others`, and every part of the bundles of which it needs one: a bundle is not taken apart. `lent` are contents
    /// of other files, `wanted` those that other files will want from this one, which share no blocks for that.
    index_part take(std::vector<io::member_entry> members, const std::vector<std::uint32_t>& others,
                    const lent_contents& lent, const std::set<std::uint32_t>& wanted) {
        start(lent);
        for (const io::member_entry& member : members)
            for (const io::extent_entry& extent : member.extents)
                add(extent.content);
        for (const std::uint32_t number : others)
            add(number);
        add_bundles();
        part_.index.members = std::move(members);
        for (io::member_entry& member : part_.index.members)
            for (io::extent_entry& extent : member.extents)
                extent.content = numbers_.at(extent.content);
        part_.order = order();
        place_blocks(part_.index, part_.order,
                     [&](std::uint32_t number) { return wanted.count(part_.origins[number]) != 0; });
        return std::move(part_);
    }

private:
    void start(const lent_contents& lent) {
        lent_ = &lent;
        part_ = {};
        part_.index.writer = whole_.writer;
        numbers_.clear();
        bundles_.clear();
        files_.clear();
        base_files_.clear();
        base_tensors_.clear();
    }

    void add(std::uint32_t number) {
        const io::content_entry& content = whole_.contents[number];
        if (content.is_slice())
            bundles_.insert(content.bundle);
        else if (numbers_.count(number) == 0)
            append(number);
    }

    io::content_entry& append(std::uint32_t number) {
        numbers_.emplace(number, static_cast<std::uint32_t>(part_.index.contents.size()));
        part_.origins.push_back(number);
        const auto lent = lent_->find(number);
        if (lent == lent_->end()) {
            part_.index.contents.push_back(whole_.contents[number]);
            io::content_entry& content = part_.index.contents.back();
            if (content.image != io::no_image) content.image = add_image(whole_.images[content.image]);
            return content;
        }
        const auto [file, is_new] =
            files_.try_emplace(lent->second.file, static_cast<std::uint32_t>(part_.index.siblings.size() + 1));
        if (is_new) part_.index.siblings.push_back(lent->second.file);
        part_.index.contents.push_back(lent->second.entry);
        part_.index.contents.back().home = file->second;
        return part_.index.contents.back();
    }

    /// The slices of a bundle have ascending numbers, bundles the last ones.
    void add_bundles() {
        const auto first = static_cast<std::uint32_t>(whole_.first_bundle());
        std::vector<std::uint32_t> slices;
        for (const std::uint32_t bundle : bundles_)
            slices.insert(slices.end(), slices_[bundle - first].begin(), slices_[bundle - first].end());
        auto number = static_cast<std::uint32_t>(part_.index.contents.size() + slices.size());
        std::map<std::uint32_t, std::uint32_t> new_numbers;
        for (const std::uint32_t bundle : bundles_)
            new_numbers[bundle] = number++;
        for (const std::uint32_t slice : slices)
            append(slice).bundle = new_numbers.at(whole_.contents[slice].bundle);
        for (const std::uint32_t bundle : bundles_)
            append(bundle);
        part_.index.bundles = static_cast<std::uint32_t>(bundles_.size());
    }

    std::uint32_t add_image(io::base_image image) {
        for (io::base_part& part : image.parts)
            if (part.tensor != io::no_base) part.tensor = base_tensor(part.tensor);
        part_.index.images.push_back(std::move(image));
        // A patch may take nothing but zeros from its base.
        if (part_.index.base_files.empty()) base_file(0);
        return static_cast<std::uint32_t>(part_.index.images.size() - 1);
    }

    std::uint32_t base_tensor(std::uint32_t number) {
        const auto [at, is_new] =
            base_tensors_.try_emplace(number, static_cast<std::uint32_t>(part_.index.base_tensors.size()));
        if (!is_new) return at->second;
        io::base_tensor tensor = whole_.base_tensors[number];
        tensor.file = base_file(tensor.file);
        part_.index.base_tensors.push_back(std::move(tensor));
        return at->second;
    }

    std::uint32_t base_file(std::uint32_t number) {
        const auto [at, is_new] =
            base_files_.try_emplace(number, static_cast<std::uint32_t>(part_.index.base_files.size()));
        if (is_new) part_.index.base_files.push_back(whole_.base_files[number]);
        return at->second;
    }

    /// Bundles first, as packing writes them.
    std::vector<std::uint32_t> order() const {
        std::vector<std::uint32_t> order;
        const auto add_range = [&](std::size_t begin, std::size_t end) {
            for (std::size_t i = begin; i < end; ++i) {
                const io::content_entry& content = part_.index.contents[i];
                if (content.home == 0 && !content.blocks.empty()) order.push_back(static_cast<std::uint32_t>(i));
            }
        };
        add_range(part_.index.first_bundle(), part_.index.contents.size());
        add_range(0, part_.index.first_bundle());
        return order;
    }

    const io::container_index& whole_;
    std::vector<std::vector<std::uint32_t>> slices_; // of each bundle
    const lent_contents* lent_ = nullptr;
    index_part part_;
    std::map<std::uint32_t, std::uint32_t> numbers_; // of the whole's contents, here
    std::set<std::uint32_t> bundles_;                // of the whole, that are needed
    std::map<std::string, std::uint32_t> files_;     // numbers of siblings
    std::map<std::uint32_t, std::uint32_t> base_files_, base_tensors_;
};

} // namespace bigsmall::archive::detail
