// SPDX-License-Identifier: BSL-1.0
// A second name for a file that is about to be replaced.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <string>

#include <sys/stat.h>
#include <unistd.h>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/atomic_file.hpp>
#include <bigsmall/io/file_source.hpp>
#include <bigsmall/io/posix.hpp>

namespace bigsmall::io {

inline std::filesystem::path backup_of(const std::filesystem::path& file) {
    return std::filesystem::path(file).concat(".bak");
}

/// Throws errc::exists when a backup is there that is not to be replaced.
inline void require_no_backup(const std::filesystem::path& file, if_exists existing) {
    struct stat facts {};
    if (existing == if_exists::replace || ::lstat(backup_of(file).c_str(), &facts) != 0) return;
    throw error(errc::exists, "the backup of an earlier run is there already")
        .in_file(backup_of(file).string())
        .with_hint("-f replaces it, --no-backup makes none");
}

namespace detail {

/// Where there are no hard links. Throws: errc::io.
inline void copy_to_backup(const std::filesystem::path& file, if_exists existing) {
    const file_source from(file);
    atomic_file to(backup_of(file), existing);
    byte_buffer piece(std::size_t{1} << 20);
    for (std::uint64_t done = 0; done < from.size();) {
        const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), from.size() - done));
        from.read(done, bytes_span(piece).first(now));
        to.write(bytes_view(piece).first(now));
        done += now;
    }
    to.commit();
}

} // namespace detail

/// Gives a file a second name, or copies it where the file system has no hard links. An older backup, if it may be
/// replaced, is there until the new one is. Throws: errc::exists, errc::io.
inline void make_backup(const std::filesystem::path& file, if_exists existing) {
    const std::filesystem::path backup = backup_of(file), fresh = std::filesystem::path(backup).concat(".partial");
    require_no_backup(file, existing);
    ::unlink(fresh.c_str());
    if (::link(file.c_str(), fresh.c_str()) != 0) {
        if (errno == EPERM || errno == ENOSYS || errno == ENOTSUP || errno == EMLINK)
            return detail::copy_to_backup(file, existing);
        throw detail::system_error("make the backup", backup.string(), errno);
    }
    const int failed = ::rename(fresh.c_str(), backup.c_str()) == 0 ? 0 : errno;
    ::unlink(fresh.c_str()); // still there when both were names of one file already
    if (failed != 0) throw detail::system_error("make the backup", backup.string(), failed);
    detail::sync_directory(backup.parent_path(), backup.string());
}

/// A new file may be read by nobody who could not read the one that it replaces. Throws: errc::io.
inline void copy_permissions(const std::filesystem::path& from, const std::filesystem::path& to) {
    struct stat facts {};
    if (::stat(from.c_str(), &facts) != 0 || ::chmod(to.c_str(), facts.st_mode & 0777) != 0)
        throw detail::system_error("take over the permissions", from.string(), errno);
}

} // namespace bigsmall::io
