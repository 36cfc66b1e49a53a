// SPDX-License-Identifier: BSL-1.0
#include "commands/apply_in_place.hpp"

#include <string>
#include <string_view>

#include <bigsmall/archive/apply_patch.hpp>

#include "commands/problems.hpp"
#include "commands/work.hpp"
#include "console/json.hpp"

namespace bigsmall::app {
namespace {

struct in_place_run {
    std::string model, patch;
    std::string_view action; // what was done: applied, finished, undone
    archive::in_place_result result;
    std::string sha256; // of the file as it is now; empty where nobody asked
    double seconds = 0;
};

void check_usage(const arguments& given, bool settles) {
    given.exclude("finish", "undo");
    for (const char* option : {"output", "force"})
        if (given.has(option)) throw usage_error("--" + std::string(option) + " has no meaning for a change in place");
    const std::size_t wanted = settles ? 1 : 2;
    if (given.positional_count() != wanted)
        throw usage_error(settles ? "--finish and --undo take the file only: the change is in its journal"
                                  : "--in-place takes one file and one patch");
}

in_place_run settle(const arguments& given) {
    in_place_run run;
    run.model = given.positional(0);
    const bool undo = given.has("undo");
    run.action = undo ? "undone" : "finished";
    const io::journal_info done = undo ? archive::undo_change(run.model) : archive::finish_change(run.model);
    run.patch = done.label;
    run.result = {done.changed_bytes, done.runs, done.file_bytes, false};
    run.sha256 = archive::hex_of(undo ? done.before : done.after);
    return run;
}

in_place_run apply(const arguments& given, work_session& session) {
    in_place_run run;
    run.model = given.positional(0);
    run.patch = given.positional(1);
    run.action = "applied";
    archive::run_options options;
    session.apply_to(options, given);
    run.result = archive::apply_in_place(run.model, run.patch, options, session.executor());
    return run;
}

std::string text_of(const in_place_run& run) {
    if (run.action != "applied")
        return std::string(run.action) + " the change of " + printable(run.model) + " by " + printable(run.patch) +
               ": its SHA-256 is " + run.sha256 + ", as recorded\n";
    const std::string how = run.result.rewritten_whole
                                ? "rewritten whole, since the layout is another"
                                : with_thousands(run.result.changed_bytes) + " of " +
                                      with_thousands(run.result.file_bytes) + " bytes rewritten in " +
                                      with_thousands(run.result.runs) + " places";
    return "applied " + printable(run.patch) + " to " + printable(run.model) + ": " + how + "  (" +
           fixed(run.seconds, 1) + "s)\n";
}

// The fields that apply has in all its forms.
json json_of(const in_place_run& run) {
    return {{"command", "apply"},
            {"base", run.model},
            {"patches", json::array({run.patch})},
            {"output", run.model},
            {"restored_bytes", run.result.file_bytes},
            {"files", json::array({run.model})},
            {"in_place", run.action},
            {"changed_bytes", run.result.changed_bytes},
            {"changed_places", run.result.runs},
            {"rewritten_whole", run.result.rewritten_whole},
            {"elapsed_seconds", seconds_json(run.seconds)}};
}

} // namespace

exit_code run_in_place(const arguments& given) {
    const bool settles = given.has("finish") || given.has("undo");
    check_usage(given, settles);
    work_session session(given, show_ratio::no);
    in_place_run run = settles ? settle(given) : apply(given, session);
    run.seconds = session.finish();
    if (has_parity(run.model))
        print_to_user("warning: " + printable(run.model) +
                      ".ecc is about the file that was there before: make it anew with 'bigsmall ecc -f'\n");
    if (given.has("json"))
        print_json(json_of(run));
    else if (!given.has("quiet"))
        print(text_of(run));
    return exit_code::done;
}

} // namespace bigsmall::app
