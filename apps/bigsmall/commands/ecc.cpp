// SPDX-License-Identifier: BSL-1.0
#include "commands/commands.hpp"

#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include <bigsmall/archive/archive_files.hpp>
#include <bigsmall/archive/renew_parity.hpp>
#include <bigsmall/io/file_source.hpp>

#include "commands/work.hpp"
#include "console/json.hpp"
#include "options/shared.hpp"

namespace bigsmall::app {
namespace {

namespace fs = std::filesystem;

struct ecc_result {
    std::string file, output; ///< no output: FILE is a directory
    std::vector<fs::path> written;
    archive::protect_result made; ///< in all
    double seconds = 0;
};

bool is_directory(const std::string& path) {
    std::error_code failed;
    return fs::is_directory(path, failed);
}

// What is missing or in the way is told before anything is written.
std::vector<fs::path> files_to_protect(const std::string& archive, const archive::run_options& options) {
    std::vector<fs::path> files = archive::files_of_archive(archive);
    archive::require_names_for_parity(files);
    for (const fs::path& file : files)
        const io::file_source readable(file);
    if (options.existing == io::if_exists::replace) return files;
    for (const fs::path& file : files) {
        std::error_code failed;
        if (fs::exists(fs::symlink_status(io::ecc_path(file), failed)))
            throw error(errc::exists, "this is there already")
                .in_file(io::ecc_path(file).string())
                .with_hint("-f makes the parity of all files again");
    }
    return files;
}

ecc_result work(const arguments& given) {
    ecc_result result;
    result.file = given.positional(0);
    const bool directory = is_directory(result.file);
    if (directory && given.has("output"))
        throw usage_error("the parity of a directory lies in it: --output is for a file");
    if (!directory) result.output = given.value("output").value_or(io::ecc_path(result.file).string());
    if (!directory && (result.output.empty() || result.output == "-"))
        throw usage_error("--output needs the name of a file");
    work_session session(given, show_ratio::no);
    archive::run_options options;
    session.apply_to(options, given);
    const auto protect = [&](const fs::path& file, const fs::path& sidecar) {
        const archive::protect_result made = archive::renew_parity(file, sidecar, options, session.executor());
        result.made.file_bytes += made.file_bytes;
        result.made.sidecar_bytes += made.sidecar_bytes;
        result.written.push_back(sidecar);
    };
    if (directory)
        for (const fs::path& file : files_to_protect(result.file, options))
            protect(file, io::ecc_path(file));
    else
        protect(result.file, result.output);
    result.seconds = session.finish();
    return result;
}

std::string text_of(const ecc_result& result) {
    const bool directory = result.output.empty();
    return "protected " + printable(result.file) +
           (directory ? ": " + with_thousands(result.written.size()) + " files\n  files:   "
                      : " -> " + printable(result.output) + "\n  file:    ") +
           with_thousands(result.made.file_bytes) + " bytes\n" +
           "  parity:  " + with_thousands(result.made.sidecar_bytes) + " bytes (" +
           percent_text(result.made.sidecar_bytes, result.made.file_bytes) + ")\n" +
           "  elapsed: " + fixed(result.seconds, 1) + "s  " + speed(result.made.file_bytes, result.seconds) + "\n";
}

json json_of(const ecc_result& result) {
    return {{"command", "ecc"},
            {"file", result.file},
            {"output", result.output.empty() ? json(nullptr) : json(result.output)},
            {"written", paths_json(result.written)},
            {"file_bytes", result.made.file_bytes},
            {"parity_bytes", result.made.sidecar_bytes},
            {"elapsed_seconds", seconds_json(result.seconds)}};
}

exit_code run(const arguments& given) {
    const ecc_result result = work(given);
    if (given.has("json"))
        print_json(json_of(result));
    else if (!given.has("quiet"))
        print(text_of(result));
    return exit_code::done;
}

} // namespace

command_spec ecc_command() {
    return {
        .verb = "ecc",
        .summary = "Protect a file or an archive with parity, so that damage can be repaired",
        .description =
            {"Writes FILE.ecc, Reed-Solomon parity of about 14.6 % of FILE, from which 'repair' brings back what was "
             "lost. FILE is any file: an archive, a patch, a safetensors file. Of an archive in a directory, which "
             "has a bigsmall.index.json, every file gets parity of its own.",
             "Any 16 wrong bytes of each 255 (223 of the file, 32 of the parity) come back, wherever they are. The "
             "bytes "
             "of these 255 lie far apart, so that a hole comes back, too: an eighth of the file, or 15 MiB of one "
             "above 120 MiB. The .ecc itself may be damaged as well.",
             "Whoever changes FILE on purpose makes its parity again: 'repair' would undo the change, or refuse. With "
             "-f, "
             "parity is not replaced while it shows that FILE has been damaged: of an archive always, of another file "
             "as long as its time is that of before."},
        .positionals = {{.name = "FILE", .help = "The file or the archive to protect. It is only read."}},
        .options = {{.name = "output",
                     .letter = 'o',
                     .value = "OUT",
                     .help = "Where to write.",
                     .fallback = "FILE.ecc, where repair and verify look for it",
                     .kind = value_kind::path},
                    force_option(),
                    threads_option(),
                    json_option(),
                    quiet_option(),
                    no_progress_option(),
                    help_option()},
        .examples = {{"bigsmall ecc model.bs", "Writes model.bs.ecc."},
                     {"bigsmall ecc model.bs -o /backup/model.bs.ecc",
                      "Keeps the parity on another disk; 'repair model.bs --ecc' takes it."},
                     {"bigsmall ecc model-bs", "Each file of the directory."}},
        .json = {{"command", "string", "\"ecc\""},
                 {"file", "string", "FILE as given"},
                 {"output", "string or null", "the file written; null for a directory"},
                 {"written", "array of strings", "all files written"},
                 {"file_bytes", "integer", "bytes of FILE, or of all files protected"},
                 {"parity_bytes", "integer", "bytes written"},
                 {"elapsed_seconds", "number", "wall time, three places"}},
        .run = run,
    };
}

} // namespace bigsmall::app
