// SPDX-License-Identifier: BSL-1.0
// What a patch was made against, and which patches before it lead there.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <bigsmall/archive/hash.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/container/reader.hpp>
#include <bigsmall/io/file_source.hpp>

namespace bigsmall::archive {

/// A file of the base.
struct base_file_summary {
    std::string name;
    std::uint64_t bytes = 0;
    std::string sha256; ///< hexadecimal
};

/// A container of a chain and what it was made against.
struct patch_link {
    std::filesystem::path container;
    std::vector<base_file_summary> base; ///< empty: it is no patch, and the chain ends with it
};

namespace detail {

class chain_search {
public:
    explicit chain_search(const std::filesystem::path& patch) {
        std::error_code failed;
        const std::filesystem::path folder = patch.has_parent_path() ? patch.parent_path() : ".";
        std::vector<std::filesystem::path> paths;
        // What cannot be listed is not worth a failure: this is a nicety.
        for (std::filesystem::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed)) {
            const std::filesystem::path extension = at->path().extension();
            if (extension != ".bs" && extension != ".bsr") continue;
            if (paths.size() == most_candidates) break;
            paths.push_back(at->path());
        }
        std::sort(paths.begin(), paths.end());
        for (std::filesystem::path& path : paths)
            learn(std::move(path));
    }

    /// `index`: of the patch itself.
    std::vector<patch_link> run(const std::filesystem::path& patch, const io::container_index& index) const {
        std::vector<patch_link> chain = way_to_an_end({patch, bases_of(index)});
        if (!chain.empty()) return chain;
        chain = {{patch, bases_of(index)}};
        std::set<std::string> restored = restored_by(index);
        while (!chain.back().base.empty()) {
            const candidate* next = find(chain.back().base, restored);
            if (next == nullptr) break;
            restored.insert(next->restored.begin(), next->restored.end());
            chain.push_back(next->link);
        }
        return chain;
    }

private:
    static constexpr std::size_t most_candidates = 1000;

    static std::vector<base_file_summary> bases_of(const io::container_index& index) {
        std::vector<base_file_summary> files;
        for (const io::base_file& file : index.base_files)
            files.push_back({file.name, file.bytes, hex_of(file.sha256)});
        return files;
    }

    static std::set<std::string> restored_by(const io::container_index& index) {
        std::set<std::string> files;
        for (const io::member_entry& member : index.members)
            files.insert(hex_of(member.sha256));
        return files;
    }

    /// The shortest way to a container that is no patch or whose base nobody restores, if there is one: out of the
    /// circles that patches make which take others back.
    std::vector<patch_link> way_to_an_end(patch_link patch) const {
        struct step {
            patch_link link;
            std::size_t from; // a step in front of it; of the first one, itself
        };
        std::vector<step> steps{{std::move(patch), 0}};
        std::vector<bool> used(candidates_.size());
        for (std::size_t s = 0; s < steps.size(); ++s) {
            const std::vector<base_file_summary> base = steps[s].link.base;
            bool is_restored = false;
            for (std::size_t c = 0; c < candidates_.size() && !base.empty(); ++c) {
                if (!candidates_[c].restores(base)) continue;
                is_restored = true;
                if (!used[c]) steps.push_back({candidates_[c].link, s});
                used[c] = true;
            }
            if (is_restored) continue;
            std::vector<patch_link> way{steps[s].link};
            for (; s != 0; way.push_back(steps[s].link))
                s = steps[s].from;
            std::reverse(way.begin(), way.end());
            return way;
        }
        return {};
    }

    /// What is asked of every container, read once.
    struct candidate {
        patch_link link;
        std::set<std::string> restored; ///< SHA-256 of the files

        bool restores(const std::vector<base_file_summary>& base) const {
            return std::all_of(base.begin(), base.end(),
                               [&](const base_file_summary& file) { return restored.contains(file.sha256); });
        }
    };

    void learn(std::filesystem::path path) {
        try {
            const io::container_reader reader(std::make_shared<const io::file_source>(path));
            candidates_.push_back({{std::move(path), bases_of(reader.index())}, restored_by(reader.index())});
        } catch (const error&) {
            return; // no container, or a broken one
        }
    }

    /// A container that restores all files of a base: no patch, if there is one. A patch that starts from what later
    /// links restore would lead in a circle. Null: there is none.
    const candidate* find(const std::vector<base_file_summary>& base, const std::set<std::string>& later) const {
        const candidate* found = nullptr;
        for (const candidate& one : candidates_) {
            const auto is_later = [&](const base_file_summary& file) { return later.contains(file.sha256); };
            if (!one.restores(base)) continue;
            if (one.link.base.empty()) return &one;
            const bool circle = std::all_of(one.link.base.begin(), one.link.base.end(), is_later);
            if (found == nullptr && !circle) found = &one;
        }
        return found;
    }

    std::vector<candidate> candidates_;
};

} // namespace detail

/// The patch at `patch`, then the container of the same folder that restores its base, and so on: until one is no
/// patch, or none restores the base. Reads the indexes of up to 1,000 containers of the folder. Empty when it is no
/// patch. Throws: as container_reader, for the patch itself.
inline std::vector<patch_link> chain_of(const std::filesystem::path& patch) {
    const io::container_reader reader(std::make_shared<const io::file_source>(patch));
    if (!reader.index().is_patch()) return {};
    return detail::chain_search(patch).run(patch, reader.index());
}

} // namespace bigsmall::archive
