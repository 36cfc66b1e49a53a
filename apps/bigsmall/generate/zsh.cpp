// SPDX-License-Identifier: BSL-1.0
// Completion for zsh.
#include "generate/generate.hpp"

#include <string_view>

#include "command_table.hpp"

namespace bigsmall::app {
namespace {

// Inside single quotes of the shell, and inside the brackets and colons of _arguments.
std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\'') out += "'\\''";
        else if (c == '[' || c == ']' || c == ':') out += std::string("\\") + c;
        else out += c;
    }
    return out;
}

std::string action(const std::vector<std::string_view>& choices, value_kind kind) {
    if (!choices.empty()) {
        std::string words;
        for (const std::string_view choice : choices)
            words += (words.empty() ? "" : " ") + std::string(choice);
        return "(" + words + ")";
    }
    switch (kind) {
    case value_kind::path: return "_files";
    case value_kind::directory: return "_files -/";
    case value_kind::command: return "_bigsmall_verbs";
    case value_kind::text: break;
    }
    return " ";
}

std::string option_line(const option_spec& option) {
    const std::string name = "--" + std::string(option.name);
    std::string tail = "[" + escaped(option.help) + "]";
    if (option.takes_value()) tail += ":" + escaped(option.value) + ":" + action(option.choices, option.kind);
    if (option.letter == 0) return std::string(option.repeatable ? "'*" : "'") + name + tail + "'";
    const std::string letter = std::string("-") + option.letter;
    return "'(" + letter + " " + name + ")'{" + letter + "," + name + "}'" + tail + "'";
}

std::string verb_case(const command_spec& command) {
    std::string out = "        " + std::string(command.verb) + ")\n            _arguments";
    for (const option_spec& option : command.options) out += " \\\n                " + option_line(option);
    std::size_t place = 1;
    for (const positional_spec& positional : command.positionals)
        out += " \\\n                '" + (positional.repeatable ? "*" : std::to_string(place++)) + ":" +
               escaped(positional.name) + ":" +
               action(positional.choices, positional.kind) + "'";
    return out + " ;;\n";
}

} // namespace

std::string zsh_completion() {
    std::string out = "#compdef bigsmall\n"
                      "# Generated from the command table by 'bigsmall generate completions'. Do not edit.\n"
                      "_bigsmall_verbs() {\n    local -a verbs=(\n";
    for (const command_spec& command : command_table())
        if (!command.hidden)
            out += "        '" + std::string(command.verb) + ":" + escaped(command.summary) + "'\n";
    out += "    )\n    _describe command verbs\n}\n\n_bigsmall() {\n"
           "    if ((CURRENT == 2)); then\n        _bigsmall_verbs\n        return\n    fi\n"
           "    local verb=$words[2]\n    shift words\n    ((CURRENT--))\n    case $verb in\n";
    for (const command_spec& command : command_table())
        if (!command.hidden) out += verb_case(command);
    return out + "    esac\n}\n\n_bigsmall \"$@\"\n";
}

} // namespace bigsmall::app
