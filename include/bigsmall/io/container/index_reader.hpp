// SPDX-License-Identifier: BSL-1.0
// Reads the sections of an index, which may be anybody's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/varint.hpp>
#include <bigsmall/io/container/base_reader.hpp>
#include <bigsmall/io/container/format.hpp>
#include <bigsmall/io/container/header_text.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/io/container/index_rules.hpp>
#include <bigsmall/io/container/index_sections.hpp>
#include <bigsmall/io/container/section_parser.hpp>

namespace bigsmall::io::detail {

/// Reads the sections into an index. Every count is compared with the bytes that are left before anything is
/// allocated for it. The dearest byte is that of an extent, which becomes 8; a content makes 6.7 of each byte of its
/// entry and its receipt, a block 3.2, a member 4.5, the header of one up to 7; base_reader has the others.
class index_reader : private section_parser {
public:
    index_reader(std::uint64_t features, bytes_view receipts)
        : lean_((features & feature_lean_index) != 0), patch_((features & feature_patch) != 0), receipts_(receipts) {
        require(lean_ || !patch_, "it is a patch of an older form, which there is not");
    }

    container_index read(bytes_view raw) {
        byte_cursor in(raw);
        unsigned last = 0;
        while (in.left() > 0) {
            const unsigned tag = in.read<std::uint8_t>();
            byte_cursor body(in.take(in.read_varint()));
            require(in.ok(), "a section ends behind the end of the index");
            require(tag > last, "its sections are not in order");
            require(may_follow(tag, last), "a section is missing");
            last = tag;
            const bool optional = tag >= first_optional_section;
            if (optional && tag != static_cast<unsigned>(index_section::joined)) continue;
            read_section(static_cast<index_section>(tag), body);
            require(body.finished(), "a section is malformed");
        }
        require(last >= 5 && index_.is_patch() == patch_, "a section is missing");
        if (lean_ && !patch_) read_receipts();
        return std::move(index_); // contents of no blocks that are no slices are for check_index() to refuse
    }

private:
    /// Sections 6 to 8 may be there; what needs them is checked elsewhere.
    static bool may_follow(unsigned tag, unsigned last) noexcept {
        return tag > 5 && (tag <= 8 || tag >= first_optional_section) ? last >= 5 : tag == last + 1;
    }

    void read_section(index_section tag, byte_cursor& in) {
        switch (tag) {
        case index_section::general: return read_general(in);
        case index_section::siblings: return read_siblings(in);
        case index_section::contents: return read_contents(in);
        case index_section::blocks: return read_blocks(in);
        case index_section::members: return read_members(in);
        case index_section::bundles: return read_bundles(in);
        case index_section::shared_blocks:
            require(lean_, "a section is of an unknown kind");
            return read_shared_blocks(in);
        case index_section::base:
            require(patch_, "a section is of an unknown kind");
            read_receipts(); // all contents are known; some are of base tensors, too
            return base_reader(index_, in).read();
        case index_section::joined: return read_joined(in);
        }
        // Tags in between come with a required-feature bit, which was checked before.
        require(false, "a section is of an unknown kind");
    }

    void read_joined(byte_cursor& in) {
        const bytes_view bytes = in.take(in.left());
        index_.joined.assign(bytes.begin(), bytes.end());
    }

    void read_general(byte_cursor& in) {
        index_.writer = read_text(in);
        const std::uint64_t flags = in.read_varint();
        require(flags <= 1, "unknown flags are set");
        index_.directory = flags == 1;
    }

    void read_siblings(byte_cursor& in) {
        // A length and a byte at least; each is kept as it is read, so that a count alone allocates nothing.
        const std::size_t count = read_count(in, 2);
        require(count <= max_siblings, "it names more sibling files than a container may have");
        while (index_.siblings.size() < count) {
            index_.siblings.push_back(read_text(in));
            require(in.ok() && !index_.siblings.back().empty(), "a sibling file has no name");
        }
    }

    void read_contents(byte_cursor& in) {
        const std::size_t count = read_count(in, lean_ ? 4 : 4 + sizeof(md5_digest));
        // A bundle has no receipt, but slices that have.
        require(!lean_ || count / 2 <= receipts_.size() / sizeof(md5_digest), "there are fewer receipts than contents");
        index_.contents.resize(count);
        for (content_entry& content : index_.contents) {
            content.raw_bytes = in.read_varint();
            content.block_bytes = in.read_varint();
            const std::uint64_t home = in.read_varint();
            require(home <= index_.siblings.size(), "a content lies in a sibling file that is not named");
            content.home = static_cast<std::uint32_t>(home);
            content.offset = in.read_varint();
        }
        if (lean_) return;
        for (content_entry& content : index_.contents)
            read_digest(in, content.md5);
    }

    void read_receipts() {
        require(receipts_.size() == index_.first_bundle() * sizeof(md5_digest),
                "there are not as many receipts as contents");
        byte_cursor in(receipts_);
        for (std::size_t i = 0; i < index_.first_bundle(); ++i)
            read_digest(in, index_.contents[i].md5);
    }

    void read_blocks(byte_cursor& in) {
        std::vector<std::pair<std::uint16_t, std::uint16_t>> labels(read_count(in, 4));
        for (auto& [grouping, entropy] : labels) {
            grouping = in.read<std::uint16_t>();
            entropy = in.read<std::uint16_t>();
        }
        make_blocks(in.left());
        for_each_block([&](block_entry& block) { block.stored_bytes = in.read_varint(); });
        for_each_block([&](block_entry& block) {
            const std::uint64_t label = in.read_varint();
            require(label < labels.size(), "a block has a coding that is not in the table");
            block.grouping = labels[static_cast<std::size_t>(label)].first;
            block.entropy = labels[static_cast<std::size_t>(label)].second;
        });
        for_each_block([&](block_entry& block) { block.checksum = in.read<std::uint64_t>(); });
    }

    // A block takes at least 10 bytes of the section: its size, its label, its checksum.
    void make_blocks(std::uint64_t bytes_left) {
        for (content_entry& content : index_.contents) {
            const std::uint64_t count = block_count(content.raw_bytes, content.block_bytes);
            require(count <= bytes_left / 10, "there are more blocks than the bytes that describe them");
            bytes_left -= count * 10;
            content.blocks.resize(static_cast<std::size_t>(count));
        }
    }

    template <class F>
    void for_each_block(F&& visit) {
        for (content_entry& content : index_.contents)
            for (block_entry& block : content.blocks)
                visit(block);
    }

    void read_members(byte_cursor& in) {
        index_.members.resize(read_count(in, 5 + sizeof(sha256_digest)));
        for (member_entry& member : index_.members) {
            const auto kind = in.read<std::uint8_t>();
            require(kind <= static_cast<std::uint8_t>(member_kind::file), "a member is of an unknown kind");
            member.kind = static_cast<member_kind>(kind);
            member.path = read_text(in);
            member.raw_bytes = in.read_varint();
            read_digest(in, member.sha256);
            const std::uint64_t form = in.read_varint();
            const bytes_view text = in.take(lean_ ? form >> 1 : form);
            read_extents(in, member);
            require(in.ok(), "a section is malformed");
            read_header(text, lean_ && (form & 1) != 0, member);
        }
    }

    void read_header(bytes_view text, bool brief, member_entry& member) const {
        if (!brief) return member.header.assign(text.begin(), text.end());
        auto full = full_header(text, index_, member);
        require(full.has_value(), "a header leaves out places that are not there");
        member.header = std::move(*full);
    }

    void read_extents(byte_cursor& in, member_entry& member) {
        member.extents.resize(read_count(in, 1));
        for (extent_entry& extent : member.extents) {
            const std::uint64_t coded = in.read_varint();
            const std::uint64_t kind = coded & 3;
            require(kind <= static_cast<std::uint64_t>(extent_kind::file), "an extent is of an unknown kind");
            extent.kind = static_cast<extent_kind>(kind);
            const std::int64_t content = expected_ + unfold_sign(coded >> 2);
            require(content >= 0 && content < std::int64_t{1} << 32 &&
                        static_cast<std::uint64_t>(content) < index_.contents.size(),
                    "an extent names a content that is not there");
            extent.content = static_cast<std::uint32_t>(content);
            expected_ = content + 1;
        }
    }

    void read_bundles(byte_cursor& in) {
        const std::uint64_t count = in.read_varint();
        require(in.ok() && count > 0, "it has a section of bundles and no bundles");
        require(count < index_.contents.size(), "it has more bundles than contents");
        index_.bundles = static_cast<std::uint32_t>(count);
        std::vector<std::uint64_t> filled(static_cast<std::size_t>(count), 0);
        std::int64_t number = 0;
        for (content_entry& content : index_.contents) {
            if (content.raw_bytes == 0 || content.block_bytes > 0) continue;
            if (patch_ && content.offset == place_of_unchanged) continue;
            const std::uint64_t step = in.read_varint();
            // Larger steps lead out of the bundles, and their sum might wrap.
            if (in.ok() && step <= 2 * count) number += unfold_sign(step);
            require(in.ok() && step <= 2 * count && number >= 0 && static_cast<std::uint64_t>(number) < count,
                    "a slice names a bundle that is not there");
            const auto k = static_cast<std::size_t>(number);
            require(content.offset == 0 && content.raw_bytes <= max_bundle_bytes - filled[k],
                    "the slices of a bundle are larger than it may be");
            content.offset = filled[k];
            content.bundle = static_cast<std::uint32_t>(index_.first_bundle() + k);
            filled[k] += content.raw_bytes;
        }
        // Otherwise empty ones would take more memory than bytes make up for.
        require(std::find(filled.begin(), filled.end(), 0u) == filled.end(), "a bundle has no slices");
    }

    void read_shared_blocks(byte_cursor& in) {
        std::uint64_t left = read_count(in, 2);
        require(left > 0, "it has a section of shared blocks and no shared blocks");
        std::uint64_t skip = in.read_varint(), position = 0;
        for_each_block([&](block_entry& block) {
            if (left == 0 || skip-- > 0) return;
            // Neither sum can wrap: sizes and places are below 2^63, steps are checked against that.
            require(block.stored_bytes <= max_stored_block_bytes, "a block is larger than one may be");
            const auto expected = static_cast<std::int64_t>(block_start(position, block.stored_bytes));
            const std::int64_t step = unfold_sign(in.read_varint());
            require(in.ok() && step > -expected && step < most_offset - expected, "a shared block lies nowhere");
            block.shared_at = static_cast<std::uint64_t>(expected + step);
            position = block.shared_at + block.stored_bytes;
            if (--left > 0) skip = in.read_varint();
        });
        require(left == 0, "there are more shared blocks than blocks");
    }

    static constexpr std::int64_t most_offset = std::int64_t{1} << 62;

    bool lean_, patch_;
    bytes_view receipts_;
    container_index index_;
    std::int64_t expected_ = 0; // the content that the next extent most likely names
};

} // namespace bigsmall::io::detail
