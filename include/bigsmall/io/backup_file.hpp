// SPDX-License-Identifier: BSL-1.0
// A second name for a file that is about to be replaced.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <random>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/atomic_file.hpp>
#include <bigsmall/io/file_operations.hpp>
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

/// A new file may be read by nobody who could not read the one that it replaces. Throws: errc::io.
inline void copy_permissions(const std::filesystem::path& from, const std::filesystem::path& to) {
    struct stat facts {};
    const detail::descriptor made(detail::open_retry(to.c_str(), O_WRONLY | O_NOFOLLOW));
    const bool known = made.valid() && ::stat(from.c_str(), &facts) == 0;
    const int failed = known ? file_operations().copy_rights(made.get(), facts) : errno;
    if (failed != 0) throw detail::system_error("take over the permissions", from.string(), failed);
}

namespace detail {

/// A hidden name that nothing has.
inline std::filesystem::path free_name_beside(const std::filesystem::path& backup) {
    std::random_device random;
    const std::string name = "." + backup.filename().string().substr(0, 200) + "." + std::to_string(random());
    return backup.parent_path() / (name + ".partial");
}

/// Where there are no hard links. Throws: errc::io.
inline void copy_to_backup(const std::filesystem::path& file, if_exists existing) {
    const file_source from(file);
    atomic_file to(backup_of(file), existing);
    copy_permissions(file, to.temporary());
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
    const std::filesystem::path backup = backup_of(file);
    // Where an older one may not be replaced, its own name says whether it is there, in one step.
    const std::filesystem::path linked = existing == if_exists::refuse ? backup : detail::free_name_beside(backup);
    if (::link(file.c_str(), linked.c_str()) != 0) {
        if (errno == EEXIST) require_no_backup(file, existing);
        if (errno == EPERM || errno == ENOSYS || errno == ENOTSUP || errno == EMLINK)
            return detail::copy_to_backup(file, existing);
        throw detail::system_error("make the backup", backup.string(), errno);
    }
    if (linked != backup) {
        const int failed = ::rename(linked.c_str(), backup.c_str()) == 0 ? 0 : errno;
        ::unlink(linked.c_str()); // still there when both were names of one file already
        if (failed != 0) throw detail::system_error("make the backup", backup.string(), failed);
    }
    detail::sync_directory(backup.parent_path(), backup.string());
}

} // namespace bigsmall::io
