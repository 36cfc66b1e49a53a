// SPDX-License-Identifier: BSL-1.0
// The contents of several containers as one index without members: each is there once, however many containers have it
// or refer to it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <bigsmall/archive/joined_model.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/checksum.hpp>
#include <bigsmall/io/container/byte_writer.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/io/container/index_rules.hpp>

namespace bigsmall::archive::detail {

/// What a content is known by: equal ones have equal bytes, coded in the same way.
struct content_key {
    std::uint64_t raw_bytes = 0, block_bytes = 0;
    io::md5_digest md5{};
    std::uint64_t blocks = 0; ///< XXH3 of what the index says of its blocks
    std::uint64_t slices = 0; ///< of a bundle; 0: it is none
    bool has_image = false;   ///< blocks may be differences, even where they look like others

    bool operator<(const content_key& other) const noexcept {
        return std::tie(raw_bytes, block_bytes, md5, blocks, slices, has_image) <
               std::tie(other.raw_bytes, other.block_bytes, other.md5, other.blocks, other.slices, other.has_image);
    }
};

inline content_key key_of(const io::content_entry& content) {
    io::detail::byte_writer blocks;
    for (const io::block_entry& block : content.blocks) {
        blocks.fixed(block.stored_bytes);
        blocks.fixed(block.checksum);
        blocks.fixed(block.grouping);
        blocks.fixed(block.entropy);
    }
    return {content.raw_bytes,
            content.block_bytes,
            content.md5,
            io::checksum(blocks.written()),
            0,
            content.image != io::no_image};
}

/// The key of a bundle, which has no receipt: with those of its slices.
inline content_key key_of_bundle(const io::container_index& index, std::uint32_t bundle,
                                 const std::vector<std::uint32_t>& slices) {
    content_key key = key_of(index.contents[bundle]);
    io::detail::byte_writer all;
    for (const std::uint32_t slice : slices) {
        all.fixed(index.contents[slice].raw_bytes);
        all.bytes(index.contents[slice].md5);
    }
    key.md5 = {};
    store_le(key.md5.data(), io::checksum(all.written()));
    key.slices = slices.size();
    return key;
}

/// The slices of each bundle of an index, in the order of their numbers.
inline std::vector<std::vector<std::uint32_t>> slices_of(const io::container_index& index) {
    std::vector<std::vector<std::uint32_t>> slices(index.bundles);
    for (std::uint32_t i = 0; i < index.contents.size(); ++i)
        if (index.contents[i].is_slice()) slices[index.contents[i].bundle - index.first_bundle()].push_back(i);
    return slices;
}

/// Offsets in the pool are those of the containers, each container moved to a range of its own, so that equal places
/// are equal blocks in the pool as well.
class content_pool {
public:
    static constexpr std::uint64_t most_file_bytes = std::uint64_t{1} << 48; ///< of one container

    /// All containers; they must outlive the pool. Throws: errc::corrupt when receipts are lost; errc::missing when a
    /// sibling is needed and not there; errc::limit.
    explicit content_pool(const std::vector<const opened_container*>& containers) {
        if (containers.size() >= std::size_t{1} << 14)
            throw error(errc::limit, "more than 16,383 containers cannot be taken together");
        numbers_.resize(containers.size());
        for (std::size_t c = 0; c < containers.size(); ++c)
            add_own(*containers[c], c);
        for (std::size_t c = 0; c < containers.size(); ++c)
            add_borrowed(*containers[c], c);
        for (std::size_t i = 0; i < bundles_.size(); ++i) {
            index_.contents.push_back(std::move(bundles_[i]));
            places_.push_back(bundle_places_[i]);
        }
        for (io::content_entry& content : index_.contents)
            if (content.is_slice())
                content.bundle += static_cast<std::uint32_t>(index_.contents.size() - bundles_.size());
        index_.bundles = static_cast<std::uint32_t>(bundles_.size());
        remember_recoded();
    }

    const io::container_index& index() const noexcept { return index_; }
    const std::vector<content_place>& places() const noexcept { return places_; }

    /// The number here of a content that is no bundle.
    std::uint32_t number_of(std::size_t container, std::uint32_t content) const {
        return numbers_.at(container).at(content);
    }

    /// Where the blocks of a content are; null when they are nowhere.
    const content_place* find(const content_key& key) const {
        const auto at = known_.find(key);
        return at == known_.end() ? nullptr : &at->second.place;
    }

    /// The number here of a content with the same bytes, however it is coded: with its receipt and size, or of a bundle
    /// with those of its slices.
    std::optional<std::uint32_t> find_recoded(content_key key) const {
        const auto at = recoded_.find(without_blocks(key));
        if (at == recoded_.end()) return std::nullopt;
        return at->second;
    }

private:
    struct known_content {
        std::uint32_t number = 0; // in index_, or in bundles_ for a bundle
        content_place place;
    };

    static content_key without_blocks(content_key key) noexcept {
        key.block_bytes = key.blocks = 0;
        return key;
    }

    void remember_recoded() {
        const auto slices = slices_of(index_);
        for (std::uint32_t i = 0; i < index_.contents.size(); ++i) {
            if (index_.contents[i].blocks.empty()) continue;
            const bool bundle = i >= index_.first_bundle();
            const content_key key =
                bundle ? key_of_bundle(index_, i, slices[i - index_.first_bundle()]) : key_of(index_.contents[i]);
            recoded_.try_emplace(without_blocks(key), i);
        }
    }

    void add_own(const opened_container& container, std::size_t c) {
        const io::container_index& index = container.index();
        if (index.receipts_lost)
            throw error(errc::corrupt, "the receipts of its tensors, their MD5s, are damaged")
                .in_file(container.path.string())
                .with_hint("transcode writes it again and makes them anew");
        if (container.reader->footer().file_bytes > most_file_bytes)
            throw error(errc::limit, "the container is larger than 2^48 bytes").in_file(container.path.string());
        numbers_[c].assign(index.contents.size(), 0);
        add_base(index);
        for (std::uint32_t i = 0; i < index.first_bundle(); ++i) {
            const io::content_entry& content = index.contents[i];
            if (content.home == 0 && !content.is_slice()) numbers_[c][i] = add_content(container, i, content, c);
        }
        const auto slices = slices_of(index);
        for (std::uint32_t b = 0; b < index.bundles; ++b)
            add_bundle(container, c, static_cast<std::uint32_t>(index.first_bundle() + b), slices[b]);
    }

    static std::uint64_t range_of(std::size_t c) noexcept {
        return (static_cast<std::uint64_t>(c) + 1) * most_file_bytes;
    }

    std::uint32_t add_content(const opened_container& container, std::uint32_t i, io::content_entry content,
                              std::size_t c) {
        const content_place place{&container, i};
        const bool alone = content.image != io::no_image || content.blocks.empty();
        const auto number = static_cast<std::uint32_t>(index_.contents.size());
        const auto [known, is_new] = known_.try_emplace(key_of(content), known_content{number, place});
        if (!is_new && !alone) return known->second.number;
        move_to_range(content, c);
        if (content.image != io::no_image) content.image = add_image(container.index(), content.image);
        index_.contents.push_back(std::move(content));
        places_.push_back(place);
        return number;
    }

    static void move_to_range(io::content_entry& content, std::size_t c) {
        if (content.offset != 0 && !content.blocks.empty()) content.offset += range_of(c);
        for (io::block_entry& block : content.blocks)
            if (block.shared_at != 0) block.shared_at += range_of(c);
    }

    void add_bundle(const opened_container& container, std::size_t c, std::uint32_t bundle,
                    const std::vector<std::uint32_t>& slices) {
        const io::container_index& index = container.index();
        const content_place place{&container, bundle};
        const auto number = static_cast<std::uint32_t>(bundles_.size());
        const auto [known, is_new] =
            known_.try_emplace(key_of_bundle(index, bundle, slices), known_content{number, place});
        if (is_new) {
            bundles_.push_back(index.contents[bundle]);
            move_to_range(bundles_.back(), c);
            bundle_places_.push_back(place);
            first_slices_.push_back(static_cast<std::uint32_t>(index_.contents.size()));
            for (const std::uint32_t slice : slices) {
                index_.contents.push_back(index.contents[slice]);
                index_.contents.back().bundle = number;
                places_.emplace_back();
            }
        }
        std::uint32_t next = first_slices_[known->second.number];
        for (const std::uint32_t slice : slices)
            numbers_[c][slice] = next++;
    }

    /// What lies in other containers is known by now, or those are not among the given ones.
    void add_borrowed(const opened_container& container, std::size_t c) {
        const io::container_index& index = container.index();
        for (std::uint32_t i = 0; i < index.first_bundle(); ++i) {
            if (index.contents[i].home == 0) continue;
            if (const content_place* const own = find(key_of(index.contents[i])); own == nullptr)
                container.home_of(index.contents[i]); // which is nowhere else
            io::content_entry content = index.contents[i];
            content.home = 0;
            content.offset = content.blocks.empty() ? 0 : borrowed_at_;
            const std::size_t before = index_.contents.size();
            numbers_[c][i] = add_content(container, i, content, 0);
            if (index_.contents.size() == before) continue;
            // Behind everything else, where nothing lies.
            borrowed_at_ = io::block_start(io::blocks_end(index_.contents.back()), io::aligned_from_bytes);
        }
    }

    void add_base(const io::container_index& index) {
        base_files_.clear();
        base_tensors_.clear();
        for (const io::base_file& file : index.base_files) {
            auto at = std::find(index_.base_files.begin(), index_.base_files.end(), file);
            if (at == index_.base_files.end()) at = index_.base_files.insert(at, file);
            base_files_.push_back(static_cast<std::uint32_t>(at - index_.base_files.begin()));
        }
        for (io::base_tensor tensor : index.base_tensors) {
            tensor.file = base_files_[tensor.file];
            const auto [at, is_new] =
                known_tensors_.try_emplace(std::make_tuple(tensor.file, tensor.name, tensor.bytes, tensor.md5),
                                           static_cast<std::uint32_t>(index_.base_tensors.size()));
            if (is_new) index_.base_tensors.push_back(tensor);
            base_tensors_.push_back(at->second);
        }
    }

    std::uint32_t add_image(const io::container_index& index, std::uint32_t number) {
        io::base_image image = index.images[number];
        for (io::base_part& part : image.parts)
            if (part.tensor != io::no_base) part.tensor = base_tensors_[part.tensor];
        index_.images.push_back(std::move(image));
        return static_cast<std::uint32_t>(index_.images.size() - 1);
    }

    io::container_index index_;
    std::vector<content_place> places_, bundle_places_;
    std::vector<io::content_entry> bundles_;
    std::vector<std::uint32_t> first_slices_;         // of each bundle, in index_
    std::vector<std::vector<std::uint32_t>> numbers_; // of each container's contents, in index_
    std::map<content_key, known_content> known_;
    std::map<content_key, std::uint32_t> recoded_;         // without what says how they are coded
    std::vector<std::uint32_t> base_files_, base_tensors_; // of the container that is being added
    std::map<std::tuple<std::uint32_t, std::string, std::uint64_t, io::md5_digest>, std::uint32_t> known_tensors_;
    std::uint64_t borrowed_at_ = std::uint64_t{1} << 62;
};

} // namespace bigsmall::archive::detail
