// SPDX-License-Identifier: BSL-1.0
// What reading an archive reads, so that no output takes its place.
#pragma once

#include <cstdint>
#include <filesystem>

#include <bigsmall/archive/input_files.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/io/ecc/sidecar.hpp>

namespace bigsmall::archive {

/// Outputs replace what is there when asked to, but never what they come from: the containers, others that these refer
/// to, the files beside them, and the parity of all of these.
inline input_files inputs_of(const opened_archive& archive) {
    input_files inputs("the archive itself, a file that it needs, or their parity");
    const auto add = [&](const std::filesystem::path& file) {
        inputs.add(file);
        inputs.add(io::ecc_path(file));
    };
    for (const opened_container& container : archive.containers())
        for (std::uint32_t home = 0; home <= container.index().siblings.size(); ++home)
            add(container.home_path(home));
    if (!archive.sharded()) return inputs;
    add(archive.path() / shard_index_name);
    for (const carried_record& file : archive.shards().files)
        add(archive.path() / file.file);
    return inputs;
}

} // namespace bigsmall::archive
