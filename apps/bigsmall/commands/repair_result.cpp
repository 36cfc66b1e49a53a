// SPDX-License-Identifier: BSL-1.0
#include "commands/repair_result.hpp"

#include <cstdint>

#include "console/format.hpp"

namespace bigsmall::app {
namespace {

std::string_view name_of(repair_mode mode) {
    switch (mode) {
    case repair_mode::check: return "check";
    case repair_mode::output: return "output";
    case repair_mode::in_place: return "in-place";
    }
    return "unknown";
}

std::string size_line(const archive::repair_report& report) {
    if (report.found_bytes == report.file_bytes) return {};
    const bool cut = report.found_bytes < report.file_bytes;
    const std::uint64_t by = cut ? report.file_bytes - report.found_bytes : report.found_bytes - report.file_bytes;
    return "  " + with_thousands(by) + (cut ? " bytes are missing at its end\n" : " bytes too many at its end\n");
}

std::string sidecar_line(const repair_result& result) {
    const archive::repair_report& report = result.report;
    if (report.sidecar_whole()) return {};
    std::string line = "  " + printable(result.asked.sidecar) + " is damaged itself";
    if (result.asked.mode == repair_mode::in_place && report.repairable()) return line + ": made again\n";
    return line + (report.file_whole() ? ": make it again with 'bigsmall ecc -f " + printable(result.asked.file) + "'\n"
                                       : "\n");
}

std::string lost_lines(const repair_result& result) {
    constexpr std::size_t most_lines = 20;
    std::string text;
    const std::vector<archive::byte_range>& lost = result.report.lost;
    for (std::size_t i = 0; i < std::min(lost.size(), most_lines); ++i)
        text += "LOST: " + printable(result.asked.file) + ": " + with_thousands(lost[i].bytes) + " bytes at byte " +
                std::to_string(lost[i].offset) + "\n";
    if (lost.size() > most_lines)
        text += "LOST: and " + with_thousands(lost.size() - most_lines) + " more places (--json lists all)\n";
    for (const std::string& name : result.report.lost_tensors)
        text += "LOST: tensor " + printable(name) + "\n";
    return text;
}

std::string outcome(const repair_result& result) {
    const archive::repair_report& report = result.report;
    const std::string file = printable(result.asked.file);
    if (!report.repairable()) return file + ": damaged beyond repair\n";
    if (result.asked.mode == repair_mode::output)
        return "repaired " + file + " -> " + printable(result.asked.output) + "\n";
    if (report.file_whole()) return file + ": whole\n";
    return result.asked.mode == repair_mode::in_place ? "repaired " + file + "\n"
                                                      : file + ": damaged, can be repaired\n";
}

std::string advice(const repair_result& result) {
    if (result.report.repairable()) return {};
    if (result.asked.mode == repair_mode::in_place && !result.asked.sidecar.empty())
        return "Nothing was written. 'bigsmall repair " + printable(result.asked.file) +
               " -o OUT' writes what there is, --from FILE brings more.\n";
    if (result.asked.mode != repair_mode::output || result.report.lost_tensors.empty()) return {};
    return "All other tensors are restored by 'bigsmall decompress --skip-damaged'.\n";
}

json lost_json(const std::vector<archive::byte_range>& lost) {
    json list = json::array();
    for (const archive::byte_range& range : lost)
        list.push_back({{"offset", range.offset}, {"bytes", range.bytes}});
    return list;
}

json facts_of(const repair_result& result) {
    const archive::repair_report& report = result.report;
    return {{"file", result.asked.file},
            {"ecc", result.asked.sidecar.empty() ? json(nullptr) : json(result.asked.sidecar)},
            {"whole", result.whole()},
            {"repairable", result.repairable()},
            {"ecc_whole", result.failure.empty() && report.sidecar_whole()},
            {"file_bytes", report.file_bytes},
            {"found_bytes", report.found_bytes},
            {"pieces", report.cells},
            {"damaged_pieces", report.damaged_cells},
            {"restored_pieces", report.restored_cells},
            {"lost", lost_json(report.lost)},
            {"lost_tensors", report.lost_tensors},
            {"failure", result.failure.empty() ? json(nullptr) : json(result.failure)}};
}

json with_frame(json facts, const repair_request& asked, json files, const std::vector<std::string>& without_parity,
                double seconds) {
    const bool writes = asked.mode == repair_mode::output;
    json all{{"command", "repair"}, {"mode", name_of(asked.mode)}};
    all["output"] = writes ? json(asked.output) : json(nullptr);
    all.update(facts);
    all["files"] = std::move(files);
    all["without_parity"] = without_parity;
    all["elapsed_seconds"] = seconds_json(seconds);
    return all;
}

// Of all files of a directory together.
repair_result sum_of(const directory_repair& result) {
    repair_result sum;
    sum.asked = result.asked;
    for (const repair_result& file : result.files) {
        sum.report.file_bytes += file.report.file_bytes;
        sum.report.found_bytes += file.report.found_bytes;
        sum.report.cells += file.report.cells;
        sum.report.damaged_cells += file.report.damaged_cells;
        sum.report.restored_cells += file.report.restored_cells;
        sum.report.parity_damaged += file.report.parity_damaged;
        sum.report.pages_damaged += file.report.pages_damaged;
        sum.report.headers_ok = sum.report.headers_ok && file.report.headers_ok;
        sum.report.lost_tensors.insert(file.report.lost_tensors.begin(), file.report.lost_tensors.end());
        if (sum.failure.empty()) sum.failure = file.failure;
    }
    return sum;
}

} // namespace

std::string text_of(const repair_result& result) {
    const archive::repair_report& report = result.report;
    if (!result.failure.empty()) return printable(result.failure) + "\n";
    std::string text = lost_lines(result) + outcome(result) + size_line(report);
    if (report.damaged_cells > 0)
        text += "  " + with_thousands(report.damaged_cells) + " of " + with_thousands(report.cells) +
                " pieces damaged, " + with_thousands(report.restored_cells) + " of them can be restored\n";
    return text + sidecar_line(result) + advice(result);
}

std::string text_of(const directory_repair& result) {
    std::string text;
    std::size_t whole = 0;
    for (const repair_result& file : result.files) {
        if (file.whole() && file.report.sidecar_whole())
            ++whole;
        else
            text += text_of(file);
    }
    text += printable(result.asked.file) + ": " + with_thousands(whole) + " of " + with_thousands(result.files.size()) +
            " files with parity were whole\n";
    if (!result.without_parity.empty())
        text += "  " + with_thousands(result.without_parity.size()) +
                " other files of the archive have none and were not looked at\n";
    return text;
}

json json_of(const repair_result& result) {
    return with_frame(facts_of(result), result.asked, json::array(), {}, result.seconds);
}

json json_of(const directory_repair& result) {
    json files = json::array();
    for (const repair_result& file : result.files)
        files.push_back(facts_of(file));
    return with_frame(facts_of(sum_of(result)), result.asked, std::move(files), result.without_parity, result.seconds);
}

std::vector<json_field> repair_fields() {
    return {{"command", "string", "\"repair\""},
            {"mode", "string", "check, output or in-place"},
            {"output", "string or null", "OUT as given"},
            {"file", "string", "FILE as given"},
            {"ecc", "string or null", "the parity that was used; null for a directory"},
            {"whole", "boolean", "FILE was found as it was when its parity was made"},
            {"repairable", "boolean", "all bytes of FILE are there or can be restored"},
            {"ecc_whole", "boolean", "the parity was found undamaged"},
            {"file_bytes", "integer", "bytes of FILE when it is whole"},
            {"found_bytes", "integer", "bytes that it was found with"},
            {"pieces", "integer", "pieces of FILE, of up to 4096 bytes with parity, else as the container has them"},
            {"damaged_pieces", "integer", "those that were found damaged or missing"},
            {"restored_pieces", "integer", "those of them that can be, and unless mode is check were, restored"},
            {"lost", "array", "what cannot be restored, ascending; of a directory it stands with its files"},
            {"lost[].offset", "integer", "first byte in FILE"},
            {"lost[].bytes", "integer", "how many"},
            {"lost_tensors", "array of strings", "the tensors of an archive that are damaged for that"},
            {"failure", "string or null",
             "of a directory: why one of its files could not be looked at, or is left as it is"},
            {"files", "array",
             "of a directory: an object for each file that has parity, with file, ecc ... failure as "
             "above, which tell of all of them together; else empty"},
            {"without_parity", "array of strings", "of a directory: files of the archive that were not looked at"},
            {"elapsed_seconds", "number", "wall time, three places"}};
}

} // namespace bigsmall::app
