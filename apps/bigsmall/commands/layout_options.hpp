// SPDX-License-Identifier: BSL-1.0
// How many shards, on the command line.
#pragma once

#include <optional>
#include <vector>

#include <bigsmall/archive/layer_groups.hpp>

#include "options/arguments.hpp"

namespace bigsmall::app {

/// The values of --join, --shards and --size-gb, of which the first counts that is given; nothing when none was given.
/// Throws usage_error.
std::optional<archive::shard_layout> layout_of(const arguments& given);

/// --shards and --size-gb.
std::vector<option_spec> layout_options();

} // namespace bigsmall::app
