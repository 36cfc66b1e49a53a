// SPDX-License-Identifier: BSL-1.0
// The unit that travels through restoring: the blocks of a few MiB of consecutive bytes of one member.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <bigsmall/archive/damage.hpp>
#include <bigsmall/archive/decode_block.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/archive/pack_batch.hpp>
#include <bigsmall/archive/receipts.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/io/container/index_rules.hpp>
#include <bigsmall/io/safetensors/layout.hpp>

namespace bigsmall::archive {

/// One file to be restored: a member of one of the containers.
struct restore_job {
    const opened_container* container = nullptr;
    const io::member_entry* member = nullptr;
    std::string path; ///< relative to the whole archive's output
};

/// A piece of one extent inside a batch.
struct restored_piece : detail::hashed_piece {
    std::uint32_t extent = 0;        ///< of the member
    std::uint64_t extent_offset = 0; ///< where in the extent the piece begins
    bool intact = true;              ///< all its blocks were decoded
    std::uint64_t decoded_blocks = 0, decoded_bytes = 0; ///< of its blocks that could be
};

namespace detail {

struct restore_block {
    const io::content_entry* content = nullptr; ///< that it is a block of
    const io::content_entry* slice = nullptr;   ///< the part of it that is wanted, when it is a bundle
    std::size_t number = 0, piece = 0;          ///< number in its content; index into restore_batch::pieces
    std::uint64_t offset = 0;          ///< in the file that holds it
    std::size_t raw_at = 0, raw_bytes = 0;
    std::optional<damage> failure;
};

struct restore_batch {
    std::size_t job = 0;
    bool first = false, last = false; ///< of its member
    std::uint64_t position = 0;       ///< of its first byte in the member
    byte_buffer raw;                  ///< only grows
    std::size_t raw_bytes = 0;
    std::vector<restored_piece> pieces;
    std::vector<restore_block> blocks;
    sha256_digest sha256{};       ///< of the member, when the batch is its last
    std::vector<damage> problems; ///< found in this batch, in order

    bytes_view bytes() const noexcept { return bytes_view(raw).first(raw_bytes); }
};

/// Cuts members into batches; reads nothing.
class restore_producer {
public:
    explicit restore_producer(const std::vector<restore_job>& jobs) : jobs_(jobs) {}

    bool next(restore_batch& batch) {
        if (job_ == jobs_.size()) return false;
        const io::member_entry& member = *jobs_[job_].member;
        batch.first = !inside_;
        if (batch.first) position_ = member.header.size();
        inside_ = true;
        batch.job = job_;
        batch.position = position_;
        batch.raw_bytes = 0;
        batch.pieces.clear();
        batch.blocks.clear();
        batch.problems.clear();
        while (extent_ < member.extents.size() && add_piece(batch, member.extents[extent_])) {
        }
        if (batch.raw.size() < batch.raw_bytes) batch.raw.resize(batch.raw_bytes);
        position_ += batch.raw_bytes;
        batch.last = extent_ == member.extents.size();
        if (batch.last) {
            ++job_;
            extent_ = 0;
            inside_ = false;
        }
        return true;
    }

private:
    /// Adds as many blocks of the current extent as fit; false when the batch is full.
    bool add_piece(restore_batch& batch, const io::extent_entry& extent) {
        const io::container_index& index = jobs_[job_].container->index();
        const io::content_entry& content = index.contents[extent.content];
        if (content.is_slice()) return add_slice(batch, content, index.contents[content.bundle]);
        if (block_ == 0) offset_ = content.offset;
        // What equals its base has no blocks: pieces stand in for them.
        const std::uint64_t block_bytes = content.is_unchanged() ? unchanged_piece_bytes : content.block_bytes;
        const std::uint64_t blocks = io::block_count(content.raw_bytes, block_bytes);
        const std::uint64_t begin = block_ * block_bytes;
        std::uint64_t taken = 0;
        while (block_ < blocks) {
            const std::uint64_t raw_bytes = std::min(block_bytes, content.raw_bytes - block_ * block_bytes);
            const bool fits = batch.raw_bytes + taken + raw_bytes <= batch_bytes || batch.raw_bytes + taken == 0;
            if (!fits || batch.blocks.size() >= batch_blocks) break;
            add_block(batch, content, batch.raw_bytes + taken, raw_bytes);
            taken += raw_bytes;
        }
        if (taken == 0 && blocks > 0) return false;

        restored_piece piece;
        piece.extent = extent_;
        piece.extent_offset = begin;
        piece.at = batch.raw_bytes;
        piece.bytes = static_cast<std::size_t>(taken);
        piece.first = begin == 0;
        piece.last = block_ == blocks;
        piece.wanted = true;
        batch.pieces.push_back(piece);
        batch.raw_bytes += piece.bytes;
        if (!piece.last) return false;
        ++extent_;
        block_ = 0;
        return true;
    }

    bool add_slice(restore_batch& batch, const io::content_entry& slice, const io::content_entry& bundle) {
        const bool fits = batch.raw_bytes + slice.raw_bytes <= batch_bytes && batch.blocks.size() < batch_blocks;
        if (!fits && batch.raw_bytes > 0) return false;
        restore_block block;
        block.content = &bundle;
        block.slice = &slice;
        block.piece = batch.pieces.size();
        block.offset = bundle.offset;
        block.raw_at = batch.raw_bytes;
        block.raw_bytes = static_cast<std::size_t>(slice.raw_bytes);
        batch.blocks.push_back(std::move(block));
        restored_piece piece;
        piece.extent = extent_;
        piece.at = batch.raw_bytes;
        piece.bytes = static_cast<std::size_t>(slice.raw_bytes);
        piece.first = piece.last = piece.wanted = true;
        batch.pieces.push_back(piece);
        batch.raw_bytes += piece.bytes;
        ++extent_;
        return true;
    }

    void add_block(restore_batch& batch, const io::content_entry& content, std::uint64_t raw_at,
                   std::uint64_t raw_bytes) {
        restore_block block;
        block.content = &content;
        block.number = block_;
        block.piece = batch.pieces.size();
        block.raw_at = static_cast<std::size_t>(raw_at);
        block.raw_bytes = static_cast<std::size_t>(raw_bytes);
        if (!content.is_unchanged()) {
            // Found on the way: asking for a block's offset is slow when it lies in another container.
            block.offset = io::offset_of(content.blocks[block_], offset_);
            if (content.blocks[block_].shared_at == 0) offset_ = block.offset + content.blocks[block_].stored_bytes;
        }
        ++block_;
        batch.blocks.push_back(std::move(block));
    }

    const std::vector<restore_job>& jobs_;
    std::size_t job_ = 0;
    bool inside_ = false; // the current member has begun
    std::uint32_t extent_ = 0;
    std::size_t block_ = 0;      // next block of the current extent
    std::uint64_t offset_ = 0;   // where the block before it ends in its file
    std::uint64_t position_ = 0; // in the member
};

} // namespace detail

} // namespace bigsmall::archive
