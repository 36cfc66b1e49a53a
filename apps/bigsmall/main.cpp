// SPDX-License-Identifier: BSL-1.0
// The command line tool: finds the command, runs it, and turns every failure into one line and an exit code.
#include <exception>
#include <filesystem>
#include <new>
#include <string>
#include <system_error>
#include <vector>

#include <bigsmall/core/error.hpp>
#include <bigsmall/core/version.hpp>

#include "command_table.hpp"
#include "console/output.hpp"
#include "console/signals.hpp"
#include "options/help.hpp"
#include "options/parse.hpp"

namespace bigsmall::app {
namespace {

// What stands before a verb: --help and --version, nothing else.
exit_code run_global(const std::string& word) {
    if (word == "--version")
        print(std::string(program_name) + " " + version_string + "\n");
    else if (word == "--help" || word == "-h")
        print(overview_text());
    else
        throw unknown_option_error(word, global_options(), {});
    return exit_code::done;
}

exit_code run_words(const std::vector<std::string>& words) {
    if (words.empty()) {
        print_to_user(overview_text());
        return exit_code::usage;
    }
    if (words.front().size() > 1 && words.front().front() == '-') return run_global(words.front());
    const command_spec& command = require_command(words.front());
    const arguments given = parse_arguments(command, {words.begin() + 1, words.end()});
    if (given.has("help")) {
        print(help_text(command));
        return exit_code::done;
    }
    return command.run(given);
}

std::string place_of(const error& failure) {
    std::string place;
    if (!failure.file().empty()) place += failure.file() + ": ";
    if (!failure.tensor().empty()) place += "tensor " + failure.tensor() + ": ";
    if (failure.offset()) place += "at byte " + std::to_string(*failure.offset()) + ": ";
    return place;
}

int report(const error& failure) {
    if (failure.code() == errc::cancelled) {
        tell("interrupted");
        const int number = caught_signal();
        return number == 0 ? static_cast<int>(exit_code::interrupted) : 128 + number;
    }
    std::string hint = failure.hint();
    if (hint.empty() && failure.code() == errc::exists)
        hint = "choose another name with -o, or overwrite with -f";
    tell_error(place_of(failure) + failure.message(), hint);
    return static_cast<int>(exit_code_of(failure.code()));
}

// The standard library's words are for programmers: "filesystem error: cannot get current path: ...".
void report_system(const std::filesystem::filesystem_error& failure) {
    std::error_code gone;
    static_cast<void>(std::filesystem::current_path(gone));
    if (gone)
        tell_error("the working directory cannot be used: " + gone.message(), "change to one that exists");
    else
        tell_error((failure.path1().empty() ? "" : failure.path1().string() + ": ") + failure.code().message(), {});
}

int guarded_run(const std::vector<std::string>& words) {
    try {
        return static_cast<int>(run_words(words));
    } catch (const usage_error& wrong) {
        tell_error(wrong.what(), wrong.hint());
        return static_cast<int>(exit_code::usage);
    } catch (const error& failure) {
        return report(failure);
    } catch (const output_closed&) {
        // Whoever closed it knows.
    } catch (const std::bad_alloc&) {
        tell_error("out of memory", "fewer threads (--threads) need less");
    } catch (const std::filesystem::filesystem_error& failure) {
        report_system(failure);
    } catch (const std::exception& other) {
        tell_error(other.what(), {});
    }
    return static_cast<int>(exit_code::io);
}

} // namespace
} // namespace bigsmall::app

int main(int argc, char** argv) {
    bigsmall::app::prepare_standard_streams();
    const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
    return bigsmall::app::guarded_run(words);
}
