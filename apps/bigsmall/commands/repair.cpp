// SPDX-License-Identifier: BSL-1.0
#include "commands/commands.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <bigsmall/archive/archive_files.hpp>
#include <bigsmall/archive/repair.hpp>
#include <bigsmall/archive/repair_container.hpp>
#include <bigsmall/archive/verify.hpp>
#include <bigsmall/io/ecc/sidecar.hpp>
#include <bigsmall/io/file_source.hpp>

#include "commands/problems.hpp"
#include "commands/repair_result.hpp"
#include "commands/work.hpp"
#include "console/json.hpp"
#include "options/shared.hpp"
#include "own_pipelines.hpp"

namespace bigsmall::app {
namespace {

namespace fs = std::filesystem;

repair_request read_request(const arguments& given) {
    given.exclude("check", "output");
    given.exclude("check", "in-place");
    given.exclude("output", "in-place");
    repair_request asked;
    asked.file = given.positional(0);
    asked.from = given.value("from").value_or("");
    asked.sidecar = given.value("ecc").value_or(has_parity(asked.file) ? io::ecc_path(asked.file).string() : "");
    asked.output = given.value("output").value_or("");
    if (given.has("in-place"))
        asked.mode = repair_mode::in_place;
    else if (given.has("output"))
        asked.mode = repair_mode::output;
    else if (!given.has("check"))
        throw usage_error("repair needs -o OUT, --in-place or --check");
    if (given.has("output") && (asked.output.empty() || asked.output == "-"))
        throw usage_error("--output needs the name of a file");
    return asked;
}

archive::repair_report with_parity(const repair_request& asked, const archive::repair_options& options,
                                   parallel::tbb_executor& executor) {
    switch (asked.mode) {
    case repair_mode::output: return archive::repair_to(asked.file, asked.sidecar, asked.output, options, executor);
    case repair_mode::in_place: return archive::repair_in_place(asked.file, asked.sidecar, options, executor);
    case repair_mode::check: break;
    }
    return archive::check_parity(asked.file, asked.sidecar, options, executor);
}

archive::repair_report without_parity(const repair_request& asked, const archive::repair_options& options) {
    io::file_operations operations;
    try {
        switch (asked.mode) {
        case repair_mode::output: return archive::repair_container_to(asked.file, asked.output, options);
        case repair_mode::in_place: return archive::repair_container_in_place(asked.file, options, operations);
        case repair_mode::check: break;
        }
        return archive::check_container(asked.file, options);
    } catch (error& failure) {
        if (failure.code() == errc::unsupported || failure.code() == errc::corrupt || failure.code() == errc::truncated)
            failure.with_hint("there is no " + io::ecc_path(asked.file).string() +
                              ": without it, little more than the header and one index can be made again");
        throw;
    }
}

// What --from gives may bring back more without parity, and parity that is cut or that of another file none.
bool is_better_without_parity(const repair_request& asked, archive::repair_options options,
                              parallel::tbb_executor& executor) {
    if (asked.sidecar.empty() || asked.from.empty()) return false;
    const auto is_repairable = [](auto&& check) {
        try {
            return check().repairable();
        } catch (const error& failure) {
            if (failure.code() == errc::cancelled) throw;
            return false; // whoever repairs says why
        }
    };
    options.progress = nullptr;
    options.existing = io::if_exists::refuse;
    return !is_repairable([&] { return archive::check_parity(asked.file, asked.sidecar, options, executor); }) &&
           is_repairable([&] { return archive::check_container(asked.file, options); });
}

// Which tensors the lost bytes belong to, as far as what is left of an archive tells.
void name_lost_tensors(repair_result& result, const archive::run_options& options, parallel::tbb_executor& executor) {
    const repair_request& asked = result.asked;
    if (result.report.repairable() || !result.report.lost_tensors.empty()) return;
    archive::verify_options how;
    how.cancel = options.cancel;
    try {
        const std::string& best = asked.mode == repair_mode::output ? asked.output : asked.file;
        for (const archive::damage& found : archive::verify(best, how, executor).problems)
            if (!found.tensor.empty()) result.report.lost_tensors.insert(found.tensor);
    } catch (const error& failure) {
        if (failure.code() == errc::cancelled) throw;
    }
}

repair_result repair_file(const repair_request& asked, const archive::repair_options& options,
                          parallel::tbb_executor& executor) {
    repair_result result;
    result.asked = asked;
    if (is_better_without_parity(result.asked, options, executor)) result.asked.sidecar.clear();
    result.report = result.asked.sidecar.empty() ? without_parity(result.asked, options)
                                                 : with_parity(result.asked, options, executor);
    name_lost_tensors(result, options, executor);
    return result;
}

// Damaged or not, but not something else that has this ending.
bool is_sidecar(const fs::path& path) {
    try {
        const io::ecc_sidecar opened(std::make_shared<io::file_source>(path), 0);
        return true;
    } catch (const error& failure) {
        return failure.code() != errc::unsupported;
    }
}

// For what is no archive, or has an index that cannot be read.
std::vector<fs::path> files_beside_parity(const fs::path& directory) {
    std::vector<fs::path> found;
    std::error_code failed, unknown;
    fs::recursive_directory_iterator at(directory, fs::directory_options::skip_permission_denied, failed);
    for (; !failed && at != fs::recursive_directory_iterator(); at.increment(failed)) {
        const fs::path& path = at->path();
        if (path.extension() == ".ecc" && at->is_regular_file(unknown) && is_sidecar(path))
            found.push_back(path.parent_path() / path.stem());
    }
    if (failed) throw error(errc::io, "cannot list the directory: " + failed.message()).in_file(directory.string());
    std::sort(found.begin(), found.end());
    return found;
}

repair_result begin_result(const fs::path& file, const repair_request& directory) {
    repair_result result;
    result.asked = directory;
    result.asked.file = file.string();
    result.asked.sidecar = io::ecc_path(file).string();
    return result;
}

void fail(repair_result& result, const error& failure) {
    if (failure.code() == errc::cancelled) throw failure;
    result.report = {};
    result.failure = failure.what();
}

// Files of a directory, in two rounds: nothing is written before all are looked at. One that cannot be repaired is no
// reason to leave the others as they are.
class directory_repairer {
public:
    directory_repairer(const repair_request& asked, const archive::repair_options& options,
                       parallel::tbb_executor& executor)
        : asked_(asked), options_(options), executor_(executor) {
        asked_.sidecar.clear();
    }

    directory_repair run() {
        directory_repair result;
        result.asked = asked_;
        for (const fs::path& file : find_files(result)) {
            if (is_repaired_index(file)) {
                result.files.push_back(*index_);
            } else {
                result.files.push_back(begin_result(file, asked_));
                look_at(result.files.back());
            }
        }
        if (result.files.empty())
            throw error(errc::missing, "no file in this directory has parity")
                .in_file(asked_.file)
                .with_hint("'bigsmall ecc' makes it while the files are whole; a single .bs may be repaired without");
        for (repair_result& file : result.files)
            if (needs_repair(file)) repair(file);
        return result;
    }

private:
    bool is_repaired_index(const fs::path& file) const { return index_ && file == index_->asked.file; }

    bool needs_repair(const repair_result& file) const {
        return file.failure.empty() && !is_repaired_index(file.asked.file) &&
               !(file.whole() && file.report.sidecar_whole());
    }

    bool can_read_index() const {
        try {
            archive::read_shard_index(asked_.file);
            return true;
        } catch (const error&) {
            return false;
        }
    }

    // An index that cannot be read is damaged for sure, and comes first because it tells what else there is.
    std::vector<fs::path> find_files(directory_repair& result) {
        const fs::path index = fs::path(asked_.file) / archive::shard_index_name;
        const bool protected_index = has_parity(index.string());
        if (protected_index && asked_.mode == repair_mode::in_place && !can_read_index()) {
            index_ = begin_result(index, asked_);
            repair(*index_);
        }
        try {
            return files_of_index(result);
        } catch (const error& failure) {
            if (failure.code() != errc::missing && !protected_index) {
                result.files.push_back(begin_result(index, asked_));
                result.files.back().asked.sidecar.clear();
                fail(result.files.back(), failure);
            }
            return files_beside_parity(asked_.file);
        }
    }

    std::vector<fs::path> files_of_index(directory_repair& result) const {
        const std::vector<fs::path> files = archive::files_of_archive(asked_.file);
        const std::vector<fs::path> with_parity = archive::files_with_parity(files);
        const std::set<fs::path> looked_at(with_parity.begin(), with_parity.end());
        for (const fs::path& file : files)
            if (!looked_at.contains(file)) result.without_parity.push_back(file.string());
        return with_parity;
    }

    void look_at(repair_result& result) {
        try {
            result.report = archive::check_parity(result.asked.file, result.asked.sidecar, options_, executor_);
            name_lost_tensors(result, options_, executor_);
        } catch (const error& failure) {
            other_version_ = other_version_ || failure.code() == errc::mismatch;
            return fail(result, failure);
        }
        try {
            archive::require_no_other_version(result.report, result.asked.file);
        } catch (const error& failure) {
            fail(result, failure);
        }
    }

    void repair(repair_result& result) {
        if (asked_.mode == repair_mode::check) return;
        try {
            if (other_version_ && !result.report.knows_version)
                throw error(errc::mismatch, "it differs from its parity, and other files here are of another version "
                                            "than theirs: nobody knows which is right")
                    .in_file(result.asked.file)
                    .with_hint("'bigsmall ecc -f' takes the files as they are");
            result = repair_file(result.asked, options_, executor_);
        } catch (const error& failure) {
            fail(result, failure);
        }
    }

    repair_request asked_;
    const archive::repair_options& options_;
    parallel::tbb_executor& executor_;
    bool other_version_ = false;         ///< a container is not the one that its parity was made of
    std::optional<repair_result> index_; ///< repaired before anything else could be found
};

template <class Result>
exit_code answer(Result&& result, const arguments& given, work_session& session) {
    result.seconds = session.finish();
    if (given.has("json"))
        print_json(json_of(result));
    else if (!given.has("quiet"))
        print(text_of(result));
    return result.done() ? exit_code::done : exit_code::no;
}

exit_code run(const arguments& given) {
    const repair_request asked = read_request(given);
    work_session session(given, show_ratio::no);
    archive::repair_options options;
    session.apply_to(options, given);
    options.from = asked.from;
    std::error_code failed;
    if (!fs::is_directory(asked.file, failed))
        return answer(repair_file(asked, options, session.executor()), given, session);
    // --force as well: each file that was written after its parity is to be decided on.
    for (const char* single : {"output", "from", "ecc", "force"})
        if (given.has(single))
            throw usage_error("--" + std::string(single) + " is for a single file, not for a directory");
    return answer(directory_repairer(asked, options, session.executor()).run(), given, session);
}

std::vector<option_spec> options() {
    return {{.name = "output",
             .letter = 'o',
             .value = "OUT",
             .help = "Write the repaired file here; FILE is only read.",
             .kind = value_kind::path},
            {.name = "in-place",
             .help = "When all of it can be restored, write what was damaged into FILE itself, and make a damaged "
                     ".ecc again. A run that was killed can be repeated (with -f, if FILE is no archive)."},
            {.name = "check", .help = "Write nothing: only tell what is damaged, and whether it can be repaired."},
            {.name = "ecc",
             .value = "FILE.ecc",
             .help = "The parity.",
             .fallback = "FILE.ecc beside FILE, when it is there",
             .kind = value_kind::path},
            {.name = "from",
             .value = "OTHER",
             .help = "Take good pieces from here: another copy of FILE, which may be damaged elsewhere, or the "
                     ".safetensors file or directory that was compressed, which is used in the place of parity.",
             .kind = value_kind::path},
            force_option(),
            threads_option(),
            json_option(),
            {.name = "quiet", .letter = 'q', .help = "Print errors only: the exit code is the answer."},
            no_progress_option(),
            help_option()};
}

} // namespace

command_spec repair_command() {
    return {
        .verb = "repair",
        .summary = "Bring back what was damaged, with parity or another copy",
        .description =
            {"Reads FILE and FILE.ecc, finds what is damaged by its checksums, and restores it: 'ecc --help' says how "
             "much that can be. Every restored piece is checked. FILE may be too short or too long, and sectors that "
             "cannot be read count as damaged.",
             "Of a directory, each file of the archive that has parity is looked at, and with --in-place repaired.",
             "Without parity, an archive is repaired with what it holds twice (header, index, footer), checksums made "
             "again from what they belong to, and what --from brings.",
             "An archive that was written anew since its parity was made is another version and is refused; so is, in "
             "place and without -f, another file that was written after its parity.",
             "The answer is no (exit code 1) when something cannot be restored. OUT is written all the same, with all "
             "that can be had, and the tensors that are lost are named; 'decompress --skip-damaged' restores the "
             "others. In place nothing is written then. With --check, the answer is no when anything is damaged, and "
             "the output says whether it can be "
             "repaired."},
        .positionals = {{.name = "FILE", .help = "The damaged file, or a directory whose files have parity."}},
        .options = options(),
        .examples = {{"bigsmall repair model.bs -o whole.bs", "Leaves model.bs as it is."},
                     {"bigsmall repair model.bs --in-place", "Writes the damaged places only."},
                     {"bigsmall repair model.bs --check", "Tells, and writes nothing."},
                     {"bigsmall repair model-bs --in-place", "Each file of a directory."},
                     {"bigsmall repair model.bs --from backup.bs -o whole.bs", "Of two damaged copies a whole one."}},
        .json = repair_fields(),
        .run = run,
    };
}

} // namespace bigsmall::app
