// SPDX-License-Identifier: BSL-1.0
// A library to preload: makes one system call of a program on files fail, fall short, be interrupted or be the last
// one. The environment says which:
//   BIGSMALL_FAULT       eio | enospc (from there on) | eintr | short | kill, or count
//   BIGSMALL_FAULT_AT    the number of the call, from 1, among those that this fault can meet
//   BIGSMALL_FAULT_DIR   calls count when they are on files below this directory; relative names count always
//   BIGSMALL_FAULT_LOG   a file that gets the number of calls that were counted, and the name of the one that was met
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

namespace {

template <class F>
F* real(const char* name) {
    return reinterpret_cast<F*>(dlsym(RTLD_NEXT, name));
}

enum class fault { none, count, eio, enospc, eintr, short_count, kill };
enum what : unsigned { reads = 1, writes = 2, transfers = 4, interruptible = 8 }; // what a call is

struct settings {
    fault kind = fault::none;
    long at = 0;
    std::string_view directory;
    const char* log = nullptr;

    settings() {
        const char* kind_text = std::getenv("BIGSMALL_FAULT");
        if (kind_text == nullptr) return;
        const std::string_view text = kind_text;
        kind = text == "eio"      ? fault::eio
               : text == "enospc" ? fault::enospc
               : text == "eintr"  ? fault::eintr
               : text == "short"  ? fault::short_count
               : text == "kill"   ? fault::kill
                                  : fault::count;
        if (const char* number = std::getenv("BIGSMALL_FAULT_AT")) at = std::atol(number);
        if (const char* place = std::getenv("BIGSMALL_FAULT_DIR")) directory = place;
        log = std::getenv("BIGSMALL_FAULT_LOG");
    }
};

const settings& asked() {
    static const settings s;
    return s;
}

std::atomic<long> counted{0};
std::atomic<const char*> met{nullptr};
constexpr int most_files = 4096;
std::atomic<bool> watched[most_files];

bool is_watched(int fd) { return fd >= 0 && fd < most_files && watched[fd]; }

bool is_watched(const char* path) {
    if (path == nullptr || asked().kind == fault::none) return false;
    const std::string_view name = path;
    return !name.starts_with('/') || (!asked().directory.empty() && name.starts_with(asked().directory));
}

bool can_meet(unsigned call) {
    switch (asked().kind) {
    case fault::none: return false;
    case fault::enospc: return (call & writes) != 0;
    case fault::eintr: return (call & interruptible) != 0;
    case fault::short_count: return (call & transfers) != 0;
    case fault::count:
    case fault::eio:
    case fault::kill: return true;
    }
    return false;
}

/// True when this call is to meet the fault. A full disk stays full.
bool meets(const char* name, unsigned call) {
    if (!can_meet(call)) return false;
    const long number = ++counted;
    if (asked().at == 0 || number < asked().at) return false;
    if (number > asked().at && asked().kind != fault::enospc) return false;
    if (met == nullptr) met = name;
    if (asked().kind == fault::kill) ::raise(SIGKILL);
    return asked().kind != fault::count;
}

/// Sets errno where the fault is one that fails.
bool fails(const char* name, unsigned call) {
    if (asked().kind == fault::short_count || !meets(name, call)) return false;
    errno = asked().kind == fault::enospc ? ENOSPC : asked().kind == fault::eintr ? EINTR : EIO;
    return true;
}

std::size_t shortened(const char* name, unsigned call, std::size_t bytes) {
    if (asked().kind != fault::short_count || bytes < 2 || !meets(name, call)) return bytes;
    return bytes / 2;
}

struct report_at_exit {
    ~report_at_exit() {
        if (asked().kind == fault::none || asked().log == nullptr) return;
        const int fd = real<int(const char*, int, ...)>("open")(asked().log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        char text[128];
        const char* name = met;
        const int length = std::snprintf(text, sizeof text, "%ld %s\n", counted.load(), name == nullptr ? "-" : name);
        if (fd >= 0 && length > 0)
            (void)!real<ssize_t(int, const void*, std::size_t)>("write")(fd, text, static_cast<std::size_t>(length));
    }
} report;

int watch(int fd, const char* path) {
    if (fd >= 0 && fd < most_files) watched[fd] = is_watched(path);
    return fd;
}

// Directories are not what signals interrupt, and the C++ library would not try again.
unsigned opens(int flags) {
    const unsigned kind = (flags & O_CREAT) != 0 ? writes : reads;
    return (flags & O_DIRECTORY) != 0 ? kind : kind | interruptible;
}

} // namespace

// NOLINTBEGIN: these are the C library's names.
extern "C" {

#define OPEN(NAME)                                                                                                     \
    int NAME(const char* path, int flags, ...) {                                                                       \
        va_list more;                                                                                                  \
        va_start(more, flags);                                                                                         \
        const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;                                         \
        va_end(more);                                                                                                  \
        if (is_watched(path) && fails("open", opens(flags))) return -1;                                                \
        return watch(real<int(const char*, int, ...)>(#NAME)(path, flags, mode), path);                                \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(NAME)                                                                                                   \
    int NAME(int dir, const char* path, int flags, ...) {                                                              \
        va_list more;                                                                                                  \
        va_start(more, flags);                                                                                         \
        const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(more, mode_t) : 0;                                         \
        va_end(more);                                                                                                  \
        if (is_watched(path) && fails("openat", opens(flags))) return -1;                                              \
        return watch(real<int(int, const char*, int, ...)>(#NAME)(dir, path, flags, mode), path);                      \
    }
OPENAT(openat)
OPENAT(openat64)

int close(int fd) {
    if (fd >= 0 && fd < most_files) watched[fd] = false;
    return real<int(int)>("close")(fd);
}

ssize_t read(int fd, void* to, std::size_t bytes) {
    if (is_watched(fd)) {
        if (fails("read", reads | transfers | interruptible)) return -1;
        bytes = shortened("read", reads | transfers, bytes);
    }
    return real<ssize_t(int, void*, std::size_t)>("read")(fd, to, bytes);
}

ssize_t write(int fd, const void* from, std::size_t bytes) {
    if (is_watched(fd)) {
        if (fails("write", writes | transfers | interruptible)) return -1;
        bytes = shortened("write", writes | transfers, bytes);
    }
    return real<ssize_t(int, const void*, std::size_t)>("write")(fd, from, bytes);
}

#define PREAD(NAME, OFFSET)                                                                                            \
    ssize_t NAME(int fd, void* to, std::size_t bytes, OFFSET offset) {                                                 \
        if (is_watched(fd)) {                                                                                          \
            if (fails("pread", reads | transfers | interruptible)) return -1;                                          \
            bytes = shortened("pread", reads | transfers, bytes);                                                      \
        }                                                                                                              \
        return real<ssize_t(int, void*, std::size_t, OFFSET)>(#NAME)(fd, to, bytes, offset);                           \
    }
PREAD(pread, off_t)
PREAD(pread64, off64_t)

#define PWRITE(NAME, OFFSET)                                                                                           \
    ssize_t NAME(int fd, const void* from, std::size_t bytes, OFFSET offset) {                                         \
        if (is_watched(fd)) {                                                                                          \
            if (fails("pwrite", writes | transfers | interruptible)) return -1;                                        \
            bytes = shortened("pwrite", writes | transfers, bytes);                                                    \
        }                                                                                                              \
        return real<ssize_t(int, const void*, std::size_t, OFFSET)>(#NAME)(fd, from, bytes, offset);                   \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

int fsync(int fd) {
    if (is_watched(fd) && fails("fsync", writes | interruptible)) return -1;
    return real<int(int)>("fsync")(fd);
}

int fdatasync(int fd) {
    if (is_watched(fd) && fails("fdatasync", writes | interruptible)) return -1;
    return real<int(int)>("fdatasync")(fd);
}

#define TRUNCATE(NAME, OFFSET)                                                                                         \
    int NAME(int fd, OFFSET bytes) {                                                                                   \
        if (is_watched(fd) && fails("ftruncate", writes)) return -1;                                                   \
        return real<int(int, OFFSET)>(#NAME)(fd, bytes);                                                               \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

int fchmod(int fd, mode_t mode) {
    if (is_watched(fd) && fails("fchmod", 0)) return -1;
    return real<int(int, mode_t)>("fchmod")(fd, mode);
}

int rename(const char* from, const char* to) {
    if (is_watched(to) && fails("rename", writes)) return -1;
    return real<int(const char*, const char*)>("rename")(from, to);
}

int renameat2(int from_dir, const char* from, int to_dir, const char* to, unsigned flags) {
    if (is_watched(to) && fails("renameat2", writes)) return -1;
    return real<int(int, const char*, int, const char*, unsigned)>("renameat2")(from_dir, from, to_dir, to, flags);
}

int link(const char* from, const char* to) {
    if (is_watched(to) && fails("link", writes)) return -1;
    return real<int(const char*, const char*)>("link")(from, to);
}

int unlink(const char* path) {
    if (is_watched(path) && fails("unlink", 0)) return -1;
    return real<int(const char*)>("unlink")(path);
}

int unlinkat(int dir, const char* path, int flags) {
    if (is_watched(path) && fails("unlinkat", 0)) return -1;
    return real<int(int, const char*, int)>("unlinkat")(dir, path, flags);
}

int remove(const char* path) {
    if (is_watched(path) && fails("remove", 0)) return -1;
    return real<int(const char*)>("remove")(path);
}

int mkdir(const char* path, mode_t mode) {
    if (is_watched(path) && fails("mkdir", writes)) return -1;
    return real<int(const char*, mode_t)>("mkdir")(path, mode);
}

} // extern "C"
// NOLINTEND
