// SPDX-License-Identifier: BSL-1.0
// Finds equal parts before they are coded: tied and repeated tensors, files that occur twice.
//
// Three sieves, each over what the one before left: equal size, equal samples, equal checksum of everything;
// what remains is compared byte by byte. However many parts look alike, each is read at most three times.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include <bigsmall/archive/options.hpp>
#include <bigsmall/archive/plan.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/io/checksum.hpp>
#include <bigsmall/parallel/executor.hpp>

namespace bigsmall::archive {

/// Where equal parts may refer to each other.
enum class duplicate_scope {
    everywhere,    ///< one container holds everything
    one_directory, ///< containers that refer to each other must lie side by side
};

namespace detail {

inline constexpr std::size_t sample_bytes = 4096;
inline constexpr std::size_t comparison_bytes = 1 * MiB;

struct candidate {
    std::uint32_t content = 0, member = 0, extent = 0;
    std::uint32_t scope = 0;
    std::uint64_t bytes = 0, samples = 0, whole = 0;

    auto key() const { return std::tie(scope, bytes, samples, whole); }
};

class duplicate_search {
public:
    duplicate_search(pack_plan& plan, std::uint64_t bundle_limit, const run_options& options)
        : plan_(plan), bundle_limit_(bundle_limit), options_(options) {}

    template <parallel::executor E>
    void run(duplicate_scope scope, E& e) {
        collect(scope);
        keep_groups();
        sample_all(e);
        keep_groups();
        checksum_all(e);
        keep_groups();
        merge_equal(e);
    }

private:
    const planned_extent& extent_of(const candidate& c) const { return plan_.members[c.member].extents[c.extent]; }

    void collect(duplicate_scope scope) {
        std::string directory;
        std::uint32_t number = 0;
        for (std::uint32_t i = 0; i < plan_.contents.size(); ++i) {
            const auto [m, x] = plan_.contents[i];
            const std::string& name = plan_.members[m].file.name;
            const std::string here = name.substr(0, name.rfind('/') + 1);
            // Files are sorted by name, but a directory's own files may come in several runs.
            if (scope == duplicate_scope::one_directory && here != directory) number = scope_of(here);
            directory = here;
            const std::uint64_t bytes = plan_.members[m].extents[x].bytes;
            if (bytes == 0) continue;
            // What may lie in a bundle is no place to refer to from another container.
            const bool own = scope == duplicate_scope::one_directory && bytes < bundle_limit_;
            found_.push_back({i, m, x, own ? first_member_scope + m : number, bytes, 0, 0});
        }
    }

    std::uint32_t scope_of(const std::string& directory) {
        const auto at = std::find(directories_.begin(), directories_.end(), directory);
        const auto number = static_cast<std::uint32_t>(at - directories_.begin());
        if (at == directories_.end()) directories_.push_back(directory);
        return number;
    }

    /// Sorts equal keys together and drops what is alone.
    void keep_groups() {
        std::sort(found_.begin(), found_.end(), [](const candidate& a, const candidate& b) {
            return a.key() != b.key() ? a.key() < b.key() : a.content < b.content;
        });
        std::vector<candidate> kept;
        for (const auto group : groups())
            if (group.size() > 1) kept.insert(kept.end(), group.begin(), group.end());
        found_ = std::move(kept);
    }

    std::vector<std::span<const candidate>> groups() const {
        std::vector<std::span<const candidate>> all;
        for (std::size_t begin = 0, end = 0; begin < found_.size(); begin = end) {
            while (end < found_.size() && found_[end].key() == found_[begin].key())
                ++end;
            all.push_back(std::span(found_).subspan(begin, end - begin));
        }
        return all;
    }

    template <parallel::executor E>
    void sample_all(E& e) {
        std::sort(found_.begin(), found_.end(),
                  [](const candidate& a, const candidate& b) { return a.content < b.content; });
        std::vector<std::size_t> starts; // of each member's run: its file is opened once
        for (std::size_t i = 0; i < found_.size(); ++i)
            if (i == 0 || found_[i].member != found_[i - 1].member) starts.push_back(i);
        starts.push_back(found_.size());
        e.for_each(starts.size() - 1, [&](std::size_t run) {
            check_cancelled(options_);
            const io::file_source file(plan_.members[found_[starts[run]].member].file.path);
            for (std::size_t i = starts[run]; i < starts[run + 1]; ++i)
                sample(file, found_[i]);
        });
    }

    void sample(const io::source& file, candidate& c) const {
        const std::uint64_t begin = extent_of(c).begin;
        std::array<std::uint8_t, 3 * sample_bytes> bytes{};
        const auto length = static_cast<std::size_t>(std::min<std::uint64_t>(c.bytes, bytes.size()));
        if (c.bytes <= bytes.size()) {
            file.read(begin, bytes_span(bytes).first(length));
        } else {
            const std::uint64_t places[] = {0, c.bytes / 2, c.bytes - sample_bytes};
            for (std::size_t i = 0; i < 3; ++i)
                file.read(begin + places[i], bytes_span(bytes).subspan(i * sample_bytes, sample_bytes));
        }
        c.samples = io::checksum(bytes_view(bytes).first(length));
    }

    /// A pair is better compared at once; small parts were sampled whole.
    template <parallel::executor E>
    void checksum_all(E& e) {
        std::vector<candidate*> wanted;
        for (const auto group : groups()) {
            if (group.size() == 2 || group.front().bytes <= 3 * sample_bytes) continue;
            for (const candidate& c : group)
                wanted.push_back(&found_[static_cast<std::size_t>(&c - found_.data())]);
        }
        e.for_each(wanted.size(), [&](std::size_t i) { checksum(*wanted[i]); });
    }

    void checksum(candidate& c) const {
        const io::file_source file(plan_.members[c.member].file.path);
        byte_buffer buffer(8 + comparison_bytes);
        for (std::uint64_t done = 0; done < c.bytes;) {
            check_cancelled(options_);
            const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(comparison_bytes, c.bytes - done));
            // A chain: every piece is hashed behind the hash of the pieces before it.
            store_le(buffer.data(), c.whole);
            file.read(extent_of(c).begin + done, bytes_span(buffer).subspan(8, now));
            c.whole = io::checksum(bytes_view(buffer).first(8 + now));
            done += now;
        }
    }

    template <parallel::executor E>
    void merge_equal(E& e) {
        std::vector<std::pair<const candidate*, const candidate*>> pairs;
        for (const auto group : groups())
            for (std::size_t i = 1; i < group.size(); ++i)
                pairs.emplace_back(&group[0], &group[i]);
        std::vector<char> equal(pairs.size(), 0);
        constexpr std::size_t at_once = 64; // pairs of tiny parts: opening their file takes longer than comparing them
        e.for_each((pairs.size() + at_once - 1) / at_once, [&](std::size_t run) {
            open_file first(plan_), second(plan_);
            const std::size_t end = std::min(pairs.size(), (run + 1) * at_once);
            for (std::size_t i = run * at_once; i < end; ++i)
                equal[i] = same_bytes(first, *pairs[i].first, second, *pairs[i].second) ? 1 : 0;
        });
        for (std::size_t i = 0; i < pairs.size(); ++i) {
            if (equal[i] == 0) continue;
            const candidate& copy = *pairs[i].second;
            plan_.members[copy.member].extents[copy.extent].content = pairs[i].first->content;
        }
    }

    /// The file that was asked for last.
    class open_file {
    public:
        explicit open_file(const pack_plan& plan) : plan_(plan) {}

        const io::file_source& of(const candidate& c) {
            if (!file_ || c.member != member_) file_.emplace(plan_.members[c.member].file.path);
            member_ = c.member;
            return *file_;
        }

    private:
        const pack_plan& plan_;
        std::optional<io::file_source> file_;
        std::uint32_t member_ = 0;
    };

    bool same_bytes(open_file& first_file, const candidate& a, open_file& second_file, const candidate& b) const {
        const io::file_source& first = first_file.of(a);
        const io::file_source& second = second_file.of(b);
        const auto room = static_cast<std::size_t>(std::min<std::uint64_t>(comparison_bytes, a.bytes));
        byte_buffer left(room), right(room);
        for (std::uint64_t done = 0; done < a.bytes;) {
            check_cancelled(options_);
            const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(room, a.bytes - done));
            first.read(extent_of(a).begin + done, bytes_span(left).first(now));
            second.read(extent_of(b).begin + done, bytes_span(right).first(now));
            if (!std::equal(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(now), right.begin())) return false;
            done += now;
        }
        return true;
    }

    static constexpr std::uint32_t first_member_scope = std::uint32_t{1} << 31;

    pack_plan& plan_;
    std::uint64_t bundle_limit_;
    const run_options& options_;
    std::vector<candidate> found_;
    std::vector<std::string> directories_{std::string()}; ///< number 0 is the source itself
};

} // namespace detail

/// Makes extents with equal bytes share the content of the first of them. Types and shapes do not matter. In containers
/// of one directory, parts of fewer than `bundle_limit` bytes share only within a file.
/// Memory: two buffers of 1 MiB per thread. Throws: errc::io, errc::truncated, errc::cancelled.
template <parallel::executor E>
void find_duplicates(pack_plan& plan, duplicate_scope scope, std::uint64_t bundle_limit, const run_options& options,
                     E& e) {
    detail::duplicate_search(plan, bundle_limit, options).run(scope, e);
}

} // namespace bigsmall::archive
