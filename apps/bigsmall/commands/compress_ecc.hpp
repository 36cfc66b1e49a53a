// SPDX-License-Identifier: BSL-1.0
// The parity beside what compress writes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <bigsmall/archive/pack_options.hpp>

#include "commands/work.hpp"
#include "console/json.hpp"

namespace bigsmall::app {

struct parity_result {
    std::vector<std::filesystem::path> files;
    std::uint64_t bytes = 0;
};

option_spec ecc_option();

/// Makes the parity of each file that was written.
parity_result write_parity(const archive::pack_result& packed, const arguments& given, work_session& session);

/// A line of the summary, or nothing when there is no parity.
std::string parity_text(const parity_result& parity, std::uint64_t compressed_bytes);

/// Null when there is no parity.
json parity_json(const parity_result& parity);
std::vector<json_field> parity_fields();

} // namespace bigsmall::app
