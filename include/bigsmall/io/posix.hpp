// SPDX-License-Identifier: BSL-1.0
// The little that file sources and sinks share: an owned descriptor, and errno in words.
#pragma once

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>

namespace bigsmall::io::detail {

/// An error for a failed system call: "cannot <doing>: <what the system says>".
inline error system_error(const std::string& doing, const std::string& name, int number) {
    const errc code = number == ENOENT || number == ENOTDIR ? errc::missing
                      : number == EEXIST                    ? errc::exists
                                                            : errc::io;
    error e(code, "cannot " + doing + ": " + std::generic_category().message(number));
    e.in_file(name);
    return e;
}

/// A file descriptor that closes itself.
class descriptor {
public:
    descriptor() = default;
    explicit descriptor(int fd) noexcept : fd_(fd) {}
    descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    descriptor& operator=(descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    descriptor(const descriptor&) = delete;
    descriptor& operator=(const descriptor&) = delete;
    ~descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }

    int get() const noexcept { return fd_; }
    bool valid() const noexcept { return fd_ >= 0; }

private:
    int fd_ = -1;
};

/// open(2) that starts again when a signal interrupts it; -1 and errno on failure.
inline int open_retry(const char* path, int flags, mode_t mode = 0) noexcept {
    int fd = -1;
    do
        fd = ::open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

/// fsync(2) that starts again when a signal interrupts it; 0, also where the file system has nothing to flush, or an
/// errno.
inline int flush_retry(int fd) noexcept {
    while (::fsync(fd) != 0) {
        if (errno == EINVAL) return 0;
        if (errno != EINTR) return errno;
    }
    return 0;
}

/// Writes everything, through short writes, signals and non-blocking pipes; 0, or the errno of the write that failed.
inline int try_write_all(int fd, bytes_view bytes) noexcept {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n >= 0) {
            bytes = bytes.subspan(static_cast<std::size_t>(n));
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            pollfd waiting{fd, POLLOUT, 0};
            ::poll(&waiting, 1, -1);
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

/// The same. Throws: errc::io.
inline void write_all(int fd, bytes_view bytes, const std::string& name) {
    if (const int failed = try_write_all(fd, bytes)) throw system_error("write", name, failed);
}

} // namespace bigsmall::io::detail
