// SPDX-License-Identifier: BSL-1.0
#include "commands/compress_ecc.hpp"

#include <vector>

#include <bigsmall/archive/archive_files.hpp>
#include <bigsmall/archive/protect.hpp>

namespace bigsmall::app {
namespace fs = std::filesystem;

option_spec ecc_option() {
    return {.name = "ecc",
            .help = "Also write OUT.ecc, parity of 14.6 % of OUT (more of files below 100 KB), with --per-shard one "
                    "for each file: 'repair' brings back with it what is damaged later. See 'ecc --help'."};
}

parity_result write_parity(const archive::pack_result& packed, const arguments& given, work_session& session) {
    parity_result result;
    std::vector<fs::path> written;
    for (const archive::packed_file& file : packed.files)
        written.push_back(file.path);
    archive::require_names_for_parity(written);
    archive::run_options options;
    session.apply_to(options, given);
    for (const fs::path& file : written) {
        result.files.push_back(io::ecc_path(file));
        result.bytes += archive::protect(file, result.files.back(), options, session.executor()).sidecar_bytes;
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
