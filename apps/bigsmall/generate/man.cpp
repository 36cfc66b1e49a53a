// SPDX-License-Identifier: BSL-1.0
// Man pages in the classic man(7) macros.
#include "generate/generate.hpp"

#include <string_view>

#include <bigsmall/core/version.hpp>

#include "command_table.hpp"
#include "options/help.hpp"

namespace bigsmall::app {
namespace {

// Text is never taken for a macro or an escape, and dashes stay the ASCII ones that can be pasted.
std::string roff(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\\') out += "\\e";
        else if (c == '-') out += "\\-";
        else if ((c == '.' || c == '\'') && out.empty()) out += std::string("\\&") + c;
        else if (c == '\'') out += "\\(aq";
        else out += c;
    }
    return out;
}

std::string upper(std::string_view text) {
    std::string out;
    for (const char c : text) out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    return out;
}

std::string bold(std::string_view text) { return "\\fB" + roff(text) + "\\fR"; }
std::string italic(std::string_view text) { return "\\fI" + roff(text) + "\\fR"; }

std::string page_name(const command_spec& command) {
    return std::string(program_name) + "-" + std::string(command.verb);
}

std::string header(const std::string& page) {
    return ".\\\" Generated from the command table by 'bigsmall generate man'. Do not edit.\n.TH " +
           roff(upper(page)) + " 1 \"\" \"" + std::string(program_name) + " " + version_string +
           "\" \"User Commands\"\n.nh\n";
}

std::string tagged(const std::string& label, std::string_view text) {
    return ".TP\n" + label + "\n" + roff(text) + "\n";
}

std::string options_section(const std::vector<option_spec>& options) {
    std::string out = ".SH OPTIONS\n";
    for (const option_spec& option : options) {
        std::string label;
        if (option.letter != 0) label = bold(std::string("-") + option.letter) + ", ";
        label += bold("--" + std::string(option.name));
        if (option.takes_value()) label += " " + italic(option.value);
        out += tagged(label, option_text(option));
    }
    return out;
}

std::string exit_status_section() {
    std::string out = ".SH EXIT STATUS\n";
    for (const exit_code_line& line : exit_codes)
        out += tagged(bold(std::to_string(static_cast<int>(line.code))), line.meaning);
    return out;
}

std::string examples_section(const command_spec& command) {
    if (command.examples.empty()) return {};
    std::string out = ".SH EXAMPLES\n";
    for (const example_spec& example : command.examples) out += tagged(bold(example.line), example.what);
    return out;
}

std::string see_also(std::string_view self) {
    std::string list;
    const auto add = [&](const std::string& page) {
        if (page == self) return;
        list += (list.empty() ? "" : ",\n") + std::string(".BR ") + roff(page) + " (1)";
    };
    add(std::string(program_name));
    for (const command_spec& command : command_table())
        if (!command.hidden && command.verb != "help") add(page_name(command));
    return ".SH SEE ALSO\n" + list + "\n";
}

std::string synopsis_line(const command_spec& command) {
    std::string out = ".SH SYNOPSIS\n" + bold(program_name) + " " + bold(command.verb);
    for (const positional_spec& positional : command.positionals) {
        const std::string name = italic(positional.name) + (positional.repeatable ? "..." : "");
        out += positional.required ? " " + name : " [" + name + "]";
    }
    return out + " [" + italic("options") + "]\n";
}

std::string command_page(const command_spec& command) {
    const std::string page = page_name(command);
    std::string out = header(page);
    out += ".SH NAME\n" + roff(page) + " \\- " + roff(command.summary) + "\n" + synopsis_line(command);
    out += ".SH DESCRIPTION\n";
    for (const std::string_view text : command.description) out += ".PP\n" + roff(text) + "\n";
    for (const positional_spec& positional : command.positionals)
        out += tagged(italic(positional.name), positional.help);
    out += options_section(command.options);
    if (!command.json.empty()) {
        out += ".SH JSON OUTPUT\nThe object that " + bold("--json") + " prints has these fields.\n";
        for (const json_field& field : command.json)
            out += tagged(bold(field.name) + " (" + roff(field.type) + ")", field.help);
    }
    return out + examples_section(command) + exit_status_section() + see_also(page);
}

std::string overview_page() {
    std::string out = header(std::string(program_name));
    out += ".SH NAME\n" + roff(program_name) + " \\- " + roff(program_summary) + "\n.SH SYNOPSIS\n" +
           bold(program_name) + " " + italic("COMMAND") + " [" + italic("options") + "]\n.SH COMMANDS\n";
    for (const command_spec& command : command_table())
        if (!command.hidden) out += tagged(bold(command.verb), command.summary);
    return out + options_section(global_options()) + exit_status_section() + see_also(program_name);
}

} // namespace

std::vector<generated_file> man_pages() {
    std::vector<generated_file> pages{{std::string(program_name) + ".1", overview_page()}};
    for (const command_spec& command : command_table())
        if (!command.hidden && command.verb != "help")
            pages.push_back({page_name(command) + ".1", command_page(command)});
    return pages;
}

} // namespace bigsmall::app
