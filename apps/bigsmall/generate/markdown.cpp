// SPDX-License-Identifier: BSL-1.0
// The pages of docs/cli.
#include "generate/generate.hpp"

#include <string_view>

#include "command_table.hpp"
#include "options/help.hpp"

namespace bigsmall::app {
namespace {

constexpr std::string_view notice =
    "<!-- Generated from the command table by 'bigsmall generate docs'. Do not edit. -->\n";

// A bar would end the cell of a table.
std::string cell(std::string_view text) {
    std::string out;
    for (const char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
    return out;
}

std::string code(std::string_view text) { return "`" + cell(text) + "`"; }

std::string exit_code_section() {
    std::string out = "## Exit codes\n\n| code | meaning |\n|---|---|\n";
    for (const exit_code_line& line : exit_codes)
        out += "| " + std::to_string(static_cast<int>(line.code)) + " | " + cell(line.meaning) + " |\n";
    return out;
}

std::string option_section(const std::vector<option_spec>& options) {
    std::string out = "## Options\n\n| option | meaning |\n|---|---|\n";
    for (const option_spec& option : options)
        out += "| " + code(option_label(option)) + " | " + cell(option_text(option)) + " |\n";
    return out + "\n";
}

std::string json_section(const command_spec& command) {
    if (command.json.empty()) return {};
    std::string out = "## The JSON object\n\n`--json` prints one object. Integers are exact.\n\n"
                      "| field | type | meaning |\n|---|---|---|\n";
    for (const json_field& field : command.json)
        out += "| " + code(field.name) + " | " + cell(field.type) + " | " + cell(field.help) + " |\n";
    return out + "\n";
}

std::string example_section(const command_spec& command) {
    std::string out = "## Examples\n\n";
    for (const example_spec& example : command.examples)
        out += std::string(example.what) + "\n\n```sh\n" + std::string(example.line) + "\n```\n\n";
    return out;
}

std::string command_page(const command_spec& command) {
    std::string out = std::string(notice) + "# " + std::string(program_name) + " " +
                      std::string(command.verb) + "\n\n" + std::string(command.summary) + ".\n\n```\n" +
                      synopsis(command) + "\n```\n\n";
    for (const std::string_view text : command.description) out += std::string(text) + "\n\n";
    if (!command.positionals.empty()) {
        out += "## Arguments\n\n| argument | meaning |\n|---|---|\n";
        for (const positional_spec& positional : command.positionals)
            out += "| " + code(positional.name) + " | " + cell(positional.help) + " |\n";
        out += "\n";
    }
    return out + option_section(command.options) + json_section(command) + example_section(command) +
           exit_code_section();
}

std::string index_page() {
    std::string out = std::string(notice) + "# The command line tool\n\n" + std::string(program_name) + ": " +
                      std::string(program_summary) + ".\n\n| command | what it does |\n|---|---|\n";
    for (const command_spec& command : command_table())
        if (!command.hidden)
            out += "| [" + std::string(command.verb) + "](" + std::string(command.verb) + ".md) | " +
                   cell(command.summary) + " |\n";
    out +=
        "\nResults go to standard output, everything else to standard error. Sizes are exact bytes with one "
        "binary unit beside them (1 KiB is 1024 bytes); speeds are in MB/s, 10^6 uncompressed bytes a "
        "second. "
        "Progress is a line on standard error, drawn over on a terminal, and a plain line every 30 seconds "
        "elsewhere. Ctrl-C stops cleanly: no temporary file stays behind. SIGTERM, SIGHUP and "
        "SIGQUIT do the same; other "
        "signals leave a hidden file whose name ends in .partial. A reader of standard output that goes away, such as "
        "head, ends a command with exit code 4 and no message.\n\n";
    return out + option_section(global_options()) + exit_code_section();
}

} // namespace

std::vector<generated_file> documentation() {
    std::vector<generated_file> pages{{"README.md", index_page()}};
    for (const command_spec& command : command_table())
        if (!command.hidden) pages.push_back({std::string(command.verb) + ".md", command_page(command)});
    return pages;
}

} // namespace bigsmall::app
