// SPDX-License-Identifier: BSL-1.0
// The kernels and their selection. Costs: the compiler's own intrinsics header.
#pragma once

#include <bigsmall/kernel/scalar.hpp>
#include <bigsmall/kernel/select.hpp>
#include <bigsmall/kernel/table.hpp>
