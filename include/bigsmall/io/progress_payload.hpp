// SPDX-License-Identifier: BSL-1.0
// The output of a run that can be resumed, while it is not whole.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

#include <unistd.h>

#include <bigsmall/core/units.hpp>
#include <bigsmall/io/atomic_file.hpp>
#include <bigsmall/io/file_operations.hpp>
#include <bigsmall/io/posix.hpp>
#include <bigsmall/io/sink.hpp>

namespace bigsmall::io {

/// Thrown where what an unfinished run has left does not fit what is to be written; `why` is for people. Whoever
/// resumes catches it and starts over.
struct stale_progress {
    std::string why;
};

/// Append only, behind what is kept of the run before.
class progress_payload final : public sink {
public:
    /// Opens the file, or makes it. `shown_as` is what errors call it. Throws: errc::io.
    progress_payload(std::filesystem::path path, std::string shown_as, file_operations& operations)
        : path_(std::move(path)), name_(std::move(shown_as)), operations_(operations) {
        buffer_.reserve(buffer_bytes);
        const int fd = operations_.open_or_create(path_);
        if (fd < 0) throw detail::system_error("open the unfinished output", name_, -fd);
        file_ = detail::descriptor(fd);
        // Where renames cannot refuse to replace, a run that was killed has left two names: the other is the output's.
        file_bytes_ = detail::require_lone_file(fd, path_.string());
    }

    /// Of the file, what will be cut off included.
    std::uint64_t file_bytes() const noexcept { return file_bytes_; }

    /// Throws: errc::truncated, errc::io.
    void read(std::uint64_t offset, bytes_span to) const {
        while (!to.empty()) {
            const ssize_t n = ::pread(file_.get(), to.data(), to.size(), static_cast<off_t>(offset));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) throw detail::system_error("read", path_.string(), errno).at_offset(offset);
            if (n == 0) throw error(errc::truncated, "the file ends too early").in_file(path_.string());
            to = to.subspan(static_cast<std::size_t>(n));
            offset += static_cast<std::uint64_t>(n);
        }
    }

    /// Starts from the beginning. What is written in front of `passed_over` must be there already, and what follows, up
    /// to `end`, was checked by the caller: it is not written again, whatever it is. What lies behind is cut off.
    void keep(std::uint64_t passed_over, std::uint64_t end) {
        buffer_.clear();
        position_ = 0;
        passed_over_ = passed_over;
        kept_ = end;
        if (file_bytes_ == end) return;
        if (const int failed = operations_.resize(file_.get(), end))
            throw detail::system_error("cut off what is not whole", path_.string(), failed);
        file_bytes_ = end;
    }

    /// Throws: errc::io; stale_progress when what is kept is something else.
    void write(bytes_view bytes) override {
        if (position_ < kept_) return pass(bytes);
        if (buffer_.size() + bytes.size() > buffer_bytes) flush();
        if (bytes.size() >= buffer_bytes)
            detail::write_all_at(operations_, file_.get(), bytes, position_, name_);
        else
            buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
        position_ += bytes.size();
        file_bytes_ = std::max(file_bytes_, position_);
    }

    std::uint64_t position() const override { return position_; }

    /// Hands everything to the system, where a kill does not reach it. Throws: errc::io.
    void flush() {
        detail::write_all_at(operations_, file_.get(), buffer_, position_ - buffer_.size(), name_);
        buffer_.clear();
    }

    /// To the disk. Throws: errc::io.
    void sync() {
        flush();
        if (const int failed = operations_.flush(file_.get()))
            throw detail::system_error("flush the file to disk", name_, failed);
    }

    /// Gives it its name. Throws: errc::exists when something has it and is not to be replaced; errc::io.
    void commit(const std::filesystem::path& to, if_exists existing) {
        sync();
        const int failed =
            existing == if_exists::refuse ? operations_.rename_new(path_, to) : operations_.rename_over(path_, to);
        if (failed == EEXIST) throw detail::already_there(name_);
        if (failed != 0) throw detail::system_error("give the finished file its name", name_, failed);
        // A directory may be writable and not readable.
        if (const int unflushed = operations_.flush_directory(to.parent_path()); unflushed != 0 && unflushed != EACCES)
            throw detail::system_error("flush the directory to disk", name_, unflushed);
    }

private:
    static constexpr std::size_t buffer_bytes = std::size_t{256} * KiB;

    void pass(bytes_view bytes) {
        const std::uint64_t end = position_ + bytes.size();
        if (end > kept_ || (position_ < passed_over_ && end > passed_over_)) throw other_payload();
        if (position_ < passed_over_) compare(bytes);
        position_ = end;
    }

    void compare(bytes_view bytes) const {
        byte_buffer there(std::min(bytes.size(), buffer_bytes));
        for (std::size_t at = 0; at < bytes.size(); at += there.size()) {
            const bytes_view piece = bytes.subspan(at, std::min(there.size(), bytes.size() - at));
            read(position_ + at, bytes_span(there).first(piece.size()));
            if (!std::equal(piece.begin(), piece.end(), there.begin())) throw other_payload();
        }
    }

    static stale_progress other_payload() { return {"what was written is not what this run would write"}; }

    std::filesystem::path path_;
    std::string name_;
    file_operations& operations_;
    detail::descriptor file_;
    byte_buffer buffer_;
    std::uint64_t position_ = 0, passed_over_ = 0, kept_ = 0, file_bytes_ = 0;
};

} // namespace bigsmall::io
