// SPDX-License-Identifier: BSL-1.0
// Verifying some blocks chosen at random: minutes become seconds, and the seed repeats the choice.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/archive/restore.hpp>
#include <bigsmall/archive/verify_fast.hpp>
#include <bigsmall/archive/verify_report.hpp>
#include <bigsmall/archive/verify_stored.hpp>
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
        std::uint64_t total_bytes = 0, done_bytes = 0;
        for (const place& p : blocks_)
            total_bytes += raw_bytes_of(p);
        std::vector<std::optional<damage>> failures(blocks_.size());
        constexpr std::size_t at_once = 256; // between two looks at the token and two reports
        for (std::size_t begin = 0; begin < blocks_.size(); begin += at_once) {
            check_cancelled(options_);
            const std::size_t count = std::min(at_once, blocks_.size() - begin);
            e.for_each(count, [&](std::size_t i) { failures[begin + i] = check(blocks_[begin + i]); });
            for (std::size_t i = begin; i < begin + count; ++i) {
                done_bytes += raw_bytes_of(blocks_[i]);
                report_.bytes_checked += raw_bytes_of(blocks_[i]);
                ++report_.blocks_checked;
            }
            if (options_.progress != nullptr) options_.progress->on_progress({"sample", done_bytes, total_bytes, 0});
        }
        std::vector<place> decoded;
        const place_names names(archive_);
        for (std::size_t i = 0; i < blocks_.size(); ++i) {
            if (failures[i])
                add_failure(blocks_[i], std::move(*failures[i]), names);
            else
                decoded.push_back(blocks_[i]);
        }
        count_tensors(decoded);
    }

private:
    struct place {
        std::uint32_t container = 0, content = 0;
        std::size_t block = 0;
        std::uint64_t offset = 0; // filled in for the blocks that were chosen
    };

    /// Which tensor of which file a content belongs to: the first, when several share it. Made only when a block has
    /// failed, and then once.
    class place_names {
    public:
        explicit place_names(const opened_archive& archive) : archive_(archive) {}

        void name(damage& found, const place& p) const {
            if (known_.empty()) learn();
            const auto at = known_.find({p.container, p.content});
            if (at == known_.end()) return;
            found.member = at->second.first;
            found.tensor = at->second.second;
        }

    private:
        void learn() const {
            for (std::uint32_t c = 0; c < archive_.containers().size(); ++c) {
                const opened_container& container = archive_.containers()[c];
                for (const io::member_entry& member : container.index().members) {
                    std::vector<std::string> names = extent_names(member);
                    for (std::size_t x = 0; x < names.size(); ++x)
                        known_.try_emplace({c, coded_with(container, member.extents[x])},
                                           container.folder + member.path, std::move(names[x]));
                }
            }
        }

        const opened_archive& archive_;
        mutable std::map<std::pair<std::uint32_t, std::uint32_t>, std::pair<std::string, std::string>> known_;
    };

    /// The content whose blocks hold an extent.
    static std::uint32_t coded_with(const opened_container& container, const io::extent_entry& extent) {
        const io::content_entry& content = container.index().contents[extent.content];
        return content.is_slice() ? content.bundle : extent.content;
    }

    const io::content_entry& content_of(const place& p) const {
        return archive_.containers()[p.container].index().contents[p.content];
    }
    std::uint64_t raw_bytes_of(const place& p) const { return io::raw_block_bytes(content_of(p), p.block); }

    void list_blocks(std::uint32_t container) {
        const opened_container& opened = archive_.containers()[container];
        const std::vector<io::content_entry>& contents = opened.index().contents;
        for (std::uint32_t i = 0; i < contents.size(); ++i) {
            // What lies in another container of this archive is listed there, what cannot be opened was reported.
            if (!archive_.counts_here(opened, contents[i])) continue;
            if (contents[i].home != 0 && !opened.siblings[contents[i].home - 1]) continue;
            for (std::size_t b = 0; b < contents[i].blocks.size(); ++b)
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
        place_blocks();
    }

    /// Blocks of one content are neighbours now, so that each content is walked once.
    void place_blocks() {
        std::vector<std::uint64_t> offsets;
        for (std::size_t i = 0; i < blocks_.size(); ++i) {
            place& p = blocks_[i];
            const bool same = i > 0 && blocks_[i - 1].container == p.container && blocks_[i - 1].content == p.content;
            if (!same) offsets = io::block_offsets(content_of(p));
            p.offset = offsets[p.block];
        }
    }

    std::optional<damage> check(const place& p) {
        const opened_container& container = archive_.containers()[p.container];
        const io::content_entry& content = content_of(p);
        const auto memory = memories_.borrow();
        try {
            memory->raw.resize(static_cast<std::size_t>(raw_bytes_of(p)));
            if (report_.base_missing && content.image != io::no_image)
                container.reader->read_block_at(p.offset, content.blocks[p.block], p.block, memory->decode.stored);
            else
                decode_block(container, content, p.block, p.offset, memory->raw, options_.codec, memory->decode);
            return std::nullopt;
        } catch (const error& failure) {
            return damage_of(failure);
        }
    }

    void add_failure(const place& p, damage found, const place_names& names) {
        names.name(found, p);
        found.block = p.block;
        found.offset = p.offset;
        found.bytes = content_of(p).blocks[p.block].stored_bytes;
        add_problem(report_, std::move(found));
    }

    void count_tensors(const std::vector<place>& decoded) {
        std::set<std::pair<std::uint32_t, std::uint32_t>> touched;
        for (const place& p : decoded)
            touched.insert({p.container, p.content});
        for (std::uint32_t c = 0; c < archive_.containers().size(); ++c) {
            const opened_container& container = archive_.containers()[c];
            for (const io::member_entry& member : container.index().members)
                for (const io::extent_entry& extent : member.extents)
                    if (extent.kind == io::extent_kind::tensor && touched.contains({c, coded_with(container, extent)}))
                        ++report_.tensors_checked;
        }
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
/// A block that turns out to be damaged was checked, too: blocks and bytes are those that were looked at.
/// Throws: errc::invalid_argument; as verify_fast(); errc::cancelled.
template <parallel::executor E>
verify_report verify_sample(const std::filesystem::path& archive, double fraction, std::uint64_t seed,
                            const verify_options& options, E& e) {
    if (!(fraction > 0.0 && fraction <= 1.0))
        throw error(errc::invalid_argument, "the share of blocks to check must be above 0 and at most 1");
    opened_archive opened(archive);
    verify_report report = detail::begin_report(opened);
    report.seed = seed;
    detail::check_metadata(opened, options.codec, report);
    report.base_missing = !detail::give_base(opened, options, report, e);
    detail::sample_run(opened, options, report).run(fraction, seed, e);
    return report;
}

} // namespace bigsmall::archive
