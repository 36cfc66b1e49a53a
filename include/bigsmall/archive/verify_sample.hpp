// SPDX-License-Identifier: BSL-1.0
// Verifying some blocks chosen at random: minutes become seconds, and the seed repeats the choice.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/archive/restore.hpp>
#include <bigsmall/archive/verify_fast.hpp>
#include <bigsmall/archive/verify_report.hpp>
#include <bigsmall/parallel/executor.hpp>
#include <bigsmall/parallel/pool.hpp>

namespace bigsmall::archive {

namespace detail {

/// SplitMix64 (Steele, Lea, Flood 2014): the same choice for a seed with every standard library.
class split_mix {
public:
    explicit split_mix(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() noexcept {
        std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }

    /// Below `bound`; its bias is below bound / 2^64.
    std::uint64_t below(std::uint64_t bound) noexcept { return next() % bound; }

private:
    std::uint64_t state_;
};

class sample_run {
public:
    sample_run(const opened_archive& archive, const verify_options& options, verify_report& report)
        : archive_(archive), options_(options), report_(report) {
        for (std::uint32_t c = 0; c < archive.containers().size(); ++c)
            list_blocks(c);
    }

    template <parallel::executor E>
    void run(double fraction, std::uint64_t seed, E& e) {
        choose(fraction, seed);
        std::uint64_t total_bytes = 0;
        for (const place& p : blocks_)
            total_bytes += raw_bytes_of(p);
        std::vector<std::optional<damage>> failures(blocks_.size());
        constexpr std::size_t at_once = 256; // between two looks at the token and two reports
        for (std::size_t begin = 0; begin < blocks_.size(); begin += at_once) {
            check_cancelled(options_);
            const std::size_t count = std::min(at_once, blocks_.size() - begin);
            e.for_each(count, [&](std::size_t i) { failures[begin + i] = check(blocks_[begin + i]); });
            for (std::size_t i = begin; i < begin + count; ++i)
                report_.bytes_checked += raw_bytes_of(blocks_[i]);
            if (options_.progress != nullptr)
                options_.progress->on_progress({"sample", report_.bytes_checked, total_bytes, 0});
        }
        report_.blocks_checked = blocks_.size();
        for (std::optional<damage>& failure : failures)
            if (failure) add_problem(report_, std::move(*failure));
        count_tensors();
    }

private:
    struct place {
        std::uint32_t container = 0, content = 0;
        std::size_t block = 0;
    };

    const io::content_entry& content_of(const place& p) const {
        return archive_.containers()[p.container].index().contents[p.content];
    }
    std::uint64_t raw_bytes_of(const place& p) const { return io::raw_block_bytes(content_of(p), p.block); }

    void list_blocks(std::uint32_t container) {
        const io::container_index& index = archive_.containers()[container].index();
        for (std::uint32_t i = 0; i < index.contents.size(); ++i) {
            // What lies in another container of this archive is listed there.
            if (index.contents[i].home != 0 && archive_.sharded()) continue;
            for (std::size_t b = 0; b < index.contents[i].blocks.size(); ++b)
                blocks_.push_back({container, i, b});
        }
    }

    /// Keeps a share of the blocks, at least one, in file order.
    void choose(double fraction, std::uint64_t seed) {
        const double wanted = std::ceil(fraction * static_cast<double>(blocks_.size()));
        const auto count = std::min(blocks_.size(), static_cast<std::size_t>(wanted));
        split_mix random(seed);
        for (std::size_t i = 0; i < count; ++i)
            std::swap(blocks_[i], blocks_[i + random.below(blocks_.size() - i)]);
        blocks_.resize(count);
        std::sort(blocks_.begin(), blocks_.end(), [](const place& a, const place& b) {
            return std::tie(a.container, a.content, a.block) < std::tie(b.container, b.content, b.block);
        });
    }

    std::optional<damage> check(const place& p) {
        const opened_container& container = archive_.containers()[p.container];
        const io::content_entry& content = content_of(p);
        const auto memory = memories_.borrow();
        std::uint64_t offset = 0;
        try {
            const io::container_reader& home = container.home_of(content);
            offset = content.home == 0 ? home.block_offset(content, p.block) : io::block_offsets(content)[p.block];
            memory->raw.resize(static_cast<std::size_t>(raw_bytes_of(p)));
            decode_block(home, content, p.block, offset, memory->raw, options_.codec, memory->decode);
            return std::nullopt;
        } catch (const error& failure) {
            damage found = damage_of(failure);
            name_place(found, p);
            found.block = p.block;
            found.offset = offset;
            found.bytes = content.blocks[p.block].stored_bytes;
            return found;
        }
    }

    /// Says which tensor of which file a block belongs to: the first, when several share it.
    void name_place(damage& found, const place& p) const {
        const opened_container& container = archive_.containers()[p.container];
        for (const io::member_entry& member : container.index().members)
            for (std::size_t x = 0; x < member.extents.size(); ++x) {
                if (member.extents[x].content != p.content) continue;
                found.member = container.folder + member.path;
                found.tensor = extent_names(member)[x];
                return;
            }
    }

    void count_tensors() {
        std::set<std::pair<std::uint32_t, std::uint32_t>> touched;
        for (const place& p : blocks_)
            touched.insert({p.container, p.content});
        for (std::uint32_t c = 0; c < archive_.containers().size(); ++c)
            for (const io::member_entry& member : archive_.containers()[c].index().members)
                for (const io::extent_entry& extent : member.extents)
                    if (extent.kind == io::extent_kind::tensor && touched.count({c, extent.content}) != 0)
                        ++report_.tensors_checked;
    }

    struct memory_of_worker {
        decode_memory decode;
        byte_buffer raw;
    };

    const opened_archive& archive_;
    const verify_options& options_;
    verify_report& report_;
    std::vector<place> blocks_;
    parallel::object_pool<memory_of_worker> memories_;
};

} // namespace detail

/// Everything that verify_fast() checks, and then reads and decodes a random share of the blocks. A block's
/// checksum covers what was stored; the hashes of whole tensors and files need verify().
/// `fraction`: above 0, at most 1, of the number of blocks; at least one block is checked.
/// Throws: errc::invalid_argument; as verify_fast(); errc::cancelled.
template <parallel::executor E>
verify_report verify_sample(const std::filesystem::path& archive, double fraction, std::uint64_t seed,
                            const verify_options& options, E& e) {
    if (!(fraction > 0.0 && fraction <= 1.0))
        throw error(errc::invalid_argument, "the share of blocks to check must be above 0 and at most 1");
    const opened_archive opened(archive);
    verify_report report = detail::begin_report(opened);
    report.seed = seed;
    detail::check_metadata(opened, options.codec, report);
    detail::sample_run(opened, options, report).run(fraction, seed, e);
    return report;
}

} // namespace bigsmall::archive
