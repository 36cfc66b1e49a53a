// SPDX-License-Identifier: BSL-1.0
// Blocks of a container made again from the model that was packed.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <bigsmall/archive/bundle_block.hpp>
#include <bigsmall/archive/default_codec.hpp>
#include <bigsmall/archive/pack_options.hpp>
#include <bigsmall/archive/transcode_batch.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/checksum.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/io/container/index_rules.hpp>
#include <bigsmall/io/ecc/sidecar.hpp>
#include <bigsmall/io/file_source.hpp>

namespace bigsmall::archive::detail {

/// Codes the bytes of the source once more, as each operating point does; what has the checksum of the block that is
/// wanted is that block. Differences to a base are not made.
class original_blocks {
public:
    /// `original` is the file or the directory that was packed, or what was restored of it.
    original_blocks(const io::container_index& index, const std::filesystem::path& original)
        : index_(index), places_(index.contents.size()) {
        std::error_code failed;
        const bool directory = std::filesystem::is_directory(original, failed);
        for (const io::member_entry& member : index.members)
            add_member(member, directory ? original / member.path : original);
    }

    /// The stored bytes, or nothing when they cannot be made.
    std::optional<byte_buffer> make(std::uint32_t content, std::size_t number) const {
        if (content >= index_.first_bundle()) return make_bundle(content);
        const place& at = places_[content];
        const io::content_entry& entry = index_.contents[content];
        const std::uint64_t begin = number * entry.block_bytes;
        byte_buffer raw(static_cast<std::size_t>(io::raw_block_bytes(entry, number)));
        if (!read(at, begin, raw)) return std::nullopt;
        const block_info info{
            at.facts.type, at.facts.row_elems, begin * 8 / at.facts.type.bits, {}, at.facts.last_elems};
        for (const operating_point point : operating_points)
            if (auto made = coded(recipe_of(point).codec, info, raw, entry.blocks[number])) return made;
        return std::nullopt;
    }

private:
    struct place {
        std::shared_ptr<const io::source> file;
        std::uint64_t offset = 0;
        extent_facts facts;
    };

    void add_member(const io::member_entry& member, const std::filesystem::path& path) {
        std::shared_ptr<const io::source> file;
        try {
            file = std::make_shared<io::file_source>(path);
        } catch (const error&) {
            return; // others may be there
        }
        std::vector<extent_facts> facts = facts_of(member);
        std::uint64_t offset = member.header.size();
        for (std::size_t i = 0; i < facts.size(); ++i) {
            const std::uint32_t content = member.extents[i].content;
            if (!places_[content].file) places_[content] = {file, offset, std::move(facts[i])};
            offset += index_.contents[content].raw_bytes;
        }
    }

    static bool read(const place& at, std::uint64_t begin, bytes_span to) {
        return at.file && io::detail::read_if_possible(*at.file, at.offset + begin, to);
    }

    std::optional<byte_buffer> make_bundle(std::uint32_t content) const {
        raw_bundle raw;
        for (std::uint32_t i = 0; i < index_.first_bundle(); ++i) {
            if (index_.contents[i].bundle != content) continue;
            if (raw.parts.empty()) raw.type = places_[i].facts.type;
            if (!read(places_[i], 0, raw.add(index_.contents[i].raw_bytes))) return std::nullopt;
        }
        scratch memory;
        for (const operating_point point : operating_points) {
            coded_bundle made = code_bundle(raw, recipe_of(point).codec, memory);
            if (is(made.stored, index_.contents[content].blocks[0])) return std::move(made.stored);
        }
        return std::nullopt;
    }

    static bool is(bytes_view stored, const io::block_entry& wanted) {
        return stored.size() == wanted.stored_bytes && io::checksum(stored) == wanted.checksum;
    }

    static std::optional<byte_buffer> coded(const codec_ref& codec, const block_info& info, bytes_view raw,
                                            const io::block_entry& wanted) {
        byte_buffer room(codec.bound(raw.size()));
        scratch memory;
        room.resize(codec.encode(info, raw, room, memory).bytes);
        if (!is(room, wanted)) return std::nullopt;
        return room;
    }

    const io::container_index& index_;
    std::vector<place> places_; // of each content
};

} // namespace bigsmall::archive::detail
