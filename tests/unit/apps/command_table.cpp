// SPDX-License-Identifier: BSL-1.0
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "command_table.hpp"
#include "options/parse.hpp"
#include "support/catch.hpp"

using namespace bigsmall::app;

namespace {

bool is_sentence(std::string_view text) { return !text.empty() && text.back() == '.'; }

// The words of an example up to a pipe; none of them is quoted before it.
std::vector<std::string> words_of(std::string_view line) {
    std::istringstream stream{std::string(line.substr(0, line.find('|')))};
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(word);
    return words;
}

} // namespace

TEST_CASE("every row of the command table is complete", "[apps]") {
    std::set<std::string_view> verbs;
    for (const command_spec& command : command_table()) {
        INFO(command.verb);
        CHECK(verbs.insert(command.verb).second);
        CHECK(command.run != nullptr);
        CHECK_FALSE(command.summary.empty());
        CHECK_FALSE(is_sentence(command.summary)); // a heading
        CHECK_FALSE(command.description.empty());
        for (const std::string_view paragraph : command.description) CHECK(is_sentence(paragraph));
        for (const positional_spec& positional : command.positionals) CHECK(is_sentence(positional.help));
        if (!command.hidden) CHECK_FALSE(command.examples.empty());
        CHECK(find_command(command.verb) == &command);
    }
    CHECK(find_command("nothing") == nullptr);
}

TEST_CASE("options are named once and described", "[apps]") {
    for (const command_spec& command : command_table()) {
        INFO(command.verb);
        std::set<std::string_view> names;
        std::set<char> letters;
        for (const option_spec& option : command.options) {
            INFO(option.name);
            CHECK(names.insert(option.name).second);
            if (option.letter != 0) CHECK(letters.insert(option.letter).second);
            CHECK(is_sentence(option.help));
            if (!option.takes_value()) CHECK((option.choices.empty() && option.fallback.empty()));
        }
        CHECK(names.count("help") == 1);
        CHECK((names.count("json") == 1) == !command.json.empty());
    }
}

TEST_CASE("JSON fields are named once, and inner fields have an outer one", "[apps]") {
    for (const command_spec& command : command_table()) {
        std::set<std::string> names;
        for (const json_field& field : command.json) {
            INFO(command.verb << " " << field.name);
            const std::string name(field.name);
            CHECK(names.insert(name).second);
            const std::size_t dot = name.rfind('.');
            if (dot == std::string::npos) continue;
            const bool of_array = dot >= 2 && name.compare(dot - 2, 2, "[]") == 0;
            CHECK(names.count(name.substr(0, of_array ? dot - 2 : dot)) == 1);
        }
    }
}

TEST_CASE("the examples of the help are commands that the parser takes", "[apps]") {
    for (const command_spec& command : command_table())
        for (const example_spec& example : command.examples) {
            INFO(example.line);
            const std::vector<std::string> words = words_of(example.line);
            REQUIRE(words.size() >= 2);
            CHECK(words[0] == program_name);
            CHECK(words[1] == command.verb);
            CHECK_NOTHROW(parse_arguments(command, {words.begin() + 2, words.end()}));
        }
}

TEST_CASE("options and arguments are told apart", "[apps]") {
    const command_spec& verify = require_command("verify");
    const arguments given = parse_arguments(verify, {"--sample=0.25", "a.bs", "-q", "-q", "--seed", "7"});
    CHECK(given.positional(0) == "a.bs");
    CHECK(given.has("quiet"));
    CHECK_FALSE(given.has("fast"));
    CHECK(given.fraction("sample") == 0.25);
    CHECK(given.integer("seed") == 7);
    CHECK(given.threads() == 0);
    const arguments dashed = parse_arguments(verify, {"--", "--fast"});
    CHECK(dashed.positional(0) == "--fast");
    CHECK_FALSE(dashed.has("fast"));
    CHECK(parse_arguments(require_command("compress"), {"x", "-foout"}).value("output") == "out");
    CHECK_THROWS_AS(parse_arguments(verify, {"--see", "7", "a.bs"}), usage_error);
    CHECK_THROWS_AS(parse_arguments(verify, {"--=", "a.bs"}), usage_error);
}
