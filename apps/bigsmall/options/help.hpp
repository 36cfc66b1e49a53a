// SPDX-License-Identifier: BSL-1.0
// The help texts, made from the command table. Lines are at most 80 characters wide whatever the terminal,
// so that the text is the same everywhere.
#pragma once

#include <string>
#include <string_view>

#include "command.hpp"

namespace bigsmall::app {

/// The overview: every command with its summary.
std::string overview_text();

/// Everything about one command.
std::string help_text(const command_spec& command);

/// "bigsmall compress SRC [options]".
std::string synopsis(const command_spec& command);

/// "-o, --output OUT": how an option is written, with its value.
std::string option_label(const option_spec& option);

/// The help sentence with the choices and the default added.
std::string option_text(const option_spec& option);

} // namespace bigsmall::app
