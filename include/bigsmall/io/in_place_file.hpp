// SPDX-License-Identifier: BSL-1.0
// A file that is changed where it lies: one locked descriptor for all reads and writes.
#pragma once

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bigsmall/core/error.hpp>
#include <bigsmall/io/file_operations.hpp>
#include <bigsmall/io/posix.hpp>
#include <bigsmall/io/source.hpp>

namespace bigsmall::io {

/// Its size is that of the moment of opening, and changes by resize() only. As long as it lives, no other one can be
/// made for the same file, in no process.
class in_place_file final : public source {
public:
    /// Throws: errc::missing; errc::invalid_argument when a symbolic link leads to the file; errc::invalid_input when
    /// it is no regular file; errc::exists when another run has it locked; errc::io.
    in_place_file(std::filesystem::path path, file_operations& operations)
        : path_(std::move(path)), name_(path_.string()), operations_(operations) {
        open();
        lock();
        require_in_place(); // somebody may have put another file there before the lock was ours
    }

    std::uint64_t size() const override { return static_cast<std::uint64_t>(facts_.st_size); }
    const std::string& name() const override { return name_; }
    const std::filesystem::path& path() const noexcept { return path_; }
    /// As they were when it was opened.
    const struct stat& facts() const noexcept { return facts_; }

    void read(std::uint64_t offset, bytes_span to) const override {
        detail::require_range(name_, size(), offset, to.size());
        while (!to.empty()) {
            const ssize_t n = ::pread(file_.get(), to.data(), to.size(), static_cast<off_t>(offset));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) throw detail::system_error("read", name_, errno).at_offset(offset);
            if (n == 0)
                throw error(errc::truncated, "the file became shorter while it was being read")
                    .in_file(name_)
                    .at_offset(offset);
            to = to.subspan(static_cast<std::size_t>(n));
            offset += static_cast<std::uint64_t>(n);
        }
    }

    /// Throws: errc::truncated beyond the end, which stays where it is; errc::io.
    void write(std::uint64_t offset, bytes_view bytes) {
        detail::require_range(name_, size(), offset, bytes.size());
        detail::write_all_at(operations_, file_.get(), bytes, offset, name_);
    }

    /// Cuts the file, or adds zeros. Throws: errc::io.
    void resize(std::uint64_t bytes) {
        if (const int failed = operations_.resize(file_.get(), bytes))
            throw detail::system_error("change the size of the file", name_, failed);
        facts_.st_size = static_cast<off_t>(bytes);
    }

    /// To the disk. Throws: errc::io.
    void flush() {
        if (const int failed = operations_.flush(file_.get()))
            throw detail::system_error("flush the file to disk", name_, failed);
    }

    /// Gives the file the times that it had when it was opened. Throws: errc::io.
    void restore_times() {
        const timespec times[2] = {facts_.st_atim, facts_.st_mtim};
        if (::futimens(file_.get(), times) != 0)
            throw detail::system_error("set the time of the file", name_, errno);
    }

    /// Throws errc::io when the path leads to another file by now.
    void require_in_place() const {
        struct stat now {};
        if (::lstat(path_.c_str(), &now) == 0 && now.st_dev == facts_.st_dev && now.st_ino == facts_.st_ino) return;
        throw error(errc::io, "another file has taken the place of this one meanwhile, or it was removed")
            .in_file(name_);
    }

    /// Throws errc::io when somebody has written to it since it was opened; what write() does counts, too.
    void require_untouched() const {
        struct stat now {};
        if (::fstat(file_.get(), &now) != 0) throw detail::system_error("look at the file", name_, errno);
        if (now.st_size == facts_.st_size && now.st_mtim.tv_sec == facts_.st_mtim.tv_sec &&
            now.st_mtim.tv_nsec == facts_.st_mtim.tv_nsec)
            return;
        throw error(errc::io, "the file was changed while it was being read").in_file(name_);
    }

    /// Throws errc::invalid_argument when the file has other names, under which it would change as well.
    void require_single_name() const {
        if (facts_.st_nlink <= 1) return;
        throw error(errc::invalid_argument, "the file has other names (hard links), under which it would change, too")
            .in_file(name_)
            .with_hint("write the result to a file of its own with -o, or change a copy");
    }

private:
    void open() {
        // O_NONBLOCK: a pipe must not be waited for. It changes nothing for files.
        file_ = detail::descriptor(detail::open_retry(path_.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK));
        if (!file_.valid()) throw not_opened(errno);
        if (::fstat(file_.get(), &facts_) != 0) throw detail::system_error("look at the file", name_, errno);
        if (!S_ISREG(facts_.st_mode))
            throw error(errc::invalid_input, "only a regular file can be changed in place").in_file(name_);
    }

    error not_opened(int number) const {
        struct stat link {};
        if (::lstat(path_.c_str(), &link) == 0 && S_ISLNK(link.st_mode)) {
            error e(errc::invalid_argument,
                    "a symbolic link leads to this file, which would change for all that use it");
            return e.in_file(name_).with_hint(
                "in a Hugging Face cache every snapshot shares the file: write the result "
                "elsewhere with -o, or change a copy");
        }
        if (number == EISDIR) {
            error e(errc::invalid_input, "this is a directory; only a regular file can be changed in place");
            return e.in_file(name_);
        }
        return detail::system_error("open the file for changing it", name_, number);
    }

    void lock() const {
        while (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno == EWOULDBLOCK)
                throw error(errc::exists, "another run is changing this file")
                    .in_file(name_)
                    .with_hint("wait until it has ended");
            if (errno != EINTR)
                throw detail::system_error("lock the file", name_, errno)
                    .with_hint("where files cannot be locked, none is changed in place: write the result elsewhere "
                               "with -o");
        }
    }

    std::filesystem::path path_;
    std::string name_;
    file_operations& operations_;
    detail::descriptor file_;
    struct stat facts_ {};
};

} // namespace bigsmall::io
