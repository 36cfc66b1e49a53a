// SPDX-License-Identifier: BSL-1.0
// Reads the section of an index that names the base of a patch, which may be anybody's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/varint.hpp>
#include <bigsmall/io/container/base_facts.hpp>
#include <bigsmall/io/container/base_image.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/io/container/index_sections.hpp>
#include <bigsmall/io/container/section_parser.hpp>

namespace bigsmall::io::detail {

/// The other sections and the receipts are in `index` already. A part becomes 8 of each of its bytes; a content with an
/// image and a base tensor of its own becomes 8 of each byte of its entries and its receipt.
class base_reader : private section_parser {
public:
    base_reader(container_index& index, byte_cursor& in) : index_(index), in_(in) {}

    void read() {
        read_files();
        tensors_ = in_.read_varint();
        read_images();
        read_parts();
        read_tensors();
    }

private:
    void read_files() {
        index_.base_files.resize(read_count(in_, 2 + sizeof(sha256_digest)));
        require(index_.is_patch(), "it is a patch and names no files of a base");
        for (base_file& file : index_.base_files) {
            file.name = read_text(in_);
            file.bytes = in_.read_varint();
            read_digest(in_, file.sha256);
        }
    }

    void read_images() {
        const std::size_t count = read_count(in_, 5); // two numbers, and three of a part
        require(count <= index_.contents.size(), "it has more images than contents");
        index_.images.resize(count);
        std::uint64_t next = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint64_t skipped = in_.read_varint();
            require(in_.ok() && skipped < index_.contents.size() - next,
                    "an image belongs to a content that is not there");
            next += skipped;
            own(index_.contents[static_cast<std::size_t>(next++)], static_cast<std::uint32_t>(i));
        }
        std::uint64_t bytes_left = in_.left();
        for (base_image& image : index_.images) {
            const std::uint64_t head = in_.read_varint();
            require((head & 7) <= static_cast<std::uint64_t>(base_conversion::f16_to_bf16),
                    "an image has an unknown conversion");
            const std::uint64_t parts = (head >> 3) + 1;
            require(in_.ok() && parts <= bytes_left / 3, "there are more parts than the bytes that describe them");
            bytes_left -= 3 * parts;
            image.conversion = static_cast<base_conversion>(head & 7);
            image.parts.resize(static_cast<std::size_t>(parts));
        }
    }

    /// Section 3 tells unchanged contents from slices by their place.
    void own(content_entry& content, std::uint32_t image) const {
        content.image = image;
        if (!content.is_unchanged()) return;
        require(content.offset == place_of_unchanged, "an unchanged content has a place");
        content.offset = 0;
    }

    template <class F>
    void for_each_part(F&& visit) {
        for (base_image& image : index_.images)
            for (base_part& part : image.parts)
                visit(part);
    }

    void read_parts() {
        std::int64_t expected = 0;
        for_each_part([&](base_part& part) {
            const std::uint64_t coded = in_.read_varint();
            if (coded == part_of_zeros) return;
            // Larger steps lead nowhere, and their sum might wrap.
            const bool sane = in_.ok() && coded < std::uint64_t{1} << 40;
            const std::int64_t tensor = !sane ? -1 : expected + (coded == 0 ? 0 : unfold_sign(coded - 1));
            require(tensor >= 0 && tensor < std::int64_t{no_base} && static_cast<std::uint64_t>(tensor) < tensors_,
                    "a part names a base tensor that is not there");
            part.tensor = static_cast<std::uint32_t>(tensor);
            expected = tensor + 1;
        });
        for_each_part([&](base_part& part) { part.begin = in_.read_varint(); });
        for (const content_entry& content : index_.contents)
            if (content.image != no_image) read_sizes(index_.images[content.image], content.raw_bytes);
    }

    void read_sizes(base_image& image, std::uint64_t left) {
        for (base_part& part : image.parts) {
            const std::uint64_t behind = in_.read_varint();
            require(in_.ok() && behind < left, "a part of an image has no bytes");
            part.bytes = left - behind;
            left = behind;
        }
    }

    void read_tensors() {
        // A tensor has an MD5 of its own or that of a content, which has one image.
        require(tensors_ <= index_.images.size() + in_.left() / (1 + sizeof(md5_digest)),
                "there are more base tensors than the bytes that describe them");
        index_.base_tensors.resize(static_cast<std::size_t>(tensors_));
        flags_.resize(index_.base_tensors.size());
        read_flags();
        for_each_tensor(own_name, [&](base_tensor& tensor) { tensor.name = read_text(in_); });
        for_each_tensor(own_bytes, [&](base_tensor& tensor) { tensor.bytes = in_.read_varint(); });
        for_each_tensor(own_md5, [&](base_tensor& tensor) { read_digest(in_, tensor.md5); });
        require(in_.ok(), "a section is malformed");
        read_facts();
    }

    void read_flags() {
        std::int64_t file = 0;
        for (std::size_t t = 0; t < flags_.size(); ++t) {
            const std::uint64_t coded = in_.read_varint();
            const std::uint64_t step = coded >> 3;
            const bool sane = in_.ok() && step <= 2 * std::uint64_t{index_.base_files.size()};
            file = sane ? file + unfold_sign(step) : -1;
            require(file >= 0 && static_cast<std::uint64_t>(file) < index_.base_files.size(),
                    "a base tensor lies in a file that is not there");
            index_.base_tensors[t].file = static_cast<std::uint32_t>(file);
            flags_[t] = static_cast<std::uint8_t>(coded & 7);
        }
    }

    template <class F>
    void for_each_tensor(std::uint8_t flag, F&& visit) {
        for (std::size_t t = 0; t < flags_.size(); ++t)
            if (flags_[t] & flag) visit(index_.base_tensors[t]);
    }

    /// What is not there follows from the part that names the tensor first. That of tensors that no part names, and the
    /// places of parts, are for check_index() to refuse.
    void read_facts() {
        std::vector<std::uint32_t> wanted(index_.contents.size(), no_base);
        std::size_t names = 0;
        for_each_first_use(index_, [&](const first_use& use) {
            const std::uint8_t flags = flags_[use.tensor];
            base_tensor& tensor = index_.base_tensors[use.tensor];
            const base_image& image = index_.images[index_.contents[use.content].image];
            if (!(flags & own_bytes)) {
                const auto end = end_in_base(image.conversion, image.parts[use.part]);
                require(end.has_value(), "a part ends where no base tensor ends");
                tensor.bytes = *end;
            }
            if (!(flags & own_md5)) {
                require(is_receipt_of_base(index_, use, tensor.bytes), "a base tensor has no MD5");
                tensor.md5 = index_.contents[use.content].md5;
            }
            if (flags & own_name) return;
            require(use.part == 0, "a base tensor has no name");
            wanted[use.content] = use.tensor;
            ++names;
        });
        if (names == 0) return;
        tensor_names(index_, std::move(wanted)).visit([&](std::uint32_t tensor, std::string&& name) {
            index_.base_tensors[tensor].name = std::move(name);
            --names;
        });
        require(names == 0, "a base tensor has the name of a tensor that is not there");
    }

    container_index& index_;
    byte_cursor& in_;
    std::uint64_t tensors_ = 0;
    std::vector<std::uint8_t> flags_; // of the base tensors
};

} // namespace bigsmall::io::detail
