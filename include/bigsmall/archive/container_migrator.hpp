// SPDX-License-Identifier: BSL-1.0
// Writes a container again in which each block is the smaller of itself and what a codec of today makes of its bytes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <bigsmall/archive/content_pool.hpp>
#include <bigsmall/archive/decode_block.hpp>
#include <bigsmall/archive/index_parts.hpp>
#include <bigsmall/archive/migrate_options.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/archive/pack_batch.hpp>
#include <bigsmall/archive/pack_options.hpp>
#include <bigsmall/archive/transcode_batch.hpp>
#include <bigsmall/codec/block_info.hpp>
#include <bigsmall/io/checksum.hpp>
#include <bigsmall/io/container/writer.hpp>
#include <bigsmall/io/printable.hpp>
#include <bigsmall/parallel/executor.hpp>
#include <bigsmall/parallel/pool.hpp>

namespace bigsmall::archive::detail {

/// Counts bytes and forgets them.
class counting_sink final : public io::sink {
public:
    void write(bytes_view bytes) override { position_ += bytes.size(); }
    std::uint64_t position() const override { return position_; }

private:
    std::uint64_t position_ = 0;
};

/// What the encoder wants to know of a content.
struct content_facts {
    std::string tensor; ///< the first that has it; of a bundle, that has its first slice
    dtype type;
    std::uint64_t row_elems = 0, last_elems = 0;
    std::vector<std::uint32_t> parts; ///< of a bundle: elements of each slice
};

inline std::vector<content_facts> facts_of_contents(const io::container_index& index) {
    std::vector<content_facts> facts(index.contents.size());
    std::vector<bool> known(index.contents.size());
    const auto take = [&](std::uint32_t number, const extent_facts& extent) {
        if (known[number]) return;
        known[number] = true;
        facts[number] = {extent.tensor, extent.type, extent.row_elems, extent.last_elems, {}};
    };
    for (const io::member_entry& member : index.members) {
        const std::vector<extent_facts> extents = facts_of(member);
        for (std::size_t x = 0; x < extents.size(); ++x)
            take(member.extents[x].content, extents[x]);
    }
    const auto slices = slices_of(index);
    for (std::size_t b = 0; b < slices.size(); ++b) {
        content_facts& bundle = facts[index.first_bundle() + b];
        bundle = facts[slices[b].front()];
        bundle.row_elems = bundle.last_elems = 0;
        for (const std::uint32_t slice : slices[b])
            bundle.parts.push_back(static_cast<std::uint32_t>(index.contents[slice].raw_bytes * 8 / bundle.type.bits));
    }
    return facts;
}

/// One block that has bytes of its own.
struct migrating_block {
    std::uint32_t content = 0;
    std::size_t number = 0;   ///< in its content
    std::uint64_t offset = 0; ///< in the old file
    byte_buffer stored;       ///< what is kept of the two
    io::block_entry entry;    ///< says that
    bool untried = false, smaller = false;
};

struct migrating_batch {
    std::vector<migrating_block> blocks;
    std::size_t count = 0; ///< of `blocks`, which only grow
    std::uint64_t raw_bytes = 0;
};

/// Where a content of an old file is in a new one.
using moved_contents = std::map<std::pair<const io::container_reader*, std::uint64_t>, io::content_entry>;

class container_migrator {
public:
    /// `moved`: what other containers have become that this one borrows from.
    container_migrator(const opened_container& source, const moved_contents& moved, const migrate_options& options)
        : source_(source), options_(options), codec_(recipe_of(point_for(source, options)).codec) {
        index_ = source.index();
        if (index_.receipts_lost)
            throw error(errc::corrupt, "the receipts of its tensors, their MD5s, are damaged")
                .in_file(source.path.string())
                .with_hint("transcode writes it again and makes them anew");
        index_.writer = writer_name(codec_);
        facts_ = facts_of_contents(index_);
        gained_.assign(index_.contents.size(), false);
        follow(moved);
    }

    /// Writes it. Throws: errc::corrupt, errc::truncated, errc::io, errc::mismatch, errc::cancelled.
    template <parallel::executor E>
    void run(io::sink& to, std::uint64_t done_before, std::uint64_t total_bytes, E& e) {
        io::container_writer writer(to, io::required_features(index_));
        const std::vector<std::uint32_t> order = order_of_places(source_.index());
        for (const std::uint32_t number : order)
            index_.contents[number].offset = 0;
        std::size_t at = 0, block = 0;
        e.template pipeline<migrating_batch>(
            batches_in_flight(e.concurrency()),
            [&](migrating_batch& batch) {
                check_cancelled(options_);
                return fill(batch, order, at, block);
            },
            parallel::any_order([&](migrating_batch& batch) {
                e.for_each(batch.count, [&](std::size_t i) { choose(batch.blocks[i]); });
            }),
            parallel::in_order([&](migrating_batch& batch) {
                for (std::size_t i = 0; i < batch.count; ++i)
                    append(batch.blocks[i], writer);
                raw_bytes_ += batch.raw_bytes;
                if (options_.progress != nullptr)
                    options_.progress->on_progress({facts_[batch.blocks[0].content].tensor, done_before + raw_bytes_,
                                                    total_bytes, writer.position()});
            }));
        follow_owners();
        writer.finish(index_, io::size_limit(index_));
    }

    const io::container_index& index() const noexcept { return index_; }
    std::uint64_t raw_bytes() const noexcept { return raw_bytes_; }
    bool borrows_what_moved() const noexcept { return followed_; }

    /// Adds what happened to the counts of a result.
    void count(migrate_result& result) const {
        for (const io::member_entry& member : index_.members)
            for (const io::extent_entry& extent : member.extents) {
                if (extent.kind != io::extent_kind::tensor) continue;
                const io::content_entry& content = index_.contents[extent.content];
                ++result.tensors;
                result.smaller_tensors += gained_[content.is_slice() ? content.bundle : extent.content] ? 1 : 0;
            }
        result.blocks += blocks_;
        result.smaller_blocks += smaller_blocks_;
        result.untried_blocks += untried_blocks_;
    }

    /// Adds where the contents of the old file are now.
    void remember(moved_contents& moved) const {
        const std::vector<io::content_entry>& old = source_.index().contents;
        for (std::size_t i = 0; i < old.size(); ++i)
            if (old[i].home == 0 && !old[i].blocks.empty())
                moved[{source_.reader.get(), old[i].offset}] = index_.contents[i];
    }

private:
    struct memory {
        decode_memory decode;
        byte_buffer raw, coded, again;
        scratch codec;
    };

    static operating_point point_for(const opened_container& source, const migrate_options& options) {
        if (options.point) return *options.point;
        return point_of_writer(source.index().writer).value_or(operating_point::balanced);
    }

    void follow(const moved_contents& moved) {
        for (io::content_entry& content : index_.contents) {
            if (content.home == 0 || content.blocks.empty()) continue;
            const auto& sibling = source_.siblings[content.home - 1];
            const auto at = moved.find({sibling.get(), content.offset});
            if (!sibling || at == moved.end()) continue;
            const std::uint32_t home = content.home;
            content = at->second;
            content.home = home;
            followed_ = true;
        }
    }

    /// Takes the next blocks that have bytes of their own.
    bool fill(migrating_batch& batch, const std::vector<std::uint32_t>& order, std::size_t& at, std::size_t& block) {
        batch.count = 0;
        batch.raw_bytes = 0;
        while (at < order.size() && batch.raw_bytes < batch_bytes && batch.count < batch_blocks) {
            const io::content_entry& content = source_.index().contents[order[at]];
            if (block == content.blocks.size()) {
                ++at;
                block = 0;
                continue;
            }
            const std::size_t number = block++;
            if (content.blocks[number].shared_at != 0) continue;
            if (batch.count == batch.blocks.size()) batch.blocks.emplace_back();
            migrating_block& next = batch.blocks[batch.count++];
            next.content = order[at];
            next.number = number;
            next.offset = source_.reader->block_offset(content, number);
            batch.raw_bytes += io::raw_block_bytes(content, number);
        }
        return batch.count > 0;
    }

    void choose(migrating_block& block) {
        try {
            choose_smaller(block);
        } catch (error& failure) {
            if (!facts_[block.content].tensor.empty()) failure.in_tensor(io::printable(facts_[block.content].tensor));
            throw;
        }
    }

    void choose_smaller(migrating_block& block) {
        const io::content_entry& content = source_.index().contents[block.content];
        const content_facts& facts = facts_[block.content];
        const auto room = memories_.borrow();
        block.entry = content.blocks[block.number];
        block.smaller = block.untried = false;
        if (block.entry.grouping == delta_codec::id) { // to be read with the base only
            source_.reader->read_block_at(block.offset, block.entry, block.number, block.stored);
            block.untried = true;
            return;
        }
        room->raw.resize(static_cast<std::size_t>(io::raw_block_bytes(content, block.number)));
        decode_block(source_, content, block.number, block.offset, room->raw, codec_, room->decode);
        std::swap(block.stored, room->decode.stored);
        if (room->coded.size() < codec_.bound(room->raw.size())) room->coded.resize(codec_.bound(room->raw.size()));
        const std::uint64_t first = block.number * content.block_bytes * 8 / facts.type.bits;
        const encoded_block coded = codec_.encode({facts.type, facts.row_elems, first, facts.parts, facts.last_elems},
                                                  room->raw, room->coded, room->codec);
        if (coded.bytes >= block.entry.stored_bytes) return;
        const bytes_view fresh = bytes_view(room->coded).first(coded.bytes);
        room->again.resize(room->raw.size());
        if (codec_.decode(fresh, room->again, room->codec) != status::ok || room->again != room->raw)
            throw error(errc::mismatch, "a new block does not decode to the bytes that it was made of")
                .in_file(source_.path.string());
        block.stored.assign(fresh.begin(), fresh.end());
        block.entry = {coded.bytes, io::checksum(fresh), coded.label.grouping, coded.label.entropy};
        block.smaller = true;
    }

    void append(const migrating_block& block, io::container_writer& writer) {
        const std::uint64_t offset = writer.append_block(block.stored);
        io::content_entry& content = index_.contents[block.content];
        if (content.offset == 0) content.offset = offset;
        content.blocks[block.number] = block.entry;
        owners_[block.offset] = {block.entry, offset};
        if (block.smaller) gained_[block.content] = true;
        ++blocks_;
        smaller_blocks_ += block.smaller ? 1 : 0;
        untried_blocks_ += block.untried ? 1 : 0;
    }

    /// Blocks that share the bytes of others are what those have become.
    void follow_owners() {
        for (io::content_entry& content : index_.contents)
            for (io::block_entry& block : content.blocks) {
                if (content.home != 0 || block.shared_at == 0) continue;
                const auto& [entry, offset] = owners_.at(block.shared_at);
                block = entry;
                block.shared_at = offset;
            }
    }

    const opened_container& source_;
    const migrate_options& options_;
    codec_ref codec_;
    io::container_index index_;
    std::vector<content_facts> facts_;
    std::vector<bool> gained_; // contents of which a block got smaller
    std::unordered_map<std::uint64_t, std::pair<io::block_entry, std::uint64_t>> owners_; // by their old places
    parallel::object_pool<memory> memories_;
    bool followed_ = false;
    std::uint64_t raw_bytes_ = 0;
    std::uint64_t blocks_ = 0, smaller_blocks_ = 0, untried_blocks_ = 0;
};

} // namespace bigsmall::archive::detail
