// SPDX-License-Identifier: BSL-1.0
// What an index need not say of a base tensor, because it follows from the part that names the tensor first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <bigsmall/core/error.hpp>
#include <bigsmall/io/container/base_image.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/io/safetensors/layout.hpp>

namespace bigsmall::io::detail {

/// Whether a section has something about a base tensor in words, one bit each.
enum base_tensor_flags : std::uint8_t { own_name = 1, own_bytes = 2, own_md5 = 4 };

/// The part that names a base tensor first, in the order of contents.
struct first_use {
    std::uint32_t tensor;
    std::uint32_t content;
    std::size_t part; ///< of the content's image
};

/// For an index whose contents, images and tensors have numbers that exist.
template <class F>
void for_each_first_use(const container_index& index, F&& visit) {
    std::vector<bool> seen(index.base_tensors.size());
    for (std::size_t c = 0; c < index.contents.size(); ++c) {
        if (index.contents[c].image == no_image) continue;
        const std::vector<base_part>& parts = index.images[index.contents[c].image].parts;
        for (std::size_t p = 0; p < parts.size(); ++p) {
            if (parts[p].tensor == no_base || seen[parts[p].tensor]) continue;
            seen[parts[p].tensor] = true;
            visit(first_use{parts[p].tensor, static_cast<std::uint32_t>(c), p});
        }
    }
}

/// True when a tensor of `tensor_bytes` is the whole content, so that the receipt of that is the MD5 of both.
inline bool is_receipt_of_base(const container_index& index, const first_use& use, std::uint64_t tensor_bytes) {
    const content_entry& content = index.contents[use.content];
    const base_image& image = index.images[content.image];
    return content.is_unchanged() && image.conversion == base_conversion::none && image.parts.size() == 1 &&
           content.raw_bytes == tensor_bytes;
}

/// The names of tensors, each that of the first tensor extent that has its content.
class tensor_names {
public:
    /// `wanted[c]`: what is to be visited with the name of content c, or no_base.
    tensor_names(const container_index& index, std::vector<std::uint32_t> wanted)
        : index_(index), wanted_(std::move(wanted)) {}

    /// Throws: errc::corrupt when a header cannot be read or has fewer tensors than its member.
    template <class F>
    void visit(F&& found) {
        for (const member_entry& member : index_.members)
            if (wants(member)) visit_member(member, found);
    }

private:
    bool wants(const extent_entry& extent) const {
        return extent.kind == extent_kind::tensor && wanted_[extent.content] != no_base;
    }

    bool wants(const member_entry& member) const {
        for (const extent_entry& extent : member.extents)
            if (wants(extent)) return true;
        return false;
    }

    template <class F>
    void visit_member(const member_entry& member, F&& found) {
        safetensors_layout layout = layout_of(member);
        std::size_t tensor = 0;
        for (const extent_entry& extent : member.extents) {
            if (extent.kind != extent_kind::tensor) continue;
            if (tensor == layout.tensors.size())
                throw error(errc::corrupt, "the index is damaged: a header names too few tensors");
            std::string& name = layout.tensors[tensor++].name;
            if (wants(extent)) found(std::exchange(wanted_[extent.content], no_base), std::move(name));
        }
    }

    static safetensors_layout layout_of(const member_entry& member) {
        try {
            return parse_safetensors_header(member.header, member.raw_bytes);
        } catch (const error& e) {
            throw error(errc::corrupt,
                        std::string("the index is damaged: a safetensors header is not valid: ") + e.what());
        }
    }

    const container_index& index_;
    std::vector<std::uint32_t> wanted_;
};

} // namespace bigsmall::io::detail
