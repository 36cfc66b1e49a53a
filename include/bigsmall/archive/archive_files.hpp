// SPDX-License-Identifier: BSL-1.0
// The files that an archive consists of, each of which may have parity beside it.
#pragma once

#include <filesystem>
#include <set>
#include <system_error>
#include <vector>

#include <bigsmall/archive/shard_index.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/ecc/sidecar.hpp>

namespace bigsmall::archive {

/// The archive itself, or of a directory the index of shards, the containers and the carried files that it names,
/// whether they are there or not. Throws: as read_shard_index().
inline std::vector<std::filesystem::path> files_of_archive(const std::filesystem::path& archive) {
    std::error_code failed;
    if (!std::filesystem::is_directory(archive, failed)) return {archive};
    const shard_index index = read_shard_index(archive);
    std::vector<std::filesystem::path> files{archive / shard_index_name};
    for (const shard_record& shard : index.shards)
        files.push_back(archive / shard.file);
    for (const carried_record& carried : index.files)
        files.push_back(archive / carried.file);
    return files;
}

/// Those of the files beside which there is something with the name of their parity that is no file of the archive
/// itself.
inline std::vector<std::filesystem::path> files_with_parity(const std::vector<std::filesystem::path>& files) {
    const std::set<std::filesystem::path> all(files.begin(), files.end());
    std::vector<std::filesystem::path> found;
    for (const std::filesystem::path& file : files) {
        const std::filesystem::path sidecar = io::ecc_path(file);
        std::error_code failed;
        if (std::filesystem::is_regular_file(sidecar, failed) && !all.contains(sidecar)) found.push_back(file);
    }
    return found;
}

/// Throws errc::exists when one of the files has the name of another one's parity.
inline void require_names_for_parity(const std::vector<std::filesystem::path>& files) {
    const std::set<std::filesystem::path> all(files.begin(), files.end());
    for (const std::filesystem::path& file : files)
        if (const std::filesystem::path sidecar = io::ecc_path(file); all.contains(sidecar))
            throw error(errc::exists, "this is a file of the archive, and would be taken for the parity of another one")
                .in_file(sidecar.string())
                .with_hint("'bigsmall ecc' protects single files, with -o elsewhere");
}

} // namespace bigsmall::archive
