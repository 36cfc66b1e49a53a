// SPDX-License-Identifier: BSL-1.0
// Running blocks at once. Costs: the standard library and threads; `parallel/tbb.hpp`, which needs oneTBB, is
// not included here.
#pragma once

#include <bigsmall/parallel/cancel.hpp>
#include <bigsmall/parallel/executor.hpp>
#include <bigsmall/parallel/pool.hpp>
#include <bigsmall/parallel/progress.hpp>
#include <bigsmall/parallel/stage.hpp>
