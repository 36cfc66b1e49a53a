// SPDX-License-Identifier: BSL-1.0
// A chain of patches told as one, without the base and without decoding anything: a tensor that only one of them
// changes keeps the blocks that it has there, its image traced back to the base of the first patch.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <bigsmall/archive/content_pool.hpp>
#include <bigsmall/archive/index_parts.hpp>
#include <bigsmall/archive/joined_model.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/container/base_image.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/io/printable.hpp>

namespace bigsmall::archive::detail {

/// To whoever squashes what cannot be squashed without the base.
inline constexpr const char squash_hint[] = "give what the first patch was made against: --base BASE";

/// An image in pieces, put together one after another.
class image_builder {
public:
    explicit image_builder(std::uint64_t most_parts) : most_parts_(most_parts) {}

    /// False when elements would be converted in two ways, which no image can say.
    bool convert(io::base_conversion conversion) noexcept {
        if (conversion_ && *conversion_ != conversion) return false;
        conversion_ = conversion;
        return true;
    }

    /// False when there are too many parts.
    bool add(const io::base_part& part) {
        if (!parts_.empty()) {
            io::base_part& last = parts_.back();
            const bool follows = last.tensor == io::no_base || last.begin + last.bytes == part.begin;
            if (last.tensor == part.tensor && follows) {
                last.bytes += part.bytes;
                return true;
            }
        }
        parts_.push_back(part);
        return parts_.size() <= most_parts_;
    }

    io::base_image take() { return {conversion_.value_or(io::base_conversion::none), std::move(parts_)}; }

private:
    std::uint64_t most_parts_;
    std::optional<io::base_conversion> conversion_;
    std::vector<io::base_part> parts_;
};

/// Reads the indexes of a chain of patches, each against what the one before restores.
class patch_composer {
public:
    /// The patches must outlive it. Throws: errc::mismatch when one of them was made against something else than what
    /// the one before restores; as content_pool.
    explicit patch_composer(const std::vector<const opened_container*>& patches)
        : patches_(patches), pool_(patches), whole_(pool_.index()) {
        for (const io::base_image& image : whole_.images)
            parts_left_ += parts_for_each * image.parts.size();
        const std::size_t first_files = patches_.front()->index().base_files.size();
        for (std::uint32_t t = 0; t < whole_.base_tensors.size(); ++t)
            if (whole_.base_tensors[t].file < first_files && whole_.base_tensors[t].md5 != io::md5_digest{})
                first_base_.emplace(whole_.base_tensors[t].md5, t);
        for (std::size_t p = 0; p < patches_.size(); ++p)
            trace(p);
    }

    /// The index of the one patch; origins are numbers of places(). Throws: errc::invalid_argument, naming a tensor,
    /// where a patch builds on what an earlier one has changed: that can only be read with the base.
    index_part compose() const {
        const io::container_index& last = patches_.back()->index();
        require_traced(last);
        std::vector<io::member_entry> members = last.members;
        for (io::member_entry& member : members)
            for (io::extent_entry& extent : member.extents)
                extent.content = traced_.back()[extent.content].number;
        index_part part = index_splitter(whole_).take(std::move(members), {}, {}, {});
        part.index.writer = last.writer;
        part.index.directory = last.directory;
        // What the base is does not depend on how much is left of it.
        for (const io::base_file& file : patches_.front()->index().base_files) {
            std::vector<io::base_file>& known = part.index.base_files;
            if (std::find(known.begin(), known.end(), file) == known.end()) known.push_back(file);
        }
        return part;
    }

    const std::vector<content_place>& places() const noexcept { return pool_.places(); }

private:
    // Images of images could have as many parts as the product of theirs.
    static constexpr std::uint64_t parts_for_each = 64, parts_for_all = std::uint64_t{1} << 20;

    /// A content of what a patch restores.
    struct traced_content {
        std::uint32_t number = 0;  ///< in whole_, where its image is one of the first base
        bool of_first_base = true; ///< false: it has an image that cannot be one of the first base
    };

    /// A tensor of what a patch restores.
    struct restored_tensor {
        std::uint32_t content;          // of the patch
        const io::member_entry* member; // in which it lies
    };

    void trace(std::size_t p) {
        const io::container_index& index = patches_[p]->index();
        std::vector<traced_content> traced(index.first_bundle());
        for (std::uint32_t c = 0; c < traced.size(); ++c) {
            traced[c].number = pool_.number_of(p, c);
            const io::content_entry& content = index.contents[c];
            if (p > 0 && content.image != io::no_image) traced[c] = trace_image(p, content, traced[c].number);
        }
        traced_.push_back(std::move(traced));
        tensors_.clear();
        layouts_.clear();
        for (const io::member_entry& member : index.members)
            for (joined_tensor& tensor : tensors_of(index, member, [](std::uint32_t content) { return content; }))
                tensors_.emplace(std::move(tensor.name), restored_tensor{tensor.content, &member});
    }

    /// What a content is that has an image in what the patch before restores.
    traced_content trace_image(std::size_t p, const io::content_entry& content, std::uint32_t number) {
        const io::container_index& index = patches_[p]->index();
        const io::base_image& image = index.images[content.image];
        for (const io::base_part& part : image.parts)
            if (part.tensor != io::no_base) restored(p, index.base_tensors[part.tensor]);
        if (content.is_unchanged())
            if (const auto whole = whole_tensor(p, content, image)) return *whole;
        std::optional<io::base_image> of_first = in_first_base(p, image, io::most_image_parts(content.raw_bytes));
        if (!of_first) return {number, is_base_tensor(number)};
        whole_.images[whole_.contents[number].image] = std::move(*of_first);
        return {number};
    }

    /// Whether a content equals a tensor of the first base again, which it then becomes.
    bool is_base_tensor(std::uint32_t number) {
        io::content_entry& content = whole_.contents[number];
        const auto tensor = first_base_.find(content.md5);
        if (tensor == first_base_.end() || whole_.base_tensors[tensor->second].bytes != content.raw_bytes) return false;
        content.block_bytes = content.offset = 0;
        content.blocks.clear();
        whole_.images[content.image] = {io::base_conversion::none, {{tensor->second, 0, content.raw_bytes}}};
        return true;
    }

    /// When an unchanged content is a whole tensor: what that is.
    std::optional<traced_content> whole_tensor(std::size_t p, const io::content_entry& content,
                                               const io::base_image& image) const {
        const io::base_part& part = image.parts.front();
        if (image.parts.size() != 1 || image.conversion != io::base_conversion::none || part.tensor == io::no_base)
            return std::nullopt;
        const io::base_tensor& tensor = patches_[p]->index().base_tensors[part.tensor];
        if (tensor.bytes != content.raw_bytes) return std::nullopt;
        return restored(p, tensor);
    }

    /// The tensor of what the patch before `p` restores.
    const traced_content& restored(std::size_t p, const io::base_tensor& wanted) const {
        for (auto [at, end] = tensors_.equal_range(wanted.name); at != end; ++at)
            if (is_wanted(p, at->second, wanted)) return traced_[p - 1][at->second.content];
        throw error(errc::mismatch, "the patch was made against something else than what " +
                                        io::printable(patches_[p - 1]->path.string()) + " restores: tensor " +
                                        io::in_quotes(wanted.name) + " is another there, or none")
            .in_file(patches_[p]->path.string());
    }

    /// Its MD5 tells, or where the writer of the patch did not know that, the SHA-256 of the file in which it lies.
    bool is_wanted(std::size_t p, const restored_tensor& tensor, const io::base_tensor& wanted) const {
        const io::content_entry& content = patches_[p - 1]->index().contents[tensor.content];
        if (content.raw_bytes != wanted.bytes) return false;
        if (wanted.md5 != io::md5_digest{}) return content.md5 == wanted.md5;
        return tensor.member->sha256 == patches_[p]->index().base_files[wanted.file].sha256;
    }

    /// The same bytes as an image in the first base; nothing when they are not all there, or no image can say it.
    std::optional<io::base_image> in_first_base(std::size_t p, const io::base_image& image, std::uint64_t most_parts) {
        image_builder built(std::min(most_parts, parts_left_));
        const io::element_widths width = io::element_widths_of(image.conversion);
        for (const io::base_part& part : image.parts) {
            bool added = false;
            if (part.tensor == io::no_base) {
                added = built.add(part);
            } else {
                const traced_content& tensor = restored(p, patches_[p]->index().base_tensors[part.tensor]);
                if (!tensor.of_first_base || !whole_.contents[tensor.number].is_unchanged()) return std::nullopt;
                added = add_range(tensor.number, part.begin / width.image * width.base,
                                  part.bytes / width.image * width.base, image.conversion, built);
            }
            if (!added) return std::nullopt;
        }
        io::base_image made = built.take();
        parts_left_ -= made.parts.size();
        return made;
    }

    /// Bytes of an unchanged content, converted once more or as they are. False when that cannot be.
    bool add_range(std::uint32_t number, std::uint64_t begin, std::uint64_t bytes, io::base_conversion more,
                   image_builder& built) {
        const io::base_image& image = whole_.images[whole_.contents[number].image];
        if (image.conversion != io::base_conversion::none && more != io::base_conversion::none) return false;
        const io::base_conversion conversion = more != io::base_conversion::none ? more : image.conversion;
        const io::element_widths inner = io::element_widths_of(image.conversion), outer = io::element_widths_of(more);
        const io::element_widths width = io::element_widths_of(conversion);
        if (begin % inner.image != 0 || bytes % inner.image != 0) return false;
        for (const io::base_piece& piece : layouts_.try_emplace(number, image).first->second.find(begin, bytes)) {
            if (piece.offset % outer.base != 0 || piece.image_bytes % outer.base != 0) return false;
            if (piece.tensor != io::no_base) {
                const bool whole_elements = whole_.base_tensors[piece.tensor].bytes % width.base == 0;
                if (!whole_elements || !built.convert(conversion)) return false;
            }
            if (!built.add({piece.tensor, piece.offset / width.base * width.image,
                            piece.image_bytes / outer.base * outer.image}))
                return false;
        }
        return true;
    }

    void require_traced(const io::container_index& last) const {
        std::size_t untraced = 0;
        std::string first;
        for (const io::member_entry& member : last.members) {
            const std::vector<std::string> names = extent_names(member);
            for (std::size_t x = 0; x < names.size(); ++x) {
                if (traced_.back()[member.extents[x].content].of_first_base || untraced++ != 0) continue;
                first = names[x].empty() ? io::in_quotes(member.path) : "tensor " + io::in_quotes(names[x]);
            }
        }
        if (untraced == 0) return;
        const std::string others = untraced == 1 ? "" : " (and " + std::to_string(untraced - 1) + " more)";
        throw error(errc::invalid_argument,
                    first + others +
                        " builds on what an earlier patch of the chain has changed: that can only be "
                        "read with the base")
            .in_file(patches_.back()->path.string())
            .with_hint(squash_hint);
    }

    std::vector<const opened_container*> patches_;
    content_pool pool_;
    io::container_index whole_; // contents of all patches; images are made those of the first base as they are traced
    std::map<io::md5_digest, std::uint32_t> first_base_; // tensors of the first base, as far as a patch uses them
    std::vector<std::vector<traced_content>> traced_;    // of each patch, its contents that are no bundles
    // Of what the patch restores that was traced last: its tensors, and its images as they have been used.
    std::multimap<std::string, restored_tensor> tensors_;
    std::unordered_map<std::uint32_t, io::image_layout> layouts_;
    std::uint64_t parts_left_ = parts_for_all;
};

} // namespace bigsmall::archive::detail
