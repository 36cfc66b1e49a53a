// SPDX-License-Identifier: BSL-1.0
// Turns one container into another with the same members and other blocks: decode, hash, encode, check and write
// overlap, batch after batch.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <bigsmall/archive/bundle_block.hpp>
#include <bigsmall/archive/bundle_cache.hpp>
#include <bigsmall/archive/pack_options.hpp>
#include <bigsmall/archive/restore.hpp>
#include <bigsmall/archive/transcode_batch.hpp>
#include <bigsmall/archive/transcode_options.hpp>
#include <bigsmall/io/checksum.hpp>
#include <bigsmall/io/container/writer.hpp>
#include <bigsmall/parallel/executor.hpp>
#include <bigsmall/parallel/pool.hpp>

namespace bigsmall::archive::detail {

/// Transcodes the containers of one archive, one after another. A content that lies in a container that was done before
/// stays a reference to it; one that lies elsewhere is stored where it is used.
class container_transcoder {
public:
    container_transcoder(const transcode_options& options, std::uint64_t total_bytes, block_sharing sharing)
        : options_(options), sharing_(sharing), cutter_(options.codec), total_bytes_(total_bytes) {}

    /// Writes `source` anew and returns the index. Throws: errc::corrupt, errc::truncated, errc::mismatch for damage;
    /// errc::missing; errc::io; errc::cancelled.
    template <parallel::executor E>
    io::container_index run(const opened_container& source, io::sink& to, E& e) {
        begin(source);
        io::container_writer writer(to, io::required_features(index_));
        write_bundles(writer);
        restore_producer producer(jobs_);
        equal_block_finder equal;
        e.template pipeline<transcode_batch>(
            batches_in_flight(e.concurrency()),
            [&](transcode_batch& batch) {
                check_cancelled(options_);
                return producer.next(batch);
            },
            parallel::any_order([&](transcode_batch& batch) { decode(batch, e); }),
            parallel::in_order([&](transcode_batch& batch) {
                require_decoded(batch);
                const io::member_entry& member = *jobs_[batch.job].member;
                batch.sha256 = files_.add(member.header, batch.bytes(), batch.first, batch.last);
                if (batch.last && batch.sha256 != member.sha256) throw wrong_hash(batch, "SHA-256", {});
            }),
            parallel::in_order([&](transcode_batch& batch) {
                parts_.add(batch.bytes(), std::span(batch.pieces), e);
                take(batch);
                if (sharing_ == block_sharing::on)
                    find_equal(
                        batch.encoding, [](const transcode_block& block) { return block.raw; }, equal, e);
            }),
            parallel::any_order([&](transcode_batch& batch) { encode(batch, e); }),
            parallel::in_order([&](transcode_batch& batch) { write(batch, writer); }));
        writer.finish(index_, io::size_limit(index_));
        remember();
        written_before_ += writer.position();
        return std::move(index_);
    }

    const transcode_result& result() const noexcept { return result_; }

private:
    struct encode_memory {
        scratch codec;
        byte_buffer again; ///< the new block, decoded
    };

    static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();
    /// Where the bytes of a content lie in the old archive.
    using old_place = std::pair<const io::container_reader*, std::uint64_t>;

    /// The index with everything that is known before coding. Contents that no member uses are left out.
    void begin(const opened_container& source) {
        source_ = &source;
        index_ = {};
        index_.writer = writer_name(options_.codec);
        index_.directory = source.index().directory;
        jobs_.clear();
        numbers_.assign(source.index().contents.size(), none);
        for (const io::member_entry& old : source.index().members) {
            jobs_.push_back({&source, &old, source.folder + old.path});
            io::member_entry member = old;
            for (io::extent_entry& extent : member.extents)
                extent.content = number_of(extent.content);
            index_.members.push_back(std::move(member));
        }
        begun_.assign(index_.contents.size(), false);
        begin_bundles();
    }

    /// The slices of an old bundle lie together again, in the order of their new numbers.
    void begin_bundles() {
        const std::vector<io::content_entry>& old = source_->index().contents;
        old_numbers_.assign(index_.contents.size(), none);
        for (std::uint32_t i = 0; i < numbers_.size(); ++i)
            if (numbers_[i] != none) old_numbers_[numbers_[i]] = i;
        std::map<std::uint32_t, std::vector<std::uint32_t>> by_bundle;
        for (std::uint32_t i = 0; i < old_numbers_.size(); ++i)
            if (old[old_numbers_[i]].is_slice()) by_bundle[old[old_numbers_[i]].bundle].push_back(i);
        bundles_.clear();
        for (auto& [bundle, numbers] : by_bundle) {
            make_slices(index_, static_cast<std::uint32_t>(index_.contents.size()), numbers);
            index_.contents.emplace_back();
            ++index_.bundles;
            bundles_.push_back({});
            for (const std::uint32_t number : numbers)
                bundles_.back().push_back(&old[old_numbers_[number]]);
        }
    }

    /// They come first, so that each is decoded and coded once. The slices are hashed when their turn comes, from the
    /// old bundles.
    void write_bundles(io::container_writer& writer) {
        if (bundles_.empty()) return;
        const std::vector<dtype> types = types_of_bundles();
        const auto decoder = decoders_.borrow();
        const auto encoder = encoders_.borrow();
        for (std::size_t i = 0; i < bundles_.size(); ++i) {
            check_cancelled(options_);
            raw_bundle raw;
            raw.type = types[i];
            for (const io::content_entry* slice : bundles_[i])
                read_slice(*slice, raw.add(slice->raw_bytes), *decoder);
            const coded_bundle coded = code_bundle(raw, options_.codec, encoder->codec);
            require_decodes(coded.stored, raw.bytes, *encoder);
            write_bundle(coded, writer, index_.contents[index_.first_bundle() + i]);
            ++result_.blocks;
        }
    }

    void read_slice(const io::content_entry& slice, bytes_span to, decode_memory& memory) {
        try {
            cache_.read(*source_, slice, 0, to, options_.codec, memory);
        } catch (error& failure) {
            failure.in_tensor(io::printable(name_of(slice)));
            throw;
        }
    }

    /// The first tensor that is made of a content; nothing when that is none.
    std::string name_of(const io::content_entry& content) const {
        for (const io::member_entry& member : source_->index().members)
            for (std::size_t x = 0; x < member.extents.size(); ++x)
                if (&source_->index().contents[member.extents[x].content] == &content) return extent_names(member)[x];
        return {};
    }

    /// Of each new bundle, what the first extent that has its first slice holds.
    std::vector<dtype> types_of_bundles() const {
        std::vector<dtype> types(index_.bundles);
        std::vector<bool> known(index_.bundles, false);
        for (const io::member_entry& member : index_.members) {
            const std::vector<extent_facts> facts = facts_of(member);
            for (std::size_t x = 0; x < facts.size(); ++x) {
                const io::content_entry& content = index_.contents[member.extents[x].content];
                if (!content.is_slice() || content.offset != 0) continue;
                const std::size_t bundle = content.bundle - index_.first_bundle();
                if (!known[bundle]) types[bundle] = facts[x].type;
                known[bundle] = true;
            }
        }
        return types;
    }

    std::uint32_t number_of(std::uint32_t old_number) {
        std::uint32_t& number = numbers_[old_number];
        if (number != none) return number;
        number = static_cast<std::uint32_t>(index_.contents.size());
        const io::content_entry& old = source_->index().contents[old_number];
        if (!refer(old)) {
            io::content_entry content;
            content.raw_bytes = old.raw_bytes;
            content.md5 = old.md5;
            content.block_bytes = block_bytes_for(options_, old.raw_bytes);
            index_.contents.push_back(std::move(content));
        }
        return number;
    }

    /// Adds a content as a reference to a container that is done, if one holds it.
    bool refer(const io::content_entry& old) {
        if (old.home == 0 || old.raw_bytes == 0) return false;
        const auto found = done_.find({source_->siblings[old.home - 1].get(), old.offset});
        if (found == done_.end()) return false;
        const io::content_entry& stored = found->second;
        const bool other = stored.md5 != old.md5 && !source_->index().receipts_lost;
        if (stored.raw_bytes != old.raw_bytes || other) return false;
        const std::string& name = source_->index().siblings[old.home - 1];
        auto at = std::find(index_.siblings.begin(), index_.siblings.end(), name);
        if (at == index_.siblings.end()) at = index_.siblings.insert(at, name);
        index_.contents.push_back(stored);
        index_.contents.back().home = static_cast<std::uint32_t>(at - index_.siblings.begin() + 1);
        return true;
    }

    template <parallel::executor E>
    void decode(transcode_batch& batch, E& e) {
        e.for_each(batch.blocks.size(), [&](std::size_t i) {
            restore_block& block = batch.blocks[i];
            const bytes_span raw = bytes_span(batch.raw).subspan(block.raw_at, block.raw_bytes);
            const auto memory = decoders_.borrow();
            try {
                decode_wanted(*source_, block, raw, options_.codec, cache_, *memory);
            } catch (const error& failure) {
                block.failure = damage_of(failure);
            }
        });
    }

    /// Throws the first failure in the order of the file, whichever thread met one first.
    void require_decoded(transcode_batch& batch) const {
        for (restore_block& block : batch.blocks) {
            if (!block.failure) continue;
            const restore_job& job = jobs_[batch.job];
            block.failure->member = job.path;
            block.failure->tensor = extent_names(*job.member)[batch.pieces[block.piece].extent];
            throw error_of(*block.failure);
        }
    }

    error wrong_hash(const transcode_batch& batch, const char* what, const std::string& tensor) const {
        damage problem;
        problem.code = errc::mismatch;
        problem.what = std::string("the decoded bytes do not have the recorded ") + what;
        problem.file = source_->path.string();
        problem.member = jobs_[batch.job].path;
        problem.tensor = tensor;
        return error_of(problem);
    }

    /// Compares the receipts of what ends in the batch and cuts it into new blocks.
    void take(transcode_batch& batch) {
        const io::member_entry& member = index_.members[batch.job];
        if (batch.first) facts_ = facts_of(member);
        cutter_.start(batch);
        batch.tensors = batch.own_tensors = 0;
        batch.item = jobs_[batch.job].path;
        for (const restored_piece& piece : batch.pieces) {
            const io::extent_entry& extent = member.extents[piece.extent];
            io::content_entry& content = index_.contents[extent.content];
            const extent_facts& facts = facts_[piece.extent];
            // Lost receipts are made anew: the file's SHA-256 says that the bytes are right. What another container
            // holds has one, from when that was done.
            if (piece.last && source_->index().receipts_lost && content.home == 0) content.md5 = piece.md5;
            if (piece.last && piece.md5 != content.md5) throw wrong_hash(batch, "MD5", facts.tensor);
            // The first extent that has a content brings its bytes; others only have their hashes compared.
            if (piece.first) owned_ = content.home == 0 && !begun_[extent.content];
            if (owned_) begun_[extent.content] = true;
            if (owned_ && !content.is_slice()) cutter_.cut(batch, piece, facts, extent.content, content.block_bytes);
            const bool tensor_ends = piece.last && extent.kind == io::extent_kind::tensor;
            batch.tensors += tensor_ends ? 1 : 0;
            batch.own_tensors += tensor_ends && owned_ ? 1 : 0;
            if (!facts.tensor.empty()) batch.item = facts.tensor;
        }
        cutter_.finish(batch);
    }

    /// Decodes the bytes of the earlier block again, from the old blocks that they lie in: equal fingerprints are not
    /// equal bytes.
    bool same_bytes(const known_block& earlier, bytes_view raw, byte_buffer& room) {
        const io::content_entry& old = source_->index().contents[old_numbers_[earlier.content]];
        const auto memory = decoders_.borrow();
        for (std::uint64_t at = 0; at < raw.size();) {
            const std::uint64_t place = earlier.begin + at;
            const auto number = static_cast<std::size_t>(place / old.block_bytes);
            room.resize(static_cast<std::size_t>(io::raw_block_bytes(old, number)));
            decode_block(*source_, old, number, source_->reader->block_offset(old, number), room, options_.codec,
                         *memory);
            const bytes_view there = bytes_view(room).subspan(static_cast<std::size_t>(place % old.block_bytes));
            const std::size_t both = std::min<std::size_t>(there.size(), raw.size() - static_cast<std::size_t>(at));
            if (!std::equal(there.begin(), there.begin() + static_cast<std::ptrdiff_t>(both),
                            raw.begin() + static_cast<std::ptrdiff_t>(at)))
                return false;
            at += both;
        }
        return true;
    }

    template <parallel::executor E>
    void encode(transcode_batch& batch, E& e) {
        e.for_each(batch.encoding.size(), [&](std::size_t i) {
            transcode_block& block = batch.encoding[i];
            const bytes_span out =
                bytes_span(batch.coded).subspan(block.coded_at, options_.codec.bound(block.raw.size()));
            const auto memory = encoders_.borrow();
            if (block.equal.earlier != nullptr && same_bytes(*block.equal.earlier, block.raw, memory->again)) return;
            block.equal.earlier = nullptr;
            block.coded = options_.codec.encode(block.info, block.raw, out, memory->codec);
            const bytes_view coded = out.first(block.coded.bytes);
            block.checksum = io::checksum(coded);
            require_decodes(coded, block.raw, *memory);
        });
    }

    void require_decodes(bytes_view coded, bytes_view raw, encode_memory& memory) const {
        memory.again.resize(raw.size());
        const status answer = options_.codec.decode(coded, memory.again, memory.codec);
        if (answer == status::ok && std::equal(raw.begin(), raw.end(), memory.again.begin())) return;
        throw error(errc::mismatch, "a new block does not decode to the bytes that it was made of; nothing is written")
            .in_file(source_->path.string());
    }

    void write(const transcode_batch& batch, io::container_writer& writer) {
        for (const transcode_block& block : batch.encoding)
            append_block({bytes_view(batch.coded).subspan(block.coded_at, block.coded.bytes), block.checksum,
                          block.coded.label, block.equal},
                         index_.contents[block.content], writer);
        result_.tensors += batch.tensors;
        result_.reencoded_tensors += batch.own_tensors;
        result_.blocks += batch.encoding.size();
        result_.raw_bytes += batch.raw_bytes + (batch.first ? jobs_[batch.job].member->header.size() : 0);
        if (options_.progress != nullptr)
            options_.progress->on_progress(
                {batch.item, result_.raw_bytes, total_bytes_, written_before_ + writer.position()});
    }

    /// Keeps what later containers may refer to.
    void remember() {
        for (std::size_t old = 0; old < numbers_.size(); ++old) {
            if (numbers_[old] == none) continue;
            const io::content_entry& content = index_.contents[numbers_[old]];
            if (content.home == 0 && !content.is_slice() && source_->index().contents[old].home == 0)
                done_[{source_->reader.get(), source_->index().contents[old].offset}] = content;
        }
    }

    const transcode_options& options_;
    block_sharing sharing_;
    const opened_container* source_ = nullptr;
    io::container_index index_;
    std::vector<restore_job> jobs_;
    std::vector<std::uint32_t> numbers_;                         // of the old contents, in the new index
    std::vector<std::uint32_t> old_numbers_;                     // of the new contents, in the old index
    std::vector<bool> begun_;                                    // new contents of which bytes have come
    std::vector<std::vector<const io::content_entry*>> bundles_; // the old slices that make each new bundle
    bundle_cache cache_;
    std::vector<extent_facts> facts_; // of the member that is being cut
    bool owned_ = false;              // the current extent brings the bytes of its content
    std::map<old_place, io::content_entry> done_;
    parallel::object_pool<decode_memory> decoders_;
    parallel::object_pool<encode_memory> encoders_;
    file_chain files_;
    part_chain parts_;
    block_cutter cutter_;
    transcode_result result_;
    std::uint64_t total_bytes_ = 0, written_before_ = 0;
};

} // namespace bigsmall::archive::detail
