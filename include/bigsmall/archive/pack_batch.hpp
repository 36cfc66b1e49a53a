// SPDX-License-Identifier: BSL-1.0
// The unit that travels through packing: a few MiB of consecutive bytes of one source file.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

#include <bigsmall/archive/default_codec.hpp>
#include <bigsmall/archive/equal_blocks.hpp>
#include <bigsmall/archive/plan.hpp>
#include <bigsmall/archive/receipts.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/io/file_source.hpp>
#include <bigsmall/io/progress_record.hpp>

namespace bigsmall::archive::detail {

/// Raw bytes per batch: large enough that its blocks feed many threads, small enough that the few batches in
/// flight, with their coded bytes, stay far below the memory we promise.
inline constexpr std::uint64_t batch_bytes = 8 * MiB;
/// Blocks, and parts, per batch: thousands of tiny tensors are several batches, so that their stages overlap as well.
inline constexpr std::size_t batch_blocks = 1024;

/// Raw bytes that a batch of blocks of that size holds: at least one block.
constexpr std::uint64_t capacity_bytes(std::uint64_t block_bytes) noexcept {
    return std::max(block_bytes, std::min(batch_bytes, block_bytes * batch_blocks));
}

/// Batches alive at once.
constexpr std::size_t batches_in_flight(std::size_t threads) noexcept { return 5 + threads / 8; }

struct pack_block {
    std::uint32_t content = 0; ///< index into pack_plan::contents
    std::uint64_t begin = 0;   ///< in its content, raw
    block_info info;
    std::size_t raw_at = 0, raw_bytes = 0;
    std::size_t coded_at = 0; ///< place reserved in pack_batch::coded
    encoded_block coded;
    std::uint64_t checksum = 0;
    std::uint64_t fingerprint = 0;
    equal_block_finder::answer equal; ///< an earlier block that it equals, or itself for later ones
    std::size_t alone_bytes = 0;      ///< coded without the base, where there is one
    bool stored = false;              ///< once it is written: it has bytes of its own
};

struct pack_piece : hashed_piece {
    std::uint32_t extent = 0, content = 0;
};

struct pack_batch {
    std::uint32_t member = 0;
    bool first = false, last = false; ///< of its member
    byte_buffer raw, coded;           ///< they only grow, and only what is used of them counts
    std::size_t raw_bytes = 0;
    std::vector<pack_piece> pieces;
    std::vector<pack_block> blocks;
    std::uint64_t raw_checksum = 0;             ///< in a run that can be resumed
    std::optional<io::progress_batch> recorded; ///< what an earlier run has made of it

    bytes_view bytes() const noexcept { return bytes_view(raw).first(raw_bytes); }
};

/// Cuts members into batches and reads them. A part that an earlier part equals is read, because the hash of
/// its file needs it, and not coded.
class pack_producer {
public:
    /// `without_blocks`: contents that are stored already or need no bytes, and here are only hashed.
    pack_producer(const pack_plan& plan, std::uint32_t first, std::uint32_t last, std::uint64_t block_bytes,
                  const codec_ref& codec, std::unordered_set<std::uint32_t> without_blocks)
        : plan_(plan),
          member_(first),
          end_(last),
          block_bytes_(block_bytes),
          codec_(codec),
          without_blocks_(std::move(without_blocks)) {}

    /// Fills the next batch; false when there are no more.
    bool next(pack_batch& batch) {
        if (member_ == end_) return false;
        const planned_member& member = plan_.members[member_];
        batch.member = member_;
        batch.first = !file_;
        batch.raw_bytes = 0;
        batch.pieces.clear();
        batch.blocks.clear();
        if (batch.first) open(member);
        coded_bytes_ = 0;
        while (extent_ < member.extents.size() && add_piece(batch, member.extents[extent_])) {
        }
        read(batch);
        batch.last = extent_ == member.extents.size();
        if (batch.last) leave(member);
        return true;
    }

private:
    void open(const planned_member& member) {
        require_unchanged(member.file);
        file_.emplace(member.file.path);
        position_ = member.header.size();
    }

    void leave(const planned_member& member) {
        require_unchanged(member.file);
        file_.reset();
        extent_ = 0;
        ++member_;
    }

    /// Adds as much of the current extent as fits; false when the batch is full.
    bool add_piece(pack_batch& batch, const planned_extent& extent) {
        const std::uint64_t room = capacity_bytes(block_bytes_) - batch.raw_bytes;
        const std::uint64_t left = extent.bytes - done_;
        // Only the end of a part may be less than a block.
        const std::uint64_t fits = std::min(left, room / block_bytes_ * block_bytes_);
        const std::uint64_t take = left <= room ? left : fits;
        const bool many = batch.blocks.size() >= batch_blocks || batch.pieces.size() >= batch_blocks;
        if ((take == 0 && left > 0) || many) return false;

        pack_piece piece;
        piece.extent = extent_;
        piece.content = extent.content;
        piece.at = batch.raw_bytes;
        piece.bytes = static_cast<std::size_t>(take);
        piece.first = done_ == 0;
        piece.last = take == left;
        const planned_content& original = plan_.contents[extent.content];
        piece.wanted = original.member == member_ && original.extent == extent_;
        if (piece.wanted && !without_blocks_.contains(extent.content)) add_blocks(batch, piece, extent);
        batch.pieces.push_back(piece);
        batch.raw_bytes += piece.bytes;
        done_ += take;
        if (piece.last) {
            ++extent_;
            done_ = 0;
        }
        return true;
    }

    void add_blocks(pack_batch& batch, const pack_piece& piece, const planned_extent& extent) {
        for (std::size_t at = 0; at < piece.bytes;) {
            pack_block block;
            block.content = piece.content;
            block.begin = done_ + at;
            block.info = {extent.type, extent.row_elems, (done_ + at) * 8 / extent.type.bits, {}, extent.last_elems};
            block.raw_at = piece.at + at;
            block.raw_bytes = static_cast<std::size_t>(std::min<std::uint64_t>(block_bytes_, piece.bytes - at));
            block.coded_at = coded_bytes_;
            coded_bytes_ += codec_.bound(block.raw_bytes);
            at += block.raw_bytes;
            batch.blocks.push_back(block);
        }
    }

    void read(pack_batch& batch) {
        if (batch.raw.size() < batch.raw_bytes) batch.raw.resize(batch.raw_bytes);
        if (batch.coded.size() < coded_bytes_) batch.coded.resize(coded_bytes_);
        file_->read(position_, bytes_span(batch.raw).first(batch.raw_bytes));
        position_ += batch.raw_bytes;
    }

    const pack_plan& plan_;
    std::uint32_t member_, end_;
    std::uint64_t block_bytes_;
    codec_ref codec_;
    std::unordered_set<std::uint32_t> without_blocks_;
    std::optional<io::file_source> file_;
    std::uint32_t extent_ = 0;
    std::uint64_t done_ = 0;     // bytes of the current extent
    std::uint64_t position_ = 0; // in the file
    std::size_t coded_bytes_ = 0;
};

} // namespace bigsmall::archive::detail
