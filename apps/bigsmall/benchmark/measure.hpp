// SPDX-License-Identifier: BSL-1.0
// The measurements behind benchmark.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include <bigsmall/archive/options.hpp>
#include <bigsmall/parallel/tbb.hpp>

#include "benchmark/result.hpp"

namespace bigsmall::app {

/// Compresses `source` to `file` for a point and decodes it, `rounds` times; `file` stays and holds the archive. Every
/// restored byte is compared with the source once. Throws: what pack and verify throw; errc::mismatch when anything
/// differs.
point_figures measure(const std::filesystem::path& source, const std::filesystem::path& file,
                      archive::operating_point point, std::uint64_t rounds, const archive::run_options& options,
                      parallel::tbb_executor& executor);

} // namespace bigsmall::app
