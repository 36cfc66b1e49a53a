// SPDX-License-Identifier: BSL-1.0
#include "commands/commands.hpp"

#include <filesystem>

#include <bigsmall/archive/transcode.hpp>

#include "commands/old_parity.hpp"
#include "commands/paths.hpp"
#include "commands/work.hpp"
#include "console/json.hpp"
#include "options/shared.hpp"
#include "own_pipelines.hpp"

namespace bigsmall::app {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t most_streams = 1024;

struct request {
    std::string source, output, mode;
    std::uint64_t streams = 1;
};

struct transcode_run {
    request asked;
    archive::transcode_result done;
    double seconds = 0;
};

// The reference's words for the operating points.
archive::operating_point point_of_mode(const std::string& mode) {
    if (mode == "ratio") return archive::operating_point::storage;
    return mode == "balanced" ? archive::operating_point::balanced : archive::operating_point::inference;
}

request read_request(const arguments& given) {
    request asked{given.positional(0), {}, given.value("mode").value_or("speed"), 1};
    asked.streams = given.integer("n-streams", 1, most_streams).value_or(asked.streams);
    if (given.positional_count() > 1) {
        asked.output = given.positional(1);
        return asked;
    }
    std::error_code ignored; // the library says in words what is wrong with the source
    asked.output = default_transcoded(asked.source, fs::is_directory(asked.source, ignored)).string();
    if (fs::path(asked.output) == named_path(asked.source))
        throw usage_error("the name of the source ends in bsr already: give the output a name");
    return asked;
}

// --workers is the reference's word for --threads.
arguments with_threads(arguments given) {
    given.exclude("workers", "threads");
    if (!given.has("workers")) return given;
    given.threads("workers"); // complains in that name
    given.set("threads", *given.value("workers"));
    return given;
}

transcode_run work(const request& asked, const arguments& given) {
    std::error_code ignored;
    if (!fs::is_directory(asked.source, ignored)) require_place_for_parity(asked.output, given);
    work_session session(given, show_ratio::yes);
    archive::transcode_options options;
    session.apply_to(options, given);
    options.tune(point_of_mode(asked.mode));
    options.streams = asked.streams;
    transcode_run result{asked, archive::transcode(asked.source, asked.output, options, session.executor()), 0};
    remove_old_parity(result.done.files, result.done.removed_files);
    result.seconds = session.finish();
    return result;
}

// "+20.25%", "-3.00%".
std::string growth_text(std::uint64_t now, std::uint64_t before) {
    const bool grew = now >= before;
    return (grew ? "+" : "-") + percent_text(grew ? now - before : before - now, before);
}

std::string text_of(const transcode_run& result) {
    const archive::transcode_result& done = result.done;
    return "transcode[" + result.asked.mode + "]: " + printable(result.asked.source) + " -> " +
           printable(result.asked.output) + "\n  " + with_thousands(done.source_bytes) + " -> " +
           with_thousands(done.written_bytes) + " bytes (" + growth_text(done.written_bytes, done.source_bytes) +
           " vs source)\n" + removed_text(done.removed_files) + "  tensors: " + with_thousands(done.tensors) + " (" +
           with_thousands(done.reencoded_tensors) +
           " re-encoded, all md5-verified)  wall: " + fixed(result.seconds, 1) + "s  " +
           speed(done.raw_bytes, result.seconds) + "\n";
}

json json_of(const transcode_run& result) {
    const archive::transcode_result& done = result.done;
    return {{"command", "transcode"},
            {"source", result.asked.source},
            {"output", result.asked.output},
            {"mode", result.asked.mode},
            {"operating_point", archive::recipe_of(point_of_mode(result.asked.mode)).name},
            {"n_streams", result.asked.streams},
            {"source_bytes", done.source_bytes},
            {"written_bytes", done.written_bytes},
            {"raw_bytes", done.raw_bytes},
            {"tensors", done.tensors},
            {"reencoded_tensors", done.reencoded_tensors},
            {"blocks", done.blocks},
            {"files", paths_json(done.files)},
            {"removed_files", paths_json(done.removed_files)},
            {"elapsed_seconds", seconds_json(result.seconds)}};
}

exit_code run(const arguments& words) {
    const arguments given = with_threads(words);
    const transcode_run result = work(read_request(given), given);
    if (given.has("json"))
        print_json(json_of(result));
    else if (!given.has("quiet"))
        print(text_of(result));
    return exit_code::done;
}

std::vector<json_field> fields() {
    return {
        {"command", "string", "\"transcode\""},
        {"source", "string", "IN as given"},
        {"output", "string", "the file or directory written"},
        {"mode", "string", "ratio, balanced or speed"},
        {"operating_point", "string", "storage, balanced or inference: what the mode means"},
        {"n_streams", "integer", "the value of --n-streams, or 1"},
        {"source_bytes", "integer", "bytes of the archive that was read"},
        {"written_bytes", "integer", "bytes of the archive that was written"},
        {"raw_bytes", "integer", "bytes of the files that both restore"},
        {"tensors", "integer", "tensors; the MD5 of each was that of its receipt"},
        {"reencoded_tensors", "integer", "tensors encoded anew; the others are stored as one of these"},
        {"blocks", "integer", "new blocks; each was decoded again and compared"},
        {"files", "array of strings", "the files written"},
        {"removed_files", "array of strings",
         "with -f: what only the index of the older output listed (a file that was changed stays), and the parity of "
         "what was replaced"},
        {"elapsed_seconds", "number", "wall time, three places"}};
}

std::vector<option_spec> options() {
    return {{.name = "mode",
             .value = "MODE",
             .help = "What to tune for: ratio is compress --storage, balanced is --balanced, speed is --inference. "
                     "Small tensors that are coded together stay so, and no others are put together.",
             .fallback = "speed",
             .choices = {"ratio", "balanced", "speed"}},
            {.name = "n-streams",
             .value = "N",
             .help = "Split every tensor of N x 64 KiB or more into at least N blocks, 1 to 1024, so that as many "
                     "threads can decode it. Each block is coded on its own: this costs a little size for "
                     "most weights, and much where a tensor repeats itself.",
             .fallback = "1, blocks as large as the mode likes them"},
            {.name = "workers", .value = "N", .help = "The same as --threads."},
            threads_option(),
            force_option(),
            json_option(),
            quiet_option(),
            no_progress_option(),
            help_option()};
}

} // namespace

command_spec transcode_command() {
    return {
        .verb = "transcode",
        .summary = "Write an archive again for another operating point",
        .description = {"Encodes every tensor of an archive anew, for speed unless told otherwise: a .bs made to be "
                        "small becomes a .bsr that decodes fast, or the other way round. Both restore the same files, "
                        "byte for byte, and every command reads both.",
                        "On the way every tensor must have its MD5 and every file its SHA-256, and every new block is "
                        "decoded again and compared, before the output appears. No tensor is ever held whole."},
        .positionals = {{.name = "IN", .help = "A .bs or .bsr file, or a directory with bigsmall.index.json."},
                        {.name = "OUT",
                         .help = "What to write. Without it X.bs becomes X.bsr, and a directory X-bs becomes X-bsr; a "
                                 "source that has such a name already needs OUT.",
                         .required = false,
                         .written = true}},
        .options = options(),
        .examples = {{"bigsmall transcode model.bs", "Writes model.bsr, which decodes fastest."},
                     {"bigsmall transcode model.bs small.bs --mode ratio", "As small as it gets, for an archive."},
                     {"bigsmall transcode model.bs --n-streams 16", "At least 16 blocks in every large tensor."}},
        .json = fields(),
        .run = run,
    };
}

} // namespace bigsmall::app
