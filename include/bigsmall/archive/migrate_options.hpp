// SPDX-License-Identifier: BSL-1.0
// What migrating can be told, and what it tells.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include <bigsmall/archive/default_codec.hpp>
#include <bigsmall/archive/options.hpp>

namespace bigsmall::archive {

enum class migration { rewrite, report_only };
enum class keep_backup { yes, no };

struct migrate_options : run_options { ///< `existing` is about backups that are there already
    migration what = migration::rewrite;
    keep_backup backup = keep_backup::yes;
    /// Whose codec tries the blocks; nothing: of each container, the point that it records, else balanced.
    std::optional<operating_point> point;
};

struct migrate_result {
    std::uint64_t old_bytes = 0, new_bytes = 0; ///< of all containers; equal when nothing is to be gained
    std::uint64_t tensors = 0, smaller_tensors = 0;
    std::uint64_t blocks = 0, smaller_blocks = 0; ///< that have bytes of their own
    std::uint64_t untried_blocks = 0;             ///< differences to a base, which stay as they are
    std::vector<std::filesystem::path> files;     ///< that were written anew, or would be
    std::vector<std::filesystem::path> backups;   ///< what they were
};

} // namespace bigsmall::archive
