// SPDX-License-Identifier: BSL-1.0
// The unit that travels through transcoding: restored bytes, and the new blocks that are made of them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <bigsmall/archive/equal_blocks.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/archive/plan.hpp>
#include <bigsmall/archive/restore_batch.hpp>
#include <bigsmall/codec/block_info.hpp>
#include <bigsmall/codec/codec_ref.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/dtype.hpp>

namespace bigsmall::archive::detail {

/// A block of the new archive.
struct transcode_block {
    std::uint32_t content = 0; ///< index into the new contents
    std::uint64_t begin = 0;   ///< in its content, raw
    block_info info;
    bytes_view raw;           ///< in the batch's raw or joined bytes
    std::size_t coded_at = 0; ///< place reserved in transcode_batch::coded
    encoded_block coded;
    std::uint64_t checksum = 0;
    std::uint64_t fingerprint = 0;
    equal_block_finder::answer equal; ///< an earlier block that it equals, or itself for later ones
};

struct transcode_batch : restore_batch {
    byte_buffer joined;                         ///< the raw bytes of a block that began in an earlier batch
    byte_buffer coded;                          ///< only grows
    std::vector<transcode_block> encoding;      ///< the new blocks that end in this batch
    std::uint64_t tensors = 0, own_tensors = 0; ///< that end in this batch; those that are stored, not referred to
    std::string item;                           ///< what the batch ends in, for the progress
};

/// What a member's extents hold, as the encoder wants to know it.
struct extent_facts {
    std::string tensor; ///< its name; empty for gaps and files
    dtype type;
    std::uint64_t row_elems = 0, last_elems = 0; ///< of block_info
};

inline std::vector<extent_facts> facts_of(const io::member_entry& member) {
    std::vector<extent_facts> facts(member.extents.size());
    if (member.kind != io::member_kind::safetensors) return facts;
    io::safetensors_layout layout = io::parse_safetensors_header(member.header, member.raw_bytes);
    std::size_t next = 0;
    for (std::size_t i = 0; i < facts.size(); ++i) {
        if (member.extents[i].kind != io::extent_kind::tensor) continue;
        io::tensor_record& tensor = layout.tensors.at(next++);
        facts[i] = {std::move(tensor.name), find_dtype(tensor.dtype_name).value_or(dtype{}), row_elems_of(tensor.shape),
                    last_elems_of(tensor.shape)};
    }
    return facts;
}

/// Cuts restored pieces into the blocks of the new archive. Blocks of different sizes end at different places: what is
/// left of a batch waits here, less than one block, until the next batch brings the rest.
class block_cutter {
public:
    explicit block_cutter(const codec_ref& codec) : codec_(codec) {}

    /// A batch begins: no blocks, no room.
    void start(transcode_batch& batch) {
        batch.encoding.clear();
        coded_bytes_ = 0;
    }

    /// The blocks of `piece` of the content number `content`, each of `block_bytes` but the last.
    void cut(transcode_batch& batch, const restored_piece& piece, const extent_facts& facts, std::uint32_t content,
             std::uint64_t block_bytes) {
        bytes_view bytes = batch.bytes().subspan(piece.at, piece.bytes);
        done_ = piece.first ? 0 : done_;
        if (!waiting_.empty()) join(batch, piece, facts, content, block_bytes, bytes);
        while (bytes.size() >= block_bytes || (piece.last && !bytes.empty())) {
            const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(block_bytes, bytes.size()));
            add(batch, facts, content, bytes.first(now));
            bytes = bytes.subspan(now);
        }
        if (!piece.last) waiting_.insert(waiting_.end(), bytes.begin(), bytes.end());
    }

    /// The batch is cut: makes room for the coded bytes.
    void finish(transcode_batch& batch) const {
        if (batch.coded.size() < coded_bytes_) batch.coded.resize(coded_bytes_);
    }

private:
    /// Completes the block that waits, if `bytes` reach its end, and takes what it used.
    void join(transcode_batch& batch, const restored_piece& piece, const extent_facts& facts, std::uint32_t content,
              std::uint64_t block_bytes, bytes_view& bytes) {
        const auto missing = static_cast<std::size_t>(block_bytes - waiting_.size());
        const bytes_view more = bytes.first(std::min(missing, bytes.size()));
        waiting_.insert(waiting_.end(), more.begin(), more.end());
        bytes = bytes.subspan(more.size());
        if (waiting_.size() < block_bytes && !piece.last) return;
        // Once per batch: only its first piece continues another.
        std::swap(batch.joined, waiting_);
        waiting_.clear();
        add(batch, facts, content, batch.joined);
    }

    void add(transcode_batch& batch, const extent_facts& facts, std::uint32_t content, bytes_view raw) {
        transcode_block block;
        block.content = content;
        block.begin = done_;
        block.info = {facts.type, facts.row_elems, done_ * 8 / facts.type.bits, {}, facts.last_elems};
        block.raw = raw;
        block.coded_at = coded_bytes_;
        coded_bytes_ += codec_.bound(raw.size());
        done_ += raw.size();
        batch.encoding.push_back(block);
    }

    codec_ref codec_;
    byte_buffer waiting_;
    std::uint64_t done_ = 0; // bytes of the current content in finished blocks
    std::size_t coded_bytes_ = 0;
};

} // namespace bigsmall::archive::detail
