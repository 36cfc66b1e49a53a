// SPDX-License-Identifier: BSL-1.0
// The directory beside an output in which an unfinished run keeps what it has done (docs/format/progress.md).
#pragma once

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

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
    std::filesystem::path named = output.has_filename() ? output : output.parent_path();
    std::error_code failed;
    if (named.filename() == "." || named.filename() == "..") named = std::filesystem::weakly_canonical(named, failed);
    return named.concat(".progress");
}

/// What lies in it: these two files, or of an output that is a directory, a directory of each.
inline constexpr std::string_view progress_log_name = "log", progress_payload_name = "payload";
inline constexpr std::string_view progress_logs_name = "bigsmall-logs", progress_payloads_name = "bigsmall-payloads";

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
            make(path_);
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
    std::filesystem::path logs() const { return path_ / progress_logs_name; }
    std::filesystem::path payloads() const { return path_ / progress_payloads_name; }

    /// Makes the directories of logs and of payloads, and the one in each that a file of that name, relative to it, is
    /// to lie in. Throws: errc::io.
    void make_place(const std::filesystem::path& name) {
        for (std::filesystem::path directory : {logs(), payloads()}) {
            make(directory);
            for (const std::filesystem::path& part : name.parent_path())
                make(directory /= part);
        }
    }

    /// Removes the logs and the payloads that have other names than these, relative to their directories, and what else
    /// lies there. The names of the logs among them. Throws: errc::io.
    std::vector<std::string> keep_only(const std::set<std::string>& names) {
        remove_below(payloads(), names);
        return remove_below(logs(), names);
    }

    /// Whether there is a log of a container of several. Throws: errc::io.
    bool has_logs() const {
        const std::vector<std::filesystem::directory_entry> found = all_below(logs());
        return std::any_of(found.begin(), found.end(), [](const auto& entry) { return !is_directory(entry); });
    }

    /// The log and the payload of that name. Throws: errc::io.
    void remove(const std::string& name) {
        remove_file(logs() / name);
        remove_file(payloads() / name);
    }

    /// With all that is in it. Throws: errc::io.
    void remove() {
        remove_file(log());
        remove_file(payload());
        keep_only({});
        for (const std::filesystem::path& directory : {logs(), payloads(), path_})
            remove_directory(directory);
    }

private:
    void remove_file(const std::filesystem::path& file) {
        const int failed = operations_.remove(file);
        if (failed != 0 && failed != ENOENT)
            throw detail::system_error("remove what an unfinished run has left", file.string(), failed);
    }

    /// What somebody else has put there meanwhile stays.
    void remove_directory(const std::filesystem::path& directory) {
        const int failed = operations_.remove_directory(directory);
        if (failed != 0 && failed != ENOENT && failed != ENOTEMPTY && failed != EEXIST)
            throw detail::system_error("remove a directory of the run", directory.string(), failed);
    }

    static bool is_directory(const std::filesystem::directory_entry& entry) { // not through a link
        return std::filesystem::is_directory(entry.symlink_status());
    }

    std::vector<std::string> remove_below(const std::filesystem::path& top, const std::set<std::string>& kept) {
        std::vector<std::string> removed;
        const std::vector<std::filesystem::directory_entry> found = all_below(top);
        for (auto at = found.rbegin(); at != found.rend(); ++at) { // what is in a directory before itself
            const std::string name = at->path().lexically_relative(top).generic_string();
            if (is_directory(*at)) {
                remove_directory(at->path());
            } else if (kept.count(name) == 0) {
                remove_file(at->path());
                removed.push_back(name);
            }
        }
        return removed;
    }

    /// Each directory in front of what is in it; nothing when `top` is not there. Throws: errc::io.
    std::vector<std::filesystem::directory_entry> all_below(const std::filesystem::path& top) const {
        std::error_code failed;
        std::vector<std::filesystem::directory_entry> found;
        for (std::filesystem::recursive_directory_iterator at(top, failed), end; !failed && at != end;
             at.increment(failed))
            found.push_back(*at);
        if (failed && failed != std::errc::no_such_file_or_directory)
            throw detail::system_error("read the directory", top.string(), failed.value());
        return found;
    }

    error refused(const std::string& why) const {
        error e(errc::exists, why);
        e.in_file(name_);
        return e;
    }

    void make(const std::filesystem::path& directory) {
        const int failed = operations_.make_directory(directory);
        if (failed != 0 && failed != EEXIST)
            throw detail::system_error("create the directory that keeps what is done", directory.string(), failed);
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
                if (name == progress_log_name || name == progress_payload_name) {
                    require_ours(std::filesystem::is_regular_file(entry.symlink_status()));
                    continue;
                }
                require_ours((name == progress_logs_name || name == progress_payloads_name) && is_directory(entry));
                for (const auto& below : all_below(entry.path()))
                    require_ours(is_directory(below) || std::filesystem::is_regular_file(below.symlink_status()));
            }
        } catch (const std::filesystem::filesystem_error& e) {
            throw detail::system_error("read the directory", name_, e.code().value());
        }
    }

    void require_ours(bool known) const {
        if (!known)
            throw refused("this directory holds what no run of this program has put there")
                .with_hint("move it away, or choose another output");
    }

    std::filesystem::path path_;
    std::string name_;
    file_operations& operations_;
    detail::descriptor directory_;
    uid_t owner_ = 0;
};

} // namespace bigsmall::io
