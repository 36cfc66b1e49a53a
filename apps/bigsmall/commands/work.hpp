// SPDX-License-Identifier: BSL-1.0
// What the commands that work on data share: signals, progress, threads, time.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <bigsmall/archive/options.hpp>
#include <bigsmall/parallel/tbb.hpp>

#include "console/format.hpp"
#include "console/progress.hpp"
#include "console/signals.hpp"
#include "options/arguments.hpp"

namespace bigsmall::app {

/// Lives as long as the work: catches signals, shows progress unless told not to, runs the threads.
class work_session {
public:
    work_session(const arguments& given, show_ratio ratio)
        : threads_(given.threads()), executor_(threads_), start_(std::chrono::steady_clock::now()) {
        if (!given.has("quiet") && !given.has("no-progress"))
            progress_.emplace(std::string(given.command().verb), ratio);
    }

    parallel::tbb_executor& executor() noexcept { return executor_; }

    /// Fills the options that every verb of the library has.
    void apply_to(archive::run_options& options, const arguments& given) {
        options.progress = progress_ ? &*progress_ : nullptr;
        options.cancel = &signals_.token();
        options.existing = given.has("force") ? io::if_exists::replace : io::if_exists::refuse;
    }

    /// Ends the progress line and gives the seconds since the start.
    double finish() {
        progress_.reset();
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    }

private:
    signal_guard signals_;
    std::size_t threads_;
    parallel::tbb_executor executor_;
    std::optional<progress_display> progress_;
    std::chrono::steady_clock::time_point start_;
};

/// A line of the summary, or nothing when nothing was removed.
inline std::string removed_text(const std::vector<std::filesystem::path>& removed) {
    if (removed.empty()) return {};
    return "  removed:    " + with_thousands(removed.size()) + (removed.size() == 1 ? " file" : " files") +
           " of the output that was there before\n";
}

} // namespace bigsmall::app
