// SPDX-License-Identifier: BSL-1.0
// The rules that an index keeps, whoever made it: checked before one is written and after one is read, so
// that code behind a reader never meets a contradiction.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <bigsmall/core/checked.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/container/base_rules.hpp>
#include <bigsmall/io/container/format.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/io/path_safety.hpp>
#include <bigsmall/io/printable.hpp>
#include <bigsmall/io/safetensors/layout.hpp>

namespace bigsmall::io {

/// Number of blocks of a content; none without bytes, or of a slice or an unchanged content, whose `block_bytes` is
/// 0.
constexpr std::uint64_t block_count(std::uint64_t raw_bytes, std::uint64_t block_bytes) noexcept {
    return raw_bytes == 0 || block_bytes == 0 ? 0 : (raw_bytes - 1) / block_bytes + 1;
}

/// How large a container should be at most: what its members have, 0.1 % and 4 KiB. A second copy of the index is not
/// worth more.
inline std::uint64_t size_limit(const container_index& index) noexcept {
    std::uint64_t raw_bytes = 0; // of members that exist, so far below 2^64
    for (const member_entry& member : index.members)
        raw_bytes += member.raw_bytes;
    return raw_bytes + raw_bytes / 1000 + 4096;
}

/// What a reader has to know for that index: bits of the header and the footers.
inline std::uint64_t required_features(const container_index& index) noexcept {
    return feature_lean_index | (index.bundles > 0 ? feature_bundles : 0) | (index.is_patch() ? feature_patch : 0);
}

/// Raw bytes of block number `block` of a content.
inline std::uint64_t raw_block_bytes(const content_entry& content, std::uint64_t block) noexcept {
    const std::uint64_t begin = block * content.block_bytes;
    return content.raw_bytes - begin < content.block_bytes ? content.raw_bytes - begin : content.block_bytes;
}

/// Where a block lies when those of its content before it end at `position`.
inline std::uint64_t offset_of(const block_entry& block, std::uint64_t position) noexcept {
    return block.shared_at != 0 ? block.shared_at : block_start(position, block.stored_bytes);
}

/// Where the last block of its own of a content ends. For an index that check_index() accepts.
inline std::uint64_t blocks_end(const content_entry& content) noexcept {
    std::uint64_t position = content.offset;
    for (const block_entry& block : content.blocks)
        if (block.shared_at == 0) position = block_start(position, block.stored_bytes) + block.stored_bytes;
    return position;
}

/// The file offset of every block of a content, and behind them where the last one of its own ends. For an index that
/// check_index() accepts.
inline std::vector<std::uint64_t> block_offsets(const content_entry& content) {
    std::vector<std::uint64_t> offsets;
    offsets.reserve(content.blocks.size() + 1);
    std::uint64_t position = content.offset;
    for (const block_entry& block : content.blocks) {
        offsets.push_back(offset_of(block, position));
        if (block.shared_at == 0) position = offsets.back() + block.stored_bytes;
    }
    offsets.push_back(position);
    return offsets;
}

namespace detail {

inline void check_blocks(const content_entry& content, const std::string& what, errc code) {
    std::uint64_t position = content.offset;
    bool first = true;
    for (std::size_t i = 0; i < content.blocks.size(); ++i) {
        const std::uint64_t stored = content.blocks[i].stored_bytes;
        const std::string block = "block " + std::to_string(i) + " of " + what;
        if (stored == 0) throw error(code, block + " has no stored bytes");
        if (stored > max_stored_block_bytes)
            throw error(code, block + " has " + std::to_string(stored) + " stored bytes, more than the " +
                                  std::to_string(max_stored_block_bytes) + " that a block may have");
        const std::uint64_t shared = content.blocks[i].shared_at;
        const std::uint64_t from = shared != 0 ? shared : position;
        const std::uint64_t start = block_start(from, stored);
        if ((first || shared != 0) && start != from)
            throw error(code, block + " starts at " + std::to_string(from) + ", which is not a multiple of " +
                                  std::to_string(block_alignment));
        if (start < container_header_bytes)
            throw error(code, block + " starts at " + std::to_string(start) + ", inside the file header");
        if (shared == 0) {
            position = start + stored;
            first = false;
        }
        // Far below 2^64, so that neither the rounding up nor the sum can wrap.
        if (start > std::numeric_limits<std::int64_t>::max()) throw error(code, block + " lies beyond any file");
    }
}

inline void check_content(const container_index& index, std::size_t number, errc code) {
    const content_entry& content = index.contents[number];
    const std::string what = "content " + std::to_string(number);
    if (content.home > index.siblings.size())
        throw error(code, what + " lies in sibling file " + std::to_string(content.home) +
                              ", but the index names only " + std::to_string(index.siblings.size()));
    if (content.block_bytes > max_raw_block_bytes)
        throw error(code, what + " has blocks of " + std::to_string(content.block_bytes) + " bytes, more than the " +
                              std::to_string(max_raw_block_bytes) + " allowed");
    if (content.raw_bytes > 0 && content.block_bytes == 0 && !content.is_slice() && !content.is_unchanged())
        throw error(code, what + " has " + std::to_string(content.raw_bytes) + " bytes, but blocks of none");
    const std::uint64_t blocks = block_count(content.raw_bytes, content.block_bytes);
    if (content.blocks.size() != blocks)
        throw error(code, what + " has " + std::to_string(content.blocks.size()) + " blocks where its " +
                              std::to_string(content.raw_bytes) + " bytes make " + std::to_string(blocks));
    if (content.offset > std::numeric_limits<std::int64_t>::max()) throw error(code, what + " lies beyond any file");
    check_blocks(content, what, code);
}

/// The blocks of an index that share the bytes of others are found there: another one of this file that has its own,
/// and is like it.
class sharing_check {
public:
    sharing_check(const container_index& index, errc code) : index_(index), code_(code) {}

    void check() {
        collect();
        if (sharing_.empty()) return;
        std::sort(sharing_.begin(), sharing_.end(),
                  [](const sharer& a, const sharer& b) { return a.block->shared_at < b.block->shared_at; });
        std::size_t found = 0;
        for (const content_entry& content : index_.contents)
            if (content.home == 0) found += match(content);
        if (found != sharing_.size()) throw error(code_, "a block shares the bytes of one that is not there");
    }

private:
    struct sharer {
        const block_entry* block;
        std::uint64_t raw_bytes;
    };

    void collect() {
        std::size_t count = 0; // so that memory is taken once
        for (const content_entry& content : index_.contents) {
            const auto own = std::count_if(content.blocks.begin(), content.blocks.end(),
                                           [](const block_entry& block) { return block.shared_at == 0; });
            const std::size_t shared = content.blocks.size() - static_cast<std::size_t>(own);
            if (shared > 0 && content.home != 0)
                throw error(code_, "a block in a sibling file shares bytes of this one");
            if (shared > 0 && own == 0 && content.offset != 0)
                throw error(code_, "a content that shares all its blocks has a place of its own");
            count += shared;
        }
        sharing_.reserve(count);
        for (const content_entry& content : index_.contents)
            for (std::size_t b = 0; b < content.blocks.size(); ++b)
                if (content.blocks[b].shared_at != 0)
                    sharing_.push_back({&content.blocks[b], raw_block_bytes(content, b)});
    }

    /// How many blocks share those of a content.
    std::size_t match(const content_entry& content) const {
        std::size_t found = 0;
        std::uint64_t position = content.offset;
        for (std::size_t b = 0; b < content.blocks.size(); ++b) {
            const block_entry& owner = content.blocks[b];
            if (owner.shared_at != 0) continue;
            const std::uint64_t offset = offset_of(owner, position);
            position = offset + owner.stored_bytes;
            auto at = std::lower_bound(sharing_.begin(), sharing_.end(), offset,
                                       [](const sharer& one, std::uint64_t o) { return one.block->shared_at < o; });
            for (; at != sharing_.end() && at->block->shared_at == offset; ++at, ++found)
                require_like(*at, owner, raw_block_bytes(content, b));
        }
        return found;
    }

    void require_like(const sharer& one, const block_entry& owner, std::uint64_t raw_bytes) const {
        block_entry expected = *one.block;
        expected.shared_at = 0;
        if (expected != owner || one.raw_bytes != raw_bytes)
            throw error(code_, "a block shares the bytes of one at " + std::to_string(one.block->shared_at) +
                                   ", which is another");
    }

    const container_index& index_;
    errc code_;
    std::vector<sharer> sharing_; // by place
};

/// Bundles are the last contents, of one block each, and hold nothing but their slices, which follow one another in the
/// order of their numbers.
inline void check_bundles(const container_index& index, errc code) {
    if (index.bundles > index.contents.size()) throw error(code, "there are more bundles than contents");
    std::vector<std::uint64_t> filled(index.bundles, 0);
    for (std::size_t i = 0; i < index.contents.size(); ++i) {
        const content_entry& content = index.contents[i];
        const std::string what = "content " + std::to_string(i);
        if (i >= index.first_bundle()) {
            if (content.is_slice() || content.home != 0 || content.blocks.size() != 1 ||
                content.blocks[0].shared_at != 0 || content.raw_bytes > max_bundle_bytes)
                throw error(code, what + " is a bundle, and not one block of its own in this file of at most " +
                                      std::to_string(max_bundle_bytes) + " bytes");
            if (filled[i - index.first_bundle()] != content.raw_bytes)
                throw error(code, what + " is a bundle of " + std::to_string(content.raw_bytes) +
                                      " bytes, but its slices have " +
                                      std::to_string(filled[i - index.first_bundle()]));
        } else if (content.is_slice()) {
            if (content.bundle < index.first_bundle() || content.bundle >= index.contents.size())
                throw error(code, what + " is a slice of something that is no bundle");
            std::uint64_t& end = filled[content.bundle - index.first_bundle()];
            if (content.block_bytes != 0 || content.home != 0 || content.raw_bytes == 0 || content.offset != end ||
                content.raw_bytes > max_bundle_bytes - end)
                throw error(code, what + " is a slice that is not where the one before it ends");
            end += content.raw_bytes;
        }
    }
}

/// Walks the extents of a member; for a safetensors file, beside the tensors that its header names.
class extent_walk {
public:
    extent_walk(const container_index& index, const member_entry& member, errc code)
        : index_(index), member_(member), code_(code) {}

    void check() {
        if (member_.kind == member_kind::safetensors)
            parse_header();
        else if (!member_.header.empty())
            fail("it is a plain file, but has a safetensors header");
        position_ = member_.header.size();
        for (const extent_entry& extent : member_.extents)
            step(extent);
        if (next_tensor_ != layout_.tensors.size())
            fail("its header names " + std::to_string(layout_.tensors.size()) + " tensors, but there are " +
                 std::to_string(next_tensor_));
        if (position_ != member_.raw_bytes)
            fail("its parts make " + std::to_string(position_) + " bytes where it has " +
                 std::to_string(member_.raw_bytes));
    }

private:
    void parse_header() {
        try {
            layout_ = parse_safetensors_header(member_.header, member_.raw_bytes);
        } catch (const error& e) {
            fail(std::string("its safetensors header is not valid: ") + e.what());
        }
    }

    void step(const extent_entry& extent) {
        if (extent.content >= index_.contents.size())
            fail("it refers to content " + std::to_string(extent.content) + ", but there are only " +
                 std::to_string(index_.contents.size()));
        if (extent.content >= index_.first_bundle()) fail("it refers to a bundle, not to a part of one");
        const bool file_extent = extent.kind == extent_kind::file;
        if (extent.kind > extent_kind::file || file_extent != (member_.kind == member_kind::file))
            fail("it has an extent of a kind that does not belong in it");
        const auto end = checked_add(position_, index_.contents[extent.content].raw_bytes);
        if (!end) fail("its parts add up to more than 2^64 bytes");
        if (extent.kind == extent_kind::tensor) match_tensor(*end);
        position_ = *end;
    }

    void match_tensor(std::uint64_t end) {
        if (next_tensor_ == layout_.tensors.size()) fail("it has more tensors than its header names");
        const tensor_record& tensor = layout_.tensors[next_tensor_++];
        if (tensor.begin == position_ && tensor.end == end) return;
        fail("tensor " + in_quotes(tensor.name) + " is at bytes " + std::to_string(tensor.begin) + " to " +
             std::to_string(tensor.end) + " by the header, but at " + std::to_string(position_) + " to " +
             std::to_string(end) + " by the index");
    }

    [[noreturn]] void fail(const std::string& why) const {
        throw error(code_, "the index contradicts itself on " + in_quotes(member_.path) + ": " + why);
    }

    const container_index& index_;
    const member_entry& member_;
    errc code_;
    safetensors_layout layout_;
    std::uint64_t position_ = 0;
    std::size_t next_tensor_ = 0;
};

inline void check_paths(const container_index& index, errc code) {
    const auto check = [&](std::string_view path, const char* of_what) {
        if (const auto reason = unsafe_path_reason(path))
            throw error(code, "the path " + in_quotes(path) + " of " + of_what + " is not safe: " + *reason);
    };
    std::vector<std::string_view> paths;
    paths.reserve(index.members.size());
    for (const member_entry& member : index.members) {
        check(member.path, "a member");
        paths.push_back(member.path);
    }
    if (const auto conflict = path_conflict(paths)) throw error(code, *conflict);
    if (index.siblings.size() > max_siblings)
        throw error(code, "there are " + std::to_string(index.siblings.size()) + " sibling files, more than the " +
                              std::to_string(max_siblings) + " that a container may name");
    for (const std::string& sibling : index.siblings)
        check(sibling, "a sibling file");
}

} // namespace detail

/// Checks everything that an index can be checked for without the file around it. Throws: `code`, in words.
inline void check_index(const container_index& index, errc code) {
    if (index.contents.size() > std::numeric_limits<std::uint32_t>::max())
        throw error(code, "there are more than 2^32 contents");
    detail::check_paths(index, code);
    for (std::size_t i = 0; i < index.contents.size(); ++i)
        detail::check_content(index, i, code);
    detail::sharing_check(index, code).check();
    detail::check_bundles(index, code);
    detail::base_check(index, code).check();
    for (const member_entry& member : index.members)
        detail::extent_walk(index, member, code).check();
}

/// Checks that the contents that lie in this file itself lie in its payload and do not share bytes. For an
/// index that check_index() accepts. Throws: `code`.
inline void check_within_payload(const container_index& index, std::uint64_t payload_end, errc code) {
    struct range {
        std::uint64_t begin, end;
        std::size_t content;
    };
    std::vector<range> ranges;
    for (std::size_t i = 0; i < index.contents.size(); ++i) {
        const content_entry& content = index.contents[i];
        if (content.home != 0 || blocks_end(content) == content.offset) continue; // none of its own
        ranges.push_back({content.offset, blocks_end(content), i});
        if (ranges.back().end <= payload_end) continue;
        throw error(code, "content " + std::to_string(i) + " ends at byte " + std::to_string(ranges.back().end) +
                              ", behind the payload, which ends at " + std::to_string(payload_end));
    }
    std::sort(ranges.begin(), ranges.end(), [](const range& a, const range& b) { return a.begin < b.begin; });
    for (std::size_t i = 1; i < ranges.size(); ++i)
        if (ranges[i].begin < ranges[i - 1].end)
            throw error(code, "contents " + std::to_string(ranges[i - 1].content) + " and " +
                                  std::to_string(ranges[i].content) + " share bytes of the file");
}

} // namespace bigsmall::io
