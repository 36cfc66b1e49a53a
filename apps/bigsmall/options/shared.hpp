// SPDX-License-Identifier: BSL-1.0
// Options that several commands have, worded once.
#pragma once

#include "command.hpp"

namespace bigsmall::app {

inline option_spec help_option() {
    return {.name = "help", .letter = 'h', .help = "Print this help and exit."};
}

inline option_spec json_option() {
    return {.name = "json", .help = "Print one JSON object on standard output instead of text."};
}

inline option_spec threads_option() {
    return {.name = "threads",
            .value = "N",
            .help = "Number of threads, 1 to 1024. The output bytes do not depend on it.",
            .fallback = "one per processor"};
}

inline option_spec quiet_option() {
    return {.name = "quiet", .letter = 'q', .help = "Print errors and warnings only: no progress and no summary."};
}

inline option_spec no_progress_option() {
    return {.name = "no-progress", .help = "Do not show progress on standard error."};
}

inline option_spec force_option() {
    return {.name = "force", .letter = 'f', .help = "Overwrite the output when it exists already."};
}

} // namespace bigsmall::app
