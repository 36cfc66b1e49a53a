// SPDX-License-Identifier: BSL-1.0
// What an earlier output of shards leaves over when a new one takes its place.
#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <bigsmall/archive/carried_files.hpp>
#include <bigsmall/archive/hash.hpp>
#include <bigsmall/archive/input_files.hpp>
#include <bigsmall/archive/options.hpp>
#include <bigsmall/archive/shard_index.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/container/reader.hpp>
#include <bigsmall/io/file_source.hpp>

namespace bigsmall::archive::detail {

/// The container that the index says, as far as its own index tells.
inline bool is_as_listed(const std::filesystem::path& path, const shard_record& shard) {
    const auto file = std::make_shared<const io::file_source>(path);
    if (file->size() != shard.stored_bytes) return false;
    const io::container_reader reader(file);
    const std::vector<io::member_entry>& members = reader.index().members;
    return members.size() == 1 && hex_of(members[0].sha256) == shard.source_sha256;
}

inline bool is_as_listed(const std::filesystem::path& path, const carried_record& record, const run_options& options) {
    const io::file_source file(path);
    return file.size() == record.bytes && hex_of(read_through(file, options, [](bytes_view) {})) == record.sha256;
}

/// The files that the index in `directory` lists, that `now` does not, and that are still what the index says: whatever
/// somebody else has put there or changed is not ours to remove, nor is an input. Throws: errc::cancelled.
inline std::vector<std::filesystem::path> find_leftovers(const std::filesystem::path& directory, const shard_index& now,
                                                         const input_files& inputs, const run_options& options) {
    shard_index before;
    try {
        before = read_shard_index(directory);
    } catch (const error&) {
        return {}; // none, or none that can be trusted
    }
    std::set<std::string_view> kept;
    for (const shard_record& shard : now.shards)
        kept.insert(shard.file);
    for (const carried_record& file : now.files)
        kept.insert(file.file);
    std::vector<std::filesystem::path> leftovers;
    const auto look_at = [&](const std::string& name, auto&& is_ours) {
        const std::filesystem::path path = directory / name;
        if (kept.count(name) != 0 || inputs.contains(path)) return;
        try {
            if (is_ours(path)) leftovers.push_back(path);
        } catch (const error& e) {
            if (e.code() == errc::cancelled) throw;
        }
    };
    for (const shard_record& shard : before.shards)
        look_at(shard.file, [&](const std::filesystem::path& path) { return is_as_listed(path, shard); });
    for (const carried_record& file : before.files)
        look_at(file.file, [&](const std::filesystem::path& path) { return is_as_listed(path, file, options); });
    return leftovers;
}

/// Removes the leftovers and returns those that are gone. `written` are the new files: on some file systems one of them
/// has the name of a leftover in other letters.
inline std::vector<std::filesystem::path> remove_leftovers(const std::vector<std::filesystem::path>& leftovers,
                                                           const std::vector<std::filesystem::path>& written) {
    input_files fresh("the output");
    for (const std::filesystem::path& path : written)
        fresh.add(path);
    std::vector<std::filesystem::path> removed;
    for (const std::filesystem::path& path : leftovers) {
        std::error_code failed;
        if (!fresh.contains(path) && std::filesystem::remove(path, failed)) removed.push_back(path);
    }
    return removed;
}

} // namespace bigsmall::archive::detail
