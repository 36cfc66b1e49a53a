// SPDX-License-Identifier: BSL-1.0
// One command as data. The parser, --help, the man pages, the shell completions and docs/cli are all made
// from these structs, so that they cannot disagree.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "exit_code.hpp"

namespace bigsmall::app {

class arguments;

/// What a shell should offer for a value.
enum class value_kind : unsigned char { text, path, directory, command };

struct option_spec {
    std::string_view name;             ///< without the dashes
    char letter = 0;                   ///< short form, 0 when there is none
    std::string_view value = {};       ///< name of the value in the help; empty makes it a flag
    std::string_view help = {};
    std::string_view fallback = {};    ///< what holds when the option is absent; empty: nothing to say
    std::vector<std::string_view> choices = {}; ///< the values accepted; empty: checked by the command
    value_kind kind = value_kind::text;
    bool repeatable = false; ///< every value given counts, not only one

    bool takes_value() const noexcept { return !value.empty(); }
};

struct positional_spec {
    std::string_view name;
    std::string_view help;
    value_kind kind = value_kind::path;
    bool required = true;
    std::vector<std::string_view> choices = {};
    bool written = false; ///< an output, not an input
    bool repeatable = false; ///< the last one only: it stands for any number of them
};

/// One field of the JSON object; `name` is a path such as "files[].path".
struct json_field {
    std::string_view name;
    std::string_view type;
    std::string_view help;
};

struct example_spec {
    std::string_view line;
    std::string_view what;
};

struct command_spec {
    std::string_view verb;
    std::string_view summary;                        ///< one line, no full stop
    std::vector<std::string_view> description = {};  ///< paragraphs
    std::vector<positional_spec> positionals = {};
    std::vector<option_spec> options = {};
    std::vector<example_spec> examples = {};
    std::vector<json_field> json = {};               ///< empty when there is no --json
    exit_code (*run)(const arguments&) = nullptr;
    bool hidden = false;                             ///< a tool for maintainers: neither listed nor completed
};

} // namespace bigsmall::app
