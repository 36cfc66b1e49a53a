// SPDX-License-Identifier: BSL-1.0
#include "commands/problems.hpp"

#include <array>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>

#include <bigsmall/io/ecc/sidecar.hpp>

#include "console/format.hpp"

namespace bigsmall::app {

std::string problem_line(const archive::damage& found) {
    std::string line = found.file;
    if (!found.member.empty()) line += ": " + found.member;
    if (!found.tensor.empty()) line += ": tensor " + found.tensor;
    // A block is named in the words already when it was the container that found it damaged.
    if (found.block && found.what.rfind("block ", 0) != 0) {
        line += ": block " + std::to_string(*found.block);
        if (found.offset) line += " at byte " + std::to_string(*found.offset);
    } else if (!found.block && found.offset) {
        line += ": at byte " + std::to_string(*found.offset);
        if (!found.member.empty()) line += " of the restored file";
    }
    return (found.redundant ? "DAMAGED: " : "") + printable(line + ": " + found.what) + "\n";
}

json problems_json(const std::vector<archive::damage>& problems) {
    json list = json::array();
    for (const archive::damage& found : problems)
        list.push_back({{"kind", bigsmall::name_of(found.code)},
                        {"file", found.file},
                        {"member", found.member},
                        {"tensor", found.tensor},
                        {"block", or_null(found.block)},
                        {"offset", or_null(found.offset)},
                        {"bytes", or_null(found.bytes)},
                        {"redundant", found.redundant},
                        {"what", found.what}});
    return list;
}

std::vector<json_field> problem_fields(const std::array<std::string_view, 9>& names) {
    return {{names[0], "string", "corrupt, truncated, mismatch, missing, unsupported ..."},
            {names[1], "string", "the file of the archive"},
            {names[2], "string", "the source file in it, or empty"},
            {names[3], "string", "the tensor, or empty"},
            {names[4], "integer or null", "number of the block in the tensor"},
            {names[5], "integer or null", "first byte: of file for a block, else of member"},
            {names[6], "integer or null", "how many bytes from there"},
            {names[7], "boolean", "a copy or padding is damaged: nothing is lost yet"},
            {names[8], "string", "the problem in words"}};
}

bool is_parity(const std::filesystem::path& file) {
    std::array<char, io::ecc_magic.size()> first{};
    std::ifstream in(file, std::ios::binary);
    return in.read(first.data(), first.size()) && std::string_view(first.data(), first.size()) == io::ecc_magic;
}

bool has_parity(const std::string& file) {
    std::error_code failed;
    return std::filesystem::is_regular_file(file + ".ecc", failed);
}

} // namespace bigsmall::app
