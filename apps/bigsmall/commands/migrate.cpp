// SPDX-License-Identifier: BSL-1.0
#include "commands/commands.hpp"

#include <filesystem>

#include <bigsmall/archive/migrate.hpp>

#include "commands/work.hpp"
#include "console/json.hpp"
#include "options/shared.hpp"

namespace bigsmall::app {
namespace {

namespace fs = std::filesystem;

struct migrate_run {
    std::string source;
    bool dry = false;
    archive::migrate_result done;
    std::vector<fs::path> stale; // parity files that are about what was there before
    double seconds = 0;

    bool smaller() const noexcept { return done.new_bytes < done.old_bytes; }
};

std::optional<archive::operating_point> point_of(const arguments& given) {
    std::optional<archive::operating_point> point;
    given.exclude("storage", "balanced");
    given.exclude("storage", "inference");
    given.exclude("balanced", "inference");
    if (given.has("storage")) point = archive::operating_point::storage;
    if (given.has("balanced")) point = archive::operating_point::balanced;
    if (given.has("inference")) point = archive::operating_point::inference;
    return point;
}

migrate_run work(const arguments& given) {
    migrate_run result;
    result.source = given.positional(0);
    result.dry = given.has("dry-run");
    work_session session(given, show_ratio::no);
    archive::migrate_options options;
    session.apply_to(options, given);
    options.point = point_of(given);
    if (result.dry) options.what = archive::migration::report_only;
    if (given.has("no-backup")) options.backup = archive::keep_backup::no;
    result.done = archive::migrate(result.source, options, session.executor());
    std::error_code failed;
    std::vector<fs::path> changed = result.done.files;
    if (!changed.empty() && fs::is_directory(result.source, failed))
        changed.push_back(fs::path(result.source) / archive::shard_index_name);
    for (const fs::path& file : changed) {
        const fs::path parity = fs::path(file).concat(".ecc");
        if (!result.dry && fs::exists(parity, failed)) result.stale.push_back(parity);
    }
    result.seconds = session.finish();
    return result;
}

std::string text_of(const migrate_run& result) {
    const archive::migrate_result& done = result.done;
    if (!result.smaller())
        return "nothing to gain: " + printable(result.source) + " stays as it is (" + with_thousands(done.old_bytes) +
               " bytes)\n";
    std::string text = (result.dry ? "would migrate " : "migrated ") + printable(result.source) + "\n  " +
                       with_thousands(done.old_bytes) + " -> " + with_thousands(done.new_bytes) + " bytes (-" +
                       percent_text(done.old_bytes - done.new_bytes, done.old_bytes) +
                       ")\n  tensors: " + with_thousands(done.tensors) + " (" + with_thousands(done.smaller_tensors) +
                       " with smaller blocks)  blocks: " + with_thousands(done.blocks) + " (" +
                       with_thousands(done.smaller_blocks) + " re-encoded)\n";
    for (const fs::path& backup : done.backups)
        text += "  backup:  " + printable(backup.string()) + "\n";
    return text + "  elapsed: " + fixed(result.seconds, 1) + "s\n";
}

json json_of(const migrate_run& result) {
    const archive::migrate_result& done = result.done;
    return {{"command", "migrate"},
            {"source", result.source},
            {"dry_run", result.dry},
            {"smaller", result.smaller()},
            {"old_bytes", done.old_bytes},
            {"new_bytes", done.new_bytes},
            {"tensors", done.tensors},
            {"smaller_tensors", done.smaller_tensors},
            {"blocks", done.blocks},
            {"reencoded_blocks", done.smaller_blocks},
            {"untried_blocks", done.untried_blocks},
            {"files", paths_json(done.files)},
            {"backups", paths_json(done.backups)},
            {"stale_parity", paths_json(result.stale)},
            {"elapsed_seconds", seconds_json(result.seconds)}};
}

exit_code run(const arguments& given) {
    const migrate_run result = work(given);
    for (const fs::path& parity : result.stale)
        print_to_user("warning: " + printable(parity.string()) +
                      " is about the file that was there before: make it anew with 'bigsmall ecc -f'\n");
    if (given.has("json"))
        print_json(json_of(result));
    else if (!given.has("quiet"))
        print(text_of(result));
    return exit_code::done;
}

std::vector<json_field> fields() {
    return {{"command", "string", "\"migrate\""},
            {"source", "string", "FILE as given"},
            {"dry_run", "boolean", "whether nothing was to be written"},
            {"smaller", "boolean", "whether there is something to gain; if not, nothing was changed"},
            {"old_bytes", "integer", "bytes of the containers before"},
            {"new_bytes", "integer", "bytes of the containers now, or as they would be"},
            {"tensors", "integer", "tensors in them"},
            {"smaller_tensors", "integer", "of these, how many have blocks that got smaller"},
            {"blocks", "integer", "stored blocks"},
            {"reencoded_blocks", "integer", "of these, how many got smaller; the others stay byte for byte"},
            {"untried_blocks", "integer", "differences to a base, which stay as they are"},
            {"files", "array of strings", "the containers that were replaced, or would be"},
            {"backups", "array of strings", "what they were before"},
            {"stale_parity", "array of strings", "parity of what was changed, which must be made anew"},
            {"elapsed_seconds", "number", "wall time, three places"}};
}

} // namespace

command_spec migrate_command() {
    return {
        .verb = "migrate",
        .summary = "Replace an older archive by a smaller one with today's codecs",
        .description =
            {"Decodes every block, encodes it with the codec of today, and keeps what is strictly smaller; other "
             "blocks "
             "stay byte for byte. What the archive restores stays the same. When the whole does not get smaller, "
             "nothing is changed.",
             "The new file is decoded, and every MD5 and SHA-256 compared, before it takes the place of the old one, "
             "which stays as FILE.bak unless told otherwise. A crash leaves the old file or the new one.",
             "A shard is migrated with its directory. In a patch, differences to the base stay as they are; the base "
             "is "
             "not needed."},
        .positionals = {{.name = "FILE", .help = "A .bs or .bsr file, or a directory with bigsmall.index.json."}},
        .options = {{.name = "dry-run", .help = "Report only, with the figures that the run would give."},
                    {.name = "no-backup", .help = "Do not keep the old file."},
                    {.name = "storage",
                     .help = "Try the codec of 'compress --storage', instead of that of the archive."},
                    {.name = "balanced", .help = "The same for 'compress --balanced'."},
                    {.name = "inference", .help = "The same for 'compress --inference'."},
                    {.name = "force", .letter = 'f', .help = "Replace the backup of an earlier run."},
                    threads_option(),
                    json_option(),
                    quiet_option(),
                    no_progress_option(),
                    help_option()},
        .examples = {{"bigsmall migrate old.bs --dry-run", "What there is to gain."},
                     {"bigsmall migrate old.bs", "Replaces old.bs; what it was is old.bs.bak."}},
        .json = fields(),
        .run = run,
    };
}

} // namespace bigsmall::app
