// SPDX-License-Identifier: BSL-1.0
#include "commands/commands.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <system_error>

#include <bigsmall/archive/verify.hpp>
#include <bigsmall/archive/verify_parity.hpp>
#include <bigsmall/archive/verify_published.hpp>
#include <bigsmall/io/ecc/identity.hpp>
#include <bigsmall/io/ecc/sidecar.hpp>

#include "commands/base_options.hpp"
#include "commands/problems.hpp"
#include "commands/work.hpp"
#include "console/json.hpp"
#include "options/shared.hpp"

namespace bigsmall::app {
namespace {

namespace fs = std::filesystem;

enum class verify_mode : unsigned char { full, fast, sample, source };

struct request {
    verify_mode mode = verify_mode::full;
    std::string file, source;
    std::optional<double> fraction;
    std::uint64_t seed = 0;
    bool file_hashes = false;
    std::vector<archive::published_hash> published;
};

struct verify_result {
    request asked;
    archive::verify_report report;
    double seconds = 0;
};

std::string_view name_of(verify_mode mode) {
    switch (mode) {
    case verify_mode::full: return "full";
    case verify_mode::fast: return "fast";
    case verify_mode::sample: return "sample";
    case verify_mode::source: return "source";
    }
    return "unknown";
}

std::uint64_t random_seed() {
    std::random_device random;
    return random(); // 32 bits: short enough to type again
}

request read_request(const arguments& given) {
    given.exclude("fast", "sample");
    given.exclude("fast", "source");
    given.exclude("sample", "source");
    for (const char* partial : {"fast", "sample"})
        for (const char* whole : {"sha256", "file-hashes"})
            given.exclude(partial, whole);
    if (given.has("seed") && !given.has("sample")) throw usage_error("--seed needs --sample");
    request asked;
    asked.file = given.positional(0);
    asked.fraction = given.fraction("sample");
    if (given.has("fast")) asked.mode = verify_mode::fast;
    if (asked.fraction) {
        asked.mode = verify_mode::sample;
        const auto seed = given.integer("seed");
        asked.seed = seed ? *seed : random_seed();
    }
    if (const auto source = given.value("source")) {
        asked.mode = verify_mode::source;
        asked.source = *source;
    }
    if (const auto published = given.value("sha256")) asked.published = archive::published_hashes_of(*published);
    asked.file_hashes = given.has("file-hashes") || !asked.published.empty();
    return asked;
}

archive::verify_report run_mode(const request& asked, const archive::verify_options& options,
                                parallel::tbb_executor& executor) {
    switch (asked.mode) {
    case verify_mode::fast: return archive::verify_fast(asked.file, options);
    case verify_mode::sample: return archive::verify_sample(asked.file, *asked.fraction, asked.seed, options, executor);
    case verify_mode::source: return archive::verify_against(asked.file, asked.source, options, executor);
    case verify_mode::full: break;
    }
    archive::verify_report report = archive::verify(asked.file, options, executor);
    archive::verify_parity(asked.file, options, report, executor);
    return report;
}

// By its parity a file was a container, or it is an index of shards, and it is not as it was then.
bool has_changed(const fs::path& file, const archive::verify_options& options, parallel::tbb_executor& executor) {
    if (!has_parity(file.string())) return false;
    try {
        const io::file_source now(file);
        const io::ecc_sidecar parity(std::make_shared<io::file_source>(io::ecc_path(file)), now.size());
        if (const std::uint64_t then = parity.identity().value_or(0); then != 0)
            return io::ecc_identity_if_readable(now) != then;
        archive::repair_options how;
        how.cancel = options.cancel;
        return file.filename() == archive::shard_index_name &&
               !archive::check_parity(file, io::ecc_path(file), how, executor).file_whole();
    } catch (const error& failure) { // then parity tells nothing
        if (failure.code() == errc::cancelled) throw;
        return false;
    }
}

// It is the archive that fails, not a source or a base, and it was one for sure.
bool is_damage(const error& failure, const request& asked, const archive::verify_options& options,
               parallel::tbb_executor& executor) {
    const fs::path file = failure.file();
    if (file != asked.file && file != fs::path(asked.file) / archive::shard_index_name) return false;
    if (failure.code() == errc::unsupported) return has_changed(file, options, executor);
    return failure.code() == errc::corrupt || failure.code() == errc::truncated;
}

// Of what is damaged so much that it cannot be opened, that is a problem like others.
archive::verify_report run_or_report(const request& asked, const archive::verify_options& options,
                                     parallel::tbb_executor& executor) {
    archive::verify_report report;
    try {
        report = run_mode(asked, options, executor);
        if (!asked.published.empty()) archive::check_published(asked.file, asked.published, report);
    } catch (const error& failure) {
        if (!is_damage(failure, asked, options, executor)) throw;
        report = {};
        report.ok = false;
        report.files = 1;
        report.problems.push_back(archive::damage_of(failure));
    }
    return report;
}

// The damaged file that has parity: it need not be the one asked for, which may be a directory or borrow from another.
std::string repairable_file(const archive::verify_report& report) {
    for (const archive::damage& found : report.problems) {
        const bool whole_file = found.member.empty() && found.tensor.empty(); // or a carried one
        const bool damaged = found.code == errc::corrupt || found.code == errc::truncated ||
                             (whole_file && (found.code == errc::unsupported || found.code == errc::mismatch));
        if (damaged && has_parity(found.file)) return found.file;
    }
    return {};
}

bool only_parity(const archive::verify_report& report) {
    return std::all_of(report.problems.begin(), report.problems.end(),
                       [](const archive::damage& found) { return found.file.ends_with(".ecc"); });
}

// Of damage that has cost nothing yet, or that parity may undo.
std::string advice(const verify_result& result) {
    if (result.report.ok) return {};
    if (only_parity(result.report))
        return "The archive is as it was written; its parity is not: make that again with 'bigsmall ecc -f " +
               printable(fs::path(result.report.problems.front().file).replace_extension().string()) + "'.\n";
    if (const std::string file = repairable_file(result.report); !file.empty())
        return "There is parity: 'bigsmall repair " + printable(file) +
               " --check' tells whether it brings back what is damaged.\n";
    if (!result.report.only_redundant()) return {};
    const verify_mode mode = result.asked.mode;
    const bool all = mode == verify_mode::full || mode == verify_mode::source;
    const char* const intact = result.report.file_hashes ? "Every tensor and every file is intact, but"
                               : all                     ? "Every tensor is intact, but"
                                                         : "What was checked is intact, but";
    return std::string(intact) + " the archive is not as it was written. Make it again: decompress it and\n"
                                 "compress what comes back, or copy it from where it is whole.\n";
}

std::string totals(const verify_result& result) {
    const archive::verify_report& report = result.report;
    return "checked " + with_thousands(report.tensors_checked) + " of " + with_thousands(report.tensors_total) +
           " tensors, " + with_thousands(report.blocks_checked) + " blocks, " + exact_size(report.bytes_checked) +
           " in " + with_thousands(report.files) + " files, " + fixed(result.seconds, 1) + "s  " +
           speed(report.bytes_checked, result.seconds) + "\n";
}

std::string text_of(const verify_result& result, bool verbose) {
    std::string text;
    for (const archive::damage& found : result.report.problems)
        text += problem_line(found);
    text += advice(result);
    if (result.asked.mode == verify_mode::sample)
        text += "sampled " + with_thousands(result.report.blocks_checked) + " of " +
                with_thousands(result.report.blocks_total) + " blocks, --seed " + std::to_string(result.asked.seed) +
                "\n";
    if (verbose) text += totals(result);
    if (result.report.base_missing && result.report.ok)
        text += "This is a patch: its stored bytes are whole. What it restores is checked with --base BASE.\n";
    return text + (result.report.ok ? "OK\n" : "FAIL\n");
}

json json_of(const verify_result& result) {
    const archive::verify_report& report = result.report;
    const bool sampled = result.asked.mode == verify_mode::sample;
    return {{"command", "verify"},
            {"file", result.asked.file},
            {"mode", name_of(result.asked.mode)},
            {"ok", report.ok},
            {"files", report.files},
            {"tensors_total", report.tensors_total},
            {"tensors_checked", report.tensors_checked},
            {"blocks_total", report.blocks_total},
            {"blocks_checked", report.blocks_checked},
            {"bytes_checked", report.bytes_checked},
            {"file_hashes", report.file_hashes},
            {"fraction", or_null(result.asked.fraction)},
            {"base_missing", report.base_missing},
            {"seed", sampled ? json(result.asked.seed) : json(nullptr)},
            {"problems", problems_json(report.problems)},
            {"elapsed_seconds", seconds_json(result.seconds)}};
}

exit_code run(const arguments& given) {
    verify_result result;
    result.asked = read_request(given);
    work_session session(given, show_ratio::no);
    archive::verify_options options;
    session.apply_to(options, given);
    if (given.has("base") && result.asked.mode == verify_mode::fast)
        throw usage_error("--base and --fast exclude each other: --fast reads no weights");
    options.base = base_of(given, session, options);
    options.file_hashes = result.asked.file_hashes;
    result.report = run_or_report(result.asked, options, session.executor());
    result.seconds = session.finish();
    if (given.has("json"))
        print_json(json_of(result));
    else if (!given.has("quiet"))
        print(text_of(result, given.has("verbose")));
    return result.report.ok ? exit_code::done : exit_code::no;
}

std::vector<json_field> fields() {
    std::vector<json_field> all{
        {"command", "string", "\"verify\""},
        {"file", "string", "FILE as given"},
        {"mode", "string", "full, fast, sample or source"},
        {"ok", "boolean", "true when nothing wrong was found (exit code 0), else false (1)"},
        {"files", "integer", "archive files looked at"},
        {"tensors_total", "integer", "tensors in the archive"},
        {"tensors_checked", "integer", "tensors of which something was decoded; all of it unless sampled"},
        {"blocks_total", "integer", "blocks in the archive, and in other .bs files that hold some of its tensors"},
        {"blocks_checked", "integer", "blocks decoded; those of equal tensors count once, with file_hashes for each"},
        {"bytes_checked", "integer", "uncompressed bytes of these blocks, and of carried files read"},
        {"file_hashes", "boolean", "the SHA-256 of each file was compared, too"},
        {"fraction", "number or null", "the value of --sample"},
        {"seed", "integer or null", "repeats the same sample with --seed"},
        {"base_missing", "boolean", "a patch without its base: checksums of stored bytes were compared, no weights"},
        {"problems", "array", "what is wrong; empty when ok"}};
    for (const json_field& field : problem_fields({"problems[].kind", "problems[].file", "problems[].member",
                                                   "problems[].tensor", "problems[].block", "problems[].offset",
                                                   "problems[].bytes", "problems[].redundant", "problems[].what"}))
        all.push_back(field);
    all.push_back({"elapsed_seconds", "number", "wall time, three places"});
    return all;
}

std::vector<option_spec> options() {
    return {
        {.name = "fast",
         .help = "Check headers, index and sizes only; no weights are decoded. Seconds even for 30 GB."},
        {.name = "sample",
         .value = "F",
         .help = "Decode a random share of the blocks, for example 0.001; at least one."},
        {.name = "seed",
         .value = "N",
         .help = "With --sample: choose the same blocks again.",
         .fallback = "random, and printed"},
        {.name = "source",
         .value = "SRC",
         .help = "Also compare with the .safetensors file or directory that was compressed; --file-hashes is implied.",
         .kind = value_kind::path},
        {.name = "sha256",
         .value = "HASH",
         .help = "Also compare with the published SHA-256 of the original: 64 digits, or a file of lines as "
                 "sha256sum writes them, of which the archive must have every file. The original is not needed; "
                 "--file-hashes is implied."},
        {.name = "file-hashes",
         .help = "Also make the SHA-256 of each file, as decompress does. It goes through all bytes in their order, "
                 "which takes several times as long. Of a patch it needs --base."},
        base_option(),
        {.name = "verbose", .help = "Print how much was checked as well."},
        threads_option(),
        json_option(),
        {.name = "quiet", .letter = 'q', .help = "Print errors only: the exit code is the answer."},
        no_progress_option(),
        help_option()};
}

} // namespace

command_spec verify_command() {
    return {
        .verb = "verify",
        .summary = "Check that an archive is whole",
        .description =
            {"Decodes everything, equal tensors once, and compares it with the receipts in the archive: a checksum for "
             "each block, MD5 for each tensor; with --file-hashes SHA-256 for each file. Prints one line for each "
             "problem, then OK or FAIL.",
             "Of a patch without --base, the checksums of what is stored are compared; with its base, everything is.",
             "OK means that every weight that was checked is bit-identical to the original.",
             "The header, the index and the footer of a .bs file are there twice or can be done without (the index is "
             "there once where a second copy would make the archive larger than its source). Damage of one of "
             "them loses nothing, and decompress passes over it; verify calls it DAMAGED and the answer is FAIL, "
             "because the next damage may be the last. An archive like that is to be made again, or repaired.",
             "When there is a FILE.ecc, which 'ecc' and 'compress --ecc' write, it is checked as well, unless --fast, "
             "--sample or --source is given; damage of it is DAMAGED, too. What it can do for a damaged FILE, 'repair "
             "--check' tells.",
             "An archive that is damaged so much that it cannot be opened is FAIL as well; but a file that is not "
             "known "
             "as one any more, by its first bytes, its last ones or its parity, is exit code 3 like any other file."},
        .positionals = {{.name = "FILE", .help = "A .bs or .bsr file, or a directory with bigsmall.index.json."}},
        .options = options(),
        .examples = {{"bigsmall verify model.bs", "Everything."},
                     {"bigsmall verify --fast model.bs", "The structure only."},
                     {"bigsmall verify --sample 0.001 model.bs", "A thousandth of the weights."},
                     {"bigsmall verify model.bs --source model.safetensors", "Against the original."},
                     {"bigsmall verify model.bs --sha256 SHA256SUMS",
                      "Against the hashes that were published with it."}},
        .json = fields(),
        .run = run,
    };
}

} // namespace bigsmall::app
