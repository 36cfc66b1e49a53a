// SPDX-License-Identifier: BSL-1.0
// From the words of a command line to a command and its arguments.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "options/arguments.hpp"

namespace bigsmall::app {

/// Parses the words after a verb. With --help among them nothing is required. Throws usage_error.
arguments parse_arguments(const command_spec& command, const std::vector<std::string>& words);

/// The command of that verb. Throws usage_error with the nearest verb as a hint.
const command_spec& require_command(std::string_view verb);

/// The error for an option that nobody knows. `known` is what it may have been meant to be.
usage_error unknown_option_error(std::string_view typed, const std::vector<option_spec>& known,
                                 std::string_view verb);

} // namespace bigsmall::app
