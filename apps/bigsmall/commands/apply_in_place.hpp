// SPDX-License-Identifier: BSL-1.0
// The half of apply that changes a file where it is.
#pragma once

#include "command.hpp"

namespace bigsmall::app {

/// With --in-place, --finish or --undo. Throws usage_error for what does not belong to them.
exit_code run_in_place(const arguments& given);

} // namespace bigsmall::app
