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

/// Restores into `output`, '-' for standard output. Warns when the archive is damaged in a part that is there twice.
archive::unpack_result restore_to(const std::string& output, const std::string& archive,
                                  const archive::unpack_options& options, work_session& session);

} // namespace bigsmall::app
