// SPDX-License-Identifier: BSL-1.0
// The engine under unpack and verify: decodes members, checks everything that can be checked, and hands the
// bytes and whatever is wrong to an observer in file order.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include <bigsmall/archive/bundle_cache.hpp>
#include <bigsmall/archive/decode_block.hpp>
#include <bigsmall/archive/default_codec.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/archive/options.hpp>
#include <bigsmall/archive/restore_batch.hpp>
#include <bigsmall/io/safetensors/layout.hpp>
#include <bigsmall/parallel/executor.hpp>
#include <bigsmall/parallel/pool.hpp>

namespace bigsmall::archive {

/// Told in the order of the files and their bytes, never by two threads at once.
class restore_observer {
public:
    virtual ~restore_observer() = default;

    virtual void member_begins(const restore_job& job) = 0;
    /// Something is wrong with the bytes that the next call of bytes_restored() brings, or with a hash that
    /// ends with them. Throwing ends the run.
    virtual void found(const restore_job& job, const damage& problem) = 0;
    /// The next bytes of the member behind its header, those of blocks that failed as zeros. `pieces` names
    /// the extents in it.
    virtual void bytes_restored(const restore_job& job, bytes_view bytes, std::span<const restored_piece> pieces) = 0;
    virtual void member_ends(const restore_job& job) = 0;
};

/// What restored bytes are compared with, besides the checksums of the blocks. A file that has its recorded SHA-256 is
/// right in all of its parts: whoever stops at the first problem needs no more, and MD5 takes longer than all else. The
/// MD5s tell which parts are wrong.
enum class restored_hashes : std::uint8_t { files, files_and_parts };

/// All members of an archive, in its order.
inline std::vector<restore_job> all_jobs(const opened_archive& archive) {
    std::vector<restore_job> jobs;
    for (const opened_container& container : archive.containers())
        for (const io::member_entry& member : container.index().members)
            jobs.push_back({&container, &member, container.folder + member.path});
    return jobs;
}

namespace detail {

/// Fills `raw` with the bytes of a block, or with those of the slice that is wanted of it. Throws: as decode_block().
inline void decode_wanted(const opened_container& container, const restore_block& block, bytes_span raw,
                          const codec_ref& codec, bundle_cache& bundles, decode_memory& memory) {
    if (block.slice != nullptr)
        bundles.read(container, *block.slice, 0, raw, codec, memory);
    else if (block.content->is_unchanged())
        read_base(container, *block.content, block.number * unchanged_piece_bytes, raw);
    else
        decode_block(container, *block.content, block.number, block.offset, raw, codec, memory);
}

/// Of a tensor, which has to be named yet.
inline damage md5_mismatch(const opened_container& container) {
    damage problem;
    problem.code = errc::mismatch;
    problem.what = "the restored bytes do not have the recorded MD5";
    problem.file = container.path.string();
    return problem;
}

class restore_run {
public:
    restore_run(const std::vector<restore_job>& jobs, const codec_ref& codec, const run_options& options,
                restore_observer& observer, restored_hashes hashes)
        : jobs_(jobs), codec_(codec), options_(options), observer_(observer), hashes_(hashes) {
        for (const restore_job& job : jobs)
            total_bytes_ += job.member->raw_bytes;
    }

    template <parallel::executor E>
    void run(E& e) {
        restore_producer producer(jobs_);
        e.template pipeline<restore_batch>(
            batches_in_flight(e.concurrency()),
            [&](restore_batch& batch) {
                check_cancelled(options_);
                return producer.next(batch);
            },
            parallel::any_order([&](restore_batch& batch) { decode(batch, e); }),
            parallel::in_order([&](restore_batch& batch) {
                batch.sha256 = files_.add(jobs_[batch.job].member->header, batch.bytes(), batch.first, batch.last);
            }),
            parallel::in_order([&](restore_batch& batch) {
                if (hashes_ == restored_hashes::files_and_parts) parts_.add(batch.bytes(), std::span(batch.pieces), e);
            }),
            parallel::in_order([&](restore_batch& batch) {
                check(batch);
                deliver(batch);
            }));
        // An executor that loses items must not make a short file look whole.
        if (done_bytes_ != total_bytes_)
            throw error(errc::io, "only " + std::to_string(done_bytes_) + " of " + std::to_string(total_bytes_) +
                                      " bytes came through the executor");
    }

private:
    template <parallel::executor E>
    void decode(restore_batch& batch, E& e) {
        const opened_container& container = *jobs_[batch.job].container;
        e.for_each(batch.blocks.size(), [&](std::size_t i) {
            restore_block& block = batch.blocks[i];
            const bytes_span raw = bytes_span(batch.raw).subspan(block.raw_at, block.raw_bytes);
            const auto memory = memories_.borrow();
            try {
                decode_wanted(container, block, raw, codec_, bundles_, *memory);
            } catch (const error& failure) {
                block.failure = damage_of(failure);
                std::fill(raw.begin(), raw.end(), std::uint8_t{0});
            }
        });
    }

    void check(restore_batch& batch) {
        const restore_job& job = jobs_[batch.job];
        if (batch.first) {
            names_ = extent_names(*job.member);
            member_intact_ = true;
        }
        for (restore_block& block : batch.blocks) {
            if (block.failure) {
                add_failure(batch, block);
                continue;
            }
            const bool stored = !block.content->is_unchanged();
            const bool counts = stored && (block.slice == nullptr || counted_.insert(block.content).second);
            batch.pieces[block.piece].decoded_blocks += counts ? 1 : 0;
            batch.pieces[block.piece].decoded_bytes += block.raw_bytes;
        }
        for (const restored_piece& piece : batch.pieces) {
            // A part that began in an earlier batch may have been damaged there.
            extent_intact_ = piece.intact && (piece.first || extent_intact_);
            if (piece.last && extent_intact_ && hashes_ == restored_hashes::files_and_parts)
                check_md5(batch, job, piece);
        }
        if (batch.last) check_sha256(batch, job);
    }

    void add_failure(restore_batch& batch, restore_block& block) {
        restored_piece& piece = batch.pieces[block.piece];
        piece.intact = false;
        damage problem = std::move(*block.failure);
        problem.member = jobs_[batch.job].path;
        problem.tensor = names_[piece.extent];
        // A block in a container that is not there has no place to name, and what equals its base no block.
        if (problem.code != errc::missing && !block.content->is_unchanged()) name_place(problem, block);
        batch.problems.push_back(std::move(problem));
        member_intact_ = false;
    }

    static void name_place(damage& problem, const restore_block& block) {
        problem.block = block.number;
        problem.offset = block.offset;
        problem.bytes = block.content->blocks[block.number].stored_bytes;
    }

    void check_md5(restore_batch& batch, const restore_job& job, const restored_piece& piece) {
        const auto& content = job.container->index().contents[job.member->extents[piece.extent].content];
        // Without receipts, checksums and the file's SHA-256 remain.
        if (piece.md5 == content.md5 || job.container->index().receipts_lost) return;
        damage problem = md5_mismatch(*job.container);
        problem.member = job.path;
        problem.tensor = names_[piece.extent];
        batch.problems.push_back(std::move(problem));
        member_intact_ = false;
    }

    void check_sha256(restore_batch& batch, const restore_job& job) {
        if (!member_intact_ || batch.sha256 == job.member->sha256) return;
        damage problem;
        problem.code = errc::mismatch;
        problem.what = "the restored file does not have the recorded SHA-256";
        problem.file = job.container->path.string();
        problem.member = job.path;
        batch.problems.push_back(std::move(problem));
    }

    void deliver(restore_batch& batch) {
        const restore_job& job = jobs_[batch.job];
        if (batch.first) observer_.member_begins(job);
        for (const damage& problem : batch.problems)
            observer_.found(job, problem);
        observer_.bytes_restored(job, batch.bytes(), batch.pieces);
        if (batch.last) observer_.member_ends(job);
        done_bytes_ += batch.raw_bytes + (batch.first ? job.member->header.size() : 0);
        if (options_.progress != nullptr)
            options_.progress->on_progress({job.path, done_bytes_, total_bytes_, done_bytes_});
    }

    const std::vector<restore_job>& jobs_;
    codec_ref codec_;
    const run_options& options_;
    restore_observer& observer_;
    restored_hashes hashes_;
    parallel::object_pool<decode_memory> memories_;
    bundle_cache bundles_;
    std::unordered_set<const io::content_entry*> counted_; // bundles of which a slice has come
    file_chain files_;
    part_chain parts_;
    std::vector<std::string> names_; // of the extents of the member being delivered
    bool member_intact_ = true, extent_intact_ = true;
    std::uint64_t total_bytes_ = 0, done_bytes_ = 0;
};

} // namespace detail

/// Decodes the members of `jobs` and reports to `observer`. Every block is checked by its checksum, every extent by its
/// MD5 if `hashes` says so, every member by its SHA-256; after a failed block, the hashes above it are not
/// compared. Memory: below 256 MiB and 8 MiB per thread, beside the index. Throws: errc::cancelled, and what
/// the observer throws.
template <parallel::executor E>
void restore(const std::vector<restore_job>& jobs, const codec_ref& codec, const run_options& options,
             restore_observer& observer, E& e, restored_hashes hashes) {
    detail::restore_run(jobs, codec, options, observer, hashes).run(e);
}

} // namespace bigsmall::archive
