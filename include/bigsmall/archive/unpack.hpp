// SPDX-License-Identifier: BSL-1.0
// Unpacking: the very bytes of the packed files come back, or an error and nothing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <bigsmall/archive/archive_inputs.hpp>
#include <bigsmall/archive/carried_files.hpp>
#include <bigsmall/archive/damage.hpp>
#include <bigsmall/archive/default_codec.hpp>
#include <bigsmall/archive/input_files.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/archive/options.hpp>
#include <bigsmall/archive/output_directory.hpp>
#include <bigsmall/archive/patch_base.hpp>
#include <bigsmall/archive/restore.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/atomic_file.hpp>
#include <bigsmall/io/sink.hpp>
#include <bigsmall/parallel/executor.hpp>

namespace bigsmall::archive {

/// What becomes of an archive of which a part is damaged.
enum class if_damaged : std::uint8_t {
    refuse, ///< an error, and no output
    skip,   ///< the rest is restored: damaged blocks are zeros, files that cannot be right are not written
};

struct unpack_options : run_options {
    codec_ref codec = default_codec();
    if_damaged damaged = if_damaged::refuse;
    std::shared_ptr<const model_reader> base = nullptr; ///< what a patch was made against; null for other archives
};

struct unpack_result {
    std::uint64_t compressed_bytes = 0; ///< of the archive's files
    std::uint64_t restored_bytes = 0;
    std::vector<std::filesystem::path> files; ///< what was written; empty when it went to a sink
    std::vector<damage> problems;             ///< what was skipped, in the order of the files and their bytes
    bool spares_ok = true;                    ///< false: a part that restoring has done without is damaged
};

/// What unpacking reads: the archive, and the files of the base that is needed.
inline input_files inputs_of(const opened_archive& archive, const unpack_options& options) {
    input_files inputs = inputs_of(archive);
    if (options.base) options.base->add_to(inputs);
    return inputs;
}

namespace detail {

/// An archive that can be restored: whole, and with its base if it needs one.
template <parallel::executor E>
opened_archive open_to_unpack(const std::filesystem::path& path, const unpack_options& options, E& e) {
    opened_archive opened(path);
    if (options.damaged == if_damaged::refuse || opened.containers().empty()) opened.require_whole();
    if (options.base) give_base(opened, options.base, options, e);
    require_base(opened);
    return opened;
}

/// A run that ends at the first problem need not know which parts of a file are wrong.
inline restored_hashes hashes_needed(const unpack_options& options) {
    return options.damaged == if_damaged::refuse ? restored_hashes::files : restored_hashes::files_and_parts;
}

/// Ends the run at what is wrong.
[[noreturn]] inline void refuse(const damage& problem) {
    error e = error_of(problem);
    if (problem.code == errc::mismatch && problem.tensor.empty())
        e.with_hint("'bigsmall verify --file-hashes' compares all tensors and files, and names what is wrong");
    throw e;
}

/// Ends the run at the first thing that is wrong.
class strict_observer : public restore_observer {
public:
    void found(const restore_job&, const damage& problem) final { refuse(problem); }
};

/// Writes each member to a file of its own, which appears once all its hashes were right. What is damaged ends the run,
/// or else goes to the problems of `result`: then a safetensors file has zeros there, and no other file appears.
class file_observer final : public restore_observer {
public:
    /// Into `directory` when it is not null, else to `single`.
    file_observer(output_directory* directory, std::filesystem::path single, const unpack_options& options,
                  unpack_result& result)
        : directory_(directory),
          single_(std::move(single)),
          existing_(options.existing),
          damaged_(options.damaged),
          result_(&result) {}

    /// Nothing that is damaged is skipped, and nobody is told which files were written.
    file_observer(output_directory* directory, std::filesystem::path single, io::if_exists existing)
        : directory_(directory), single_(std::move(single)), existing_(existing) {}

    void found(const restore_job&, const damage& problem) override {
        if (damaged_ == if_damaged::refuse) refuse(problem);
        result_->problems.push_back(problem);
        intact_ = false;
    }

    void member_begins(const restore_job& job) override {
        intact_ = true;
        if (directory_ != nullptr)
            file_.emplace(directory_->place(job.path), io::if_exists::refuse,
                          directory_->final_path(job.path).string());
        else
            file_.emplace(single_, existing_);
        file_->write(job.member->header);
    }
    void bytes_restored(const restore_job&, bytes_view bytes, std::span<const restored_piece>) override {
        file_->write(bytes);
    }
    void member_ends(const restore_job& job) override {
        if (intact_ || job.member->kind == io::member_kind::safetensors) {
            file_->commit();
            if (result_ != nullptr)
                result_->files.push_back(directory_ != nullptr ? directory_->final_path(job.path) : single_);
        } else if (directory_ != nullptr) {
            directory_->give_up(job.path);
        }
        file_.reset();
    }

private:
    output_directory* directory_;
    std::filesystem::path single_;
    io::if_exists existing_;
    if_damaged damaged_ = if_damaged::refuse;
    unpack_result* result_ = nullptr; // there is one when damage is skipped
    std::optional<io::atomic_file> file_;
    bool intact_ = true;
};

class sink_observer final : public strict_observer {
public:
    explicit sink_observer(io::sink& to) : to_(to) {}

    void member_begins(const restore_job& job) override { to_.write(job.member->header); }
    void bytes_restored(const restore_job&, bytes_view bytes, std::span<const restored_piece>) override {
        to_.write(bytes);
    }
    void member_ends(const restore_job&) override {}

private:
    io::sink& to_;
};

inline unpack_result sizes_of(const opened_archive& archive, const std::vector<restore_job>& jobs) {
    unpack_result result;
    result.compressed_bytes = archive.stored_bytes();
    for (const restore_job& job : jobs)
        result.restored_bytes += job.member->raw_bytes;
    for (const carried_record& file : archive.shards().files)
        result.restored_bytes += file.bytes;
    result.spares_ok = archive.spares_ok();
    return result;
}

/// Copies the files that are no tensors.
inline void unpack_carried(const opened_archive& archive, output_directory& directory, const unpack_options& options,
                           unpack_result& result) {
    for (const carried_record& file : archive.shards().files) {
        const std::filesystem::path to = directory.final_path(file.file);
        try {
            copy_carried(archive.path() / file.file, directory.place(file.file), to.string(), file, options);
            result.files.push_back(to);
        } catch (const error& failure) {
            const bool of_the_source = failure.code() == errc::mismatch || failure.code() == errc::missing;
            if (options.damaged == if_damaged::refuse || !of_the_source) throw;
            directory.give_up(file.file);
            result.problems.push_back(damage_of(failure));
            result.problems.back().member = file.file;
        }
    }
}

template <parallel::executor E>
void unpack_directory(const opened_archive& archive, const std::vector<restore_job>& jobs,
                      const std::filesystem::path& output, const unpack_options& options, unpack_result& result, E& e) {
    output_directory directory(output, options.existing);
    const input_files inputs = inputs_of(archive, options);
    for (const restore_job& job : jobs)
        inputs.require_apart(directory.final_path(job.path));
    for (const carried_record& file : archive.shards().files)
        inputs.require_apart(directory.final_path(file.file));
    file_observer observer(&directory, {}, options, result);
    restore(jobs, options.codec, options, observer, e, hashes_needed(options));
    unpack_carried(archive, directory, options, result);
    directory.commit();
}

} // namespace detail

/// Restores an archive: a container, or a directory with bigsmall.index.json. `output` is a file when the
/// archive was made of one file, else a directory; one that exists must be empty, or options.existing says
/// replace: then its files are replaced one by one and others stay. Nothing is left behind by a failure. With
/// if_damaged::skip, damage of the archive is no failure as long as something can be opened.
/// Memory: below 256 MiB and 8 MiB per thread, beside the index.
/// A patch needs its base, which is compared with what it was made against before anything is written.
/// Throws: errc::corrupt, errc::truncated, errc::mismatch for damage or another base; errc::unsupported; errc::missing;
/// errc::exists; errc::invalid_argument when an output would replace a file of the archive or one that it needs, when
/// a patch has no base or another archive has one; errc::io; errc::cancelled.
template <parallel::executor E>
unpack_result unpack(const std::filesystem::path& archive, const std::filesystem::path& output,
                     const unpack_options& options, E& e) {
    const opened_archive opened = detail::open_to_unpack(archive, options, e);
    const std::vector<restore_job> jobs = all_jobs(opened);
    unpack_result result = detail::sizes_of(opened, jobs);
    result.problems = opened.problems();
    if (opened.restores_directory()) {
        detail::unpack_directory(opened, jobs, output, options, result, e);
        return result;
    }
    inputs_of(opened, options).require_apart(output);
    detail::file_observer observer(nullptr, output, options, result);
    restore(jobs, options.codec, options, observer, e, detail::hashes_needed(options));
    return result;
}

/// Restores an archive of one file into any sink, a pipe included. The hashes of the whole are only known
/// when all bytes were written: after an exception, they must not be used. Throws: as unpack();
/// errc::invalid_argument when the archive restores a directory, and when damage is to be skipped.
template <parallel::executor E>
unpack_result unpack_to(const std::filesystem::path& archive, io::sink& output, const unpack_options& options, E& e) {
    if (options.damaged == if_damaged::skip)
        throw error(errc::invalid_argument, "what is damaged cannot be skipped in a single stream of bytes")
            .in_file(archive.string());
    const opened_archive opened = detail::open_to_unpack(archive, options, e);
    if (opened.restores_directory())
        throw error(errc::invalid_argument, "this archive restores a directory, which is no single stream of bytes")
            .in_file(archive.string());
    const std::vector<restore_job> jobs = all_jobs(opened);
    detail::sink_observer observer(output);
    restore(jobs, options.codec, options, observer, e, restored_hashes::files);
    return detail::sizes_of(opened, jobs);
}

} // namespace bigsmall::archive
