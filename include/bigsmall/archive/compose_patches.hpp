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
#include <utility>
#include <vector>

#include <bigsmall/archive/content_pool.hpp>
#include <bigsmall/archive/index_parts.hpp>
#include <bigsmall/archive/joined_model.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/version.hpp>
#include <bigsmall/io/container/base_image.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/io/printable.hpp>

namespace bigsmall::archive::detail {

/// An image in pieces, put together one after another.
class image_builder {
public:
    /// False when the elements of an image would be converted in two ways, which no image can.
    bool convert(io::base_conversion conversion) noexcept {
        if (conversion_ && *conversion_ != conversion) return false;
        conversion_ = conversion;
        return true;
    }

    void add(const io::base_part& part) {
        if (!parts_.empty()) {
            io::base_part& last = parts_.back();
            const bool follows = last.tensor == io::no_base || last.begin + last.bytes == part.begin;
            if (last.tensor == part.tensor && follows) {
                last.bytes += part.bytes;
                return;
            }
        }
        parts_.push_back(part);
    }

    io::base_image take() { return {conversion_.value_or(io::base_conversion::none), std::move(parts_)}; }

private:
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
        for (std::size_t p = 0; p < patches_.size(); ++p)
            trace(p);
    }

    /// The index of the one patch; origins are numbers of places(). Throws: errc::invalid_argument, naming a tensor,
    /// where more than one patch changed the same one: what it became can only be told with the base.
    index_part compose() const {
        const io::container_index& last = patches_.back()->index();
        require_told(last);
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
    /// A content of what a patch restores.
    struct traced_content {
        std::uint32_t number = 0; ///< in whole_, where its image is one of the first base
        bool told = true;         ///< false: its bytes cannot be told without the base
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
        for (const io::member_entry& member : index.members)
            for (joined_tensor& tensor : tensors_of(index, member, [](std::uint32_t content) { return content; })) {
                std::string name = tensor.name;
                tensors_.emplace(std::move(name), std::move(tensor));
            }
    }

    /// What a content is that has an image in what the patch before restores.
    traced_content trace_image(std::size_t p, const io::content_entry& content, std::uint32_t number) {
        const io::container_index& index = patches_[p]->index();
        const io::base_image& image = index.images[content.image];
        for (const io::base_part& part : image.parts)
            if (part.tensor != io::no_base) restored(p, index.base_tensors[part.tensor]);
        if (content.is_unchanged())
            if (const auto whole = whole_tensor(p, content, image)) return *whole;
        std::optional<io::base_image> of_first = in_first_base(p, image);
        if (!of_first || of_first->parts.size() > io::most_image_parts(content.raw_bytes)) return {number, false};
        whole_.images[whole_.contents[number].image] = std::move(*of_first);
        return {number};
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
        const io::container_index& before = patches_[p - 1]->index();
        for (auto [at, end] = tensors_.equal_range(wanted.name); at != end; ++at) {
            const io::content_entry& content = before.contents[at->second.content];
            if (content.raw_bytes == wanted.bytes && content.md5 == wanted.md5)
                return traced_[p - 1][at->second.content];
        }
        throw error(errc::mismatch, "the patch was made against something else than what " +
                                        io::printable(patches_[p - 1]->path.string()) + " restores: tensor " +
                                        io::in_quotes(wanted.name) + " is another there, or none")
            .in_file(patches_[p]->path.string());
    }

    /// The same bytes as an image in the first base; nothing when they are not all there.
    std::optional<io::base_image> in_first_base(std::size_t p, const io::base_image& image) const {
        image_builder built;
        const io::element_widths width = io::element_widths_of(image.conversion);
        for (const io::base_part& part : image.parts) {
            if (part.tensor == io::no_base) {
                built.add(part);
                continue;
            }
            const traced_content& tensor = restored(p, patches_[p]->index().base_tensors[part.tensor]);
            const io::content_entry& content = whole_.contents[tensor.number];
            if (!tensor.told || !content.is_unchanged()) return std::nullopt;
            const std::uint64_t begin = part.begin / width.image * width.base;
            const std::uint64_t bytes = part.bytes / width.image * width.base;
            if (!add_range(whole_.images[content.image], begin, bytes, image.conversion, built)) return std::nullopt;
        }
        return built.take();
    }

    /// Bytes of an image, converted once more or as they are. False when that cannot be one image.
    static bool add_range(const io::base_image& image, std::uint64_t begin, std::uint64_t bytes,
                          io::base_conversion more, image_builder& built) {
        if (image.conversion != io::base_conversion::none && more != io::base_conversion::none) return false;
        const io::base_conversion conversion = more != io::base_conversion::none ? more : image.conversion;
        const io::element_widths inner = io::element_widths_of(image.conversion), outer = io::element_widths_of(more);
        if (!built.convert(conversion) || begin % inner.image != 0 || bytes % inner.image != 0) return false;
        for (const io::base_piece& piece : io::image_layout(image).find(begin, bytes)) {
            if (piece.offset % outer.base != 0 || piece.image_bytes % outer.base != 0) return false;
            const io::element_widths width = io::element_widths_of(conversion);
            built.add(
                {piece.tensor, piece.offset / width.base * width.image, piece.image_bytes / outer.base * outer.image});
        }
        return true;
    }

    void require_told(const io::container_index& last) const {
        std::size_t untold = 0;
        std::string first;
        for (const io::member_entry& member : last.members) {
            const std::vector<std::string> names = extent_names(member);
            for (std::size_t x = 0; x < names.size(); ++x)
                if (!traced_.back()[member.extents[x].content].told && untold++ == 0) first = names[x];
        }
        if (untold == 0) return;
        const std::string others = untold == 1 ? "" : " and " + std::to_string(untold - 1) + " more";
        throw error(errc::invalid_argument, "more than one of the patches changes tensor " + io::in_quotes(first) +
                                                others + ": differences of differences can only be read with the base")
            .in_file(patches_.back()->path.string())
            .with_hint("give what the first patch was made against: --base BASE");
    }

    std::vector<const opened_container*> patches_;
    content_pool pool_;
    io::container_index whole_; // contents of all patches; images are made those of the first base as they are traced
    std::vector<std::vector<traced_content>> traced_;   // of each patch, its contents that are no bundles
    std::multimap<std::string, joined_tensor> tensors_; // of what the patch restores that was traced last
};

} // namespace bigsmall::archive::detail
