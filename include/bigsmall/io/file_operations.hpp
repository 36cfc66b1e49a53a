// SPDX-License-Identifier: BSL-1.0
// Everything that a change in place, or a run that can be resumed, does to the disk: one call each, so that a test can
// end it at any of them.
#pragma once

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/io/atomic_file.hpp>
#include <bigsmall/io/posix.hpp>

namespace bigsmall::io {

/// The system's own calls; a test overrides them. They answer 0 or an errno where nothing else is said.
class file_operations {
public:
    using path = std::filesystem::path;

    file_operations() = default;
    file_operations(const file_operations&) = delete;
    file_operations& operator=(const file_operations&) = delete;
    virtual ~file_operations() = default;

    /// The descriptor of a new file that only its owner may read, or an errno below zero; never one that was there.
    virtual int create(const path& name) {
        const int fd = detail::open_retry(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
        return fd >= 0 ? fd : -errno;
    }

    /// The descriptor of a file that may be there already, for reading and writing, or an errno below zero; never
    /// through a link. A new one may be read by whomever the umask lets.
    virtual int open_or_create(const path& name) {
        const int fd = detail::open_retry(name.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0666);
        return fd >= 0 ? fd : -errno;
    }

    /// Makes a file that long or short.
    virtual int resize(int fd, std::uint64_t bytes) {
        while (::ftruncate(fd, static_cast<off_t>(bytes)) != 0)
            if (errno != EINTR) return errno;
        return 0;
    }

    /// How many of the bytes were written, which may be fewer than asked for, or an errno below zero.
    virtual std::int64_t write_at(int fd, bytes_view bytes, std::uint64_t offset) {
        const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        return n >= 0 ? static_cast<std::int64_t>(n) : -std::int64_t{errno};
    }

    /// Owner where the system allows that, and permissions.
    virtual int copy_rights(int fd, const struct stat& from) {
        // Only a few may give files away; what matters more is who may read them.
        const bool given = ::fchown(fd, from.st_uid, from.st_gid) == 0;
        struct stat made {};
        const bool same_group = ::fstat(fd, &made) == 0 && made.st_gid == from.st_gid;
        const mode_t kept = given ? 07777 : same_group ? 0777 : 0707;
        return ::fchmod(fd, from.st_mode & kept) == 0 ? 0 : errno;
    }

    virtual int flush(int fd) { return detail::flush_retry(fd); }

    /// Makes renames and removals in a directory survive a power cut.
    virtual int flush_directory(const path& directory) {
        const detail::descriptor dir(
            detail::open_retry(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY));
        if (!dir.valid()) return errno == EACCES ? 0 : errno; // it may be writable and not readable
        const int failed = detail::flush_retry(dir.get());
        return failed == ENOTSUP ? 0 : failed;
    }

    /// EEXIST when there is something of the new name.
    virtual int rename_new(const path& from, const path& to) {
        return detail::rename_no_replace(from.c_str(), to.c_str());
    }

    virtual int rename_over(const path& from, const path& to) {
        return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
    }

    /// EEXIST when there is something of that name.
    virtual int make_directory(const path& name) { return ::mkdir(name.c_str(), 0777) == 0 ? 0 : errno; }

    /// ENOTEMPTY when something is in it.
    virtual int remove_directory(const path& name) { return ::rmdir(name.c_str()) == 0 ? 0 : errno; }

    virtual int remove(const path& name) { return ::unlink(name.c_str()) == 0 ? 0 : errno; }
};

namespace detail {

/// A directory in which files are to be made. Throws: errc::io, errc::missing.
inline void require_writable(const std::filesystem::path& directory) {
    if (::access(directory.c_str(), W_OK | X_OK) != 0)
        throw system_error("write into the directory", directory.string(), errno);
}

/// The size of an open file, which is a file and has no other name by which it would be changed, too.
/// Throws: errc::exists, errc::io.
inline std::uint64_t require_lone_file(int fd, const std::string& name) {
    struct stat facts {};
    if (::fstat(fd, &facts) != 0) throw system_error("look at the file", name, errno);
    if (!S_ISREG(facts.st_mode)) throw system_error("open the file", name, EEXIST);
    if (facts.st_nlink > 1)
        throw error(errc::exists, "the file has a second name").in_file(name).with_hint("remove this one");
    return static_cast<std::uint64_t>(facts.st_size);
}

/// Writes everything, through short writes and signals. Throws: errc::io.
inline void write_all_at(file_operations& operations, int fd, bytes_view bytes, std::uint64_t offset,
                         const std::string& name) {
    while (!bytes.empty()) {
        const std::int64_t n = operations.write_at(fd, bytes, offset);
        if (n == -EINTR) continue;
        if (n < 0) throw system_error("write", name, static_cast<int>(-n)).at_offset(offset);
        // A write of nothing that calls itself a success would be tried forever.
        if (n == 0) throw system_error("write", name, ENOSPC).at_offset(offset);
        bytes = bytes.subspan(static_cast<std::size_t>(n));
        offset += static_cast<std::uint64_t>(n);
    }
}

} // namespace detail

} // namespace bigsmall::io
