// SPDX-License-Identifier: BSL-1.0
#include "commands/commands.hpp"

#include <bigsmall/archive/squash.hpp>

#include "commands/base_options.hpp"
#include "commands/old_parity.hpp"
#include "console/json.hpp"
#include "options/shared.hpp"

namespace bigsmall::app {
namespace {

struct squash_result {
    std::vector<std::string> patches;
    std::string base, output;
    archive::pack_result packed;
    std::uint64_t patch_bytes = 0; // of the patches together
    double seconds = 0;
};

squash_result work(const arguments& given) {
    squash_result result;
    for (std::size_t i = 0; i < given.positional_count(); ++i)
        result.patches.push_back(given.positional(i));
    result.base = given.value("base").value_or("");
    result.output = given.value("output").value_or("");
    if (result.output.empty() || result.output == "-") throw usage_error("squash needs -o OUT, the name of a file");
    work_session session(given, show_ratio::yes);
    archive::pack_options options;
    options.tune(archive::operating_point::balanced);
    session.apply_to(options, given);
    require_place_for_parity(result.output, given);
    if (!result.base.empty()) options.base = base_of(given, session, options);
    result.packed =
        archive::squash({result.patches.begin(), result.patches.end()}, result.output, options, session.executor());
    remove_old_parity({result.output}, result.packed.removed_files);
    for (const std::string& patch : result.patches)
        result.patch_bytes += archive::opened_archive(patch).stored_bytes();
    result.seconds = session.finish();
    return result;
}

std::string text_of(const squash_result& result) {
    const std::size_t count = result.patches.size();
    return "squashed " + with_thousands(count) + (count == 1 ? " patch" : " patches") + " -> " +
           printable(result.output) + "\n" + "  patches:  " + with_thousands(result.patch_bytes) + " bytes\n" +
           "  squashed: " + with_thousands(result.packed.compressed_bytes) + " bytes\n" +
           removed_text(result.packed.removed_files) + "  elapsed:  " + fixed(result.seconds, 1) + "s\n";
}

json json_of(const squash_result& result) {
    return {{"command", "squash"},
            {"patches", result.patches},
            {"base", result.base.empty() ? json(nullptr) : json(result.base)},
            {"output", result.output},
            {"patch_bytes", result.patch_bytes},
            {"compressed_bytes", result.packed.compressed_bytes},
            {"removed_files", paths_json(result.packed.removed_files)},
            {"elapsed_seconds", seconds_json(result.seconds)}};
}

exit_code run(const arguments& given) {
    const squash_result result = work(given);
    if (given.has("json"))
        print_json(json_of(result));
    else if (!given.has("quiet"))
        print(text_of(result));
    return exit_code::done;
}

std::vector<json_field> fields() {
    return {{"command", "string", "\"squash\""},
            {"patches", "array of strings", "the patches, as given"},
            {"base", "string or null", "BASE as given"},
            {"output", "string", "the file written"},
            {"patch_bytes", "integer", "bytes of the patches together"},
            {"compressed_bytes", "integer", "bytes of the patch written"},
            {"removed_files", "array of strings", "with -f: the parity of the file that was there before"},
            {"elapsed_seconds", "number", "wall time, three places"}};
}

} // namespace

command_spec squash_command() {
    return {
        .verb = "squash",
        .summary = "Make one patch of a chain of patches",
        .description =
            {"Writes one patch with the effect of several, of which each was made against the result of the one "
             "before: 'apply BASE OUT' then gives what 'apply BASE PATCH...' gave.",
             "Without --base, blocks are copied and nothing is decoded. That is possible where no patch builds on what "
             "an earlier one has changed: changes the same tensor again, cuts it, joins it with others or converts it.",
             "With --base, what the last patch restores is written beside OUT for the time of the run, and packed "
             "against BASE. That is smaller where a patch takes back what an earlier one has changed."},
        .positionals = {{.name = "PATCH",
                         .help = "Patches in the order in which they are applied.",
                         .repeatable = true}},
        .options =
            {{.name = "base",
              .value = "BASE",
              .help = "What the first patch was made against. Needed where a patch builds on what an earlier one has "
                      "changed.",
              .kind = value_kind::path},
             {.name = "output",
              .letter = 'o',
              .value = "OUT",
              .help = "The patch to write. Needed.",
              .kind = value_kind::path},
             force_option(),
             threads_option(),
             json_option(),
             quiet_option(),
             no_progress_option(),
             help_option()},
        .examples = {{"bigsmall squash monday.bs tuesday.bs --base base.safetensors -o both.bs",
                      "One patch instead of two."},
                     {"bigsmall squash head.bs adapter.bs -o both.bs",
                      "Two patches that change different tensors: their base is not needed."}},
        .json = fields(),
        .run = run,
    };
}

} // namespace bigsmall::app
