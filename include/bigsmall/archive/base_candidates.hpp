// SPDX-License-Identifier: BSL-1.0
// The models that lie below some directories, found by the names of files; no model is opened.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <bigsmall/archive/options.hpp>
#include <bigsmall/archive/shard_index.hpp>
#include <bigsmall/archive/source_tree.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/checksum.hpp>
#include <bigsmall/io/container/byte_writer.hpp>
#include <bigsmall/io/posix.hpp>

namespace bigsmall::archive {

/// Something that was looked at and cannot be used.
struct skipped_path {
    std::filesystem::path path;
    std::string reason;
};

/// A file or directory that seems to be a model.
struct model_candidate {
    std::filesystem::path path;
    std::size_t directory = 0;      ///< below which of the given ones it was found
    std::string name;               ///< its path from there; "." for that directory itself
    std::vector<source_file> files; ///< that it consists of, by name

    /// Changes when one of the files changes its name, its size or its time.
    std::uint64_t stamp() const {
        io::detail::byte_writer facts;
        for (const source_file& file : files) {
            facts.sized(as_bytes_view(file.name));
            facts.fixed(file.stamp.bytes);
            facts.fixed(static_cast<std::uint64_t>(file.stamp.seconds));
            facts.fixed(static_cast<std::uint64_t>(file.stamp.nanoseconds));
        }
        return io::checksum(facts.written());
    }
};

struct search_limits {
    std::size_t depth = 8;           ///< directories below a given one
    std::size_t candidates = 10'000; ///< models
    std::size_t entries = 1'000'000; ///< files and directories that are looked at
};

struct found_candidates {
    std::vector<model_candidate> models; ///< directory after directory, by name
    std::vector<skipped_path> skipped;
    std::vector<std::string> notes; ///< what was not looked at, in words
};

namespace detail {

inline bool is_model_file(std::string_view name) { return name.ends_with(".safetensors") || name.ends_with(".bs"); }

/// "model-00001-of-00002.safetensors".
inline bool is_shard_name(std::string_view name) {
    constexpr std::string_view digits = "0123456789", ending = ".safetensors";
    if (!name.ends_with(ending)) return false;
    name.remove_suffix(ending.size());
    for (const std::string_view before : {"-of-", "-"}) {
        const std::size_t at = name.find_last_not_of(digits);
        if (at == std::string_view::npos || at + 1 == name.size()) return false;
        name = name.substr(0, at + 1);
        if (!name.ends_with(before)) return false;
        name.remove_suffix(before.size());
    }
    return true;
}

class candidate_finder {
public:
    candidate_finder(const search_limits& limits, const run_options& options) : limits_(limits), options_(options) {}

    void look_below(const std::filesystem::path& root, std::size_t number) {
        root_ = root;
        number_ = number;
        std::error_code failed;
        if (!std::filesystem::is_directory(root, failed)) {
            found_.skipped.push_back({root, "this is not a directory that can be read"});
            return;
        }
        look_into(root, 0);
    }

    found_candidates take() {
        if (too_deep_ > 0)
            found_.notes.push_back(std::to_string(too_deep_) + " directories lie more than " +
                                   std::to_string(limits_.depth) + " levels deep and were not looked into, " +
                                   first_too_deep_ + " first");
        if (full_)
            found_.notes.push_back("only the first " + std::to_string(found_.models.size()) +
                                   " models among the first " + std::to_string(std::min(looked_at_, limits_.entries)) +
                                   " files and directories were considered");
        return std::move(found_);
    }

private:
    struct listing {
        std::vector<std::string> models, folders; // by name
        bool shards = false, archive = false, pipeline = false, described = false;
        std::size_t weights = 0; // .safetensors files
    };

    void look_into(const std::filesystem::path& folder, std::size_t depth) {
        check_cancelled(options_);
        listing names;
        try {
            names = list(folder);
        } catch (const error& failure) {
            found_.skipped.push_back({folder, failure.message()});
            return;
        } catch (const std::filesystem::filesystem_error& failure) {
            found_.skipped.push_back({folder, "cannot read the directory: " + failure.code().message()});
            return;
        }
        // What an index or a pipeline describes is one model with everything below.
        if ((names.archive || names.pipeline) && add_directory(folder)) return;
        add_models(folder, names);
        if (depth == limits_.depth) {
            if (too_deep_ == 0 && !names.folders.empty()) first_too_deep_ = (folder / names.folders.front()).string();
            too_deep_ += names.folders.size();
            return;
        }
        for (const std::string& inner : names.folders)
            if (!full_) look_into(folder / inner, depth + 1);
    }

    listing list(const std::filesystem::path& folder) {
        listing names;
        for (const std::filesystem::directory_entry& entry : std::filesystem::directory_iterator(folder)) {
            if (++looked_at_ > limits_.entries) full_ = true;
            if (full_) break;
            note(entry, names);
        }
        std::sort(names.models.begin(), names.models.end());
        std::sort(names.folders.begin(), names.folders.end());
        return names;
    }

    static void note(const std::filesystem::directory_entry& entry, listing& names) {
        const std::string name = entry.path().filename().string();
        std::error_code failed;
        if (name.starts_with('.')) return;
        if (entry.is_directory(failed)) {
            if (!entry.is_symlink(failed)) names.folders.push_back(name);
            return;
        }
        if (is_model_file(name)) names.models.push_back(name);
        if (name.ends_with(".safetensors")) ++names.weights;
        names.shards |= is_shard_name(name);
        names.archive |= name == shard_index_name;
        names.pipeline |= name == "model_index.json";
        names.described |= name == "config.json" || name.ends_with(".safetensors.index.json");
    }

    /// Several files in a directory are the parts of one model when something there says so, else a collection.
    void add_models(const std::filesystem::path& folder, const listing& names) {
        const bool one = names.shards || (names.described && names.weights > 1);
        if (one) add_directory(folder);
        for (const std::string& name : names.models)
            if (!one || name.ends_with(".bs")) add_file(folder / name);
    }

    void add_file(const std::filesystem::path& path) {
        try {
            add({path, number_, name_of(path), {{path.filename().string(), path, stamp_of(path)}}});
        } catch (const error& failure) {
            found_.skipped.push_back({path, failure.message()});
        }
    }

    /// False when there is no model in it.
    bool add_directory(const std::filesystem::path& folder) {
        try {
            source_tree tree = find_files(folder);
            std::erase_if(tree.files, [](const source_file& file) {
                return !is_model_file(file.name) && !file.name.ends_with(shard_index_name);
            });
            if (tree.files.empty()) return false;
            add({folder, number_, name_of(folder), std::move(tree.files)});
        } catch (const error& failure) {
            found_.skipped.push_back({folder, failure.message()});
        }
        return true;
    }

    std::string name_of(const std::filesystem::path& path) const {
        return path.lexically_relative(root_).generic_string();
    }

    /// Once, however many of the given directories and links lead to it.
    void add(model_candidate model) {
        std::set<std::pair<std::uint64_t, std::uint64_t>> places;
        for (const source_file& file : model.files)
            places.insert({file.stamp.device, file.stamp.inode});
        if (found_.models.size() == limits_.candidates) full_ = true;
        if (full_ || !known_.insert(std::move(places)).second) return;
        found_.models.push_back(std::move(model));
    }

    search_limits limits_;
    const run_options& options_;
    std::filesystem::path root_;
    std::size_t number_ = 0;
    std::size_t looked_at_ = 0, too_deep_ = 0;
    bool full_ = false;
    std::string first_too_deep_;
    std::set<std::set<std::pair<std::uint64_t, std::uint64_t>>> known_;
    found_candidates found_;
};

} // namespace detail

/// Every model below the directories: archives (.bs, and directories with a bigsmall.index.json), pipelines (a
/// directory with a model_index.json), directories whose safetensors files are shards or are described by a config.json
/// or an index, and all other safetensors files one by one. Symbolic links to files are followed, those to directories
/// are not; what has a name that begins with a dot is passed over. What cannot be read is listed, not thrown. Throws:
/// errc::cancelled.
inline found_candidates find_candidates(const std::vector<std::filesystem::path>& directories,
                                        const search_limits& limits, const run_options& options) {
    detail::candidate_finder finder(limits, options);
    for (std::size_t i = 0; i < directories.size(); ++i)
        finder.look_below(directories[i], i);
    return finder.take();
}

} // namespace bigsmall::archive
