// SPDX-License-Identifier: BSL-1.0
#include "commands/commands.hpp"

#include <bigsmall/archive/unpack.hpp>

#include "commands/apply_in_place.hpp"
#include "commands/base_options.hpp"
#include "commands/restored_output.hpp"
#include "console/json.hpp"
#include "options/shared.hpp"

namespace bigsmall::app {
namespace {

struct apply_result {
    std::string base, output;
    std::vector<std::string> patches;
    archive::unpack_result unpacked;
    double seconds = 0;
};

apply_result work(const arguments& given) {
    if (given.positional_count() < 2) throw usage_error("missing argument PATCH");
    apply_result result;
    result.base = given.positional(0);
    for (std::size_t i = 1; i < given.positional_count(); ++i)
        result.patches.push_back(given.positional(i));
    result.output = restored_output(given, result.patches.back());
    work_session session(given, show_ratio::no);
    archive::unpack_options options;
    session.apply_to(options, given);
    // The result of each patch is the base of the next one.
    options.base = archive::open_model(result.base, nullptr, options, session.executor());
    for (std::size_t i = 0; i + 1 < result.patches.size(); ++i)
        options.base = archive::open_model(result.patches[i], options.base, options, session.executor());
    result.unpacked = restore_to(result.output, result.patches.back(), options, session);
    result.seconds = session.finish();
    warn_of_spares(result.unpacked, result.patches.back());
    return result;
}

std::string text_of(const apply_result& result) {
    std::string chain = printable(result.base);
    for (const std::string& patch : result.patches)
        chain += " + " + printable(patch);
    const std::string target = result.output == "-" ? "standard output" : printable(result.output);
    return "applied " + chain + " -> " + target + "  (" + fixed(result.seconds, 1) + "s)  " +
           speed(result.unpacked.restored_bytes, result.seconds) + "\n";
}

json json_of(const apply_result& result) {
    return {{"command", "apply"},
            {"base", result.base},
            {"patches", result.patches},
            {"output", result.output},
            {"restored_bytes", result.unpacked.restored_bytes},
            {"files", paths_json(result.unpacked.files)},
            {"in_place", nullptr},
            {"changed_bytes", nullptr},
            {"changed_places", nullptr},
            {"rewritten_whole", nullptr},
            {"elapsed_seconds", seconds_json(result.seconds)}};
}

exit_code run(const arguments& given) {
    if (given.has("in-place") || given.has("finish") || given.has("undo")) return run_in_place(given);
    const apply_result result = work(given);
    if (given.has("json"))
        print_json(json_of(result));
    else if (!given.has("quiet"))
        result.output == "-" ? print_to_user(text_of(result)) : print(text_of(result));
    return exit_code::done;
}

std::vector<json_field> fields() {
    return {{"command", "string", "\"apply\""},
            {"base", "string", "BASE as given"},
            {"patches", "array of strings", "the patches, as given"},
            {"output", "string", "the file or directory written"},
            {"restored_bytes", "integer", "bytes of all files restored"},
            {"files", "array of strings", "the files written"},
            {"in_place", "string or null", "with --in-place, --finish or --undo: applied, finished or undone"},
            {"changed_bytes", "integer or null", "in place: bytes that differ, with what lies between them"},
            {"changed_places", "integer or null", "in place: how many runs of bytes they are"},
            {"rewritten_whole", "boolean or null", "in place: whether the file had to be written anew"},
            {"elapsed_seconds", "number", "wall time, three places"}};
}

} // namespace

command_spec apply_command() {
    return {
        .verb = "apply",
        .summary = "Restore a fine-tune from its base and a patch",
        .description =
            {"Restores what was compressed with 'compress --delta-from BASE', byte for byte: the SHA-256 of the "
             "restored file is that of the fine-tune. Of several patches each was made against the result of the one "
             "before.",
             "BASE is compared with what the patch was made against before anything is written: the MD5 of every "
             "tensor "
             "that the patch uses. It may lie in other files than it did then, or be an archive.",
             "With --in-place, BASE itself becomes the fine-tune, and only what differs is written. The bytes before "
             "and "
             "after are put into BASE.bigsmall-journal first: a run that was killed is completed with --finish or "
             "taken "
             "back with --undo. Where header or size differ, the whole file is written beside the old one and takes "
             "its "
             "place."},
        .positionals = {{.name = "BASE", .help = "A .safetensors file, a directory, or an archive of either."},
                        {.name = "PATCH",
                         .help = "A .bs file that was written with --delta-from.",
                         .required = false,
                         .repeatable = true}},
        .options = {{.name = "output",
                     .letter = 'o',
                     .value = "OUT",
                     .help = "Where to write; '-' is standard output, for a patch of one file.",
                     .fallback = "X.safetensors for the last patch X.bs, or the directory X when it holds a directory",
                     .kind = value_kind::path},
                    {.name = "in-place", .help = "Change BASE, a .safetensors file, instead of writing another file."},
                    {.name = "finish", .help = "Complete the change in place of BASE that was interrupted."},
                    {.name = "undo", .help = "Take back the change in place of BASE that was interrupted."},
                    force_option(),
                    threads_option(),
                    json_option(),
                    quiet_option(),
                    no_progress_option(),
                    help_option()},
        .examples = {{"bigsmall apply base.safetensors patch.bs -o finetune.safetensors", "One patch."},
                     {"bigsmall apply base.safetensors monday.bs tuesday.bs -o now.safetensors",
                      "A chain: the second was made against the result of the first."},
                     {"bigsmall apply --in-place model.safetensors update.bs", "Only what differs is written."}},
        .json = fields(),
        .run = run,
    };
}

} // namespace bigsmall::app
