// SPDX-License-Identifier: BSL-1.0
// The one JSON object that --json prints.
#pragma once

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <vector>

#include <nlohmann/json.hpp>

#include "console/format.hpp"
#include "console/output.hpp"

namespace bigsmall::app {

using json = nlohmann::ordered_json;

/// Prints an object as one JSON text. Bytes that are not UTF-8 become U+FFFD. Throws error(errc::io).
inline void print_json(const json& object) {
    print(object.dump(2, ' ', false, json::error_handler_t::replace) + "\n");
}

/// 75.53 as a number with two places, or null when there is no whole.
inline json percent_json(std::uint64_t part, std::uint64_t whole) {
    if (whole == 0) return nullptr;
    return std::floor(100.0 * percent(part, whole) + 0.5) / 100.0;
}

inline json paths_json(const std::vector<std::filesystem::path>& paths) {
    json list = json::array();
    for (const std::filesystem::path& path : paths)
        list.push_back(path.string());
    return list;
}

/// Seconds with three places.
inline json seconds_json(double seconds) {
    return std::floor(seconds * 1000.0 + 0.5) / 1000.0;
}

} // namespace bigsmall::app
