// SPDX-License-Identifier: BSL-1.0
// See own_pipelines.hpp.
#define BIGSMALL_DEFINE_PIPELINES
#include "own_pipelines.hpp"
