// SPDX-License-Identifier: BSL-1.0
// A disk that ends a change in place, or a run that can be resumed, at any step: by a kill, a power cut or an error.
#pragma once

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <random>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

#include <bigsmall/io/file_operations.hpp>

namespace in_place_test {

using namespace bigsmall;

enum class fault {
    none,
    kill,        ///< the process ends here, in the middle of a write
    sigkill,     ///< the same, but for real
    power_cut,   ///< the same, and of what was not flushed any part may be lost
    error,       ///< this step fails, those after it do not
    dead_device, ///< this step and all after it fail
};

/// Thrown where a process would have ended.
struct ended {};

/// The steps are those of the caller, each write cut into small ones, which a signal interrupts now and then.
class failing_disk final : public io::file_operations {
public:
    explicit failing_disk(fault kind = fault::none, std::size_t at = 0, std::uint32_t seed = 0)
        : kind_(kind), at_(at), random_(seed + 1) {}
    ~failing_disk() override { forget_names(); }

    bool struck() const { return struck_; }

    int create(const path& name) override {
        if (const int failed = step()) return -failed;
        // For reading as well: what is overwritten may have to come back.
        const int fd = io::detail::open_retry(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
        if (fd >= 0) names_.push_back({change_kind::create, {}, name, {}});
        return fd >= 0 ? fd : -errno;
    }

    int open_or_create(const path& name) override {
        if (const int failed = step()) return -failed;
        const bool is_new = !std::filesystem::exists(std::filesystem::symlink_status(name));
        const int fd = file_operations::open_or_create(name);
        if (is_new && fd >= 0) names_.push_back({change_kind::create, {}, name, {}});
        return fd;
    }

    int resize(int fd, std::uint64_t bytes) override {
        if (const int failed = step()) return failed;
        struct stat facts {};
        if (::fstat(fd, &facts) != 0) throw ended{};
        const auto before = static_cast<std::uint64_t>(facts.st_size);
        byte_buffer cut(before > bytes ? before - bytes : 0);
        if (::pread(fd, cut.data(), cut.size(), static_cast<off_t>(bytes)) < 0) throw ended{};
        written_.push_back({fd, bytes, std::move(cut)});
        return file_operations::resize(fd, bytes);
    }

    int make_directory(const path& name) override {
        if (const int failed = step()) return failed;
        const int failed = file_operations::make_directory(name);
        if (failed == 0) names_.push_back({change_kind::create, {}, name, {}});
        return failed;
    }

    int remove_directory(const path& name) override {
        if (const int failed = step()) return failed;
        const int failed = file_operations::remove_directory(name);
        if (failed == 0) names_.push_back({change_kind::remove_directory, {}, name, {}});
        return failed;
    }

    std::int64_t write_at(int fd, bytes_view bytes, std::uint64_t offset) override {
        if (!dead_ && ++writes_ % 5 == 0) return -EINTR;
        const std::size_t n = std::min(bytes.size(), most_written);
        const bool strikes = will_strike();
        if (strikes) record(fd, offset, bytes.first(n / 2));
        if (const int failed = step()) return -failed;
        record(fd, offset, bytes.first(n));
        return static_cast<std::int64_t>(n);
    }

    int copy_rights(int fd, const struct stat& from) override {
        const int failed = step();
        return failed != 0 ? failed : file_operations::copy_rights(fd, from);
    }

    int flush(int fd) override {
        if (const int failed = step()) return failed;
        std::erase_if(written_, [&](const old_bytes& old) { return old.fd == fd; });
        return 0; // nobody cuts the power of the test
    }

    int flush_directory(const path&) override {
        if (const int failed = step()) return failed;
        forget_names();
        return 0;
    }

    int rename_new(const path& from, const path& to) override {
        if (const int failed = step()) return failed;
        const int failed = file_operations::rename_new(from, to);
        if (failed == 0) names_.push_back({change_kind::rename, from, to, {}});
        return failed;
    }

    int rename_over(const path& from, const path& to) override {
        if (const int failed = step()) return failed;
        path saved;
        const bool over_directory = std::filesystem::is_directory(to);
        if (!over_directory && std::filesystem::exists(to)) {
            saved = saved_name(to);
            std::filesystem::create_hard_link(to, saved);
        }
        const int failed = file_operations::rename_over(from, to);
        if (failed != 0) {
            if (!saved.empty()) ::unlink(saved.c_str());
            return failed;
        }
        if (over_directory) names_.push_back({change_kind::remove_directory, {}, to, {}});
        names_.push_back({change_kind::rename, from, to, saved});
        return 0;
    }

    int remove(const path& name) override {
        if (const int failed = step()) return failed;
        if (!std::filesystem::exists(std::filesystem::symlink_status(name))) return ENOENT;
        const path saved = saved_name(name);
        if (::rename(name.c_str(), saved.c_str()) != 0) return errno;
        names_.push_back({change_kind::remove, {}, name, saved});
        return 0;
    }

private:
    static constexpr std::size_t most_written = 150;

    struct old_bytes {
        int fd;
        std::uint64_t offset;
        byte_buffer bytes;
    };
    enum class change_kind { create, rename, remove, remove_directory };
    struct name_change {
        change_kind kind;
        path from, to;
        path saved; ///< what was there
    };

    /// On the same file system, but not beside the file, nor in what a run keeps.
    path saved_name(const path& name) {
        path aside = name.parent_path();
        while (aside.native().find(".progress") != path::string_type::npos)
            aside = aside.parent_path();
        return aside.parent_path() /
               ("bigsmall-disk-" + std::to_string(::getpid()) + "-" + std::to_string(next_saved_++));
    }

    void forget_names() {
        for (const name_change& change : names_)
            if (!change.saved.empty()) ::unlink(change.saved.c_str());
        names_.clear();
    }

    bool will_strike() const { return !dead_ && kind_ != fault::none && steps_ == at_; }

    int step() {
        if (dead_) return EIO;
        if (!will_strike()) {
            ++steps_;
            return 0;
        }
        ++steps_;
        struck_ = true;
        if (kind_ == fault::error) return ENOSPC;
        dead_ = true;
        if (kind_ == fault::dead_device) return EIO;
        if (kind_ == fault::sigkill) ::kill(::getpid(), SIGKILL);
        if (kind_ == fault::power_cut) lose_unflushed();
        throw ended{};
    }

    /// Writes, and keeps what was there. What was behind the end of the file is zeros.
    void record(int fd, std::uint64_t offset, bytes_view bytes) {
        byte_buffer old(bytes.size());
        if (::pread(fd, old.data(), old.size(), static_cast<off_t>(offset)) < 0) throw ended{};
        written_.push_back({fd, offset, std::move(old)});
        if (::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)) < 0) throw ended{};
    }

    /// A file system keeps the order of names; what was written comes in any order, or not.
    void lose_unflushed() {
        for (; !written_.empty(); written_.pop_back())
            if (random_() % 3 != 0) lose(written_.back());
        for (std::size_t lost = random_() % (names_.size() + 1); lost > 0; --lost) {
            take_back(names_.back());
            names_.pop_back();
        }
    }

    static void lose(const old_bytes& old) {
        if (::pwrite(old.fd, old.bytes.data(), old.bytes.size(), static_cast<off_t>(old.offset)) < 0) throw ended{};
    }

    static void take_back(const name_change& change) {
        if (change.kind == change_kind::rename) ::rename(change.to.c_str(), change.from.c_str());
        std::error_code in_use; // a directory in which others have put what is on the disk already
        if (change.kind == change_kind::create) std::filesystem::remove(change.to, in_use);
        if (change.kind == change_kind::remove_directory) std::filesystem::create_directory(change.to);
        if (!change.saved.empty()) std::filesystem::rename(change.saved, change.to);
    }

    fault kind_;
    std::size_t at_, steps_ = 0, writes_ = 0, next_saved_ = 0;
    std::mt19937 random_;
    bool struck_ = false, dead_ = false;
    std::vector<old_bytes> written_; ///< not flushed
    std::vector<name_change> names_; ///< not flushed
};

} // namespace in_place_test
