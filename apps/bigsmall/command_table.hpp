// SPDX-License-Identifier: BSL-1.0
// The command table: every verb of the tool, in the order in which the help lists them.
#pragma once

#include <string_view>
#include <vector>

#include "command.hpp"

namespace bigsmall::app {

inline constexpr std::string_view program_name = "bigsmall";
inline constexpr std::string_view program_summary =
    "lossless compression of model checkpoints; what comes back is the very same file";

const std::vector<command_spec>& command_table();

/// The options that stand before a verb.
const std::vector<option_spec>& global_options();

/// The command of that verb, or null.
const command_spec* find_command(std::string_view verb);

} // namespace bigsmall::app
