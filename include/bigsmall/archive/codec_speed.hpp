// SPDX-License-Identifier: BSL-1.0
// How fast a codec is on an archive's own blocks, from memory to memory: no files, no hashes. Copying the same bytes in
// the same pieces on the same threads is the yardstick. Part of no umbrella.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/archive/options.hpp>
#include <bigsmall/archive/restore.hpp>
#include <bigsmall/archive/transcode_batch.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/parallel/executor.hpp>
#include <bigsmall/parallel/pool.hpp>

namespace bigsmall::archive {

struct codec_timing {
    std::uint64_t raw_bytes = 0; ///< that were decoded, encoded and copied
    std::uint64_t decode_ns = 0, encode_ns = 0, copy_ns = 0;
};

namespace detail {

/// Larger than most caches together with its copy, small enough to be no burden.
inline constexpr std::uint64_t speed_batch_bytes = 32 * MiB;

class codec_stopwatch {
public:
    codec_stopwatch(const opened_container& container, const codec_ref& codec) : container_(container), codec_(codec) {
        plan();
    }

    std::uint64_t raw_bytes() const noexcept { return raw_bytes_; }

    /// Measures every `every`-th batch.
    template <parallel::executor E>
    void run(std::size_t every, const run_options& options, codec_timing& timing, E& e) {
        for (std::size_t i = 0; i < batches_.size(); i += every) {
            check_cancelled(options);
            load(batches_[i], e);
            measure(batches_[i], timing, e);
        }
    }

private:
    struct timed_block {
        const io::content_entry* content = nullptr;
        std::size_t number = 0;
        std::uint64_t offset = 0;
        block_info info;
        std::size_t raw_at = 0, raw_bytes = 0, coded_at = 0;
    };
    struct batch {
        std::vector<timed_block> blocks;
        std::size_t raw_bytes = 0, coded_bytes = 0;
    };

    void plan() {
        std::set<std::uint32_t> seen;
        for (const io::member_entry& member : container_.index().members) {
            const std::vector<extent_facts> facts = facts_of(member);
            for (std::size_t i = 0; i < facts.size(); ++i) {
                const io::content_entry& part = container_.index().contents[member.extents[i].content];
                // A bundle is timed whole, with what the first of its slices holds.
                const std::uint32_t number = part.is_slice() ? part.bundle : member.extents[i].content;
                const io::content_entry& content = container_.index().contents[number];
                if (content.home != 0 || !seen.insert(number).second) continue;
                if (part.is_slice())
                    add(content, {{}, facts[i].type, 0, 0}, parts_of(number, facts[i].type));
                else
                    add(content, facts[i], {});
            }
        }
    }

    /// Elements of the slices of a bundle. They live as long as this.
    std::span<const std::uint32_t> parts_of(std::uint32_t bundle, const dtype& type) {
        std::vector<std::uint32_t>& parts = parts_[bundle];
        for (const io::content_entry& content : container_.index().contents)
            if (content.bundle == bundle)
                parts.push_back(static_cast<std::uint32_t>(content.raw_bytes * 8 / type.bits));
        return parts;
    }

    void add(const io::content_entry& content, const extent_facts& facts, std::span<const std::uint32_t> parts) {
        const std::vector<std::uint64_t> offsets = io::block_offsets(content);
        for (std::size_t number = 0; number < content.blocks.size(); ++number) {
            const auto raw = static_cast<std::size_t>(io::raw_block_bytes(content, number));
            if (batches_.empty() || batches_.back().raw_bytes + raw > speed_batch_bytes) batches_.emplace_back();
            batch& to = batches_.back();
            const std::uint64_t first_elem = number * content.block_bytes * 8 / facts.type.bits;
            to.blocks.push_back({&content,
                                 number,
                                 offsets[number],
                                 {facts.type, facts.row_elems, first_elem, parts, facts.last_elems},
                                 to.raw_bytes,
                                 raw,
                                 to.coded_bytes});
            to.raw_bytes += raw;
            to.coded_bytes += codec_.bound(raw);
            raw_bytes_ += raw;
        }
    }

    template <parallel::executor E>
    void load(const batch& of, E& e) {
        if (stored_.size() < of.blocks.size()) stored_.resize(of.blocks.size());
        if (raw_.size() < of.raw_bytes) raw_.resize(of.raw_bytes);
        if (copy_.size() < of.raw_bytes) copy_.resize(of.raw_bytes);
        if (coded_.size() < of.coded_bytes) coded_.resize(of.coded_bytes);
        e.for_each(of.blocks.size(), [&](std::size_t i) {
            const timed_block& block = of.blocks[i];
            container_.reader->read_block_at(block.offset, block.content->blocks[block.number], block.number,
                                             stored_[i]);
        });
    }

    template <parallel::executor E>
    void measure(const batch& of, codec_timing& timing, E& e) {
        timing.raw_bytes += of.raw_bytes;
        timing.decode_ns += timed(of, e, [&](const timed_block& block, std::size_t i) {
            const bytes_span raw = bytes_span(raw_).subspan(block.raw_at, block.raw_bytes);
            const auto lent = memories_.borrow();
            if (codec_.decode(stored_[i], raw, *lent) != status::ok)
                throw error(errc::corrupt, "a block cannot be decoded").in_file(container_.path.string());
        });
        timing.copy_ns += timed(of, e, [&](const timed_block& block, std::size_t) {
            std::memcpy(copy_.data() + block.raw_at, raw_.data() + block.raw_at, block.raw_bytes);
        });
        timing.encode_ns += timed(of, e, [&](const timed_block& block, std::size_t) {
            const bytes_view raw = bytes_view(raw_).subspan(block.raw_at, block.raw_bytes);
            const bytes_span out = bytes_span(coded_).subspan(block.coded_at, codec_.bound(block.raw_bytes));
            const auto lent = memories_.borrow();
            codec_.encode(block.info, raw, out, *lent);
        });
    }

    template <parallel::executor E, class Work>
    static std::uint64_t timed(const batch& of, E& e, Work&& work) {
        const auto start = std::chrono::steady_clock::now();
        e.for_each(of.blocks.size(), [&](std::size_t i) { work(of.blocks[i], i); });
        const auto passed = std::chrono::steady_clock::now() - start;
        return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(passed).count());
    }

    const opened_container& container_;
    codec_ref codec_;
    std::vector<batch> batches_;
    std::map<std::uint32_t, std::vector<std::uint32_t>> parts_; // of bundles
    std::uint64_t raw_bytes_ = 0;
    std::vector<byte_buffer> stored_;
    byte_buffer raw_, copy_, coded_;
    parallel::object_pool<scratch> memories_;
};

} // namespace detail

/// Times `codec` on the blocks of the containers of `archive`, in evenly spaced batches of 32 MiB when there are more
/// than `most_bytes`. Memory: about 128 MiB and what the codec needs. Throws: errc::corrupt, errc::io, errc::cancelled.
template <parallel::executor E>
codec_timing time_codec(const opened_archive& archive, const codec_ref& codec, std::uint64_t most_bytes,
                        const run_options& options, E& e) {
    codec_timing timing;
    for (const opened_container& container : archive.containers()) {
        detail::codec_stopwatch watch(container, codec);
        const std::uint64_t every = most_bytes == 0 ? 1 : (watch.raw_bytes() + most_bytes - 1) / most_bytes;
        watch.run(static_cast<std::size_t>(std::max<std::uint64_t>(every, 1)), options, timing, e);
    }
    return timing;
}

} // namespace bigsmall::archive
