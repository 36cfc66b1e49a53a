// SPDX-License-Identifier: BSL-1.0
#include "commands/compress_resume.hpp"

#include <csignal>
#include <filesystem>
#include <system_error>

#include <bigsmall/io/printable.hpp>
#include <bigsmall/io/progress_directory.hpp>

#include "console/format.hpp"
#include "console/output.hpp"
#include "console/signals.hpp"

namespace bigsmall::app {
namespace {

// With a log and a payload, as every run has them that has done something.
bool is_kept(const std::string& output) {
    const std::filesystem::path directory = io::progress_path(output);
    std::error_code failed;
    if (std::filesystem::is_regular_file(directory / io::progress_log_name, failed) &&
        std::filesystem::is_regular_file(directory / io::progress_payload_name, failed))
        return true;
    for (std::filesystem::recursive_directory_iterator at(directory / io::progress_logs_name, failed), end;
         !failed && at != end; at.increment(failed))
        if (at->is_regular_file(failed)) return true;
    return false;
}

std::string directory_of(const std::string& output) { return io::progress_path(output).string(); }

} // namespace

void resume_notes::on_resume(const archive::resume_event& event) {
    if (event.happened == archive::resume_event::what::started_over)
        tell("what an unfinished run has left in " + directory_of(output_) + " is of no use" +
             (event.container.empty() ? "" : " for " + io::in_quotes(event.container)) + ": " + event.reason +
             "; starting over");
    else if (!given_.has("quiet"))
        tell(std::string("continuing: ") + (given_.has("per-shard") ? "at least " : "") +
             with_thousands(event.source_bytes) + " bytes of the source are compressed already");
}

void warn_of_unfinished(const std::string& output) {
    if (is_kept(output))
        tell("warning: an unfinished run has left " + directory_of(output) +
             ", which --resume would continue; this run does not use it");
}

exit_code tell_stopped(const std::string& output) {
    tell(is_kept(output)
             ? "interrupted: what is done is kept in " + directory_of(output) + ", and the same command continues"
             : "interrupted: nothing was done yet");
    const int number = caught_signal();
    if (number == SIGTERM) return exit_code::unfinished;
    return number == 0 ? exit_code::interrupted : static_cast<exit_code>(128 + number);
}

std::string kept_hint(const std::string& output) {
    if (!is_kept(output)) return {};
    return "what is done is kept in " + directory_of(output) +
           ": when the cause is gone (where the disk is full, make room), the same command continues";
}

} // namespace bigsmall::app
