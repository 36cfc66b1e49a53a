// SPDX-License-Identifier: BSL-1.0
// Completion for bash. Plain bash: the bash-completion package is not needed.
#include "generate/generate.hpp"

#include <string_view>

#include "command_table.hpp"

namespace bigsmall::app {
namespace {

constexpr std::string_view prologue =
    R"(# Generated from the command table by 'bigsmall generate completions'. Do not edit.
_bigsmall_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

_bigsmall_words() {
    mapfile -t COMPREPLY < <(compgen -W "$2" -- "$1")
}

_bigsmall() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]}
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        _bigsmall_words "$word" "$_bigsmall_verbs --help --version"
        return
    fi
    case "$verb $before" in
)";

constexpr std::string_view epilogue = R"(    esac
}

complete -F _bigsmall bigsmall
)";

std::string joined(const std::vector<std::string_view>& words) {
    std::string out;
    for (const std::string_view word : words) out += (out.empty() ? "" : " ") + std::string(word);
    return out;
}

std::string verbs() {
    std::vector<std::string_view> words;
    for (const command_spec& command : command_table())
        if (!command.hidden) words.push_back(command.verb);
    return joined(words);
}

// What follows an option that takes a value.
std::string value_case(const command_spec& command, const option_spec& option) {
    const std::string verb(command.verb);
    std::string pattern = "\"" + verb + " --" + std::string(option.name) + "\"";
    if (option.letter != 0) pattern += " | \"" + verb + " -" + option.letter + "\"";
    std::string action = "return";
    if (!option.choices.empty())
        action = "_bigsmall_words \"$word\" \"" + joined(option.choices) + "\"; return";
    else if (option.kind != value_kind::text) action = "_bigsmall_files \"$word\"; return";
    return "        " + pattern + ") " + action + " ;;\n";
}

std::string option_words(const command_spec& command) {
    std::string out;
    for (const option_spec& option : command.options) {
        out += (out.empty() ? "--" : " --") + std::string(option.name);
        if (option.letter != 0) out += std::string(" -") + option.letter;
    }
    return out;
}

std::string verb_case(const command_spec& command) {
    const bool verb_wanted =
        !command.positionals.empty() && command.positionals.front().kind == value_kind::command;
    const std::string other =
        verb_wanted ? "_bigsmall_words \"$word\" \"$_bigsmall_verbs\"" : "_bigsmall_files \"$word\"";
    return "        " + std::string(command.verb) + ")\n            if [[ $word == -* ]]; then\n" +
           "                _bigsmall_words \"$word\" \"" + option_words(command) + "\"\n" +
           "            else\n                " + other + "\n            fi ;;\n";
}

} // namespace

std::string bash_completion() {
    std::string out(prologue);
    const std::size_t body = out.find("_bigsmall() {");
    out.insert(body, "_bigsmall_verbs=\"" + verbs() + "\"\n\n");
    std::string by_verb;
    for (const command_spec& command : command_table()) {
        if (command.hidden) continue;
        for (const option_spec& option : command.options)
            if (option.takes_value()) out += value_case(command, option);
        by_verb += verb_case(command);
    }
    return out + "    esac\n    case \"$verb\" in\n" + by_verb + std::string(epilogue);
}

std::vector<generated_file> completions() {
    return {{"bigsmall.bash", bash_completion()},
            {"_bigsmall", zsh_completion()},
            {"bigsmall.fish", fish_completion()}};
}

} // namespace bigsmall::app
