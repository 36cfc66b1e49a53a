// SPDX-License-Identifier: BSL-1.0
// What info has found, and its two forms.
#pragma once

#include <string>
#include <vector>

#include <bigsmall/archive/inspect.hpp>
#include <bigsmall/archive/pack_options.hpp>
#include <bigsmall/archive/patch_chain.hpp>

#include "command.hpp"
#include "console/json.hpp"

namespace bigsmall::app {

struct info_result {
    std::string file;
    archive::archive_summary summary;
    std::vector<const archive::tensor_summary*> best, worst; ///< point into summary
    std::vector<archive::patch_link> chain;                  ///< of a patch: itself, then what leads to it
};

std::string text_of(const info_result& result);
json json_of(const info_result& result);
std::vector<json_field> info_fields();

} // namespace bigsmall::app
