// SPDX-License-Identifier: BSL-1.0
// Where a command that restores an archive writes, and how: to a file or directory, or to standard output.
#pragma once

#include <string>

#include <bigsmall/archive/unpack.hpp>

#include "commands/work.hpp"

namespace bigsmall::app {

/// The value of --output, or the usual name for what `archive` restores. Throws usage_error; errc::exists when it is a
/// terminal; as opened_archive.
std::string restored_output(const arguments& given, const std::string& archive);

/// Restores into `output`, '-' for standard output.
archive::unpack_result restore_to(const std::string& output, const std::string& archive,
                                  const archive::unpack_options& options, work_session& session);

/// Tells the user when `archive` is damaged in a part that restoring has done without.
void warn_of_spares(const archive::unpack_result& result, const std::string& archive);

} // namespace bigsmall::app
