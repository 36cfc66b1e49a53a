// SPDX-License-Identifier: BSL-1.0
#include "options/parse.hpp"

#include <algorithm>

#include <boost/program_options/errors.hpp>
#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <boost/program_options/positional_options.hpp>
#include <boost/program_options/value_semantic.hpp>

#include "command_table.hpp"
#include "options/suggest.hpp"

namespace bigsmall::app {
namespace {

namespace po = boost::program_options;

// A name that no option can have, so that nobody reaches the positional arguments by an option.
constexpr const char* positional_key = "=";

std::string help_hint(std::string_view verb) {
    const std::string command = verb.empty() ? std::string{} : " " + std::string(verb);
    return "'" + std::string(program_name) + command + " --help' lists the options";
}

po::options_description describe_options(const command_spec& command) {
    po::options_description described;
    for (const option_spec& option : command.options) {
        std::string name(option.name);
        if (option.letter != 0) name += std::string(",") + option.letter;
        if (option.takes_value())
            described.add_options()(name.c_str(), po::value<std::string>());
        else
            described.add_options()(name.c_str(), "");
    }
    described.add_options()(positional_key, po::value<std::vector<std::string>>());
    return described;
}

std::vector<po::option> split_words(const command_spec& command, const std::vector<std::string>& words) {
    const po::options_description described = describe_options(command);
    po::positional_options_description positionals;
    positionals.add(positional_key, -1);
    // Unfinished option names are refused: an option added later must not change what a script means.
    const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
    try {
        return po::command_line_parser(words)
            .options(described)
            .positional(positionals)
            .style(style)
            .run()
            .options;
    } catch (const po::unknown_option& unknown) {
        throw unknown_option_error(unknown.get_option_name(), command.options, command.verb);
    } catch (const po::invalid_command_line_syntax& wrong) {
        const std::string name = wrong.get_option_name();
        if (wrong.kind() == po::invalid_syntax::extra_parameter)
            throw usage_error("option " + name + " takes no value", help_hint(command.verb));
        throw usage_error("option " + name + " needs a value", help_hint(command.verb));
    } catch (const po::error& wrong) {
        throw usage_error(wrong.what(), help_hint(command.verb));
    }
}

const option_spec& spec_of(const command_spec& command, std::string_view name) {
    const auto found = std::find_if(command.options.begin(), command.options.end(),
                                    [&](const option_spec& option) { return option.name == name; });
    return *found; // the parser accepts only names that stand in the table
}

std::string listed(const std::vector<std::string_view>& words) {
    std::string text;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i > 0) text += i + 1 == words.size() ? " or " : ", ";
        text += words[i];
    }
    return text;
}

void require_choice(const std::vector<std::string_view>& choices, const std::string& name,
                    const std::string& given) {
    if (choices.empty() || std::find(choices.begin(), choices.end(), given) != choices.end()) return;
    const std::string_view meant = nearest(given, choices);
    throw usage_error(name + " takes " + listed(choices) + ", not '" + given + "'",
                      meant.empty() ? std::string{} : "did you mean '" + std::string(meant) + "'?");
}

void take_option(arguments& parsed, const po::option& given) {
    const option_spec& option = spec_of(parsed.command(), given.string_key);
    const std::string name = "--" + std::string(option.name);
    if (!option.takes_value()) {
        parsed.set(option.name, {});
        return;
    }
    if (parsed.has(option.name) && !option.repeatable) throw usage_error("option " + name + " is given twice");
    require_choice(option.choices, name, given.value.at(0));
    parsed.add(option.name, given.value.at(0));
}

void check_positional(const positional_spec& wanted, const std::string& given) {
    const std::string name(wanted.name);
    if (given.empty()) throw usage_error("argument " + name + " is empty");
    if (wanted.written && given == "-")
        throw usage_error("argument " + name + " cannot be standard output: this command writes files only",
                          "a file of that name is './-'");
    if (wanted.kind == value_kind::path && given == "-")
        throw usage_error("argument " + name +
                          " cannot be standard input: it is read in more than one place");
    require_choice(wanted.choices, name, given);
}

void check_positionals(const arguments& parsed) {
    const command_spec& command = parsed.command();
    const bool any_number = !command.positionals.empty() && command.positionals.back().repeatable;
    for (std::size_t i = command.positionals.size(); any_number && i < parsed.positional_count(); ++i)
        check_positional(command.positionals.back(), parsed.positional(i));
    if (!any_number && parsed.positional_count() > command.positionals.size())
        throw usage_error("one argument too many: '" + parsed.positional(command.positionals.size()) + "'",
                          help_hint(command.verb));
    for (std::size_t i = 0; i < command.positionals.size(); ++i) {
        const positional_spec& wanted = command.positionals[i];
        if (i < parsed.positional_count())
            check_positional(wanted, parsed.positional(i));
        else if (wanted.required)
            throw usage_error("missing argument " + std::string(wanted.name), help_hint(command.verb));
    }
}

} // namespace

usage_error unknown_option_error(std::string_view typed, const std::vector<option_spec>& known,
                                 std::string_view verb) {
    const std::string_view name = typed.substr(0, typed.find('='));
    std::vector<std::string_view> names;
    for (const option_spec& option : known) names.push_back(option.name);
    const std::size_t first = name.find_first_not_of('-');
    const bool is_long = name.substr(0, 2) == "--";
    const std::string_view meant =
        is_long && first != std::string_view::npos ? nearest(name.substr(first), names) : std::string_view{};
    return usage_error("unknown option '" + std::string(name) + "'",
                       meant.empty() ? help_hint(verb) : "did you mean '--" + std::string(meant) + "'?");
}

arguments parse_arguments(const command_spec& command, const std::vector<std::string>& words) {
    arguments parsed(command);
    for (const po::option& given : split_words(command, words)) {
        if (given.string_key == positional_key)
            for (const std::string& value : given.value) parsed.add_positional(value);
        else
            take_option(parsed, given);
    }
    if (!parsed.has("help")) check_positionals(parsed);
    return parsed;
}

const command_spec& require_command(std::string_view verb) {
    if (const command_spec* command = find_command(verb)) return *command;
    std::vector<std::string_view> verbs;
    for (const command_spec& command : command_table())
        if (!command.hidden) verbs.push_back(command.verb);
    const std::string_view meant = nearest(verb, verbs);
    throw usage_error("unknown command '" + std::string(verb) + "'",
                      meant.empty() ? "'" + std::string(program_name) + " help' lists the commands"
                                    : "did you mean '" + std::string(meant) + "'?");
}

} // namespace bigsmall::app
