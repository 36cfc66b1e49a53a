// SPDX-License-Identifier: BSL-1.0
// One hash of all that packing has decided before it codes the first block: with the same and an unchanged source, the
// output has the same bytes.
#pragma once

#include <cstdint>

#include <zstd.h>

#include <bigsmall/archive/hash.hpp>
#include <bigsmall/archive/pack_options.hpp>
#include <bigsmall/archive/patch_plan.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/io/container/byte_writer.hpp>
#include <bigsmall/io/container/index.hpp>

namespace bigsmall::archive::detail {

class plan_digester {
public:
    plan_digester() { hash_.start(methods_.sha256()); }

    void add(const pack_options& options) {
        text_.sized(as_bytes_view(writer_name(options.codec)));
        text_.varint(ZSTD_versionNumber()); // other versions may code to other bytes
        text_.varint(options.block_bytes);
        text_.u8(options.group_streams ? 1 : 0);
        pass_on();
    }

    /// An index without blocks.
    void add(const io::container_index& index) {
        text_.u8(index.directory ? 1 : 0);
        text_.varint(index.bundles);
        text_.varint(index.siblings.size());
        for (const std::string& sibling : index.siblings)
            text_.sized(as_bytes_view(sibling));
        text_.varint(index.contents.size());
        for (const io::content_entry& content : index.contents)
            add(content);
        text_.varint(index.members.size());
        for (const io::member_entry& member : index.members)
            add(member);
        text_.varint(index.base_files.size());
        for (const io::base_file& file : index.base_files) {
            text_.sized(as_bytes_view(file.name));
            text_.varint(file.bytes);
            text_.bytes(file.sha256);
        }
        pass_on();
    }

    /// What a content is a difference to, if it is one.
    void add(const patch_plan& patch, std::uint32_t content) {
        if (!patch.has_image(content)) return;
        const io::base_image& image = patch.image(content);
        text_.varint(content);
        text_.u8(patch.is_unchanged(content) ? 1 : 0);
        text_.u8(static_cast<std::uint8_t>(image.conversion));
        text_.varint(image.parts.size());
        for (const io::base_part& part : image.parts) {
            text_.varint(part.tensor);
            text_.varint(part.begin);
            text_.varint(part.bytes);
        }
        pass_on();
    }

    sha256_digest finish() { return hash_.finish(); }

private:
    void add(const io::content_entry& content) {
        text_.varint(content.raw_bytes);
        text_.varint(content.block_bytes);
        text_.varint(content.offset);
        text_.varint(content.home);
        text_.varint(content.bundle);
        pass_on();
    }

    void add(const io::member_entry& member) {
        text_.u8(static_cast<std::uint8_t>(member.kind));
        text_.sized(as_bytes_view(member.path));
        text_.varint(member.raw_bytes);
        text_.varint(member.header.size());
        pass_on();
        hash_.update(member.header);
        text_.varint(member.extents.size());
        for (const io::extent_entry& extent : member.extents) {
            text_.u8(static_cast<std::uint8_t>(extent.kind));
            text_.varint(extent.content);
        }
        pass_on();
    }

    void pass_on() {
        hash_.update(text_.written());
        text_ = {};
    }

    hash_methods methods_;
    sha256_hasher hash_;
    io::detail::byte_writer text_;
};

} // namespace bigsmall::archive::detail
