// SPDX-License-Identifier: BSL-1.0
// Completion for fish.
#include "generate/generate.hpp"

#include <string_view>

#include "command_table.hpp"

namespace bigsmall::app {
namespace {

std::string escaped(std::string_view text) {
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'' || c == '\\') out += '\\';
        out += c;
    }
    return out + "'";
}

std::string option_line(const command_spec& command, const option_spec& option) {
    std::string out =
        "complete -c bigsmall -n '__fish_seen_subcommand_from " + std::string(command.verb) + "'";
    if (option.letter != 0) out += std::string(" -s ") + option.letter;
    out += " -l " + std::string(option.name);
    if (option.takes_value()) {
        std::string words;
        for (const std::string_view choice : option.choices)
            words += (words.empty() ? "" : " ") + std::string(choice);
        if (!words.empty()) out += " -x -a " + escaped(words);
        else out += option.kind == value_kind::text ? " -x" : " -r -F";
    }
    return out + " -d " + escaped(option.help) + "\n";
}

} // namespace

std::string fish_completion() {
    std::string verbs;
    std::string out = "# Generated from the command table by 'bigsmall generate completions'. Do not edit.\n";
    for (const command_spec& command : command_table()) {
        if (command.hidden) continue;
        out += "complete -c bigsmall -n __fish_use_subcommand -f -a " + std::string(command.verb) + " -d " +
               escaped(command.summary) + "\n";
        verbs += (verbs.empty() ? "" : " ") + std::string(command.verb);
    }
    for (const option_spec& option : global_options()) {
        out += "complete -c bigsmall -n __fish_use_subcommand -f";
        if (option.letter != 0) out += std::string(" -s ") + option.letter;
        out += " -l " + std::string(option.name) + " -d " + escaped(option.help) + "\n";
    }
    for (const command_spec& command : command_table()) {
        if (command.hidden) continue;
        for (const option_spec& option : command.options) out += option_line(command, option);
        if (!command.positionals.empty() && command.positionals.front().kind == value_kind::command)
            out += "complete -c bigsmall -n '__fish_seen_subcommand_from " + std::string(command.verb) +
                   "' -f -a " + escaped(verbs) + "\n";
    }
    return out;
}

} // namespace bigsmall::app
