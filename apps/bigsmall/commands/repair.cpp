// SPDX-License-Identifier: BSL-1.0
#include "commands/commands.hpp"

#include <filesystem>
#include <string>
#include <vector>

#include <bigsmall/archive/repair.hpp>
#include <bigsmall/archive/repair_container.hpp>
#include <bigsmall/archive/verify.hpp>

#include "commands/problems.hpp"
#include "commands/work.hpp"
#include "console/json.hpp"
#include "options/shared.hpp"
#include "own_pipelines.hpp"

namespace bigsmall::app {
namespace {

namespace fs = std::filesystem;

enum class repair_mode : unsigned char { check, output, in_place };

struct request {
    repair_mode mode = repair_mode::check;
    std::string file, output, from;
    std::string sidecar; // empty: without parity
};

struct repair_result {
    request asked;
    archive::repair_report report;
    double seconds = 0;

    /// What the exit code says: everything is as it should be now.
    bool done() const {
        const bool whole = report.file_whole() && report.sidecar_whole();
        return asked.mode == repair_mode::check ? whole : report.repairable();
    }
};

std::string_view name_of(repair_mode mode) {
    switch (mode) {
    case repair_mode::check: return "check";
    case repair_mode::output: return "output";
    case repair_mode::in_place: return "in-place";
    }
    return "unknown";
}

request read_request(const arguments& given) {
    given.exclude("check", "output");
    given.exclude("check", "in-place");
    given.exclude("output", "in-place");
    request asked;
    asked.file = given.positional(0);
    asked.from = given.value("from").value_or("");
    asked.sidecar = given.value("ecc").value_or(has_parity(asked.file) ? io::ecc_path(asked.file).string() : "");
    asked.output = given.value("output").value_or("");
    if (given.has("in-place"))
        asked.mode = repair_mode::in_place;
    else if (given.has("output"))
        asked.mode = repair_mode::output;
    else if (!given.has("check"))
        throw usage_error("repair needs -o OUT, --in-place or --check");
    if (given.has("output") && (asked.output.empty() || asked.output == "-"))
        throw usage_error("--output needs the name of a file");
    return asked;
}

archive::repair_report with_parity(const request& asked, const archive::repair_options& options,
                                   parallel::tbb_executor& executor) {
    switch (asked.mode) {
    case repair_mode::output: return archive::repair_to(asked.file, asked.sidecar, asked.output, options, executor);
    case repair_mode::in_place: return archive::repair_in_place(asked.file, asked.sidecar, options, executor);
    case repair_mode::check: break;
    }
    return archive::check_parity(asked.file, asked.sidecar, options, executor);
}

archive::repair_report without_parity(const request& asked, const archive::repair_options& options) {
    io::file_operations operations;
    try {
        switch (asked.mode) {
        case repair_mode::output: return archive::repair_container_to(asked.file, asked.output, options);
        case repair_mode::in_place: return archive::repair_container_in_place(asked.file, options, operations);
        case repair_mode::check: break;
        }
        return archive::check_container(asked.file, options);
    } catch (error& failure) {
        if (failure.code() == errc::unsupported || failure.code() == errc::corrupt || failure.code() == errc::truncated)
            failure.with_hint("there is no " + io::ecc_path(asked.file).string() +
                              ": without it, little more than the header and one index can be made again");
        throw;
    }
}

// What --from gives may bring back more without parity, and parity that is cut or that of another file none.
bool is_better_without_parity(const request& asked, archive::repair_options options, parallel::tbb_executor& executor) {
    if (asked.sidecar.empty() || asked.from.empty()) return false;
    const auto is_repairable = [](auto&& check) {
        try {
            return check().repairable();
        } catch (const error& failure) {
            if (failure.code() == errc::cancelled) throw;
            return false; // whoever repairs says why
        }
    };
    options.progress = nullptr;
    options.existing = io::if_exists::refuse;
    return !is_repairable([&] { return archive::check_parity(asked.file, asked.sidecar, options, executor); }) &&
           is_repairable([&] { return archive::check_container(asked.file, options); });
}

// Which tensors the lost bytes belong to, as far as what is left of an archive tells.
void name_lost_tensors(repair_result& result, const archive::run_options& options, parallel::tbb_executor& executor) {
    const request& asked = result.asked;
    if (result.report.repairable() || !result.report.lost_tensors.empty()) return;
    archive::verify_options how;
    how.cancel = options.cancel;
    try {
        const std::string& best = asked.mode == repair_mode::output ? asked.output : asked.file;
        for (const archive::damage& found : archive::verify(best, how, executor).problems)
            if (!found.tensor.empty()) result.report.lost_tensors.insert(found.tensor);
    } catch (const error& failure) {
        if (failure.code() == errc::cancelled) throw;
    }
}

repair_result work(const arguments& given) {
    repair_result result;
    result.asked = read_request(given);
    work_session session(given, show_ratio::no);
    archive::repair_options options;
    session.apply_to(options, given);
    options.from = result.asked.from;
    if (is_better_without_parity(result.asked, options, session.executor())) result.asked.sidecar.clear();
    result.report = result.asked.sidecar.empty() ? without_parity(result.asked, options)
                                                 : with_parity(result.asked, options, session.executor());
    name_lost_tensors(result, options, session.executor());
    result.seconds = session.finish();
    return result;
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
    return line + (report.file_whole() ? ": make it again with 'bigsmall ecc -f'\n" : "\n");
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

std::string text_of(const repair_result& result) {
    const archive::repair_report& report = result.report;
    std::string text = lost_lines(result) + outcome(result) + size_line(report);
    if (report.damaged_cells > 0)
        text += "  " + with_thousands(report.damaged_cells) + " of " + with_thousands(report.cells) +
                " pieces damaged, " + with_thousands(report.restored_cells) + " of them can be restored\n";
    return text + sidecar_line(result) + advice(result);
}

json lost_json(const std::vector<archive::byte_range>& lost) {
    json list = json::array();
    for (const archive::byte_range& range : lost)
        list.push_back({{"offset", range.offset}, {"bytes", range.bytes}});
    return list;
}

json json_of(const repair_result& result) {
    const archive::repair_report& report = result.report;
    const bool writes = result.asked.mode == repair_mode::output;
    return {{"command", "repair"},
            {"file", result.asked.file},
            {"ecc", result.asked.sidecar.empty() ? json(nullptr) : json(result.asked.sidecar)},
            {"mode", name_of(result.asked.mode)},
            {"output", writes ? json(result.asked.output) : json(nullptr)},
            {"whole", report.file_whole()},
            {"repairable", report.repairable()},
            {"ecc_whole", report.sidecar_whole()},
            {"file_bytes", report.file_bytes},
            {"found_bytes", report.found_bytes},
            {"pieces", report.cells},
            {"damaged_pieces", report.damaged_cells},
            {"restored_pieces", report.restored_cells},
            {"lost", lost_json(report.lost)},
            {"lost_tensors", result.report.lost_tensors},
            {"elapsed_seconds", seconds_json(result.seconds)}};
}

exit_code run(const arguments& given) {
    const repair_result result = work(given);
    if (given.has("json"))
        print_json(json_of(result));
    else if (!given.has("quiet"))
        print(text_of(result));
    return result.done() ? exit_code::done : exit_code::no;
}

std::vector<json_field> fields() {
    return {{"command", "string", "\"repair\""},
            {"file", "string", "FILE as given"},
            {"ecc", "string or null", "the parity that was used"},
            {"mode", "string", "check, output or in-place"},
            {"output", "string or null", "OUT as given"},
            {"whole", "boolean", "FILE was found as it was when its parity was made"},
            {"repairable", "boolean", "all bytes of FILE are there or can be restored"},
            {"ecc_whole", "boolean", "the parity was found undamaged"},
            {"file_bytes", "integer", "bytes of FILE when it is whole"},
            {"found_bytes", "integer", "bytes that it was found with"},
            {"pieces", "integer", "pieces of FILE, of up to 4096 bytes with parity, else as the container has them"},
            {"damaged_pieces", "integer", "those that were found damaged or missing"},
            {"restored_pieces", "integer", "those of them that can be, and unless mode is check were, restored"},
            {"lost", "array", "what cannot be restored, ascending"},
            {"lost[].offset", "integer", "first byte in FILE"},
            {"lost[].bytes", "integer", "how many"},
            {"lost_tensors", "array of strings", "the tensors of an archive that are damaged for that"},
            {"elapsed_seconds", "number", "wall time, three places"}};
}

std::vector<option_spec> options() {
    return {{.name = "output",
             .letter = 'o',
             .value = "OUT",
             .help = "Write the repaired file here; FILE is only read.",
             .kind = value_kind::path},
            {.name = "in-place",
             .help = "When all of it can be restored, write what was damaged into FILE itself, and make a damaged "
                     ".ecc again. A run that was killed can be repeated (with -f, if FILE is no archive)."},
            {.name = "check", .help = "Write nothing: only tell what is damaged, and whether it can be repaired."},
            {.name = "ecc",
             .value = "FILE.ecc",
             .help = "The parity.",
             .fallback = "FILE.ecc beside FILE, when it is there",
             .kind = value_kind::path},
            {.name = "from",
             .value = "OTHER",
             .help = "Take good pieces from here: another copy of FILE, which may be damaged elsewhere, or the "
                     ".safetensors file or directory that was compressed, which is used in the place of parity.",
             .kind = value_kind::path},
            force_option(),
            threads_option(),
            json_option(),
            {.name = "quiet", .letter = 'q', .help = "Print errors only: the exit code is the answer."},
            no_progress_option(),
            help_option()};
}

} // namespace

command_spec repair_command() {
    return {
        .verb = "repair",
        .summary = "Bring back what was damaged, with parity or another copy",
        .description =
            {"Reads FILE and FILE.ecc, finds what is damaged by its checksums, and restores it: 'ecc --help' says how "
             "much that can be. Every restored piece is checked. FILE may be too short or too long, and sectors that "
             "cannot be read count as damaged.",
             "Without parity, an archive is repaired with what it holds twice (header, index, footer), checksums made "
             "again from what they belong to, and what --from brings.",
             "An archive that was written anew since its parity was made is another version and is refused; so is, in "
             "place and without -f, another file that was written after its parity.",
             "The answer is no (exit code 1) when something cannot be restored. OUT is written all the same, with all "
             "that can be had, and the tensors that are lost are named; 'decompress --skip-damaged' restores the "
             "others. In place nothing is written then. With --check, the answer is no when anything is damaged, and "
             "the output says whether it can be "
             "repaired."},
        .positionals = {{.name = "FILE", .help = "The damaged file."}},
        .options = options(),
        .examples = {{"bigsmall repair model.bs -o whole.bs", "Leaves model.bs as it is."},
                     {"bigsmall repair model.bs --in-place", "Writes the damaged places only."},
                     {"bigsmall repair model.bs --check", "Tells, and writes nothing."},
                     {"bigsmall repair model.bs --from backup.bs -o whole.bs", "Of two damaged copies a whole one."}},
        .json = fields(),
        .run = run,
    };
}

} // namespace bigsmall::app
