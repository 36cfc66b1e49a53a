// SPDX-License-Identifier: BSL-1.0
// The vocabulary of the library. Costs: the standard library only.
#pragma once

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/checked.hpp>
#include <bigsmall/core/dtype.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/status.hpp>
#include <bigsmall/core/tensor_view.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/core/varint.hpp>
#include <bigsmall/core/version.hpp>
