// SPDX-License-Identifier: BSL-1.0
#include "commands/old_parity.hpp"

#include <set>
#include <system_error>

#include <bigsmall/core/error.hpp>
#include <bigsmall/io/ecc/sidecar.hpp>

#include "commands/problems.hpp"

namespace bigsmall::app {
namespace {

namespace fs = std::filesystem;

// Only what begins as parity does: 'repair' would refuse it, but nobody should have to find that out.
bool remove_if_parity(const fs::path& sidecar) {
    std::error_code failed;
    if (!fs::is_regular_file(fs::symlink_status(sidecar, failed)) || !is_parity(sidecar)) return false;
    const bool removed = fs::remove(sidecar, failed);
    if (!removed && failed)
        throw error(errc::io, "cannot remove the parity of the older output: " + failed.message())
            .in_file(sidecar.string());
    return removed;
}

} // namespace

void require_place_for_parity(const fs::path& output, const arguments& given) {
    if (given.has("force")) return;
    std::error_code failed;
    const fs::path sidecar = io::ecc_path(output);
    if (!fs::exists(fs::symlink_status(sidecar, failed))) return;
    throw error(errc::exists, "this is there already and would be taken for the parity of the output")
        .in_file(sidecar.string());
}

void remove_old_parity(const std::vector<fs::path>& written, std::vector<fs::path>& removed) {
    const std::set<fs::path> own(written.begin(), written.end()); // some of which may be parity that the model has
    std::vector<fs::path> replaced = written;
    replaced.insert(replaced.end(), removed.begin(), removed.end());
    for (const fs::path& file : replaced)
        if (const fs::path sidecar = io::ecc_path(file); !own.contains(sidecar) && remove_if_parity(sidecar))
            removed.push_back(sidecar);
}

} // namespace bigsmall::app
