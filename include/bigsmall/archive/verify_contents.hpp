// SPDX-License-Identifier: BSL-1.0
// Verifying each block by its checksum and each content by its MD5, equal tensors once, in no order of files. In that
// order each MD5 would have to wait for the one before, and the SHA-256 of a file is one chain; here every thread
// hashes up to eight contents side by side.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <bigsmall/archive/content_places.hpp>
#include <bigsmall/archive/decode_block.hpp>
#include <bigsmall/archive/hash.hpp>
#include <bigsmall/archive/md5_lanes.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/archive/restore.hpp>
#include <bigsmall/archive/verify_report.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/io/container/index_rules.hpp>
#include <bigsmall/parallel/executor.hpp>

namespace bigsmall::archive::detail {

/// What there is to check, and what came of it. Any thread may call, but for plan_lanes() and report_all().
class contents_list {
public:
    contents_list(const opened_archive& archive, const verify_options& options, verify_report& report)
        : archive_(archive), options_(options), report_(report), places_(archive) {
        for (const opened_container& container : archive.containers()) {
            decoded_.emplace_back(container.index().contents.size(), std::uint8_t{0});
            slices_.emplace_back(container.index().bundles);
        }
        const std::set<content_number> unused = unused_unchanged();
        for (const content_number number : places_.all()) {
            const io::content_entry& content = places_[number];
            if (content.is_slice()) {
                slices_[number.container][content.bundle - first_bundle(number)].push_back(number.content);
            } else if (!unused.contains(number)) {
                order_.push_back(number);
                total_bytes_ += content.raw_bytes;
                largest_ = std::max(largest_, content.raw_bytes);
                largest_block_ = std::max(largest_block_, std::min(content.block_bytes, content.raw_bytes));
            }
        }
    }

    /// How many contents each of so many threads hashes at once. The largest content is one chain, however many lanes
    /// there are: more than it takes to finish the others meanwhile would only keep contents from other threads. What
    /// keeps a lane busy to the end comes first, the rest in the order of the files.
    std::size_t plan_lanes(std::size_t threads) {
        const std::uint64_t most_bytes = std::max<std::uint64_t>(8 * MiB, 128 * MiB / threads); // of decoded blocks
        const std::uint64_t chains = total_bytes_ / std::max<std::uint64_t>(largest_, 1) + 1;
        const std::uint64_t wanted = std::min<std::uint64_t>((chains + threads - 1) / threads, md5_lanes::most);
        const std::uint64_t room = most_bytes / std::max<std::uint64_t>(largest_block_, 1);
        const auto lanes = static_cast<std::size_t>(std::max<std::uint64_t>(std::min(wanted, room), 1));
        const std::uint64_t share = total_bytes_ / (lanes * threads);
        const auto bytes = [&](content_number number) { return places_[number].raw_bytes; };
        const auto rest = std::stable_partition(order_.begin(), order_.end(),
                                                [&](content_number number) { return bytes(number) > share; });
        std::stable_sort(order_.begin(), rest, [&](content_number x, content_number y) { return bytes(x) > bytes(y); });
        threads_ = threads;
        return lanes;
    }

    /// The next that is no slice, for a thread that has so many bytes to decode. False when there is none, or when what
    /// it has is its share of all that is left: then it may ask again later.
    bool take_next(content_number& number, std::uint64_t held_bytes) {
        check_cancelled(options_);
        if (held_bytes > 0 && held_bytes >= (total_bytes_ - done_bytes_) / threads_) return false;
        const std::size_t at = next_.fetch_add(1);
        if (at >= order_.size()) return false;
        number = order_[at];
        return true;
    }

    /// After a failure of one thread: the others need not go on.
    void stop() noexcept { stopped_ = true; }
    bool is_stopped() const noexcept { return stopped_; }

    const opened_container& container(content_number number) const { return archive_.containers()[number.container]; }
    const io::content_entry& operator[](content_number number) const { return places_[number]; }
    bool is_bundle(content_number number) const { return number.content >= first_bundle(number); }
    const std::vector<std::uint32_t>& slices(content_number bundle) const {
        return slices_[bundle.container][bundle.content - first_bundle(bundle)];
    }
    const verify_options& options() const noexcept { return options_; }

    /// So many raw bytes of a content were decoded, from a block or from the base.
    void decoded(content_number number, std::uint64_t bytes, bool from_block) {
        mark(number);
        const std::scoped_lock lock(mutex_);
        report_.bytes_checked += bytes;
        report_.blocks_checked += from_block ? 1 : 0;
        pass(number, bytes);
    }

    /// So many raw bytes could not be decoded.
    void failed(content_number number, std::uint64_t bytes, damage problem) {
        const std::scoped_lock lock(mutex_);
        failures_[number].push_back(std::move(problem));
        pass(number, bytes);
    }

    /// Something of a content was decoded. One thread has the content.
    void mark(content_number number) { decoded_[number.container][number.content] = 1; }

    void check_md5(content_number number, const md5_digest& found) {
        if (found == places_[number].md5) return;
        const std::scoped_lock lock(mutex_);
        failures_[number].push_back(md5_mismatch(container(number)));
    }

    /// Nothing is left to be done for a content, or for a bundle and its slices.
    void ended() noexcept { ++ended_; }

    /// Reports what is wrong, in the order of the files: of every tensor that is made of a damaged content at least the
    /// first problem, of one all. Throws: errc::io when not all was done.
    void report_all() {
        // An executor that loses items must not make a damaged file look whole.
        if (ended_ != order_.size())
            throw error(errc::io, "only " + std::to_string(ended_) + " of " + std::to_string(order_.size()) +
                                      " parts of the archive came through the executor");
        std::set<content_number> told;
        for (std::uint32_t c = 0; c < archive_.containers().size(); ++c)
            for (const io::member_entry& member : archive_.containers()[c].index().members)
                report_member(c, member, told);
        for (const auto& [number, problems] : failures_) // what no file is made of
            if (!told.contains(number))
                for (const damage& problem : problems)
                    add_problem(report_, problem);
    }

private:
    std::size_t first_bundle(content_number number) const { return container(number).index().first_bundle(); }

    /// Contents that equal the base and are in no file: there is nothing of them to be checked, and nothing that bounds
    /// their size.
    std::set<content_number> unused_unchanged() const {
        std::set<content_number> found;
        for (std::uint32_t c = 0; c < archive_.containers().size(); ++c) {
            const io::container_index& index = archive_.containers()[c].index();
            for (std::uint32_t i = 0; i < index.contents.size(); ++i)
                if (index.contents[i].is_unchanged()) found.insert({c, i});
            for (const io::member_entry& member : index.members)
                for (const io::extent_entry& extent : member.extents)
                    found.erase({c, extent.content});
        }
        return found;
    }

    /// Under the mutex.
    void pass(content_number number, std::uint64_t bytes) {
        done_bytes_ += bytes;
        const bool often = done_bytes_ - told_bytes_ < batch_bytes && done_bytes_ != total_bytes_;
        if (options_.progress == nullptr || often) return;
        told_bytes_ = done_bytes_;
        const std::string name = container(number).path.filename().string();
        options_.progress->on_progress({name, done_bytes_, total_bytes_, done_bytes_});
    }

    void report_member(std::uint32_t container, const io::member_entry& member, std::set<content_number>& told) {
        std::vector<std::string> names;
        for (std::size_t x = 0; x < member.extents.size(); ++x) {
            const content_number number = places_.of({container, member.extents[x].content});
            const bool any = places_[number].raw_bytes == 0 || decoded_[number.container][number.content] != 0;
            report_.tensors_checked += member.extents[x].kind == io::extent_kind::tensor && any ? 1 : 0;
            const auto failure = failure_of(number);
            if (failure == failures_.end()) continue;
            if (names.empty()) names = extent_names(member);
            // Who names one damaged content again and again must not fill the memory.
            const std::size_t count = told.insert(failure->first).second ? failure->second.size() : 1;
            for (std::size_t i = 0; i < count; ++i) {
                damage problem = failure->second[i];
                problem.member = archive_.containers()[container].folder + member.path;
                problem.tensor = names[x];
                add_problem(report_, std::move(problem));
            }
        }
    }

    using failures = std::map<content_number, std::vector<damage>>;

    /// Of a slice that of its bundle, without which it has none of its own.
    failures::const_iterator failure_of(content_number number) const {
        const auto own = failures_.find(number);
        if (own != failures_.end() || !places_[number].is_slice()) return own;
        return failures_.find({number.container, places_[number].bundle});
    }

    const opened_archive& archive_;
    const verify_options& options_;
    verify_report& report_;
    content_places places_;
    std::vector<content_number> order_;
    std::vector<std::vector<std::uint8_t>> decoded_;              // of container and content: something of it was
    std::vector<std::vector<std::vector<std::uint32_t>>> slices_; // of container and bundle
    std::uint64_t total_bytes_ = 0, largest_ = 0, largest_block_ = 0;
    std::size_t threads_ = 1;
    std::atomic<std::size_t> next_ = 0; // in order_
    std::atomic<std::size_t> ended_ = 0;
    std::atomic<std::uint64_t> done_bytes_ = 0;
    std::atomic<bool> stopped_ = false;
    std::mutex mutex_; // of the report and of what follows
    failures failures_;
    std::uint64_t told_bytes_ = 0;
};

/// One thread: decodes the next block of up to eight contents, hashes them side by side, and so on.
class contents_worker {
public:
    contents_worker(contents_list& list, std::size_t lanes)
        : list_(list), lanes_(lanes), md5_(lanes > 1 ? best_md5_blocks() : nullptr) {} // OpenSSL is best at one

    void run() {
        md5_lanes::pieces pieces{};
        for (bool any = true; any && !list_.is_stopped(); md5_.take(pieces)) {
            any = false;
            for (std::size_t i = 0; i < lanes_.size(); ++i) {
                while (pieces[i].empty() && (lanes_[i].is_open || open(i)))
                    pieces[i] = go_on(i);
                any = any || !pieces[i].empty();
            }
        }
    }

private:
    /// A content on its way through a lane.
    struct lane {
        bool is_open = false;
        content_number number;
        std::uint64_t block_bytes = 0;
        std::size_t block = 0, blocks = 0; ///< the next one; how many there are
        std::uint64_t offset = 0;          ///< where the block before ends in its file
        bool intact = true;
        byte_buffer raw;
    };

    /// Gives the next content to a lane. False when there is none for it.
    bool open(std::size_t i) {
        lane& to = lanes_[i];
        while (list_.take_next(to.number, held_bytes_)) {
            if (list_.is_bundle(to.number)) {
                check_bundle(to.number);
                continue;
            }
            const io::content_entry& content = list_[to.number];
            to.is_open = to.intact = true;
            held_bytes_ += content.raw_bytes;
            to.block_bytes = content.is_unchanged() ? unchanged_piece_bytes : content.block_bytes;
            to.block = 0;
            to.blocks = io::block_count(content.raw_bytes, to.block_bytes);
            to.offset = content.offset;
            md5_.start(i);
            return true;
        }
        return false;
    }

    /// Decodes the next block and gives it to be hashed, or ends the content. Nothing is hashed of one that is damaged.
    bytes_view go_on(std::size_t i) {
        lane& of = lanes_[i];
        if (of.block == of.blocks) {
            const md5_digest md5 = md5_.finish(i);
            if (of.intact) list_.check_md5(of.number, md5);
            list_.ended();
            of.is_open = false;
            return {};
        }
        check_cancelled(list_.options());
        const io::content_entry& content = list_[of.number];
        const std::uint64_t begin = of.block * of.block_bytes;
        const bytes_span raw = room(of.raw, std::min(of.block_bytes, content.raw_bytes - begin));
        const bool intact = content.is_unchanged() ? read_unchanged(of.number, begin, raw) : decode_next_block(of, raw);
        of.intact = of.intact && intact;
        ++of.block;
        held_bytes_ -= raw.size();
        return of.intact ? raw : bytes_span{};
    }

    bool decode_next_block(lane& of, bytes_span raw) {
        const io::block_entry& block = list_[of.number].blocks[of.block];
        const std::uint64_t at = io::offset_of(block, of.offset);
        if (block.shared_at == 0) of.offset = at + block.stored_bytes;
        return decode_block_of(of.number, {of.block, at, block.stored_bytes}, raw);
    }

    /// Which block of a content, and where it is stored.
    struct stored_block {
        std::size_t number = 0;
        std::uint64_t offset = 0, bytes = 0;
    };

    /// False when it is damaged, which the list is told.
    bool decode_block_of(content_number number, const stored_block& block, bytes_span raw) {
        std::optional<damage> problem = damage_in([&] {
            decode_block(list_.container(number), list_[number], block.number, block.offset, raw, list_.options().codec,
                         memory_);
        });
        if (problem) {
            problem->block = block.number;
            problem->offset = block.offset;
            problem->bytes = block.bytes;
            list_.failed(number, raw.size(), std::move(*problem));
            return false;
        }
        list_.decoded(number, raw.size(), true);
        return true;
    }

    /// The same for bytes that are those of the base.
    bool read_unchanged(content_number number, std::uint64_t begin, bytes_span raw) {
        std::optional<damage> problem =
            damage_in([&] { read_base(list_.container(number), list_[number], begin, raw); });
        if (problem) {
            list_.failed(number, raw.size(), std::move(*problem));
            return false;
        }
        list_.decoded(number, raw.size(), false);
        return true;
    }

    template <class Work>
    static std::optional<damage> damage_in(const Work& work) {
        try {
            work();
            return std::nullopt;
        } catch (const error& failure) {
            return damage_of(failure);
        }
    }

    /// A bundle is one block; its slices are too small to be worth a lane.
    void check_bundle(content_number bundle) {
        const io::content_entry& content = list_[bundle];
        const bytes_span raw = room(bundle_, content.raw_bytes);
        if (decode_block_of(bundle, {0, content.offset, content.blocks[0].stored_bytes}, raw))
            for (const std::uint32_t number : list_.slices(bundle))
                check_slice({bundle.container, number}, raw);
        list_.ended();
    }

    void check_slice(content_number number, bytes_view bundle) {
        const io::content_entry& slice = list_[number];
        md5_of_slice_.start(methods_.md5());
        md5_of_slice_.update(
            bundle.subspan(static_cast<std::size_t>(slice.offset), static_cast<std::size_t>(slice.raw_bytes)));
        list_.mark(number);
        list_.check_md5(number, md5_of_slice_.finish());
    }

    static bytes_span room(byte_buffer& buffer, std::uint64_t bytes) {
        const auto size = static_cast<std::size_t>(bytes);
        if (buffer.size() < size) buffer.resize(size);
        return bytes_span(buffer).first(size);
    }

    contents_list& list_;
    std::vector<lane> lanes_;
    std::uint64_t held_bytes_ = 0; // not decoded yet of what is open
    md5_lanes md5_;
    decode_memory memory_;
    byte_buffer bundle_;
    hash_methods methods_;
    md5_hasher md5_of_slice_;
};

/// Memory: 128 MiB for decoded blocks, or 8 MiB per thread, or a block per thread if that is more, and what decoding
/// takes. Throws: errc::cancelled; errc::io when the executor loses work; what a progress listener throws.
template <parallel::executor E>
void verify_contents(const opened_archive& archive, const verify_options& options, verify_report& report, E& e) {
    contents_list list(archive, options, report);
    const std::size_t lanes = list.plan_lanes(e.concurrency());
    e.for_each(e.concurrency(), [&](std::size_t) {
        try {
            contents_worker(list, lanes).run();
        } catch (...) {
            list.stop();
            throw;
        }
    });
    list.report_all();
}

} // namespace bigsmall::archive::detail
