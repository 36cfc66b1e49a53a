// SPDX-License-Identifier: BSL-1.0
#include "commands/commands.hpp"

#include <bigsmall/archive/reshard.hpp>

#include "commands/base_options.hpp"
#include "commands/layout_options.hpp"
#include "commands/old_parity.hpp"
#include "console/json.hpp"
#include "options/shared.hpp"

namespace bigsmall::app {
namespace {

struct reshard_run {
    std::vector<std::string> sources;
    std::string output;
    archive::reshard_result done;
    double seconds = 0;
};

reshard_run work(const arguments& given) {
    reshard_run result;
    for (std::size_t i = 0; i < given.positional_count(); ++i)
        result.sources.push_back(given.positional(i));
    result.output = given.value("output-dir").value_or("");
    if (result.output.empty()) throw usage_error("reshard needs --output-dir DIR");
    work_session session(given, show_ratio::no);
    archive::reshard_options options;
    session.apply_to(options, given);
    options.layout = layout_of(given).value_or(archive::shard_layout());
    options.base = base_of(given, session, options);
    result.done =
        archive::reshard({result.sources.begin(), result.sources.end()}, result.output, options, session.executor());
    remove_old_parity(result.done.files, result.done.removed_files);
    result.seconds = session.finish();
    return result;
}

std::string text_of(const reshard_run& result) {
    const archive::reshard_result& done = result.done;
    const std::size_t count = done.shards.size();
    std::string text = (count == 1 ? "joined " : "resharded ") + with_thousands(result.sources.size()) +
                       (result.sources.size() == 1 ? " source" : " sources") + " -> " + printable(result.output) + "\n";
    for (const archive::resharded_file& shard : done.shards)
        text += "  " + printable(shard.path.filename().string()) + "  " + with_thousands(shard.stored_bytes) +
                " bytes, " + with_thousands(shard.tensors) + (shard.tensors == 1 ? " tensor" : " tensors") + "\n";
    return text + removed_text(done.removed_files) + "  tensors: " + with_thousands(done.tensors) +
           " (0 re-encoded, all md5-verified)  wall: " + fixed(result.seconds, 1) + "s\n";
}

json json_of(const reshard_run& result) {
    const archive::reshard_result& done = result.done;
    json shards = json::array();
    for (const archive::resharded_file& shard : done.shards)
        shards.push_back({{"file", shard.path.string()},
                          {"tensors", shard.tensors},
                          {"stored_bytes", shard.stored_bytes},
                          {"restored_bytes", shard.raw_bytes}});
    return {{"command", "reshard"},
            {"sources", result.sources},
            {"output", result.output},
            {"source_bytes", done.source_bytes},
            {"written_bytes", done.written_bytes},
            {"tensors", done.tensors},
            {"reencoded_tensors", 0},
            {"original", done.original},
            {"shards", shards},
            {"files", paths_json(done.files)},
            {"removed_files", paths_json(done.removed_files)},
            {"elapsed_seconds", seconds_json(result.seconds)}};
}

exit_code run(const arguments& given) {
    const reshard_run result = work(given);
    if (given.has("json"))
        print_json(json_of(result));
    else if (!given.has("quiet"))
        print(text_of(result));
    return exit_code::done;
}

std::vector<json_field> fields() {
    return {
        {"command", "string", "\"reshard\""},
        {"sources", "array of strings", "the sources, as given"},
        {"output", "string", "DIR as given"},
        {"source_bytes", "integer", "bytes of the archives that were read"},
        {"written_bytes", "integer", "bytes of all files written"},
        {"tensors", "integer", "tensors; each was decoded from its new file, and its MD5 was that of its receipt"},
        {"reencoded_tensors", "integer", "0: blocks are copied"},
        {"original", "boolean", "whether joining gives a file that was compressed once, rather than one made anew"},
        {"shards", "array of objects", "the containers written, in order"},
        {"shards[].file", "string", "the container"},
        {"shards[].tensors", "integer", "tensors in it"},
        {"shards[].stored_bytes", "integer", "its bytes"},
        {"shards[].restored_bytes", "integer", "bytes of the .safetensors file that it restores"},
        {"files", "array of strings", "the files written"},
        {"removed_files", "array of strings",
         "with -f: what only the index of the older output listed (a file that was changed stays), and the parity of "
         "what was replaced"},
        {"elapsed_seconds", "number", "wall time, three places"}};
}

std::vector<option_spec> options() {
    std::vector<option_spec> all{{.name = "output-dir",
                                  .value = "DIR",
                                  .help = "The directory to write. Needed.",
                                  .kind = value_kind::directory}};
    for (const option_spec& option : layout_options())
        all.push_back(option);
    all.push_back(
        {.name = "join", .help = "One container, model.bs: the same as --shards 1. Goes before the other two."});
    for (const option_spec& option : {base_option(), threads_option(), force_option(), json_option(), quiet_option(),
                                      no_progress_option(), help_option()})
        all.push_back(option);
    return all;
}

} // namespace

command_spec reshard_command() {
    return {
        .verb = "reshard",
        .summary = "Divide, join or rebalance the shards of an archive",
        .description =
            {"Copies the blocks of a model into new containers, without encoding anything again. The tensors of one "
             "layer stay in one shard; those outside of layers (embeddings, the last norm, the head) go to the first. "
             "Each shard restores a .safetensors file of its own, with model.safetensors.index.json beside them; other "
             "files of the model are copied along.",
             "Every block is checked as it is copied, and every tensor is decoded from the new files and compared with "
             "its MD5, before the directory appears.",
             "Joining the shards of a model that was compressed from one file gives the container that compress wrote, "
             "byte for byte. A model that was compressed in several files is joined to one file with a new header.",
             "A patch needs --base, since it cannot be checked without."},
        .positionals = {{.name = "SRC",
                         .help = "Containers (.bs) of one model, or directories with bigsmall.index.json.",
                         .repeatable = true}},
        .options = options(),
        .examples = {{"bigsmall reshard model.bs --output-dir resharded", "Shards of about 2 GB."},
                     {"bigsmall reshard shard-*.bs --output-dir merged --shards 4", "Four shards of about one size."},
                     {"bigsmall reshard model-bs --output-dir one --join", "Everything in one/model.bs."}},
        .json = fields(),
        .run = run,
    };
}

} // namespace bigsmall::app
