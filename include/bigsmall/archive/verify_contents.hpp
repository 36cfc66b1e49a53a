// SPDX-License-Identifier: BSL-1.0
// Verifying each block by its checksum and each content by its MD5, once and in no order of files. In that order each
// MD5 would have to wait for the one before, and the SHA-256 of a file is one chain; here every thread hashes eight
// contents side by side.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
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

/// What there is to check, and what came of it. Any thread may call, but for the two ends of a run.
class contents_list {
public:
    contents_list(const opened_archive& archive, const verify_options& options, verify_report& report)
        : archive_(archive), options_(options), report_(report), places_(archive) {
        for (const opened_container& container : archive.containers()) {
            decoded_.emplace_back(container.index().contents.size(), std::uint8_t{0});
            slices_.emplace_back(container.index().bundles);
        }
        for (const content_place place : places_.all()) {
            const io::content_entry& content = places_[place];
            if (content.is_slice()) {
                slices_[place.container][content.bundle - first_bundle(place)].push_back(place.content);
                continue;
            }
            order_.push_back(place);
            total_bytes_ += content.raw_bytes;
            largest_ = std::max(largest_, content.raw_bytes);
            largest_block_ = std::max(largest_block_, std::min(content.block_bytes, content.raw_bytes));
        }
    }

    /// To be called before the others; how many contents each of so many threads hashes at once. The largest content is
    /// one chain, however many lanes there are: more than it takes to finish the others meanwhile would only keep
    /// contents from other threads. What keeps a lane busy to the end comes first, the rest in the order of the files.
    std::size_t begin(std::size_t threads) {
        constexpr std::uint64_t most_bytes = 16 * MiB; // of decoded blocks
        const std::uint64_t chains = total_bytes_ / std::max<std::uint64_t>(largest_, 1) + 1;
        const std::uint64_t wanted = std::min<std::uint64_t>((chains + threads - 1) / threads, md5_lanes::most);
        const std::uint64_t room = most_bytes / std::max<std::uint64_t>(largest_block_, 1);
        const auto lanes = static_cast<std::size_t>(std::max<std::uint64_t>(std::min(wanted, room), 1));
        const std::uint64_t share = total_bytes_ / (lanes * threads);
        threads_ = threads;
        const auto bytes = [&](content_place place) { return places_[place].raw_bytes; };
        const auto rest = std::stable_partition(order_.begin(), order_.end(),
                                                [&](content_place place) { return bytes(place) > share; });
        std::stable_sort(order_.begin(), rest, [&](content_place x, content_place y) { return bytes(x) > bytes(y); });
        return lanes;
    }

    /// The next that is no slice, for a thread that has so many bytes to decode. False when there is none, or when what
    /// it has is its share of all that is left: then it may ask again later.
    bool next(content_place& place, std::uint64_t held_bytes) {
        check_cancelled(options_);
        if (held_bytes > 0 && held_bytes >= (total_bytes_ - done_bytes_) / threads_) return false;
        const std::size_t at = next_.fetch_add(1);
        if (at >= order_.size()) return false;
        place = order_[at];
        return true;
    }
    /// Nobody gets one any more.
    void stop() noexcept { next_.store(order_.size()); }

    const opened_container& container(content_place place) const { return archive_.containers()[place.container]; }
    const io::content_entry& operator[](content_place place) const { return places_[place]; }
    bool is_bundle(content_place place) const { return place.content >= first_bundle(place); }
    const std::vector<std::uint32_t>& slices(content_place bundle) const {
        return slices_[bundle.container][bundle.content - first_bundle(bundle)];
    }
    const verify_options& options() const noexcept { return options_; }

    /// So many raw bytes of a content were decoded, from a block or from the base.
    void decoded(content_place place, std::uint64_t bytes, bool from_block) {
        decoded_[place.container][place.content] = 1; // nobody else writes to this one
        const std::scoped_lock lock(mutex_);
        report_.bytes_checked += bytes;
        report_.blocks_checked += from_block ? 1 : 0;
    }

    void failed(content_place place, damage problem) {
        const std::scoped_lock lock(mutex_);
        failures_[place].push_back(std::move(problem));
    }

    void check_md5(content_place place, const md5_digest& found) {
        if (found != places_[place].md5) failed(place, md5_mismatch(container(place)));
    }

    /// Whether or not so many raw bytes could be decoded, they are done with.
    void passed(content_place place, std::uint64_t bytes) {
        const std::scoped_lock lock(mutex_);
        done_bytes_ += bytes;
        const bool often = done_bytes_ - told_bytes_ < batch_bytes && done_bytes_ != total_bytes_;
        if (options_.progress == nullptr || often) return;
        told_bytes_ = done_bytes_;
        const std::string name = container(place).path.filename().string();
        options_.progress->on_progress({name, done_bytes_, total_bytes_, done_bytes_});
    }

    /// Reports for every tensor, in the order of the files, what is wrong with the content that it is made of.
    /// Throws: errc::io when not all was done.
    void end() {
        // An executor that loses items must not make a damaged file look whole.
        if (done_bytes_ != total_bytes_)
            throw error(errc::io, "only " + std::to_string(done_bytes_) + " of " + std::to_string(total_bytes_) +
                                      " bytes came through the executor");
        for (std::uint32_t c = 0; c < archive_.containers().size(); ++c)
            for (const io::member_entry& member : archive_.containers()[c].index().members)
                report_member(c, member);
    }

private:
    std::size_t first_bundle(content_place place) const { return container(place).index().first_bundle(); }

    void report_member(std::uint32_t container, const io::member_entry& member) {
        std::vector<std::string> names;
        for (std::size_t x = 0; x < member.extents.size(); ++x) {
            const content_place place = places_.of(container, member.extents[x].content);
            const bool any = places_[place].raw_bytes == 0 || decoded_[place.container][place.content] != 0;
            report_.tensors_checked += member.extents[x].kind == io::extent_kind::tensor && any ? 1 : 0;
            const std::vector<damage>* const problems = problems_of(place);
            if (problems == nullptr) continue;
            if (names.empty()) names = extent_names(member);
            for (damage problem : *problems) {
                problem.member = archive_.containers()[container].folder + member.path;
                problem.tensor = names[x];
                add_problem(report_, std::move(problem));
            }
        }
    }

    /// Of a slice those of its bundle, without which it has none of its own.
    const std::vector<damage>* problems_of(content_place place) const {
        auto at = failures_.find(place);
        if (places_[place].is_slice() && at == failures_.end())
            at = failures_.find({place.container, places_[place].bundle});
        return at == failures_.end() ? nullptr : &at->second;
    }

    const opened_archive& archive_;
    const verify_options& options_;
    verify_report& report_;
    content_places places_;
    std::vector<content_place> order_;
    std::vector<std::vector<std::uint8_t>> decoded_;              // of container and content: something of it was
    std::vector<std::vector<std::vector<std::uint32_t>>> slices_; // of container and bundle
    std::uint64_t total_bytes_ = 0, largest_ = 0, largest_block_ = 0;
    std::size_t threads_ = 1;
    std::atomic<std::size_t> next_ = 0; // in order_
    std::mutex mutex_;                  // of the report and of what follows
    std::map<content_place, std::vector<damage>> failures_;
    std::atomic<std::uint64_t> done_bytes_ = 0;
    std::uint64_t told_bytes_ = 0;
};

/// One thread: decodes the next block of up to eight contents, hashes them side by side, and so on.
class contents_worker {
public:
    contents_worker(contents_list& list, std::size_t lanes)
        : list_(list), lanes_(lanes), md5_(lanes > 1 ? best_md5_blocks() : nullptr) {} // OpenSSL is best at one

    void run() {
        md5_lanes::pieces pieces{};
        for (bool any = true; any; md5_.take(pieces)) {
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
        content_place place;
        std::uint64_t block_bytes = 0;
        std::size_t block = 0, blocks = 0; ///< the next one; how many there are
        std::uint64_t offset = 0;          ///< where the block before ends in its file
        bool intact = true;
        byte_buffer raw;
    };

    /// Gives the next content to a lane. False when there is none for it.
    bool open(std::size_t i) {
        lane& to = lanes_[i];
        while (list_.next(to.place, held_bytes_)) {
            if (list_.is_bundle(to.place)) {
                check_bundle(to.place);
                continue;
            }
            const io::content_entry& content = list_[to.place];
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
            of.is_open = false;
            const md5_digest md5 = md5_.finish(i);
            if (of.intact) list_.check_md5(of.place, md5);
            return {};
        }
        check_cancelled(list_.options());
        const io::content_entry& content = list_[of.place];
        const std::uint64_t begin = of.block * of.block_bytes;
        const bytes_span raw = room(of.raw, std::min(of.block_bytes, content.raw_bytes - begin));
        decode(of, content, raw);
        ++of.block;
        held_bytes_ -= raw.size();
        list_.passed(of.place, raw.size());
        return of.intact ? raw : bytes_span{};
    }

    void decode(lane& of, const io::content_entry& content, bytes_span raw) {
        const opened_container& container = list_.container(of.place);
        const bool is_block = !content.is_unchanged();
        std::uint64_t at = 0;
        if (is_block) {
            const io::block_entry& block = content.blocks[of.block];
            at = io::offset_of(block, of.offset);
            if (block.shared_at == 0) of.offset = at + block.stored_bytes;
        }
        try {
            if (is_block)
                decode_block(container, content, of.block, at, raw, list_.options().codec, memory_);
            else
                read_base(container, content, of.block * of.block_bytes, raw);
            list_.decoded(of.place, raw.size(), is_block);
        } catch (const error& failure) {
            of.intact = false;
            damage problem = damage_of(failure);
            if (is_block) name_block(problem, content, of.block, at);
            list_.failed(of.place, std::move(problem));
        }
    }

    static void name_block(damage& problem, const io::content_entry& content, std::size_t number,
                           std::uint64_t offset) {
        problem.block = number;
        problem.offset = offset;
        problem.bytes = content.blocks[number].stored_bytes;
    }

    /// A bundle is one block; its slices are too small to be worth a lane.
    void check_bundle(content_place place) {
        const bytes_span raw = room(bundle_, list_[place].raw_bytes);
        if (decode_bundle(place, raw))
            for (const std::uint32_t number : list_.slices(place))
                check_slice({place.container, number}, raw);
        list_.passed(place, raw.size());
    }

    bool decode_bundle(content_place place, bytes_span raw) {
        const io::content_entry& bundle = list_[place];
        try {
            decode_block(list_.container(place), bundle, 0, bundle.offset, raw, list_.options().codec, memory_);
        } catch (const error& failure) {
            damage problem = damage_of(failure);
            name_block(problem, bundle, 0, bundle.offset);
            list_.failed(place, std::move(problem));
            return false;
        }
        list_.decoded(place, raw.size(), true);
        return true;
    }

    void check_slice(content_place place, bytes_view bundle) {
        const io::content_entry& slice = list_[place];
        md5_of_slice_.start(methods_.md5());
        md5_of_slice_.update(
            bundle.subspan(static_cast<std::size_t>(slice.offset), static_cast<std::size_t>(slice.raw_bytes)));
        list_.decoded(place, 0, false);
        list_.check_md5(place, md5_of_slice_.finish());
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

/// Memory: 16 MiB per thread for decoded blocks, or one block, and what decoding takes. Throws: errc::cancelled;
/// errc::io when the executor loses work.
template <parallel::executor E>
void verify_contents(const opened_archive& archive, const verify_options& options, verify_report& report, E& e) {
    contents_list list(archive, options, report);
    const std::size_t lanes = list.begin(e.concurrency());
    e.for_each(e.concurrency(), [&](std::size_t) {
        try {
            contents_worker(list, lanes).run();
        } catch (...) {
            list.stop(); // for the other threads
            throw;
        }
    });
    list.end();
}

} // namespace bigsmall::archive::detail
