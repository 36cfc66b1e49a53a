// SPDX-License-Identifier: BSL-1.0
// One function per verb: its row of the command table, which names the function that runs it.
#pragma once

#include "command.hpp"

namespace bigsmall::app {

command_spec compress_command();
command_spec decompress_command();
command_spec apply_command();
command_spec squash_command();
command_spec info_command();
command_spec verify_command();
command_spec ecc_command();
command_spec repair_command();
command_spec stat_command();
command_spec diff_command();
command_spec transcode_command();
command_spec reshard_command();
command_spec migrate_command();
command_spec benchmark_command();
command_spec help_command();
command_spec generate_command();

} // namespace bigsmall::app
