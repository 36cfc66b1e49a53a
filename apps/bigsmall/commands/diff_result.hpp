// SPDX-License-Identifier: BSL-1.0
// What diff found, as text and as JSON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <bigsmall/archive/diff_result.hpp>
#include <bigsmall/archive/model_reader.hpp>

#include "console/json.hpp"

namespace bigsmall::app {

/// The delta from A to B that was written.
struct written_patch {
    std::string path;
    std::uint64_t source_bytes = 0; // of B
    std::uint64_t compressed_bytes = 0;
    std::vector<std::filesystem::path> removed_files;
};

struct model_diff {
    std::string a_path, b_path;
    std::shared_ptr<const archive::model_reader> a, b;
    archive::diff_result found;
    std::optional<written_patch> patch;
    double seconds = 0;
};

/// What of the tensors is listed.
struct diff_view {
    std::size_t most_rows = 0; // of each table of tensors
    bool equal_too = false;    // and all of them
};

std::string text_of(const model_diff& diff, const diff_view& view);
json json_of(const model_diff& diff, const diff_view& view);

} // namespace bigsmall::app
