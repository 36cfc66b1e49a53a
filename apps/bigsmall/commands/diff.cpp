// SPDX-License-Identifier: BSL-1.0
#include "commands/commands.hpp"

#include <limits>
#include <utility>

#include <bigsmall/archive/diff.hpp>
#include <bigsmall/archive/pack.hpp>
#include <bigsmall/archive/squash.hpp>

#include "commands/base_options.hpp"
#include "commands/compress_base.hpp"
#include "commands/diff_result.hpp"
#include "commands/old_parity.hpp"
#include "options/shared.hpp"

namespace bigsmall::app {
namespace {

constexpr std::uint64_t usual_rows = 20;

bool is_patch(const std::string& path) {
    return archive::detail::leads_to_archive(path) && archive::opened_archive(path).is_patch();
}

diff_view read_view(const arguments& given) {
    const std::uint64_t rows = given.integer("top", 0, std::numeric_limits<std::uint32_t>::max()).value_or(usual_rows);
    return {static_cast<std::size_t>(rows), given.has("all")};
}

std::string read_patch(const arguments& given) {
    const auto patch = given.value("patch");
    if (!patch) return {};
    if (patch->empty() || *patch == "-") throw usage_error("--patch needs the name of a file");
    return *patch;
}

// A patch against A needs no --base: B is then what A becomes.
base_pointer open_b(const model_diff& diff, const base_pointer& base, work_session& session,
                    const archive::run_options& options) {
    try {
        return archive::open_model(diff.b_path, base, options, session.executor());
    } catch (error& e) {
        if (base == diff.a && e.code() == errc::mismatch)
            e.with_hint("B is a patch, and A was taken for its base; --base BASE names another");
        throw;
    }
}

// Gives back the base of B, when it is a patch.
base_pointer open_models(model_diff& diff, const arguments& given, work_session& session,
                         const archive::run_options& options) {
    const base_pointer base = base_of(given, session, options);
    const bool a_is_patch = is_patch(diff.a_path), b_is_patch = is_patch(diff.b_path);
    if (base && !a_is_patch && !b_is_patch) throw usage_error("--base is for patches, and neither A nor B is one");
    if (a_is_patch && !base)
        throw error(errc::invalid_argument, "A is a patch, which says nothing without its base")
            .in_file(diff.a_path)
            .with_hint("name what it was made against with --base BASE");
    diff.a = archive::open_model(diff.a_path, a_is_patch ? base : nullptr, options, session.executor());
    base_pointer of_b;
    if (b_is_patch) of_b = base ? base : diff.a;
    diff.b = open_b(diff, of_b, session, options);
    return of_b;
}

written_patch write_patch(const model_diff& diff, const base_pointer& base_of_b, const std::string& output,
                          const arguments& given, work_session& session) {
    archive::pack_options options;
    options.tune(archive::operating_point::balanced);
    session.apply_to(options, given);
    options.base = diff.a;
    require_place_for_parity(output, given);
    archive::pack_result packed;
    if (diff.b->is_archive()) {
        archive::unpack_options how;
        how.cancel = options.cancel;
        how.base = base_of_b;
        packed = archive::pack_archive(diff.b_path, how, output, options, session.executor());
    } else {
        packed = archive::pack(diff.b_path, output, options, session.executor());
    }
    remove_old_parity({output}, packed.removed_files);
    return {output, packed.source_bytes, packed.compressed_bytes, packed.removed_files};
}

model_diff work(const arguments& given) {
    model_diff diff;
    diff.a_path = given.positional(0);
    diff.b_path = given.positional(1);
    if (given.has("force") && !given.has("patch")) throw usage_error("--force is for the output of --patch");
    const std::string output = read_patch(given);
    work_session session(given, show_ratio::no);
    archive::run_options options;
    session.apply_to(options, given);
    const base_pointer base_of_b = open_models(diff, given, session, options);
    if (!output.empty()) diff.patch = write_patch(diff, base_of_b, output, given, session);
    diff.found = archive::diff(*diff.a, *diff.b, options, session.executor());
    diff.seconds = session.finish();
    return diff;
}

exit_code run(const arguments& given) {
    const diff_view view = read_view(given);
    const model_diff diff = work(given);
    if (given.has("json"))
        print_json(json_of(diff, view));
    else if (!given.has("quiet"))
        print(text_of(diff, view));
    return diff.found.equal() ? exit_code::done : exit_code::no;
}

// Those of add_update(), behind the path of the object that has them.
std::vector<json_field> update_fields(std::vector<json_field> all) {
    const std::vector<json_field> own{
        {"words", "integer",
         "words that have a counterpart; a word is an element, half of a complex one, or a byte of a type whose values "
         "are not known"},
        {"changed_words", "integer", "of these, those of which any bit differs"},
        {"changed_pct", "number or null", "100 * changed_words / words, two places"},
        {"relative_l2", "number or null",
         "||b - a|| / ||a|| over the words of the tensors in which words changed; null when a is 0, when values are "
         "not known, or when nothing changed"},
        {"max_update", "number or null", "the largest |b - a|"},
        {"not_finite_a", "integer", "words of changed tensors that are NaN or infinite in A"},
        {"not_finite_b", "integer", "the same in B"},
        {"excluded", "integer", "pairs of words of which one is: they are in no other figure than changed_words"},
        {"ulp_histogram", "array of integers",
         "words of changed tensors by how many values of their type they moved: by 0, 1, 2, 3-4, 5-8 and so on, in "
         "powers of two; empty when nothing changed or values are not known. -0 and +0 are neighbours"}};
    all.insert(all.end(), own.begin(), own.end());
    return all;
}

std::vector<json_field> fields() {
    std::vector<json_field> all = update_fields({
        {"command", "string", "\"diff\""},
        {"a", "string", "A as given"},
        {"b", "string", "B as given"},
        {"equal", "boolean", "true when the tensors are the same (exit code 0), else false (1)"},
        {"tensors_a", "integer", "tensors of A"},
        {"tensors_b", "integer", "tensors of B"},
        {"counts", "object", "how many tensors there are of each kind"},
        {"counts.equal", "integer", "the same name, type, shape and bytes"},
        {"counts.changed", "integer", "the same name, type and shape, other values"},
        {"counts.renamed", "integer", "with the values, or nearly, of a tensor of A whose name B has no more"},
        {"counts.copied", "integer", "the same of a tensor that B still has"},
        {"counts.reshaped", "integer", "as many elements in another shape"},
        {"counts.resized", "integer", "with rows added or removed"},
        {"counts.converted", "integer", "of another float type"},
        {"counts.fused", "integer", "several tensors of A, one after another"},
        {"counts.split", "integer", "a part of a tensor of A"},
        {"counts.replaced", "integer", "only the name is the same: type or shape do not let values be compared"},
        {"counts.added", "integer", "in B only"},
        {"counts.removed", "integer", "in A only"},
    });
    const std::vector<json_field> lists{
        {"metadata_changed", "array of strings",
         "keys of __metadata__ that differ; they do not make the models different"},
        {"tensors", "array",
         "those that are not equal, with --all the equal ones, too: those of B in its order, then what was removed. "
         "Each has the fields from words to ulp_histogram as well, for itself; A is converted first where the type is "
         "another"},
        {"tensors[].kind", "string", "one of the names in counts"},
        {"tensors[].tensor", "object or null", "the tensor of B; null when it was removed"},
        {"tensors[].tensor.name", "string", "its name"},
        {"tensors[].tensor.file", "string", "the file that holds it"},
        {"tensors[].tensor.dtype", "string", "element type, as safetensors names it"},
        {"tensors[].tensor.shape", "array of integers", "extents; empty for a scalar"},
        {"tensors[].from", "array", "what of A it was, with the fields of tensor; empty when it was added"},
        {"tensors[].rows_added", "integer", "of a resized tensor: rows that have no counterpart in A"},
        {"tensors[].rows_removed", "integer", "rows of A that have none in B"},
        {"layers", "array", "the tensors by layer, as their names tell; with the fields from words to ulp_histogram"},
        {"layers[].stack", "string", "which of several stacks of layers; empty for a model's only one"},
        {"layers[].layer", "integer or null", "number of the layer; null for what is in none"},
        {"layers[].tensors", "integer", "tensors of B, and those of A that were removed"},
        {"layers[].different", "integer", "of these, those that are not equal"},
        {"roles", "array", "the same by role"},
        {"roles[].role", "string", "embedding, norm, attn_qkv, mlp_down ..."},
        {"patch", "object or null", "with --patch: what was written"},
        {"patch.path", "string", "where it lies"},
        {"patch.source_bytes", "integer", "bytes of the files of B"},
        {"patch.compressed_bytes", "integer", "bytes of the patch"},
        {"patch.ratio_pct", "number or null", "100 * compressed_bytes / source_bytes, two places"},
        {"patch.removed_files", "array of strings", "with -f: the parity of the file that was there before"},
        {"elapsed_seconds", "number", "wall time, three places"}};
    all.insert(all.end(), lists.begin(), lists.end());
    return all;
}

std::vector<option_spec> options() {
    return {{.name = "patch",
             .value = "OUT",
             .help =
                 "Also write the delta from A to B: 'bigsmall apply A OUT' gives B, or what B restores. The exit code "
                 "stays that of the comparison.",
             .kind = value_kind::path},
            {.name = "base",
             .value = "BASE",
             .help = "What A or B was made against, when it is a patch. A patch B against A needs none.",
             .kind = value_kind::path},
            {.name = "top",
             .value = "N",
             .help = "Rows of each table of tensors, those that changed most first. --json lists all.",
             .fallback = "20"},
            {.name = "all", .help = "List the equal tensors, too."},
            force_option(),
            threads_option(),
            json_option(),
            {.name = "quiet", .letter = 'q', .help = "Print errors only: the exit code is the answer."},
            no_progress_option(),
            help_option()};
}

} // namespace

command_spec diff_command() {
    return {
        .verb = "diff",
        .summary = "Compare two models tensor by tensor",
        .description =
            {"Tells which tensors of B are equal to those of A and which are changed, renamed, reshaped, converted, "
             "fused, split, added or removed, or have more or fewer rows. Of changed ones: the share of words that "
             "differ, ||b - a|| / ||a||, the largest update, and by how many values of their type (ULPs) words "
             "moved; the same by layer and by role. ULP 50% and ULP 99%: that many of the changed words moved by at "
             "most this, rounded up to a power of two.",
             "The exit code is 0 when A and B have the same tensors, 1 when not. Codecs, the files in which tensors "
             "lie, their order there, metadata and other files do not matter; metadata that differs is told.",
             "Of two archives, tensors with the same MD5 are not decoded."},
        .positionals = {{.name = "A", .help = "A .safetensors file, a directory, or an archive of either."},
                        {.name = "B", .help = "The same; it need not be of the same kind."}},
        .options = options(),
        .examples = {{"bigsmall diff base.safetensors finetune.safetensors", "How far a fine-tune went."},
                     {"bigsmall diff model.safetensors model.bs --quiet", "Whether they hold the same weights."},
                     {"bigsmall diff base.safetensors finetune.safetensors --patch patch.bs",
                      "The differences as a patch, too."},
                     {"bigsmall diff base.safetensors patch.bs --json", "What a patch does, for programs."}},
        .json = fields(),
        .run = run,
    };
}

} // namespace bigsmall::app
