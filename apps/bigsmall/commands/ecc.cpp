// SPDX-License-Identifier: BSL-1.0
#include "commands/commands.hpp"

#include <filesystem>

#include <bigsmall/archive/protect.hpp>

#include "commands/work.hpp"
#include "console/json.hpp"
#include "options/shared.hpp"

namespace bigsmall::app {
namespace {

struct ecc_result {
    std::string file, output;
    archive::protect_result made;
    double seconds = 0;
};

ecc_result work(const arguments& given) {
    ecc_result result;
    result.file = given.positional(0);
    result.output = given.value("output").value_or(io::ecc_path(result.file).string());
    if (result.output.empty() || result.output == "-") throw usage_error("--output needs the name of a file");
    work_session session(given, show_ratio::no);
    archive::run_options options;
    session.apply_to(options, given);
    result.made = archive::protect(result.file, result.output, options, session.executor());
    result.seconds = session.finish();
    return result;
}

std::string text_of(const ecc_result& result) {
    return "protected " + printable(result.file) + " -> " + printable(result.output) + "\n" +
           "  file:    " + with_thousands(result.made.file_bytes) + " bytes\n" +
           "  parity:  " + with_thousands(result.made.sidecar_bytes) + " bytes (" +
           percent_text(result.made.sidecar_bytes, result.made.file_bytes) + ")\n" +
           "  elapsed: " + fixed(result.seconds, 1) + "s  " + speed(result.made.file_bytes, result.seconds) + "\n";
}

json json_of(const ecc_result& result) {
    return {{"command", "ecc"},
            {"file", result.file},
            {"output", result.output},
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
        .summary = "Protect a file with parity, so that damage can be repaired",
        .description =
            {"Writes FILE.ecc, Reed-Solomon parity of about 14.6 % of FILE, from which 'repair' brings back what was "
             "lost. FILE is any file: an archive, a patch, a safetensors file.",
             "Any 16 wrong bytes of each 255 (223 of the file, 32 of the parity) come back, wherever they are. The "
             "bytes "
             "of these 255 lie far apart, so that a hole comes back, too: an eighth of the file, or 15 MiB of one "
             "above 120 MiB. The .ecc itself may be damaged as well.",
             "Whoever changes FILE on purpose makes its parity again: 'repair' would undo the change, or refuse."},
        .positionals = {{.name = "FILE", .help = "The file to protect. It is only read."}},
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
                      "Keeps the parity on another disk; 'repair model.bs --ecc' takes it."}},
        .json = {{"command", "string", "\"ecc\""},
                 {"file", "string", "FILE as given"},
                 {"output", "string", "the file written"},
                 {"file_bytes", "integer", "bytes of FILE"},
                 {"parity_bytes", "integer", "bytes of the file written"},
                 {"elapsed_seconds", "number", "wall time, three places"}},
        .run = run,
    };
}

} // namespace bigsmall::app
