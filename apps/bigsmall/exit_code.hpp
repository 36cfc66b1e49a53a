// SPDX-License-Identifier: BSL-1.0
// What the tool answers to the shell, the same for every command. This is the only table of exit codes:
// the help, the man pages and the documentation print it.
#pragma once

#include <array>
#include <string_view>

#include <bigsmall/core/error.hpp>

namespace bigsmall::app {

enum class exit_code : int {
    done = 0,
    no = 1, ///< the command ran and its answer is no: a mismatch, nothing found
    usage = 2,
    bad_input = 3,
    io = 4,
    refused = 6,
    unfinished = 75, ///< EX_TEMPFAIL of sysexits.h
    interrupted = 130,
};

struct exit_code_line {
    exit_code code;
    std::string_view meaning;
};

inline constexpr std::array exit_codes{
    exit_code_line{exit_code::done, "done"},
    exit_code_line{exit_code::no, "the answer is no: a mismatch, damage found, nothing matched"},
    exit_code_line{exit_code::usage, "the command line is wrong"},
    exit_code_line{exit_code::bad_input, "an input file is broken, of a kind not read here, or not the one needed"},
    exit_code_line{exit_code::io, "a file is missing, or a read or a write failed"},
    exit_code_line{
        exit_code::refused,
        "refused: the output exists already and -f was not given, or a change of the file is under way or unfinished"},
    exit_code_line{exit_code::unfinished, "ended by SIGTERM, and the same command with --resume continues"},
    exit_code_line{exit_code::interrupted, "interrupted (143 when ended by SIGTERM, 129 by SIGHUP, 131 by SIGQUIT)"},
};

/// The exit code for an error of the library. A mismatch that was thrown is an input that is not what it claims to be;
/// "no" is the answer of a command that was asked whether things match.
constexpr exit_code exit_code_of(errc code) noexcept {
    switch (code) {
    case errc::invalid_argument: return exit_code::usage;
    case errc::mismatch:
    case errc::corrupt:
    case errc::truncated:
    case errc::unsupported:
    case errc::invalid_input:
    case errc::limit: return exit_code::bad_input;
    case errc::io:
    case errc::missing: return exit_code::io;
    case errc::exists: return exit_code::refused;
    case errc::cancelled: return exit_code::interrupted;
    }
    return exit_code::io;
}

} // namespace bigsmall::app
