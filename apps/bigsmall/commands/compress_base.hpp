// SPDX-License-Identifier: BSL-1.0
// The base that compress packs against: given, found among others, or none.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <bigsmall/archive/base_search.hpp>
#include <bigsmall/archive/pack_options.hpp>

#include "command.hpp"
#include "commands/base_options.hpp"
#include "console/json.hpp"

namespace bigsmall::app {

struct base_choice {
    std::string path;                                  // empty: none
    std::optional<archive::base_search_result> search; // with --auto-delta
};

/// What --delta-from or --base names, or what --auto-delta finds and then tells. `output`: empty when it is no file.
/// Throws usage_error for options that do not go together.
base_choice choose_base(const arguments& given, const std::string& output, work_session& session,
                        const archive::run_options& options);

/// Unless --force-delta was given: where most of what has a base gains nothing from it, the patch ties the model to
/// that base for nothing.
void warn_of_useless_base(const base_choice& base, const archive::pack_result& packed, const arguments& given);

/// An incomplete download compresses well: whoever deletes the source afterwards must have been told.
void warn_of_absent(const archive::pack_result& packed);

std::string base_text(const base_choice& base, const archive::pack_result& packed);
json base_json(const base_choice& base, const archive::pack_result& packed);
json search_json(const base_choice& base);
std::vector<json_field> base_fields();
std::vector<option_spec> base_options();

} // namespace bigsmall::app
