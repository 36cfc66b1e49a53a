// SPDX-License-Identifier: BSL-1.0
#include "commands/commands.hpp"

#include <bigsmall/archive/unpack.hpp>
#include <bigsmall/archive/unpack_shards.hpp>

#include "commands/base_options.hpp"
#include "commands/layout_options.hpp"
#include "commands/paths.hpp"
#include "commands/problems.hpp"
#include "commands/restored_output.hpp"
#include "commands/work.hpp"
#include "console/json.hpp"
#include "options/shared.hpp"

namespace bigsmall::app {
namespace {

struct decompress_result {
    std::string source, output;
    archive::unpack_result unpacked;
    double seconds = 0;
};

// What to do about an archive that is not restored as it is.
[[noreturn]] void throw_with_hint(error failure, const std::string& source) {
    const errc code = failure.code();
    if (code != errc::corrupt && code != errc::truncated && code != errc::mismatch) throw failure;
    const std::string damaged = has_parity(failure.file()) ? failure.file() : source;
    if (has_parity(damaged))
        failure.with_hint("'bigsmall repair " + printable(damaged) +
                          " --check' tells whether its parity brings back what is damaged");
    else if (!failure.tensor().empty()) // without an index, say, there is nothing to be restored
        failure.with_hint("with --skip-damaged everything else is restored");
    throw failure;
}

decompress_result work(const arguments& given) {
    decompress_result result;
    result.source = given.positional(0);
    const bool skip = given.has("skip-damaged");
    const auto layout = layout_of(given);
    if (skip && given.value("output") == "-")
        throw usage_error("--skip-damaged cannot take back what went to standard output already");
    if (skip && layout) throw usage_error("--skip-damaged restores the files that were compressed, no other shards");
    if (layout && given.value("output") == "-")
        throw usage_error("shards are several files, which standard output cannot take");
    result.output = layout && !given.has("output") ? default_directory(result.source).string()
                                                   : restored_output(given, result.source);
    work_session session(given, show_ratio::no);
    archive::unpack_options options;
    session.apply_to(options, given);
    options.base = base_of(given, session, options);
    options.damaged = skip ? archive::if_damaged::skip : archive::if_damaged::refuse;
    try {
        result.unpacked =
            layout ? archive::unpack_shards(result.source, result.output, *layout, options, session.executor())
                   : restore_to(result.output, result.source, options, session);
        result.seconds = session.finish();
        warn_of_spares(result.unpacked, result.source);
    } catch (const error& failure) {
        if (skip || layout || options.base) throw; // it may be the base that is another
        throw_with_hint(failure, result.source);
    }
    return result;
}

// One line on standard error for each thing that is not as it was.
void tell_of_skipped(const decompress_result& result) {
    for (const archive::damage& found : result.unpacked.problems)
        print_to_user("SKIPPED: " + problem_line(found));
    if (!result.unpacked.problems.empty())
        tell("damaged tensors are zeros in what was restored; a damaged file of another kind was not written");
}

std::string text_of(const decompress_result& result) {
    const std::string target = result.output == "-" ? "standard output" : printable(result.output);
    return "decompressed " + printable(result.source) + " -> " + target + "  (" + fixed(result.seconds, 1) + "s)  " +
           speed(result.unpacked.restored_bytes, result.seconds) + "\n";
}

json json_of(const decompress_result& result) {
    return {{"command", "decompress"},
            {"source", result.source},
            {"output", result.output},
            {"compressed_bytes", result.unpacked.compressed_bytes},
            {"restored_bytes", result.unpacked.restored_bytes},
            {"files", paths_json(result.unpacked.files)},
            {"skipped", problems_json(result.unpacked.problems)},
            {"elapsed_seconds", seconds_json(result.seconds)}};
}

exit_code run(const arguments& given) {
    const decompress_result result = work(given);
    tell_of_skipped(result);
    if (given.has("json"))
        print_json(json_of(result));
    else if (!given.has("quiet"))
        result.output == "-" ? print_to_user(text_of(result)) : print(text_of(result));
    return result.unpacked.problems.empty() ? exit_code::done : exit_code::no;
}

std::vector<json_field> fields() {
    std::vector<json_field> all{
        {"command", "string", "\"decompress\""},
        {"source", "string", "SRC as given"},
        {"output", "string", "the file or directory written"},
        {"compressed_bytes", "integer", "bytes of the archive"},
        {"restored_bytes", "integer", "bytes of all files restored"},
        {"files", "array of strings", "the files written"},
        {"skipped", "array", "with --skip-damaged: what is not as it was; empty when all is (exit code 0), else 1"}};
    for (const json_field& field :
         problem_fields({"skipped[].kind", "skipped[].file", "skipped[].member", "skipped[].tensor", "skipped[].block",
                         "skipped[].offset", "skipped[].bytes", "skipped[].redundant", "skipped[].what"}))
        all.push_back(field);
    all.push_back({"elapsed_seconds", "number", "wall time, three places"});
    return all;
}

} // namespace

command_spec decompress_command() {
    return {
        .verb = "decompress",
        .summary = "Restore what was compressed, byte for byte",
        .description =
            {"Restores the .safetensors file or the directory from a .bs file, or from a directory "
             "that compress --per-shard wrote. Header, order, padding and metadata come back as they "
             "were, so the SHA-256 of the restored file is that of the source.",
             "Checksums are checked while decoding: damaged input gives an error and no output. Only '-o -' writes "
             "before the last check, since a stream cannot be taken back: of what came before an error, use "
             "nothing.",
             "A patch, which 'compress --delta-from' wrote, needs --base: it is refused with another base than the "
             "one "
             "that it was made against, before anything is written.",
             "With --shards or --size-gb, OUT is a directory of safetensors files laid out anew: layers stay "
             "whole, "
             "what "
             "is outside of them is in the first, and model.safetensors.index.json says where each tensor is. "
             "Every "
             "tensor is compared with its MD5.",
             "A directory X-bs or X-bsr is restored as X, one of another name as NAME-restored."},
        .positionals = {{.name = "SRC", .help = "A .bs or .bsr file, or a directory with bigsmall.index.json."}},
        .options = {{.name = "output",
                     .letter = 'o',
                     .value = "OUT",
                     .help = "Where to write; '-' is standard output, for an archive of one file.",
                     .fallback =
                         "X.safetensors for X.bs or X.bsr, or the directory X when it holds a directory; see above",
                     .kind = value_kind::path},
                    base_option(),
                    {.name = "shards",
                     .value = "N",
                     .help = "Write exactly N safetensors files, of about one size. Goes before --size-gb."},
                    {.name = "size-gb",
                     .value = "N",
                     .help =
                         "Write safetensors files of up to N GB (10^9 bytes); a layer that is larger gets its own."},
                    {.name = "skip-damaged",
                     .help = "Restore what is whole of a damaged archive: damaged tensors become zeros and are listed, "
                             "damaged files of other kinds are not written. The exit code is 1 then."},
                    force_option(),
                    threads_option(),
                    json_option(),
                    quiet_option(),
                    no_progress_option(),
                    help_option()},
        .examples = {{"bigsmall decompress model.bs", "Writes model.safetensors, or the directory model."},
                     {"bigsmall decompress patch.bs --base base.safetensors", "A patch, as 'apply' does it."},
                     {"bigsmall decompress model.bs -o back.safetensors", "Under another name."},
                     {"bigsmall decompress model.bs -o model --shards 4", "Four files and their index."},
                     {"bigsmall decompress model.bs -o - | sha256sum", "Without touching the disk."},
                     {"bigsmall decompress damaged.bs --skip-damaged", "All tensors but those that are damaged."}},
        .json = fields(),
        .run = run,
    };
}

} // namespace bigsmall::app
