// SPDX-License-Identifier: BSL-1.0
// What lies beside an output that can be resumed until it is whole: of a container its log and its payload, of a
// directory of containers one of each for each of them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include <bigsmall/archive/pack_options.hpp>
#include <bigsmall/archive/pack_progress.hpp>
#include <bigsmall/io/file_operations.hpp>
#include <bigsmall/io/progress_directory.hpp>
#include <bigsmall/io/progress_payload.hpp>

namespace bigsmall::archive::detail {

class unfinished_output {
public:
    /// `options` must outlive it. Throws: as progress_directory does.
    unfinished_output(std::filesystem::path output, const pack_options& options)
        : output_(std::move(output)),
          options_(options),
          operations_(options.resume.operations != nullptr ? *options.resume.operations : own_operations_),
          directory_(io::progress_path(output_), operations_),
          report_(options.resume.listener) {}

    io::progress_directory& directory() noexcept { return directory_; }

    /// Of the source, that need not be coded again.
    std::uint64_t resumed_bytes() const noexcept { return report_.source_bytes(); }

    /// The output is a container.
    pack_progress container() {
        return {{directory_.log(), directory_.payload(), output_.string(), {}, true}, options_, operations_, report_};
    }

    /// A container of the directory that the output is; `name` is relative to it.
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
        unfinished_output left(output, options);
        for (const std::filesystem::path& payload : {left.directory_.payload(), left.directory_.payloads()})
            if (std::filesystem::exists(payload, failed) || failed) return;
        left.directory_.remove();
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
