// SPDX-License-Identifier: BSL-1.0
#include "command_table.hpp"

#include "commands/commands.hpp"
#include "options/shared.hpp"

namespace bigsmall::app {

const std::vector<command_spec>& command_table() {
    static const std::vector<command_spec> table{
        compress_command(),  decompress_command(), apply_command(),   squash_command(),
        transcode_command(), reshard_command(),    migrate_command(), info_command(),
        verify_command(),    ecc_command(),        repair_command(),  stat_command(),
        diff_command(),      benchmark_command(),  help_command(),    generate_command(),
    };
    return table;
}

const std::vector<option_spec>& global_options() {
    static const std::vector<option_spec> options{
        help_option(),
        {.name = "version", .help = "Print the version and exit."},
    };
    return options;
}

const command_spec* find_command(std::string_view verb) {
    for (const command_spec& command : command_table())
        if (command.verb == verb) return &command;
    return nullptr;
}

} // namespace bigsmall::app
