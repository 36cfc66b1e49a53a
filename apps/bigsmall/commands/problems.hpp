// SPDX-License-Identifier: BSL-1.0
// What is wrong with an archive, as lines and as JSON.
#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <bigsmall/archive/damage.hpp>

#include "command.hpp"
#include "console/json.hpp"

namespace bigsmall::app {

/// One line, with its end.
std::string problem_line(const archive::damage& found);

json problems_json(const std::vector<archive::damage>& problems);

/// What problems_json() gives, described; `names` are those of its fields in order, with what stands before them.
std::vector<json_field> problem_fields(const std::array<std::string_view, 9>& names);

/// There is something of the name that the parity of a file has.
bool has_parity(const std::string& file);

/// The file begins as parity does.
bool is_parity(const std::filesystem::path& file);

template <class T>
json or_null(const std::optional<T>& value) {
    return value ? json(*value) : json(nullptr);
}

} // namespace bigsmall::app
