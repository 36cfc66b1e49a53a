// SPDX-License-Identifier: BSL-1.0
// The base of a patch on the command line.
#pragma once

#include <memory>
#include <string>

#include <bigsmall/archive/open_model.hpp>

#include "commands/work.hpp"
#include "own_pipelines.hpp"

namespace bigsmall::app {

using base_pointer = std::shared_ptr<const archive::model_reader>;

/// The value of --base; null when it was not given.
inline base_pointer base_of(const arguments& given, work_session& session, const archive::run_options& options) {
    const auto path = given.value("base");
    if (!path) return nullptr;
    if (path->empty()) throw usage_error("--base needs a name");
    return archive::open_model(*path, nullptr, options, session.executor());
}

inline option_spec base_option() {
    return {.name = "base",
            .value = "BASE",
            .help =
                "Of a patch: the model that it was made against, a .safetensors file, a directory, or an archive of "
                "either.",
            .kind = value_kind::path};
}

} // namespace bigsmall::app
