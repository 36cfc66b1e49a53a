// SPDX-License-Identifier: BSL-1.0
#include "commands/commands.hpp"

#include <filesystem>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/io/atomic_file.hpp>

#include "generate/generate.hpp"
#include "options/arguments.hpp"
#include "options/shared.hpp"

namespace bigsmall::app {
namespace {

std::vector<generated_file> files_of(const std::string& kind) {
    if (kind == "man") return man_pages();
    if (kind == "completions") return completions();
    return documentation();
}

exit_code run(const arguments& given) {
    const std::filesystem::path directory = given.positional(1);
    std::filesystem::create_directories(directory);
    for (const generated_file& file : files_of(given.positional(0))) {
        io::atomic_file out(directory / file.name, io::if_exists::replace);
        out.write(as_bytes_view(file.text));
        out.commit();
    }
    return exit_code::done;
}

} // namespace

command_spec generate_command() {
    return {
        .verb = "generate",
        .summary = "Write the files that are made from the command table",
        .description = {"For maintainers: writes the man pages, the shell completions or docs/cli into a "
                        "directory, over what is there."},
        .positionals = {{.name = "KIND",
                         .help = "man, completions or docs.",
                         .kind = value_kind::text,
                         .choices = {"man", "completions", "docs"}},
                        {.name = "DIR",
                         .help = "The directory to write into.",
                         .kind = value_kind::directory}},
        .options = {help_option()},
        .run = run,
        .hidden = true,
    };
}

} // namespace bigsmall::app
