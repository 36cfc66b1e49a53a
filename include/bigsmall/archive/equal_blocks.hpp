// SPDX-License-Identifier: BSL-1.0
// Finds blocks whose bytes an earlier block of the same container has: a tensor inside a fused one, experts that began
// as copies, a tensor that repeats itself. Only candidates come from here; whoever asks compares the bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include <bigsmall/codec/block.hpp>
#include <bigsmall/codec/delta/delta_codec.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/io/checksum.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/io/container/writer.hpp>
#include <bigsmall/parallel/executor.hpp>

namespace bigsmall::archive::detail {

/// Siblings refer to contents by the place of their own blocks, so only a container that stands alone shares blocks.
enum class block_sharing { off, on };

/// A block that has bytes of its own.
struct known_block {
    std::uint32_t content = 0; ///< whatever number its finder gave
    std::uint64_t begin = 0;   ///< in its content, raw
    std::size_t raw_bytes = 0;
    std::uint64_t offset = 0; ///< in the file, once it is written
    io::block_entry stored;   ///< once it is written
};

/// Blocks are asked for in the order in which they will be written.
class equal_block_finder {
public:
    /// Smaller ones are not worth the bytes that say where the others are.
    static constexpr std::size_t least_bytes = 4 * KiB;

    static std::uint64_t fingerprint(bytes_view raw) noexcept {
        return raw.size() < least_bytes ? 0 : io::checksum(raw);
    }

    struct answer {
        known_block* earlier = nullptr; ///< may be equal; null when none is
        known_block* added = nullptr;   ///< the block itself, now known; null when there was an earlier one
    };

    /// Looks for a block of as many bytes with that fingerprint, and remembers this one when there is none.
    answer find_or_add(std::uint64_t fingerprint, std::uint32_t content, std::uint64_t begin, std::size_t raw_bytes) {
        if (raw_bytes < least_bytes) return {};
        const auto [at, is_new] = first_.try_emplace(fingerprint, nullptr);
        if (!is_new) return {at->second->raw_bytes == raw_bytes ? at->second : nullptr, nullptr};
        blocks_.push_back({content, begin, raw_bytes, 0, {}});
        at->second = &blocks_.back();
        return {nullptr, at->second};
    }

private:
    std::deque<known_block> blocks_; // never move
    std::unordered_map<std::uint64_t, known_block*> first_;
};

/// Fills `fingerprint` and `equal` of blocks, pack_block or transcode_block, in the order in which they will be
/// written. `raw_of(block)` are a block's bytes. Fingerprints are taken many at once.
template <class Block, class RawOf, parallel::executor E>
void find_equal(std::vector<Block>& blocks, RawOf raw_of, equal_block_finder& finder, E& e) {
    e.for_each(blocks.size(),
               [&](std::size_t i) { blocks[i].fingerprint = equal_block_finder::fingerprint(raw_of(blocks[i])); });
    for (Block& block : blocks)
        block.equal = finder.find_or_add(block.fingerprint, block.content, block.begin, raw_of(block).size());
}

/// A block that is to be written, or to share the bytes of an earlier one.
struct finished_block {
    bytes_view stored;
    std::uint64_t checksum = 0;
    coding_label label;
    equal_block_finder::answer equal; ///< `earlier` only when the bytes were compared
};

/// Appends a block to a container and describes it in its content. True when it has bytes of its own.
inline bool append_block(const finished_block& block, io::content_entry& content, io::container_writer& writer) {
    // Differences mean something to their own base only.
    known_block* const owner = block.equal.earlier;
    if (owner != nullptr && owner->stored.grouping != delta_codec::id) {
        content.blocks.push_back(owner->stored);
        content.blocks.back().shared_at = owner->offset;
        return false;
    }
    const std::uint64_t offset = writer.append_block(block.stored);
    if (content.offset == 0) content.offset = offset;
    content.blocks.push_back({block.stored.size(), block.checksum, block.label.grouping, block.label.entropy});
    // The first of equal blocks is the one to share, or the first that holds no differences.
    known_block* const known = owner != nullptr ? owner : block.equal.added;
    if (known == nullptr) return true;
    known->stored = content.blocks.back();
    known->offset = offset;
    return true;
}

} // namespace bigsmall::archive::detail
