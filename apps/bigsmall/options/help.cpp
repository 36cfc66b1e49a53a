// SPDX-License-Identifier: BSL-1.0
#include "options/help.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "command_table.hpp"

namespace bigsmall::app {
namespace {

constexpr std::size_t line_width = 80;
constexpr std::size_t help_column = 26;

using row = std::pair<std::string, std::string>;

// Breaks `text` at spaces. The first line goes on at column `at`; the others start at column `indent`.
std::string wrapped(std::string_view text, std::size_t at, std::size_t indent) {
    std::string out;
    bool line_is_empty = true;
    while (!text.empty()) {
        const std::size_t length = std::min(text.find(' '), text.size());
        const std::string_view word = text.substr(0, length);
        if (!line_is_empty && at + 1 + word.size() > line_width) {
            out += "\n" + std::string(indent, ' ');
            at = indent;
            line_is_empty = true;
        }
        if (!line_is_empty) out += ' ';
        out += word;
        at += word.size() + (line_is_empty ? 0 : 1);
        line_is_empty = false;
        text.remove_prefix(std::min(length + 1, text.size()));
    }
    return out + "\n";
}

std::string paragraph(std::string_view text) { return wrapped(text, 0, 0) + "\n"; }

std::string table(std::string_view title, const std::vector<row>& rows) {
    if (rows.empty()) return {};
    std::string out(title);
    out += ":\n";
    for (const auto& [label, text] : rows) {
        std::string line = "  " + label;
        if (line.size() + 2 > help_column) {
            out += line + "\n";
            line.clear();
        }
        line.resize(help_column, ' ');
        out += line + wrapped(text, help_column, help_column);
    }
    return out + "\n";
}

std::vector<row> option_rows(const std::vector<option_spec>& options) {
    std::vector<row> rows;
    for (const option_spec& option : options) {
        const std::string gap = option.letter == 0 ? "    " : "";
        rows.emplace_back(gap + option_label(option), option_text(option));
    }
    return rows;
}

std::vector<row> exit_code_rows() {
    std::vector<row> rows;
    for (const exit_code_line& line : exit_codes)
        rows.emplace_back(std::to_string(static_cast<int>(line.code)), std::string(line.meaning));
    return rows;
}

std::string examples_of(const command_spec& command) {
    if (command.examples.empty()) return {};
    std::string out = "examples:\n";
    for (const example_spec& example : command.examples)
        out += "  " + std::string(example.line) + "\n      " + wrapped(example.what, 6, 6);
    return out + "\n";
}

} // namespace

std::string option_label(const option_spec& option) {
    std::string label;
    if (option.letter != 0) label = std::string("-") + option.letter + ", ";
    label += "--" + std::string(option.name);
    if (option.takes_value()) label += " " + std::string(option.value);
    return label;
}

std::string option_text(const option_spec& option) {
    std::string text(option.help);
    if (!option.choices.empty()) {
        text += " One of: ";
        for (std::size_t i = 0; i < option.choices.size(); ++i)
            text += (i > 0 ? ", " : "") + std::string(option.choices[i]);
        text += ".";
    }
    if (!option.fallback.empty()) text += " Default: " + std::string(option.fallback) + ".";
    return text;
}

std::string synopsis(const command_spec& command) {
    std::string text = std::string(program_name) + " " + std::string(command.verb);
    for (const positional_spec& positional : command.positionals) {
        const std::string name = std::string(positional.name) + (positional.repeatable ? "..." : "");
        text += positional.required ? " " + name : " [" + name + "]";
    }
    if (command.options.size() > 1) text += " [options]"; // every command has --help
    return text;
}

std::string overview_text() {
    std::vector<row> commands;
    for (const command_spec& command : command_table())
        if (!command.hidden) commands.emplace_back(command.verb, command.summary);
    std::string text = "usage: " + std::string(program_name) + " COMMAND [options]\n\n";
    text += paragraph(std::string(program_name) + ": " + std::string(program_summary) + ".");
    text += table("commands", commands);
    text += table("options", option_rows(global_options()));
    text += "'" + std::string(program_name) + " COMMAND --help' describes one command.\n";
    return text;
}

std::string help_text(const command_spec& command) {
    std::vector<row> positionals;
    for (const positional_spec& positional : command.positionals)
        positionals.emplace_back(positional.name, positional.help);
    std::string text = "usage: " + synopsis(command) + "\n\n";
    for (const std::string_view part : command.description) text += paragraph(part);
    text += table("arguments", positionals);
    text += table("options", option_rows(command.options));
    text += examples_of(command);
    text += table("exit codes", exit_code_rows());
    text.pop_back(); // the empty line after the last table
    return text;
}

} // namespace bigsmall::app
