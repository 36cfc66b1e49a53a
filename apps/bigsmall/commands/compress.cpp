// SPDX-License-Identifier: BSL-1.0
#include "commands/commands.hpp"

#include <filesystem>
#include <optional>
#include <string_view>

#include <bigsmall/archive/pack.hpp>
#include <bigsmall/archive/squash.hpp>

#include "commands/compress_base.hpp"
#include "commands/compress_ecc.hpp"
#include "commands/compress_resume.hpp"
#include "commands/old_parity.hpp"
#include "commands/paths.hpp"
#include "commands/work.hpp"
#include "console/json.hpp"
#include "options/shared.hpp"

namespace bigsmall::app {
namespace {

namespace fs = std::filesystem;

struct request {
    std::string source, output;
    bool per_shard = false;
    bool to_stdout = false;
    bool group_streams = false;
    bool resume = false;
    archive::operating_point point = archive::operating_point::balanced;
};

struct compress_result {
    request asked;
    base_choice base;
    archive::pack_result packed;
    parity_result parity;
    double seconds = 0;
};

// The flag given, or balanced.
archive::operating_point point_among(const arguments& given) {
    std::optional<archive::operating_point> chosen;
    std::string_view first;
    for (const archive::operating_point point : archive::operating_points) {
        const std::string_view flag = archive::recipe_of(point).name;
        if (!given.has(flag)) continue;
        if (chosen) given.exclude(first, flag);
        chosen = point;
        first = flag;
    }
    return chosen.value_or(archive::operating_point::balanced);
}

request read_request(const arguments& given) {
    request asked{.source = given.positional(0),
                  .output = given.value("output").value_or(""),
                  .per_shard = given.has("per-shard"),
                  .group_streams = given.has("group-streams"),
                  .resume = given.has("resume"),
                  .point = point_among(given)};
    asked.to_stdout = asked.output == "-";
    std::error_code ignored; // the library says in words what is wrong with the source
    const bool directory = fs::is_directory(asked.source, ignored);
    if (asked.per_shard && fs::exists(asked.source, ignored) && !directory)
        throw usage_error("--per-shard needs a directory, and '" + asked.source + "' is a file");
    if (asked.to_stdout && asked.per_shard)
        throw usage_error("--per-shard writes several files, which cannot go to standard output");
    if (asked.to_stdout && given.has("ecc"))
        throw usage_error("--ecc writes a file beside the output, and standard output has no such place");
    if (asked.to_stdout && asked.resume)
        throw usage_error("--resume keeps what is done beside the output, and standard output has no such place");
    if (asked.to_stdout && given.has("json")) throw usage_error("--json and '-o -' both want standard output");
    if (given.has("output") && asked.output.empty()) throw usage_error("--output needs a name");
    if (asked.output.empty()) asked.output = default_archive(asked.source, asked.per_shard, directory).string();
    return asked;
}

// A fine-tune may be an archive already: a patch of what it restores.
archive::pack_result pack_source(const request& asked, const archive::pack_options& options, work_session& session) {
    std::error_code failed;
    if (!options.base || fs::is_directory(asked.source, failed) || !archive::detail::leads_to_archive(asked.source))
        return archive::pack(asked.source, asked.output, options, session.executor());
    if (asked.resume)
        throw usage_error("--resume needs the files of a model, and '" + asked.source + "' is an archive",
                          "decompress it first");
    archive::unpack_options how;
    how.cancel = options.cancel;
    return archive::pack_archive(asked.source, how, asked.output, options, session.executor());
}

// What is done when it throws is in `result`.
void work(const request& asked, const arguments& given, compress_result& result) {
    work_session session(given, show_ratio::yes);
    archive::pack_options options;
    options.tune(asked.point);
    options.group_streams |= asked.group_streams;
    session.apply_to(options, given);
    result.asked = asked;
    result.base = choose_base(given, asked.to_stdout ? "" : asked.output, session, options);
    if (!result.base.path.empty())
        options.base = archive::open_model(result.base.path, nullptr, options, session.executor());
    if (asked.to_stdout) {
        standard_output_sink out;
        result.packed = archive::pack_to(asked.source, out, options, session.executor());
    } else {
        options.per_shard = asked.per_shard;
        if (!asked.per_shard) require_place_for_parity(asked.output, given);
        resume_notes notes(asked.output, given);
        options.resume.wanted = asked.resume;
        options.resume.listener = &notes;
        result.packed = pack_source(asked, options, session);
    }
    try {
        std::vector<std::filesystem::path> written, &removed = result.packed.removed_files;
        for (const archive::packed_file& file : result.packed.files)
            written.push_back(file.path);
        remove_old_parity(written, removed);
        if (given.has("ecc")) result.parity = write_parity(result.packed, given, session);
        const std::set<std::filesystem::path> made(result.parity.files.begin(), result.parity.files.end());
        std::erase_if(removed, [&](const std::filesystem::path& file) { return made.contains(file); });
    } catch (error& failure) {
        failure.with_hint("the output is complete; 'bigsmall ecc -f' makes its parity");
        throw;
    }
    result.seconds = session.finish();
}

std::string text_of(const compress_result& result) {
    const std::uint64_t raw = result.packed.source_bytes;
    const std::uint64_t stored = result.packed.compressed_bytes;
    const std::string target = result.asked.to_stdout ? "standard output" : printable(result.asked.output);
    return "compressed " + printable(result.asked.source) + " -> " + target + "\n" +
           "  source:     " + with_thousands(raw) + " bytes\n" + "  compressed: " + with_thousands(stored) +
           " bytes (" + percent_text(stored, raw) + ")\n" + "  saved:      " + difference(raw, stored) + " bytes\n" +
           parity_text(result.parity, stored) + base_text(result.base, result.packed) +
           removed_text(result.packed.removed_files) + "  elapsed:    " + fixed(result.seconds, 1) + "s  " +
           speed(raw, result.seconds) + "\n";
}

json absent_json(const archive::pack_result& packed) {
    json list = json::array();
    for (const archive::absent_shard& absent : packed.absent_shards)
        list.push_back(absent.shard);
    return list;
}

json json_of(const compress_result& result) {
    const archive::pack_result& packed = result.packed;
    json files = json::array();
    for (const archive::packed_file& file : packed.files)
        files.push_back({{"path", file.path.string()},
                         {"source_bytes", file.source_bytes},
                         {"compressed_bytes", file.stored_bytes}});
    return {{"command", "compress"},
            {"source", result.asked.source},
            {"output", result.asked.output},
            {"per_shard", result.asked.per_shard},
            {"operating_point", archive::recipe_of(result.asked.point).name},
            {"grouped_tensors", packed.grouped_tensors},
            {"source_bytes", packed.source_bytes},
            {"compressed_bytes", packed.compressed_bytes},
            {"saved_bytes", static_cast<std::int64_t>(packed.source_bytes - packed.compressed_bytes)},
            {"ratio_pct", percent_json(packed.compressed_bytes, packed.source_bytes)},
            {"resumed_bytes", packed.resumed_bytes},
            {"tensors", packed.tensors},
            {"duplicate_tensors", packed.duplicate_tensors},
            {"base", base_json(result.base, result.packed)},
            {"auto_delta", search_json(result.base)},
            {"absent_shards", absent_json(packed)},
            {"files", std::move(files)},
            {"removed_files", paths_json(packed.removed_files)},
            {"ecc", parity_json(result.parity)},
            {"elapsed_seconds", seconds_json(result.seconds)}};
}

void refuse_terminal(const request& asked, const arguments& given) {
    if (asked.to_stdout && is_terminal(standard_output) && !given.has("force"))
        throw error(errc::exists, "standard output is a terminal, which cannot show compressed data")
            .with_hint("send it to a file or a pipe, or insist with -f");
}

exit_code run(const arguments& given) {
    const request asked = read_request(given);
    refuse_terminal(asked, given);
    if (!asked.resume && !asked.to_stdout) warn_of_unfinished(asked.output);
    compress_result result;
    try {
        work(asked, given, result);
    } catch (error& failure) {
        const bool stopped = failure.code() == errc::cancelled;
        if (!result.packed.files.empty()) { // what has failed comes after the output
            if (stopped && !failure.hint().empty()) tell(failure.hint());
            throw;
        }
        if (asked.resume && stopped) return tell_stopped(asked.output);
        const bool refused = failure.code() == errc::exists || failure.code() == errc::invalid_argument;
        if (asked.resume && !refused && failure.hint().empty()) failure.with_hint(kept_hint(asked.output));
        throw;
    }
    warn_of_absent(result.packed);
    warn_of_useless_base(result.base, result.packed, given);
    if (given.has("json"))
        print_json(json_of(result));
    else if (!given.has("quiet"))
        asked.to_stdout ? print_to_user(text_of(result)) : print(text_of(result));
    return exit_code::done;
}

std::vector<json_field> fields() {
    std::vector<json_field> all{
        {"command", "string", "\"compress\""},
        {"source", "string", "SRC as given"},
        {"output", "string", "the file or directory written"},
        {"per_shard", "boolean", "true with --per-shard"},
        {"operating_point", "string", "storage, balanced or inference"},
        {"grouped_tensors", "integer", "tensors coded together with others, as small ones are"},
        {"source_bytes", "integer", "bytes of all source files"},
        {"compressed_bytes", "integer", "bytes of all files written"},
        {"saved_bytes", "integer", "source_bytes - compressed_bytes; negative when it grew"},
        {"ratio_pct", "number or null", "100 * compressed_bytes / source_bytes, two places"},
        {"resumed_bytes", "integer", "with --resume: bytes of the source that an earlier run had compressed already"},
        {"tensors", "integer", "tensors in the source"},
        {"duplicate_tensors", "integer", "tensors whose bytes were there already and are stored once"},
        {"absent_shards", "array of strings",
         "shards that *.safetensors.index.json names and that are not there; also a warning on standard error"},
        {"files", "array", "the files written"},
        {"files[].path", "string", "where it lies"},
        {"files[].source_bytes", "integer", "source bytes that went into it"},
        {"files[].compressed_bytes", "integer", "its size"},
        {"removed_files", "array of strings",
         "with -f: what only the index of the older output listed (a file that was changed stays), and the parity of "
         "what was replaced"},
        {"elapsed_seconds", "number", "wall time, three places"}};
    for (const json_field& field : parity_fields())
        all.push_back(field);
    for (const json_field& field : base_fields())
        all.push_back(field);
    return all;
}

std::vector<option_spec> options() {
    std::vector<option_spec> all{
        {.name = "output",
         .letter = 'o',
         .value = "OUT",
         .help = "Where to write; '-' is standard output.",
         .fallback = "SRC with the suffix .bs, or SRC-bs with --per-shard",
         .kind = value_kind::path},
        {.name = "per-shard",
         .help = "Write a directory: one .bs for each .safetensors file, bigsmall.index.json, and "
                 "the other files as they are. With -f over an older output, what only its index lists is "
                 "removed, unless it was changed."},
        {.name = "storage", .help = "The fewest bytes; encodes and decodes slowest."},
        {.name = "balanced", .help = "Nearly as small, and decodes several times faster. This is the default."},
        {.name = "inference", .help = "A little larger; decodes fastest, for loading often."},
        {.name = "group-streams",
         .help = "Code tensors of up to 64 KiB that have one role in many layers (norms, biases, routers, "
                 "keys and values of small models) as one stream, where that is measured smaller. Those "
                 "of less than 4 KiB are always coded together where that is smaller. --storage does this "
                 "anyway."},
        {.name = "resume",
         .help = "Keep what is done in the directory OUT.progress, and go on from there when it is there "
                 "already: after a kill, a power cut, a full disk. The output is the same, byte for byte, as that "
                 "of a run that nothing stopped. A source that has changed is compressed from the beginning, with "
                 "--per-shard the shards of it that have changed. SIGTERM ends such a run with exit code 75."}};
    all.push_back(ecc_option());
    for (const option_spec& option : base_options())
        all.push_back(option);
    for (const option_spec& option :
         {force_option(), threads_option(), json_option(), quiet_option(), no_progress_option(), help_option()})
        all.push_back(option);
    return all;
}

} // namespace

command_spec compress_command() {
    return {
        .verb = "compress",
        .summary = "Compress a .safetensors file or a model directory",
        .description =
            {"Compresses a .safetensors file or a model directory into a .bs file. Nothing is lost: "
             "decompress "
             "gives back the same files, byte for byte. Every other file of a directory is carried along; a directory "
             "without files is not.",
             "One of --storage, --balanced and --inference says what to tune for. All three restore the same "
             "bytes, and every release reads them all.",
             "The source is only read. The output appears under its name when it is complete, not before."},
        .positionals = {{.name = "SRC",
                         .help = "A .safetensors file or a directory; with a base also a .bs file, of whose content "
                                 "the patch is made."}},
        .options = options(),
        .examples = {{"bigsmall compress model.safetensors", "Writes model.bs."},
                     {"bigsmall compress ./llama -o llama.bs", "A whole directory in one file."},
                     {"bigsmall compress ./llama --per-shard", "Writes the directory llama-bs."},
                     {"bigsmall compress ./llama -o llama.bs --resume",
                      "Again after it was stopped: goes on where it was."},
                     {"bigsmall compress model.safetensors --storage", "As small as it gets, for an archive."},
                     {"bigsmall compress tuned.safetensors --delta-from base.safetensors -o p.bs",
                      "A patch: 'bigsmall apply base.safetensors p.bs' gives the fine-tune back."},
                     {"bigsmall compress model.safetensors -o - | ssh host 'cat > model.bs'",
                      "Through a pipe; the summary goes to standard error."}},
        .json = fields(),
        .run = run,
    };
}

} // namespace bigsmall::app
