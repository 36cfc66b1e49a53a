// SPDX-License-Identifier: BSL-1.0
// Opens a model that may be a patch.
#pragma once

#include <filesystem>
#include <memory>

#include <bigsmall/archive/model_reader.hpp>
#include <bigsmall/archive/options.hpp>
#include <bigsmall/archive/patch_base.hpp>
#include <bigsmall/parallel/executor.hpp>

namespace bigsmall::archive {

/// The model at `path`; `base`, when it is not null, is what the patch there was made against, and is compared with
/// that. Throws: as model_reader; errc::mismatch when it is another base; errc::invalid_argument when a patch has no
/// base, or another archive or a safetensors file has one; errc::cancelled.
template <parallel::executor E>
std::shared_ptr<const model_reader> open_model(const std::filesystem::path& path,
                                               const std::shared_ptr<const model_reader>& base,
                                               const run_options& options, E& e) {
    if (!detail::leads_to_archive(path)) {
        if (!base) return std::make_shared<const model_reader>(path);
        throw error(errc::invalid_argument, "this is no patch: it is a model without a base").in_file(path.string());
    }
    return std::make_shared<const model_reader>(open_with_base(path, base, options, e), base);
}

} // namespace bigsmall::archive
