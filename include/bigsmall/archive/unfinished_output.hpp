// SPDX-License-Identifier: BSL-1.0
// What lies beside an output that can be resumed until it is whole: of a container its log and its payload, of a
// directory of containers one of each for each of them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <set>
#include <string>
#include <system_error>
#include <utility>

#include <bigsmall/archive/input_files.hpp>
#include <bigsmall/archive/model_reader.hpp>
#include <bigsmall/archive/pack_options.hpp>
#include <bigsmall/archive/pack_progress.hpp>
#include <bigsmall/archive/source_tree.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/file_operations.hpp>
#include <bigsmall/io/progress_directory.hpp>
#include <bigsmall/io/progress_payload.hpp>

namespace bigsmall::archive::detail {

/// In the directory that is to be removed at the end, nothing of the source or of the base may lie.
/// Throws: errc::invalid_argument.
inline void require_apart_from_progress(const std::filesystem::path& source, const input_files& inputs,
                                        const std::filesystem::path& output, const pack_options& options) {
    const std::filesystem::path progress = io::progress_path(output);
    inputs.require_apart(progress);
    for (const std::filesystem::path& input : {source, options.base ? options.base->path() : source})
        if (lies_within(input, progress))
            throw error(errc::invalid_argument, "this lies where the unfinished output is to be kept")
                .in_file(input.string())
                .with_hint("choose another output");
}

class unfinished_output {
public:
    /// `options` must outlive it. Throws: errc::exists when what is kept there is of the other layout; as
    /// progress_directory does.
    unfinished_output(std::filesystem::path output, const pack_options& options)
        : output_(std::move(output)),
          options_(options),
          operations_(options.resume.operations != nullptr ? *options.resume.operations : own_operations_),
          directory_(io::progress_path(output_), operations_),
          report_(options.resume.listener) {
        std::error_code failed;
        const bool of_other =
            options.per_shard ? std::filesystem::exists(directory_.log(), failed) : directory_.has_logs();
        if (of_other)
            throw error(errc::exists, std::string("what is kept here is of an unfinished run ") +
                                          (options.per_shard ? "into one file" : "with a container per shard"))
                .in_file(directory_.path().string())
                .with_hint("continue that one, choose another output, or remove this directory");
    }

    io::progress_directory& directory() noexcept { return directory_; }

    /// Of the source, that need not be coded again.
    std::uint64_t resumed_bytes() const noexcept { return report_.source_bytes(); }

    /// The output is a container.
    pack_progress container() {
        return {{directory_.log(), directory_.payload(), output_.string(), {}, true}, options_, operations_, report_};
    }

    /// The output is a directory of containers with these names, relative to it: what is of others is removed, and
    /// told. Throws: errc::io.
    void begin_directory(const std::set<std::string>& containers) {
        for (const std::string& removed : directory_.keep_only(containers))
            report_.starts_over("the source has no such shard any more", removed);
        directory_.make_place({});
    }

    /// One of these.
    pack_progress container(const std::string& name, bool is_last) {
        directory_.make_place(name);
        return {{directory_.logs() / name, directory_.payloads() / name, (output_ / name).string(), name, is_last},
                options_,
                operations_,
                report_};
    }

    /// It is not resumed after all: the next container begins with nothing. Throws: errc::io.
    void start_over(const io::stale_progress& stale) {
        report_.starts_over(stale.why);
        report_ = resume_report(options_.resume.listener);
        directory_.keep_only({});
    }

    /// A run that has failed leaves nothing when it has done nothing that is worth to be kept. What cannot be removed
    /// now, the next run removes.
    void try_remove() noexcept {
        try {
            directory_.remove();
        } catch (...) {
        }
    }

    /// The same of one container of the directory.
    void try_forget(const std::string& name) noexcept {
        try {
            directory_.remove(name);
        } catch (...) {
        }
    }

    /// The same of the directory, when it holds nothing of any container.
    void try_tidy() noexcept {
        try {
            if (!directory_.has_logs()) directory_.remove();
        } catch (...) {
        }
    }

    /// A run may have been killed between giving the output its name and removing the rest: this removes it.
    static void remove_if_committed(const std::filesystem::path& output, const pack_options& options) {
        std::error_code failed;
        const std::filesystem::path path = io::progress_path(output);
        if (!std::filesystem::is_directory(std::filesystem::symlink_status(path, failed))) return;
        io::file_operations own;
        io::progress_directory left(path, options.resume.operations != nullptr ? *options.resume.operations : own);
        for (const std::filesystem::path& payload : {left.payload(), left.payloads()})
            if (std::filesystem::exists(payload, failed) || failed) return;
        left.remove();
    }

private:
    std::filesystem::path output_;
    const pack_options& options_;
    io::file_operations own_operations_;
    io::file_operations& operations_;
    io::progress_directory directory_;
    resume_report report_;
};

} // namespace bigsmall::archive::detail
