// SPDX-License-Identifier: BSL-1.0
// Parity of an output that was there before, which would be taken for that of the new one.
#pragma once

#include <filesystem>
#include <vector>

#include "options/arguments.hpp"

namespace bigsmall::app {

/// Without -f, something with the name of the output's parity is in the way. Throws error(errc::exists).
void require_place_for_parity(const std::filesystem::path& output, const arguments& given);

/// Removes the parity beside the files `written` and `removed`, unless it was written itself, and adds it to `removed`.
/// Throws errc::io.
void remove_old_parity(const std::vector<std::filesystem::path>& written, std::vector<std::filesystem::path>& removed);

} // namespace bigsmall::app
