// SPDX-License-Identifier: BSL-1.0
// The section of an index that names the base of a patch (docs/format/container.md): columns of numbers that are 0
// where a content has one tensor of the base, whole, as it is, and of its own name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/io/container/base_facts.hpp>
#include <bigsmall/io/container/base_image.hpp>
#include <bigsmall/io/container/byte_writer.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/io/container/index_sections.hpp>

namespace bigsmall::io::detail {

/// For an index that check_index() accepts.
class base_writer {
public:
    explicit base_writer(const container_index& index) : index_(index) {}

    byte_writer write() {
        write_files();
        out_.varint(index_.base_tensors.size());
        out_.varint(index_.images.size());
        write_images();
        write_parts();
        write_tensors();
        return std::move(out_);
    }

private:
    void write_files() {
        out_.varint(index_.base_files.size());
        for (const base_file& file : index_.base_files) {
            out_.sized(as_bytes_view(file.name));
            out_.varint(file.bytes);
            out_.bytes(file.sha256);
        }
    }

    // Images have the order of the contents that they belong to.
    template <class F>
    void for_each_image(F&& visit) const {
        for (const content_entry& content : index_.contents)
            if (content.image != no_image) visit(content, index_.images[content.image]);
    }

    void write_images() {
        std::uint64_t skipped = 0;
        for (const content_entry& content : index_.contents) {
            if (content.image == no_image) {
                ++skipped;
                continue;
            }
            out_.varint(skipped);
            skipped = 0;
        }
        for_each_image([&](const content_entry&, const base_image& image) {
            out_.varint(std::uint64_t{image.parts.size() - 1} << 3 | static_cast<std::uint64_t>(image.conversion));
        });
    }

    void write_parts() {
        std::int64_t expected = 0;
        for_each_image([&](const content_entry&, const base_image& image) {
            for (const base_part& part : image.parts) {
                if (part.tensor == no_base) {
                    out_.varint(part_of_zeros);
                    continue;
                }
                const std::int64_t step = std::int64_t{part.tensor} - expected;
                out_.varint(step == 0 ? 0 : fold_sign(step) + 1);
                expected = std::int64_t{part.tensor} + 1;
            }
        });
        for_each_image([&](const content_entry&, const base_image& image) {
            for (const base_part& part : image.parts)
                out_.varint(part.begin);
        });
        for_each_image([&](const content_entry& content, const base_image& image) {
            std::uint64_t left = content.raw_bytes;
            for (const base_part& part : image.parts)
                out_.varint(left -= part.bytes);
        });
    }

    void write_tensors() {
        const std::vector<std::uint8_t> flags = find_flags();
        std::int64_t last = 0;
        for (std::size_t t = 0; t < flags.size(); ++t) {
            const std::int64_t file = index_.base_tensors[t].file;
            out_.varint(fold_sign(file - last) << 3 | flags[t]);
            last = file;
        }
        for (std::size_t t = 0; t < flags.size(); ++t)
            if (flags[t] & own_name) out_.sized(as_bytes_view(index_.base_tensors[t].name));
        for (std::size_t t = 0; t < flags.size(); ++t)
            if (flags[t] & own_bytes) out_.varint(index_.base_tensors[t].bytes);
        for (std::size_t t = 0; t < flags.size(); ++t)
            if (flags[t] & own_md5) out_.bytes(index_.base_tensors[t].md5);
    }

    std::vector<std::uint8_t> find_flags() const {
        std::vector<std::uint8_t> flags(index_.base_tensors.size(), own_name);
        std::vector<std::uint32_t> wanted(index_.contents.size(), no_base);
        for_each_first_use(index_, [&](const first_use& use) {
            const base_tensor& tensor = index_.base_tensors[use.tensor];
            const content_entry& content = index_.contents[use.content];
            const base_image& image = index_.images[content.image];
            const bool receipt = is_receipt_of_base(index_, use, tensor.bytes) && content.md5 == tensor.md5;
            if (!receipt) flags[use.tensor] |= own_md5;
            if (end_in_base(image.conversion, image.parts[use.part]) != tensor.bytes) flags[use.tensor] |= own_bytes;
            if (use.part == 0) wanted[use.content] = use.tensor;
        });
        tensor_names(index_, std::move(wanted)).visit([&](std::uint32_t tensor, const std::string& name) {
            if (name == index_.base_tensors[tensor].name) flags[tensor] &= static_cast<std::uint8_t>(~own_name);
        });
        return flags;
    }

    const container_index& index_;
    byte_writer out_;
};

} // namespace bigsmall::io::detail
