// SPDX-License-Identifier: BSL-1.0
// A file that appears whole or not at all: written beside its place, flushed to disk, then renamed.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <random>
#include <string>
#include <utility>

#include <bigsmall/io/posix.hpp>
#include <bigsmall/io/sink.hpp>

namespace bigsmall::io {

enum class if_exists : std::uint8_t { refuse, replace };

namespace detail {

/// Renames without ever replacing; 0, or an errno (EEXIST when something is there).
inline int rename_no_replace(const char* from, const char* to) noexcept {
#if defined(__linux__) && defined(RENAME_NOREPLACE)
    if (::renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP) return errno;
#elif defined(__APPLE__) && defined(RENAME_EXCL)
    if (::renamex_np(from, to, RENAME_EXCL) == 0) return 0;
    if (errno != ENOTSUP && errno != EINVAL) return errno;
#endif
    // File systems without it: a hard link refuses an existing name as one step, too.
    if (::link(from, to) == 0) {
        if (::unlink(from) == 0) return 0;
        const int failed = errno;
        ::unlink(to);
        return failed;
    }
    if (errno != EPERM && errno != ENOSYS && errno != ENOTSUP && errno != EMLINK) return errno;
    // Neither (FAT): look first. Somebody quick enough could still slip in between.
    struct stat facts {};
    if (::lstat(to, &facts) == 0) return EEXIST;
    return ::rename(from, to) == 0 ? 0 : errno;
}

/// Makes a rename in `directory` survive a power cut, where the file system knows how.
inline void sync_directory(const std::filesystem::path& directory, const std::string& name) {
    const descriptor dir(open_retry(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY));
    if (!dir.valid()) return; // a directory may be writable and not readable
    const int failed = flush_retry(dir.get());
    if (failed != 0 && failed != ENOTSUP && failed != EROFS)
        throw system_error("flush the directory to disk", name, failed);
}

inline error already_there(const std::string& name) {
    error e(errc::exists, "the output is there already and is not overwritten");
    e.in_file(name);
    return e;
}

/// Whether a file may be written there; `name` is what errors call it. Throws: errc::exists when it is there and
/// `existing` is refuse; errc::invalid_argument when it is a directory or a device.
inline void check_output(const std::filesystem::path& target, if_exists existing, const std::string& name) {
    if (target.filename().empty() || target.filename() == "." || target.filename() == "..")
        throw error(errc::invalid_argument, "this is not the name of a file to write").in_file(name);
    struct stat facts {};
    if (::lstat(target.c_str(), &facts) != 0) return;
    // A rename over /dev/null would replace the device itself.
    if (::stat(target.c_str(), &facts) == 0 && !S_ISREG(facts.st_mode)) {
        const bool refuse = existing == if_exists::refuse;
        throw error(refuse ? errc::exists : errc::invalid_argument,
                    std::string("the output is there already and is ") +
                        (S_ISDIR(facts.st_mode) ? "a directory" : "not a regular file") + ", so it is never replaced")
            .in_file(name)
            .with_hint("choose another name for the output");
    }
    if (existing == if_exists::refuse) throw already_there(name);
}

} // namespace detail

/// Writes `.<name>.<random>.partial` beside the target and gives it the target's name on commit(). Without a
/// commit the destructor removes the temporary file, and the target is as it was.
class atomic_file final : public sink {
public:
    /// Throws: errc::exists when the target is there and `existing` is refuse; errc::invalid_argument when
    /// the target is a directory or a device; errc::missing when its directory is missing; errc::io.
    /// `shown_as` is what errors call the file, where that is not the target: a file in a hidden directory is better
    /// known by the name that it will get.
    atomic_file(std::filesystem::path target, if_exists existing, std::string shown_as = {})
        : target_(std::move(target)),
          name_(shown_as.empty() ? target_.string() : std::move(shown_as)),
          existing_(existing) {
        detail::check_output(target_, existing_, name_);
        buffer_.reserve(buffer_bytes); // no destructor would remove the file if this threw after it was made
        open_temporary();
    }

    ~atomic_file() override {
        if (!committed_) ::unlink(temporary_.c_str());
    }

    void write(bytes_view bytes) override {
        if (buffer_.size() + bytes.size() > buffer_bytes) flush();
        if (bytes.size() >= buffer_bytes)
            detail::write_all(file_.get(), bytes, name_);
        else
            buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
        position_ += bytes.size();
    }

    std::uint64_t position() const override { return position_; }

    /// Makes what was written so far readable under temporary(). Throws: errc::io.
    void flush() {
        detail::write_all(file_.get(), buffer_, name_);
        buffer_.clear();
    }

    /// Writes over bytes that were written already. Throws: errc::invalid_argument beyond them; errc::io.
    void overwrite(std::uint64_t offset, bytes_view bytes) {
        if (offset > position_ || bytes.size() > position_ - offset)
            throw error(errc::invalid_argument, "only what was written can be written over").in_file(name_);
        flush();
        while (!bytes.empty()) {
            const ssize_t n = ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) throw detail::system_error("write", name_, n < 0 ? errno : ENOSPC).at_offset(offset);
            bytes = bytes.subspan(static_cast<std::size_t>(n));
            offset += static_cast<std::uint64_t>(n);
        }
    }

    /// The name of the file while it is unfinished, for whoever wants to clean up from outside.
    const std::filesystem::path& temporary() const noexcept { return temporary_; }

    /// To the disk, still without its name. Throws: errc::io.
    void sync() {
        flush();
        if (const int failed = detail::flush_retry(file_.get()))
            throw detail::system_error("flush the file to disk", name_, failed);
    }

    /// Flushes to disk and renames. Once only; nothing may be written afterwards.
    /// Throws: errc::exists when the target has appeared meanwhile and is not to be replaced; errc::io.
    /// Guarantee: when it throws before the rename, the target is as it was.
    void commit() {
        sync();
        const int failed = existing_ == if_exists::refuse
                               ? detail::rename_no_replace(temporary_.c_str(), target_.c_str())
                           : ::rename(temporary_.c_str(), target_.c_str()) == 0 ? 0
                                                                                : errno;
        if (failed == EEXIST) throw detail::already_there(name_);
        if (failed != 0) throw detail::system_error("give the finished file its name", name_, failed);
        committed_ = true;
        detail::sync_directory(target_.parent_path(), name_);
    }

private:
    static constexpr std::size_t buffer_bytes = std::size_t{256} << 10;

    void open_temporary() {
        // Room for the dot, the random digits and ".partial" within the usual 255 bytes of a name.
        const std::string stem = target_.filename().string().substr(0, 200);
        std::random_device random;
        for (int attempt = 0; attempt < 16; ++attempt) {
            std::array<char, 20> digits{};
            std::snprintf(digits.data(), digits.size(), "%08x%08x", static_cast<unsigned>(random()),
                          static_cast<unsigned>(random()));
            temporary_ = target_.parent_path() / ("." + stem + "." + digits.data() + ".partial");
            file_ = detail::descriptor(detail::open_retry(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL, 0666));
            if (file_.valid()) return;
            if (errno != EEXIST) break;
        }
        throw detail::system_error("create the output file", name_, errno);
    }

    std::filesystem::path target_, temporary_;
    std::string name_;
    if_exists existing_;
    detail::descriptor file_;
    byte_buffer buffer_;
    std::uint64_t position_ = 0;
    bool committed_ = false;
};

} // namespace bigsmall::io
