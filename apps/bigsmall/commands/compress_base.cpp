// SPDX-License-Identifier: BSL-1.0
#include "commands/compress_base.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "console/output.hpp"

namespace bigsmall::app {
namespace {

// docs/performance.md says how this coder's differences fade as updates grow, and where they stop to pay.
constexpr double most_useless_share = 0.5;

constexpr std::size_t candidates_shown = 10;

void check_usage(const arguments& given) {
    given.exclude("delta-from", "base");
    for (const char* option : {"delta-from", "base"}) {
        given.exclude(option, "auto-delta");
        given.exclude(option, "per-shard");
        if (given.has(option) && given.value(option)->empty())
            throw usage_error("--" + std::string(option) + " needs a name");
    }
    given.exclude("auto-delta", "per-shard");
    if (given.has("auto-delta") != given.has("base-dir"))
        throw usage_error("--auto-delta and --base-dir belong together: the base is looked for in these directories");
}

// A directory is packed as its files, whatever else lies there; a file may be an archive.
archive::model_form form_of(const std::string& source) {
    std::error_code failed;
    const bool directory = std::filesystem::is_directory(source, failed);
    return directory ? archive::model_form::files : archive::model_form::any;
}

std::filesystem::path readable(const std::string& directory) {
    std::error_code failed;
    if (std::filesystem::is_directory(directory, failed)) return directory;
    throw error(errc::missing, "this is no directory to look for a base in").in_file(directory);
}

base_choice search(const arguments& given, const std::string& output, work_session& session,
                   const archive::run_options& options) {
    archive::base_search_options wanted;
    for (const std::string& directory : given.all("base-dir"))
        wanted.directories.push_back(readable(directory));
    // The source is only read: no cache is written into it.
    for (const std::filesystem::path& directory : wanted.directories)
        if (archive::lies_within(directory, given.positional(0))) wanted.cache = archive::cache_use::read;
    if (!output.empty()) wanted.outputs.emplace_back(output);
    const archive::model_reader target(given.positional(0), form_of(given.positional(0)));
    base_choice choice;
    choice.search = archive::find_base(target, wanted, options, session.executor());
    if (choice.search->choice) choice.path = choice.search->ranked[*choice.search->choice].path.string();
    if (given.has("quiet")) return choice;
    tell(choice.search->verdict);
    for (const std::string& note : choice.search->notes)
        tell(note);
    for (const archive::skipped_path& one : choice.search->skipped)
        tell("passed over " + one.path.string() + ": " + one.reason);
    return choice;
}

} // namespace

base_choice choose_base(const arguments& given, const std::string& output, work_session& session,
                        const archive::run_options& options) {
    check_usage(given);
    if (given.has("auto-delta")) return search(given, output, session, options);
    return {given.value(given.has("base") ? "base" : "delta-from").value_or(""), std::nullopt};
}

void warn_of_useless_base(const base_choice& base, const archive::pack_result& packed, const arguments& given) {
    if (!packed.patch || given.has("force-delta")) return;
    const archive::patch_counts& patch = *packed.patch;
    if (patch.matched_bytes == 0) {
        tell("warning: nothing of the source gains from " + base.path +
             ": the patch is no smaller than an archive, and still needs that base to be restored");
        return;
    }
    const double share = static_cast<double>(patch.useless_bytes) / static_cast<double>(patch.matched_bytes);
    if (share <= most_useless_share) return;
    tell("warning: " + percent_text(patch.useless_bytes, patch.matched_bytes) + " of the bytes with a counterpart in " +
         base.path +
         " are hardly smaller as differences than alone, and the patch needs that base to be restored; --force-delta "
         "silences this");
}

void warn_of_absent(const archive::pack_result& packed) {
    for (const archive::absent_shard& absent : packed.absent_shards)
        tell("warning: " + absent.index + " names " + absent.shard + ", which is not there");
}

std::string base_text(const base_choice& base, const archive::pack_result& packed) {
    if (!packed.patch) return {};
    const archive::patch_counts& patch = *packed.patch;
    return "  base:       " + printable(base.path) + " (" + with_thousands(patch.matched_tensors) + " of " +
           with_thousands(packed.tensors) + " tensors matched, " + with_thousands(patch.unchanged_tensors) +
           " unchanged)\n";
}

json base_json(const base_choice& base, const archive::pack_result& packed) {
    if (!packed.patch) return nullptr;
    const archive::patch_counts& patch = *packed.patch;
    return {{"path", base.path},
            {"matched_tensors", patch.matched_tensors},
            {"unchanged_tensors", patch.unchanged_tensors},
            {"matched_bytes", patch.matched_bytes},
            {"unchanged_bytes", patch.unchanged_bytes},
            {"useless_bytes", patch.useless_bytes},
            {"changed_stored_bytes", patch.changed_stored_bytes},
            {"changed_alone_bytes", patch.changed_alone_bytes}};
}

json search_json(const base_choice& base) {
    if (!base.search) return nullptr;
    const archive::base_search_result& search = *base.search;
    json ranked = json::array();
    for (std::size_t i = 0; i < std::min(search.ranked.size(), candidates_shown); ++i)
        ranked.push_back({{"path", search.ranked[i].path.string()},
                          {"estimated_share", search.ranked[i].estimate.share},
                          {"matched_share", search.ranked[i].estimate.matched},
                          {"why", search.ranked[i].why}});
    json skipped = json::array();
    for (const archive::skipped_path& one : search.skipped)
        skipped.push_back({{"path", one.path.string()}, {"reason", one.reason}});
    return {{"candidates", search.ranked.size()},
            {"verdict", search.verdict},
            {"ranked", std::move(ranked)},
            {"skipped", std::move(skipped)},
            {"notes", search.notes}};
}

std::vector<json_field> base_fields() {
    return {{"base", "object or null", "with --delta-from or --auto-delta: what the base was good for"},
            {"base.path", "string", "the base"},
            {"base.matched_tensors", "integer", "tensors that have a counterpart in the base"},
            {"base.unchanged_tensors", "integer", "of these, those that equal it"},
            {"base.matched_bytes", "integer", "uncompressed bytes of the matched tensors, equal ones once"},
            {"base.unchanged_bytes", "integer", "of these, the bytes of tensors that equal the base"},
            {"base.useless_bytes", "integer", "of these, those that the base makes less than a tenth smaller"},
            {"base.changed_stored_bytes", "integer", "stored bytes of the matched tensors that changed"},
            {"base.changed_alone_bytes", "integer",
             "what these would take without the base, about: where differences are small it is estimated"},
            {"auto_delta", "object or null", "with --auto-delta: how the base was found"},
            {"auto_delta.candidates", "integer", "models that were compared"},
            {"auto_delta.verdict", "string", "what was chosen and why, in words"},
            {"auto_delta.ranked", "array", "the ten nearest, the nearest first"},
            {"auto_delta.ranked[].path", "string", "where it lies"},
            {"auto_delta.ranked[].estimated_share", "number", "estimated size of the patch, as a part of the source"},
            {"auto_delta.ranked[].matched_share", "number", "part of the source that has a counterpart there"},
            {"auto_delta.ranked[].why", "string", "the estimate in words"},
            {"auto_delta.skipped", "array", "what could not be read"},
            {"auto_delta.skipped[].path", "string", "where it lies"},
            {"auto_delta.skipped[].reason", "string", "why"},
            {"auto_delta.notes", "array of strings", "what else is to be known of the search"}};
}

std::vector<option_spec> base_options() {
    return {{.name = "delta-from",
             .value = "BASE",
             .help =
                 "Write a patch: what differs from BASE, a .safetensors file, a directory, or an archive of either. "
                 "Tensors are matched by name, and where names do not help by what they hold; of each block the "
                 "smaller of its differences and the block itself is kept. 'apply' restores.",
             .kind = value_kind::path},
            {.name = "base", .value = "BASE", .help = "The same as --delta-from.", .kind = value_kind::path},
            {.name = "auto-delta",
             .help = "Write a patch against the nearest of the models below --base-dir, judged by samples; or no "
                     "patch, when none of them is near enough to pay."},
            {.name = "base-dir",
             .value = "DIR",
             .help = "With --auto-delta: where to look, any number of times. What was read is remembered in "
                     "DIR/.bigsmall-fingerprints.",
             .kind = value_kind::directory,
             .repeatable = true},
            {.name = "force-delta", .help = "Do not warn when the base is of little use. The patch is the same."}};
}

} // namespace bigsmall::app
