// SPDX-License-Identifier: BSL-1.0
#include "commands/compress_ecc.hpp"

#include <set>
#include <system_error>

#include <bigsmall/archive/archive_files.hpp>
#include <bigsmall/archive/protect.hpp>

#include "commands/problems.hpp"

namespace bigsmall::app {
namespace {

namespace fs = std::filesystem;

// That of an older output: 'repair' would refuse it, but nobody should have to find that out.
void remove_parity_of(const fs::path& file) {
    const fs::path sidecar = io::ecc_path(file);
    std::error_code failed;
    if (!fs::is_regular_file(fs::symlink_status(sidecar, failed)) || !is_parity(sidecar)) return;
    if (!fs::remove(sidecar, failed) && failed)
        throw error(errc::io, "cannot remove the parity of the older output: " + failed.message())
            .in_file(sidecar.string());
}

} // namespace

option_spec ecc_option() {
    return {.name = "ecc",
            .help = "Also write OUT.ecc, parity of 14.6 % of OUT (more of files below 100 KB), with --per-shard one "
                    "for each file: 'repair' brings back with it what is damaged later. See 'ecc --help'."};
}

void require_place_for_parity(const fs::path& output, const arguments& given) {
    if (given.has("force") || given.has("per-shard")) return;
    std::error_code failed;
    const fs::path sidecar = io::ecc_path(output);
    if (!fs::exists(fs::symlink_status(sidecar, failed))) return;
    throw error(errc::exists, "this is there already and would be taken for the parity of the output")
        .in_file(sidecar.string());
}

parity_result write_parity(const archive::pack_result& packed, const arguments& given, work_session& session) {
    parity_result result;
    std::vector<fs::path> paths;
    for (const archive::packed_file& file : packed.files)
        paths.push_back(file.path);
    const std::set<fs::path> written(paths.begin(), paths.end()); // some of which may be parity that the model has
    std::vector<fs::path> replaced = paths;
    replaced.insert(replaced.end(), packed.removed_files.begin(), packed.removed_files.end());
    for (const fs::path& file : replaced)
        if (!written.contains(io::ecc_path(file))) remove_parity_of(file);
    if (!given.has("ecc")) return result;
    archive::require_names_for_parity(paths);
    archive::run_options options;
    session.apply_to(options, given);
    for (const archive::packed_file& file : packed.files) {
        result.files.push_back(io::ecc_path(file.path));
        result.bytes += archive::protect(file.path, result.files.back(), options, session.executor()).sidecar_bytes;
    }
    return result;
}

std::string parity_text(const parity_result& parity, std::uint64_t compressed_bytes) {
    if (parity.files.empty()) return {};
    return "  parity:     " + with_thousands(parity.bytes) + " bytes (" + percent_text(parity.bytes, compressed_bytes) +
           " of that)\n";
}

json parity_json(const parity_result& parity) {
    if (parity.files.empty()) return nullptr;
    return {{"bytes", parity.bytes}, {"files", paths_json(parity.files)}};
}

std::vector<json_field> parity_fields() {
    return {{"ecc", "object or null", "with --ecc: the parity"},
            {"ecc.bytes", "integer", "bytes of it"},
            {"ecc.files", "array of strings", "where it lies"}};
}

} // namespace bigsmall::app
