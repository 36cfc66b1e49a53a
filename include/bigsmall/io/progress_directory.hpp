// SPDX-License-Identifier: BSL-1.0
// The directory beside an output in which an unfinished run keeps what it has done (docs/format/progress.md).
#pragma once

#include <cerrno>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bigsmall/core/error.hpp>
#include <bigsmall/io/file_operations.hpp>
#include <bigsmall/io/posix.hpp>

namespace bigsmall::io {

/// Where the unfinished run to an output keeps what it has done.
inline std::filesystem::path progress_path(const std::filesystem::path& output) {
    const std::filesystem::path named = output.has_filename() ? output : output.parent_path();
    return std::filesystem::path(named).concat(".progress");
}

/// What lies in it.
inline constexpr std::string_view progress_log_name = "log", progress_payload_name = "payload";

/// Made where it is missing, and locked: as long as this lives, no other run uses the directory. Nobody's files but its
/// own are touched in it.
class progress_directory {
public:
    /// Throws: errc::exists when another run uses the directory, when it holds files of other names, belongs to another
    /// user or is none; errc::missing when the directory above is missing; errc::io.
    progress_directory(std::filesystem::path path, file_operations& operations)
        : path_(std::move(path)), name_(path_.string()), operations_(operations) {
        constexpr int attempts = 100; // a run that ends now removes the directory that was just opened
        for (int i = 0; i < attempts; ++i) {
            make();
            open();
            lock();
            if (!is_in_place()) continue;
            require_own();
            return;
        }
        throw error(errc::exists, "other runs keep making and removing this directory").in_file(name_);
    }

    const std::filesystem::path& path() const noexcept { return path_; }
    std::filesystem::path log() const { return path_ / progress_log_name; }
    std::filesystem::path payload() const { return path_ / progress_payload_name; }
    file_operations& operations() const noexcept { return operations_; }

    /// Throws: errc::io.
    void remove_files() {
        for (const std::filesystem::path& file : {log(), payload()}) {
            const int failed = operations_.remove(file);
            if (failed != 0 && failed != ENOENT)
                throw detail::system_error("remove what an unfinished run has left", file.string(), failed);
        }
    }

    /// With all that is in it. Throws: errc::io.
    void remove() {
        remove_files();
        const int failed = operations_.remove_directory(path_);
        // What somebody else has put there meanwhile stays.
        if (failed != 0 && failed != ENOENT && failed != ENOTEMPTY && failed != EEXIST)
            throw detail::system_error("remove the directory of the run", name_, failed);
    }

private:
    error refused(const std::string& why) const {
        error e(errc::exists, why);
        e.in_file(name_);
        return e;
    }

    void make() {
        const int failed = operations_.make_directory(path_);
        if (failed != 0 && failed != EEXIST)
            throw detail::system_error("create the directory that keeps what is done", name_, failed);
    }

    void open() {
        directory_ =
            detail::descriptor(detail::open_retry(path_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK));
        if (directory_.valid() || errno == ENOENT) return;
        if (errno == ENOTDIR || errno == ELOOP)
            throw refused("this name is needed for the directory that keeps what is done, and something else has it")
                .with_hint("move it away, or choose another output");
        throw detail::system_error("open the directory that keeps what is done", name_, errno);
    }

    void lock() const {
        while (directory_.valid() && ::flock(directory_.get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno == EWOULDBLOCK)
                throw refused("another run is writing this output").with_hint("wait until it has ended, or end it");
            if (errno != EINTR)
                throw detail::system_error("lock the directory", name_, errno)
                    .with_hint("where nothing can be locked, runs cannot be resumed: leave out --resume");
        }
    }

    bool is_in_place() {
        struct stat mine {
        }, there{};
        if (!directory_.valid() || ::fstat(directory_.get(), &mine) != 0 || ::lstat(path_.c_str(), &there) != 0)
            return false;
        owner_ = mine.st_uid;
        return mine.st_dev == there.st_dev && mine.st_ino == there.st_ino;
    }

    void require_own() const {
        if (owner_ != ::geteuid())
            throw refused("this directory belongs to another user").with_hint("choose another output");
        try {
            for (const auto& entry : std::filesystem::directory_iterator(path_)) {
                const std::filesystem::path name = entry.path().filename();
                const bool known = name == progress_log_name || name == progress_payload_name;
                if (!known || !std::filesystem::is_regular_file(entry.symlink_status()))
                    throw refused("this directory holds what no run of this program has put there")
                        .with_hint("move it away, or choose another output");
            }
        } catch (const std::filesystem::filesystem_error& e) {
            throw detail::system_error("read the directory", name_, e.code().value());
        }
    }

    std::filesystem::path path_;
    std::string name_;
    file_operations& operations_;
    detail::descriptor directory_;
    uid_t owner_ = 0;
};

} // namespace bigsmall::io
