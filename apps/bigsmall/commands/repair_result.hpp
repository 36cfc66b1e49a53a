// SPDX-License-Identifier: BSL-1.0
// What repair was asked and has found, as text and as JSON.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include <bigsmall/archive/repair_report.hpp>

#include "command.hpp"
#include "console/json.hpp"

namespace bigsmall::app {

enum class repair_mode : unsigned char { check, output, in_place };

struct repair_request {
    repair_mode mode = repair_mode::check;
    std::string file, output, from;
    std::string sidecar; // empty: without parity
};

struct repair_result {
    repair_request asked;
    archive::repair_report report;
    std::string failure; ///< why a file of a directory could not even be looked at; else empty
    double seconds = 0;

    bool repairable() const { return failure.empty() && report.repairable(); }
    bool whole() const { return failure.empty() && report.file_whole(); }
    /// What the exit code says: everything is as it should be now.
    bool done() const { return asked.mode == repair_mode::check ? whole() && report.sidecar_whole() : repairable(); }
};

/// An archive in a directory: a result for each file that has parity.
struct directory_repair {
    repair_request asked;
    std::vector<repair_result> files;
    std::vector<std::string> without_parity; ///< other files of the archive, at which nobody has looked
    double seconds = 0;

    bool done() const {
        return std::all_of(files.begin(), files.end(), [](const repair_result& file) { return file.done(); });
    }
};

std::string text_of(const repair_result& result);
std::string text_of(const directory_repair& result);

json json_of(const repair_result& result);
json json_of(const directory_repair& result);
std::vector<json_field> repair_fields();

} // namespace bigsmall::app
