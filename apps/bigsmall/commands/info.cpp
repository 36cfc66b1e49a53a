// SPDX-License-Identifier: BSL-1.0
#include "commands/commands.hpp"

#include <filesystem>
#include <system_error>

#include <bigsmall/archive/inspect.hpp>

#include "commands/info_result.hpp"
#include "commands/ranking.hpp"
#include "options/arguments.hpp"
#include "options/shared.hpp"

namespace bigsmall::app {
namespace {

constexpr std::size_t extremes_shown = 5;

exit_code run(const arguments& given) {
    info_result result;
    result.file = given.positional(0);
    result.summary = archive::inspect(result.file);
    std::error_code failed;
    if (std::filesystem::is_regular_file(result.file, failed)) result.chain = archive::chain_of(result.file);
    result.best = extremes(result.summary.tensors, extreme::best, extremes_shown);
    result.worst = extremes(result.summary.tensors, extreme::worst, extremes_shown);
    if (given.has("json"))
        print_json(json_of(result));
    else
        print(text_of(result));
    return exit_code::done;
}

} // namespace

command_spec info_command() {
    return {
        .verb = "info",
        .summary = "Describe an archive",
        .description =
            {"Prints what an archive holds: sizes and ratio, element types, codecs, layers, the memory that "
             "streaming layer by layer needs, the best and the worst compressed tensors, the SHA-256 of "
             "every "
             "source file, and the health of the index. No weights are read, so it is quick on any file.",
             "Of a patch, also the files of the base that it was made against, and the chain of patches that leads to "
             "it, as far as they lie in the same folder."},
        .positionals = {{.name = "FILE", .help = "A .bs or .bsr file, or a directory with bigsmall.index.json."}},
        .options = {json_option(), help_option()},
        .examples = {{"bigsmall info model.bs", "As text."},
                     {"bigsmall info model.bs --json", "For programs."}},
        .json = info_fields(),
        .run = run,
    };
}

} // namespace bigsmall::app
