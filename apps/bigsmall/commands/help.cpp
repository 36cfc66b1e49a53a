// SPDX-License-Identifier: BSL-1.0
#include "commands/commands.hpp"

#include "console/output.hpp"
#include "options/arguments.hpp"
#include "options/help.hpp"
#include "options/parse.hpp"
#include "options/shared.hpp"

namespace bigsmall::app {
namespace {

exit_code run(const arguments& given) {
    print(given.positional_count() == 0 ? overview_text() : help_text(require_command(given.positional(0))));
    return exit_code::done;
}

} // namespace

command_spec help_command() {
    return {
        .verb = "help",
        .summary = "Describe the tool or one command",
        .description = {"Prints the list of commands, or everything about one command."},
        .positionals = {{.name = "COMMAND",
                         .help = "The command to describe.",
                         .kind = value_kind::command,
                         .required = false}},
        .options = {help_option()},
        .examples = {{"bigsmall help compress", "The same as bigsmall compress --help."}},
        .run = run,
    };
}

} // namespace bigsmall::app
