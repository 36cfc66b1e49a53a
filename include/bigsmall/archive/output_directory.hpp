// SPDX-License-Identifier: BSL-1.0
// A directory of outputs of which nothing is seen until all of it is there.
#pragma once

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <random>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <sys/stat.h>

#include <bigsmall/core/error.hpp>
#include <bigsmall/io/atomic_file.hpp>
#include <bigsmall/io/file_operations.hpp>
#include <bigsmall/io/posix.hpp>

namespace bigsmall::archive {

/// Files are written into a hidden directory. A target that does not exist yet then appears by one rename;
/// into one that exists, the files are moved one by one, each replaced whole, other files left alone. Without
/// a commit the destructor removes the hidden directory, and the target is as it was.
class output_directory {
public:
    /// Throws: errc::exists when the target is a directory that is not empty and `existing` is refuse, or is
    /// no directory; errc::invalid_argument for the latter when it is replace; errc::missing when its parent is
    /// missing; errc::io.
    output_directory(const std::filesystem::path& target, io::if_exists existing)
        : output_directory(target, existing, {}, nullptr) {
        make_staging();
    }

    /// The files are written into the directory `kept`, on the same file system as the target, and stay there without a
    /// commit. The caller makes it. An empty target is replaced by one rename, too, if it has the owner and the rights
    /// of a new one. `operations`, borrowed, do what is done at a commit; the system's own when null. Throws: the same.
    output_directory(const std::filesystem::path& target, io::if_exists existing, std::filesystem::path kept,
                     io::file_operations* operations)
        : target_(without_trailing_slash(target)),
          staging_(std::move(kept)),
          operations_(operations != nullptr ? *operations : own_operations_),
          existing_(existing),
          keep_(!staging_.empty()) {
        namespace fs = std::filesystem;
        std::error_code failed;
        merge_ = fs::is_directory(target_, failed);
        if (!merge_ && fs::exists(fs::symlink_status(target_, failed)))
            throw in_the_way("the output must be a directory, but a file is there, which is never replaced by one",
                             target_);
        if (merge_ && existing_ == io::if_exists::refuse && !fs::is_empty(target_, failed))
            throw error(errc::exists, "the output directory is there already and is not empty")
                .in_file(target_.string());
    }

    output_directory(const output_directory&) = delete;
    output_directory& operator=(const output_directory&) = delete;

    ~output_directory() {
        std::error_code ignored;
        if (!committed_ && !keep_) std::filesystem::remove_all(staging_, ignored);
    }

    /// Where to write the file that is to be called `name` (relative, safe, '/' between parts). Makes the
    /// directories above it. Throws: errc::io.
    std::filesystem::path place(const std::string& name) {
        const std::filesystem::path path = staging_ / name;
        make_directories(staging_, std::filesystem::path(name).parent_path());
        // An earlier run may have put it there, and nobody knows what of that is on the disk.
        if (keep_)
            for (auto at = path.parent_path(); at != staging_; at = at.parent_path())
                changed_.insert(at);
        names_.push_back(name);
        return path;
    }

    /// The file of that name, for which place() has given a place, is not to appear after all.
    void give_up(const std::string& name) {
        std::error_code ignored;
        std::filesystem::remove(staging_ / name, ignored);
        std::erase(names_, name);
    }

    /// The directory that is asked for.
    const std::filesystem::path& target() const noexcept { return target_; }

    /// Where that file will be after commit().
    std::filesystem::path final_path(const std::string& name) const { return target_ / name; }

    /// Shows the files under their names. Throws: errc::exists, errc::io. Guarantee: a new directory appears
    /// whole or not at all; in an existing one, each file does.
    void commit() {
        if (merge_ && !(keep_ && replaces_empty()))
            move_files();
        else if (!merge_)
            rename_all();
        committed_ = true;
    }

private:
    /// Something of another kind, which replacing does not cover.
    error in_the_way(const char* what, const std::filesystem::path& path) const {
        error e(existing_ == io::if_exists::refuse ? errc::exists : errc::invalid_argument, what);
        e.in_file(path.string()).with_hint("choose another name for the output");
        return e;
    }

    static std::filesystem::path without_trailing_slash(const std::filesystem::path& path) {
        return path.has_filename() || !path.has_relative_path() ? path : path.parent_path();
    }

    void make_staging() {
        std::random_device random;
        std::array<char, 20> digits{};
        std::snprintf(digits.data(), digits.size(), "%08x%08x", static_cast<unsigned>(random()),
                      static_cast<unsigned>(random()));
        const std::string stem = merge_ ? "bigsmall" : target_.filename().string().substr(0, 200);
        // Inside an existing target, which may be the root of a file system, else beside the new one.
        std::filesystem::path hidden =
            (merge_ ? target_ : target_.parent_path()) / ("." + stem + "." + digits.data() + ".partial");
        std::error_code failed;
        if (!std::filesystem::create_directory(hidden, failed))
            throw io::detail::system_error("create the output directory", target_.string(),
                                           failed ? failed.value() : EEXIST);
        staging_ = std::move(hidden); // from now on the destructor removes it
    }

    /// Makes `below`, relative to `root`, and remembers what has got a new entry: a directory's entries survive a power
    /// cut only when it is flushed itself.
    void make_directories(const std::filesystem::path& root, const std::filesystem::path& below) {
        std::filesystem::path parent = root;
        for (const std::filesystem::path& part : below) {
            const std::filesystem::path path = parent / part;
            std::error_code failed;
            if (std::filesystem::create_directory(path, failed)) {
                changed_.insert(parent);
                changed_.insert(path);
            }
            if (failed)
                throw io::detail::system_error("create a directory", (target_ / below).string(), failed.value());
            parent = path;
        }
    }

    void sync(const std::filesystem::path& directory) {
        const int failed = operations_.flush_directory(directory);
        if (failed != 0 && failed != ENOENT) // what was moved may have been all that it held
            throw io::detail::system_error("flush the directory to disk", target_.string(), failed);
    }

    void sync_changed() {
        for (const std::filesystem::path& path : changed_)
            sync(path);
        changed_.clear();
    }

    void rename_all() {
        changed_.insert(staging_);
        sync_changed();
        const int failed = operations_.rename_new(staging_, target_);
        if (failed == EEXIST)
            throw error(errc::exists, "the output directory has appeared meanwhile").in_file(target_.string());
        if (failed != 0)
            throw io::detail::system_error("give the finished directory its name", target_.string(), failed);
        sync(target_.parent_path());
    }

    /// An empty target gets all files at once, where nobody could tell that it is another directory then.
    bool replaces_empty() {
        struct stat there {
        }, fresh{};
        std::error_code failed;
        if (!std::filesystem::is_empty(target_, failed) || failed || ::lstat(target_.c_str(), &there) != 0 ||
            ::lstat(staging_.c_str(), &fresh) != 0)
            return false;
        if (there.st_mode != fresh.st_mode || there.st_uid != fresh.st_uid || there.st_gid != fresh.st_gid)
            return false;
        changed_.insert(staging_);
        sync_changed();
        if (operations_.rename_over(staging_, target_) != 0) return false; // it holds something, or is held
        sync(target_.parent_path());
        return true;
    }

    void move_files() {
        for (const std::string& name : names_)
            check_target(final_path(name));
        for (const std::string& name : names_) {
            const std::filesystem::path to = final_path(name), from = staging_ / name;
            make_directories(target_, std::filesystem::path(name).parent_path());
            const int failed = existing_ == io::if_exists::refuse ? operations_.rename_new(from, to)
                                                                  : operations_.rename_over(from, to);
            if (failed != 0) throw io::detail::system_error("give the finished file its name", to.string(), failed);
            changed_.insert(to.parent_path());
        }
        sync_changed();
        std::error_code ignored;
        std::filesystem::remove_all(staging_, ignored);
    }

    // Before the first file is moved, so that a directory in the way of the last leaves all as it was.
    void check_target(const std::filesystem::path& path) const {
        std::error_code failed;
        const auto status = std::filesystem::symlink_status(path, failed);
        if (std::filesystem::is_directory(status))
            throw in_the_way("a directory is where an output file is to be, which never replaces one", path);
    }

    std::filesystem::path target_, staging_;
    io::file_operations own_operations_;
    io::file_operations& operations_;
    io::if_exists existing_;
    std::vector<std::string> names_;
    std::set<std::filesystem::path> changed_; ///< directories with entries that are not flushed yet
    bool keep_;                               ///< what is in staging_ outlives this
    bool merge_ = false;
    bool committed_ = false;
};

} // namespace bigsmall::archive
