// SPDX-License-Identifier: BSL-1.0
// The index as bytes, before zstd: five or six tagged sections of varint columns (docs/format/container.md).
// Columns of one kind of number lie together because zstd finds more in them that way.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/varint.hpp>
#include <bigsmall/io/container/byte_writer.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/io/container/index_rules.hpp>

namespace bigsmall::io {

namespace detail {

enum class index_section : std::uint8_t {
    general = 1,
    siblings = 2,
    contents = 3,
    blocks = 4,
    members = 5,
    bundles = 6, ///< only with feature_bundles
};

/// Sections from this tag on may be passed over by a reader that does not know them.
inline constexpr std::uint8_t first_optional_section = 64;

// Contents are mostly numbered in the order in which extents name them, so that the difference to "the one
// after the last" is mostly 0; its sign goes to the lowest bit.
constexpr std::uint64_t fold_sign(std::int64_t value) noexcept {
    return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int64_t unfold_sign(std::uint64_t folded) noexcept {
    return static_cast<std::int64_t>(folded >> 1) ^ -static_cast<std::int64_t>(folded & 1);
}

inline void write_section(byte_writer& to, index_section tag, const byte_writer& body) {
    to.u8(static_cast<std::uint8_t>(tag));
    to.sized(body.written());
}

inline byte_writer write_contents(const container_index& index) {
    byte_writer out;
    out.varint(index.contents.size());
    for (const content_entry& content : index.contents) {
        out.varint(content.raw_bytes);
        out.varint(content.block_bytes);
        out.varint(content.home);
        out.varint(content.is_slice() ? 0 : content.offset); // the slices of a bundle follow one another
    }
    for (const content_entry& content : index.contents)
        out.bytes(content.md5);
    return out;
}

inline byte_writer write_blocks(const container_index& index) {
    std::map<std::pair<std::uint16_t, std::uint16_t>, std::uint64_t> labels;
    for (const content_entry& content : index.contents)
        for (const block_entry& block : content.blocks)
            labels[{block.grouping, block.entropy}] = 0;
    byte_writer out;
    out.varint(labels.size());
    std::uint64_t next = 0;
    for (auto& [ids, number] : labels) {
        number = next++;
        out.fixed(ids.first);
        out.fixed(ids.second);
    }
    for (const content_entry& content : index.contents)
        for (const block_entry& block : content.blocks)
            out.varint(block.stored_bytes);
    for (const content_entry& content : index.contents)
        for (const block_entry& block : content.blocks)
            out.varint(labels[{block.grouping, block.entropy}]);
    for (const content_entry& content : index.contents)
        for (const block_entry& block : content.blocks)
            out.fixed(block.checksum);
    return out;
}

inline byte_writer write_members(const container_index& index) {
    byte_writer out;
    out.varint(index.members.size());
    std::int64_t expected = 0;
    for (const member_entry& member : index.members) {
        out.u8(static_cast<std::uint8_t>(member.kind));
        out.sized(as_bytes_view(member.path));
        out.varint(member.raw_bytes);
        out.bytes(member.sha256);
        out.sized(member.header);
        out.varint(member.extents.size());
        for (const extent_entry& extent : member.extents) {
            const std::uint64_t step = fold_sign(std::int64_t{extent.content} - expected);
            out.varint(step << 2 | static_cast<std::uint64_t>(extent.kind));
            expected = std::int64_t{extent.content} + 1;
        }
    }
    return out;
}

/// Of each slice, its bundle, counted from the one of the slice before.
inline byte_writer write_bundles(const container_index& index) {
    byte_writer out;
    out.varint(index.bundles);
    std::int64_t last = 0;
    for (const content_entry& content : index.contents) {
        if (!content.is_slice()) continue;
        const auto number = static_cast<std::int64_t>(content.bundle - index.first_bundle());
        out.varint(fold_sign(number - last));
        last = number;
    }
    return out;
}

/// Reads the sections into an index. Every count is compared with the bytes that are left before anything is
/// allocated for it. The dearest byte is that of an extent, which becomes 8; a content makes 3.6 of each byte, a
/// block 3.2, a member 4.5, the header of one up to 7.
class index_reader {
public:
    container_index read(bytes_view raw) {
        byte_cursor in(raw);
        unsigned last = 0;
        while (in.left() > 0) {
            const unsigned tag = in.read<std::uint8_t>();
            byte_cursor body(in.take(in.read_varint()));
            require(in.ok(), "a section ends behind the end of the index");
            require(tag > last, "its sections are not in order");
            require(tag < first_optional_section ? tag == last + 1 : last >= 5, "a section is missing");
            last = tag;
            if (tag >= first_optional_section) continue;
            read_section(static_cast<index_section>(tag), body);
            require(body.finished(), "a section is malformed");
        }
        require(last >= 5, "a section is missing");
        return std::move(index_); // contents of no blocks that are no slices are for check_index() to refuse
    }

private:
    static void require(bool holds, const char* otherwise) {
        if (!holds) throw error(errc::corrupt, std::string("the index is damaged: ") + otherwise);
    }

    /// A count of things that take at least `least_bytes` each.
    static std::size_t read_count(byte_cursor& in, std::size_t least_bytes) {
        const std::uint64_t count = in.read_varint();
        require(in.ok() && count <= in.left() / least_bytes, "a count is greater than the bytes that follow");
        return static_cast<std::size_t>(count);
    }

    static bytes_view read_sized(byte_cursor& in) { return in.take(in.read_varint()); }
    static std::string read_text(byte_cursor& in) { return std::string(as_string_view(read_sized(in))); }

    template <std::size_t N>
    static void read_digest(byte_cursor& in, std::array<std::uint8_t, N>& digest) {
        const bytes_view bytes = in.take(N);
        std::copy(bytes.begin(), bytes.end(), digest.begin());
    }

    void read_section(index_section tag, byte_cursor& in) {
        switch (tag) {
        case index_section::general: return read_general(in);
        case index_section::siblings: return read_siblings(in);
        case index_section::contents: return read_contents(in);
        case index_section::blocks: return read_blocks(in);
        case index_section::members: return read_members(in);
        case index_section::bundles: return read_bundles(in);
        }
        // Tags in between come with a required-feature bit, which was checked before.
        require(false, "a section is of an unknown kind");
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
        index_.contents.resize(read_count(in, 4 + sizeof(md5_digest)));
        for (content_entry& content : index_.contents) {
            content.raw_bytes = in.read_varint();
            content.block_bytes = in.read_varint();
            const std::uint64_t home = in.read_varint();
            require(home <= index_.siblings.size(), "a content lies in a sibling file that is not named");
            content.home = static_cast<std::uint32_t>(home);
            content.offset = in.read_varint();
        }
        for (content_entry& content : index_.contents)
            read_digest(in, content.md5);
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
            const bytes_view header = read_sized(in);
            member.header.assign(header.begin(), header.end());
            read_extents(in, member);
        }
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
    }

    container_index index_;
    std::int64_t expected_ = 0; // the content that the next extent most likely names
};

} // namespace detail

/// The raw bytes of an index. Throws: errc::invalid_argument when it breaks one of the rules.
inline byte_buffer encode_index(const container_index& index) {
    check_index(index, errc::invalid_argument);
    detail::byte_writer general, siblings, out;
    general.sized(as_bytes_view(index.writer));
    general.varint(index.directory ? 1 : 0);
    siblings.varint(index.siblings.size());
    for (const std::string& sibling : index.siblings)
        siblings.sized(as_bytes_view(sibling));
    detail::write_section(out, detail::index_section::general, general);
    detail::write_section(out, detail::index_section::siblings, siblings);
    detail::write_section(out, detail::index_section::contents, detail::write_contents(index));
    detail::write_section(out, detail::index_section::blocks, detail::write_blocks(index));
    detail::write_section(out, detail::index_section::members, detail::write_members(index));
    if (index.bundles > 0) detail::write_section(out, detail::index_section::bundles, detail::write_bundles(index));
    return out.take();
}

/// Reads an index and checks every rule that can be checked without the file around it. Memory stays within
/// 8 times the bytes of `raw`, which max_raw_index_bytes() bounds. Throws: errc::corrupt.
inline container_index decode_index(bytes_view raw) {
    container_index index = detail::index_reader().read(raw);
    check_index(index, errc::corrupt);
    return index;
}

} // namespace bigsmall::io
