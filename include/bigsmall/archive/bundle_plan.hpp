// SPDX-License-Identifier: BSL-1.0
// Which small parts of a plan will lie together in bundles. A block of its own costs a part its table, its place in the
// index and what its likes have taught the coder already; what is chosen here is smaller by measurement.
#pragma once

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include <bigsmall/archive/bundle_block.hpp>
#include <bigsmall/archive/pack_options.hpp>
#include <bigsmall/archive/plan.hpp>
#include <bigsmall/io/file_source.hpp>
#include <bigsmall/parallel/executor.hpp>
#include <bigsmall/parallel/pool.hpp>

namespace bigsmall::archive::detail {

/// Parts below this lie in bundles when that is smaller.
inline constexpr std::uint64_t small_part_bytes = 4 * KiB;
/// The same for parts of one role, when streams are grouped.
inline constexpr std::uint64_t groupable_bytes = 64 * KiB + 1;
/// Raw bytes of a bundle of small parts of any role, which are seldom wanted together.
inline constexpr std::uint64_t mixed_bundle_bytes = 256 * KiB;

/// Parts from this size on never lie in a bundle; nor do those that are several blocks.
constexpr std::uint64_t bundle_limit(const pack_options& options) noexcept {
    return std::min(options.group_streams ? groupable_bytes : small_part_bytes, options.block_bytes + 1);
}

/// In both copies of the index: a checksum, which does not shrink, and the varints of a block, which may.
inline constexpr std::uint64_t block_entry_bytes = 20;

struct planned_bundle {
    std::vector<std::uint32_t> contents; ///< of the plan, ascending
    std::uint64_t raw_bytes = 0;
};

/// Reads parts of a plan, best in the order of their files.
class part_reader {
public:
    explicit part_reader(const pack_plan& plan) : plan_(plan) {}

    const planned_extent& extent_of(std::uint32_t content) const {
        const auto [member, extent] = plan_.contents[content];
        return plan_.members[member].extents[extent];
    }

    /// Fills `to` from byte `from` of a content on.
    /// Throws: errc::io, errc::truncated; errc::invalid_input when a file has changed.
    void read(std::uint32_t content, std::uint64_t from, bytes_span to) {
        const std::uint32_t member = plan_.contents[content].member;
        if (!file_ || member != member_) {
            require_unchanged(plan_.members[member].file);
            file_.emplace(plan_.members[member].file.path);
            member_ = member;
        }
        file_->read(extent_of(content).begin + from, to);
    }

    raw_bundle read(const planned_bundle& bundle) {
        raw_bundle raw;
        raw.type = extent_of(bundle.contents.front()).type;
        raw.bytes.reserve(static_cast<std::size_t>(bundle.raw_bytes));
        for (const std::uint32_t content : bundle.contents)
            read(content, 0, raw.add(extent_of(content).bytes));
        return raw;
    }

private:
    const pack_plan& plan_;
    std::optional<io::file_source> file_;
    std::uint32_t member_ = 0;
};

/// Calls `work(raw_bundle, i)` for all bundles, many at once, and then `done(i)` in order.
template <parallel::executor E, class Work, class Done>
void for_each_bundle(part_reader& parts, const std::vector<planned_bundle>& bundles, const run_options& options, E& e,
                     Work&& work, Done&& done) {
    const std::size_t at_once = std::max<std::size_t>(4, 2 * e.concurrency());
    for (std::size_t begin = 0; begin < bundles.size(); begin += at_once) {
        check_cancelled(options);
        const std::size_t count = std::min(at_once, bundles.size() - begin);
        std::vector<raw_bundle> raw;
        for (std::size_t i = 0; i < count; ++i)
            raw.push_back(parts.read(bundles[begin + i]));
        e.for_each(count, [&](std::size_t i) { work(raw[i], begin + i); });
        for (std::size_t i = 0; i < count; ++i)
            done(begin + i);
    }
}

class bundle_planner {
public:
    /// `apart`: contents that lie in no bundle, however small.
    bundle_planner(const pack_plan& plan, std::uint32_t first, std::uint32_t last, const pack_options& options,
                   const std::unordered_set<std::uint32_t>& apart = {})
        : plan_(plan), options_(options), parts_(plan) {
        for (std::uint32_t m = first; m < last; ++m)
            for (std::uint32_t x = 0; x < plan.members[m].extents.size(); ++x)
                if (!apart.contains(plan.members[m].extents[x].content)) consider(m, x);
    }

    template <parallel::executor E>
    std::vector<planned_bundle> run(E& e) {
        alone_.assign(small_.size(), 0);
        choice chosen = choose(by_type(small_), e);
        if (options_.group_streams) {
            choice grouped = choose(by_role(small_), e);
            grouped.add(choose(by_type(without(grouped.bundles)), e));
            merge_neighbours(grouped);
            if (grouped.saved_bytes > chosen.saved_bytes) chosen = std::move(grouped);
        }
        std::sort(chosen.bundles.begin(), chosen.bundles.end(), [](const planned_bundle& a, const planned_bundle& b) {
            return a.contents.front() < b.contents.front();
        });
        return std::move(chosen.bundles);
    }

private:
    struct choice {
        std::vector<planned_bundle> bundles;
        std::uint64_t saved_bytes = 0; ///< against a block for each part

        void add(choice more) {
            saved_bytes += more.saved_bytes;
            for (planned_bundle& bundle : more.bundles)
                bundles.push_back(std::move(bundle));
        }
    };

    /// In both copies of the index for naming the bundle of a slice.
    static constexpr std::uint64_t slice_entry_bytes = 2;

    void consider(std::uint32_t member, std::uint32_t number) {
        const planned_extent& extent = plan_.members[member].extents[number];
        const planned_content& original = plan_.contents[extent.content];
        const bool own = original.member == member && original.extent == number;
        if (own && extent.bytes > 0 && extent.bytes < bundle_limit(options_)) small_.push_back(extent.content);
    }

    /// What lies in one bundle has one type of elements; text and numbers stay apart.
    static std::string type_key(const planned_extent& extent) {
        return std::to_string(static_cast<int>(extent.kind)) + std::string(extent.type.name);
    }

    /// Also one role: the name without its numbers.
    static std::string role_key(const planned_extent& extent) {
        std::string key = type_key(extent) + '/';
        for (const char c : extent.tensor) {
            if (!std::isdigit(static_cast<unsigned char>(c)))
                key.push_back(c);
            else if (key.back() != '#')
                key.push_back('#');
        }
        return key;
    }

    std::vector<planned_bundle> by_type(const std::vector<std::uint32_t>& contents) const {
        return grouped(contents, type_key, small_part_bytes, mixed_bundle_bytes);
    }
    std::vector<planned_bundle> by_role(const std::vector<std::uint32_t>& contents) const {
        return grouped(contents, role_key, groupable_bytes, io::max_bundle_bytes);
    }

    /// Bundles of two parts or more.
    template <class Key>
    std::vector<planned_bundle> grouped(const std::vector<std::uint32_t>& contents, Key key, std::uint64_t part_limit,
                                        std::uint64_t bundle_bytes) const {
        std::vector<planned_bundle> bundles;
        std::map<std::string, std::size_t> open;
        for (const std::uint32_t content : contents) {
            const planned_extent& extent = parts_.extent_of(content);
            if (extent.bytes >= part_limit) continue;
            const auto [at, added] = open.try_emplace(key(extent), bundles.size());
            if (!added && bundles[at->second].raw_bytes + extent.bytes > bundle_bytes) at->second = bundles.size();
            if (at->second == bundles.size()) bundles.emplace_back();
            bundles[at->second].contents.push_back(content);
            bundles[at->second].raw_bytes += extent.bytes;
        }
        std::erase_if(bundles, [](const planned_bundle& bundle) { return bundle.contents.size() < 2; });
        return bundles;
    }

    std::vector<std::uint32_t> without(const std::vector<planned_bundle>& bundles) const {
        std::vector<std::uint32_t> taken, left;
        for (const planned_bundle& bundle : bundles)
            taken.insert(taken.end(), bundle.contents.begin(), bundle.contents.end());
        std::sort(taken.begin(), taken.end());
        std::set_difference(small_.begin(), small_.end(), taken.begin(), taken.end(), std::back_inserter(left));
        return left;
    }

    /// Those of the bundles that are smaller than their parts alone.
    template <parallel::executor E>
    choice choose(std::vector<planned_bundle> bundles, E& e) {
        choice kept;
        std::vector<std::uint64_t> together(bundles.size()), alone(bundles.size());
        for_each_bundle(
            parts_, bundles, options_, e,
            [&](const raw_bundle& raw, std::size_t i) {
                const auto memory = memories_.borrow();
                together[i] = encoded_bytes({raw.type, 0, 0, raw.parts}, raw.bytes, *memory) + block_entry_bytes +
                              slice_entry_bytes * bundles[i].contents.size();
                alone[i] = bytes_alone(bundles[i], raw, *memory);
            },
            [&](std::size_t i) {
                if (together[i] >= alone[i]) return;
                kept.saved_bytes += alone[i] - together[i];
                kept.bundles.push_back(std::move(bundles[i]));
            });
        return kept;
    }

    /// Roles that lie side by side and parts that are alone in theirs may share tables as well: each is tried with the
    /// one before it, in the order of the file.
    void merge_neighbours(choice& grouped) {
        std::vector<planned_bundle> all = std::move(grouped.bundles);
        for (const std::uint32_t content : without(all))
            if (parts_.extent_of(content).bytes < groupable_bytes)
                all.push_back({{content}, parts_.extent_of(content).bytes});
        std::sort(all.begin(), all.end(), [&](const planned_bundle& a, const planned_bundle& b) {
            const std::string left = type_key(parts_.extent_of(a.contents.front()));
            const std::string right = type_key(parts_.extent_of(b.contents.front()));
            return left != right ? left < right : a.contents.front() < b.contents.front();
        });
        grouped.bundles.clear();
        std::uint64_t last_bytes = 0;
        for (planned_bundle& bundle : all) {
            check_cancelled(options_);
            const std::uint64_t bytes = bytes_of(bundle);
            if (!grouped.bundles.empty() && merge(grouped, last_bytes, bundle, bytes)) continue;
            grouped.bundles.push_back(std::move(bundle));
            last_bytes = bytes;
        }
        std::erase_if(grouped.bundles, [](const planned_bundle& bundle) { return bundle.contents.size() < 2; });
    }

    /// Adds `next` to the last of the bundles when that is smaller than both; `last_bytes` is then of both.
    bool merge(choice& grouped, std::uint64_t& last_bytes, const planned_bundle& next, std::uint64_t next_bytes) {
        planned_bundle both = grouped.bundles.back();
        both.raw_bytes += next.raw_bytes;
        const bool same_type = type_key(parts_.extent_of(both.contents.front())) ==
                               type_key(parts_.extent_of(next.contents.front()));
        if (!same_type || both.raw_bytes > mixed_bundle_bytes) return false;
        both.contents.insert(both.contents.end(), next.contents.begin(), next.contents.end());
        std::sort(both.contents.begin(), both.contents.end()); // as slices lie in a bundle
        const std::uint64_t bytes = bytes_of(both);
        if (bytes >= last_bytes + next_bytes) return false;
        grouped.saved_bytes += last_bytes + next_bytes - bytes;
        grouped.bundles.back() = std::move(both);
        last_bytes = bytes;
        return true;
    }

    /// What a bundle, or a part alone, takes.
    std::uint64_t bytes_of(const planned_bundle& bundle) {
        const auto memory = memories_.borrow();
        const raw_bundle raw = parts_.read(bundle);
        if (bundle.contents.size() == 1) return bytes_alone(bundle, raw, *memory);
        return encoded_bytes({raw.type, 0, 0, raw.parts}, raw.bytes, *memory) + block_entry_bytes +
               slice_entry_bytes * bundle.contents.size();
    }

    /// Every content is in one of the bundles that are looked at together, so that no two threads meet in alone_.
    std::uint64_t bytes_alone(const planned_bundle& bundle, const raw_bundle& raw, scratch& memory) {
        std::uint64_t sum = 0;
        std::size_t at = 0;
        for (const std::uint32_t content : bundle.contents) {
            check_cancelled(options_);
            const planned_extent& extent = parts_.extent_of(content);
            const auto bytes = static_cast<std::size_t>(extent.bytes);
            const auto number = std::lower_bound(small_.begin(), small_.end(), content) - small_.begin();
            std::uint64_t& known = alone_[static_cast<std::size_t>(number)];
            const block_info info{extent.type, extent.row_elems, 0, {}, extent.last_elems};
            if (known == 0) known = encoded_bytes(info, bytes_view(raw.bytes).subspan(at, bytes), memory);
            sum += known + block_entry_bytes;
            at += bytes;
        }
        return sum;
    }

    std::uint64_t encoded_bytes(const block_info& info, bytes_view raw, scratch& memory) const {
        const bytes_span out = memory.memory(scratch::purpose::block, options_.codec.bound(raw.size()));
        return options_.codec.encode(info, raw, out, memory).bytes;
    }

    const pack_plan& plan_;
    const pack_options& options_;
    part_reader parts_;
    std::vector<std::uint32_t> small_; // contents that may lie in bundles, ascending
    std::vector<std::uint64_t> alone_; // coded bytes of each in a block of its own; 0 when not known yet
    parallel::object_pool<scratch> memories_;
};

} // namespace bigsmall::archive::detail
