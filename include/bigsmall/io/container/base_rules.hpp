// SPDX-License-Identifier: BSL-1.0
// The rules for what an index says of a base model; check_index() has the others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <bigsmall/core/checked.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/container/base_image.hpp>
#include <bigsmall/io/container/index.hpp>

namespace bigsmall::io::detail {

/// Every image belongs to one content, every base tensor to some image, and what they name is there.
class base_check {
public:
    base_check(const container_index& index, errc code)
        : index_(index), code_(code), image_seen_(index.images.size()), tensor_seen_(index.base_tensors.size()) {}

    void check() {
        if (!index_.is_patch() && !(index_.images.empty() && index_.base_tensors.empty()))
            fail("there are bytes of a base that has no files");
        for (std::size_t i = 0; i < index_.contents.size(); ++i)
            if (index_.contents[i].image != no_image) check_owner(i);
        for (std::size_t i = 0; i < image_seen_.size(); ++i)
            if (!image_seen_[i]) fail("image " + std::to_string(i) + " belongs to no content");
        for (std::size_t i = 0; i < index_.base_tensors.size(); ++i)
            check_tensor(i);
    }

private:
    void check_owner(std::size_t number) {
        const content_entry& content = index_.contents[number];
        const std::string what = "content " + std::to_string(number);
        if (content.image >= index_.images.size()) fail(what + " has an image that is not there");
        if (image_seen_[content.image]) fail(what + " has the image of another content");
        image_seen_[content.image] = true;
        if (content.raw_bytes == 0) fail(what + " has an image, but no bytes");
        if (content.home != 0) fail(what + " has an image, but lies in a sibling file");
        if (content.is_slice() || number >= index_.first_bundle())
            fail(what + " has an image, but is a bundle or a part of one");
        if (content.is_unchanged() && content.offset != 0) fail(what + " equals its image, but has a place of its own");
        check_image(index_.images[content.image], content.raw_bytes, "the image of " + what);
    }

    void check_image(const base_image& image, std::uint64_t raw_bytes, const std::string& what) {
        if (image.conversion > base_conversion::f16_to_bf16) fail(what + " has an unknown conversion");
        // Who reads a range reads all its parts: small ones by the million would take hours.
        if (image.parts.size() > most_image_parts(raw_bytes)) fail(what + " has too many parts");
        std::uint64_t left = raw_bytes;
        for (const base_part& part : image.parts) {
            check_part(image.conversion, part, what);
            if (part.bytes > left) fail(what + " has more bytes than the content");
            left -= part.bytes;
        }
        if (left > 0) fail(what + " has fewer bytes than the content");
    }

    void check_part(base_conversion conversion, const base_part& part, const std::string& what) {
        const std::uint64_t width = element_widths_of(conversion).image;
        if (part.bytes == 0) fail(what + " has a part of no bytes");
        if (part.begin % width != 0 || part.bytes % width != 0)
            fail(what + " converts elements of " + std::to_string(width) + " bytes and has a part that cuts one");
        if (part.tensor == no_base) {
            if (part.begin != 0) fail(what + " has zeros that do not begin at 0");
            return;
        }
        if (part.tensor >= index_.base_tensors.size()) fail(what + " has a part of a base tensor that is not there");
        tensor_seen_[part.tensor] = true;
        const base_tensor& tensor = index_.base_tensors[part.tensor];
        if (tensor.bytes % element_widths_of(conversion).base != 0)
            fail(what + " converts a base tensor that ends inside an element");
        const auto end = end_in_base(conversion, part);
        if (!end || *end > tensor.bytes)
            fail(what + " has a part that ends behind base tensor " + std::to_string(part.tensor) + ", which has " +
                 std::to_string(tensor.bytes) + " bytes");
    }

    void check_tensor(std::size_t number) const {
        const std::string what = "base tensor " + std::to_string(number);
        if (index_.base_tensors[number].file >= index_.base_files.size())
            fail(what + " lies in a base file that is not there");
        if (!tensor_seen_[number]) fail(what + " is in no image");
    }

    [[noreturn]] void fail(const std::string& why) const { throw error(code_, why); }

    const container_index& index_;
    errc code_;
    std::vector<bool> image_seen_, tensor_seen_;
};

} // namespace bigsmall::io::detail
