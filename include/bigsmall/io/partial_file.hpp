// SPDX-License-Identifier: BSL-1.0
// A file under a hidden name until it is whole, made by the calls of file_operations.
#pragma once

#include <cerrno>
#include <filesystem>
#include <string>
#include <utility>

#include <sys/stat.h>

#include <bigsmall/core/units.hpp>
#include <bigsmall/io/file_operations.hpp>
#include <bigsmall/io/posix.hpp>
#include <bigsmall/io/sink.hpp>

namespace bigsmall::io {

/// Other than atomic_file, it has the name that it is told, so that the next run finds what a killed one has left; so
/// only whoever holds the lock of the file that it belongs to may make one.
class partial_file final : public sink {
public:
    /// Removes what is there under that name. `rights` are those of a file whose permissions it gets.
    /// `shown_as` is what errors call it. Throws: errc::io, errc::missing.
    partial_file(std::filesystem::path hidden, const struct stat& rights, std::string shown_as,
                 file_operations& operations)
        : hidden_(std::move(hidden)), name_(std::move(shown_as)), operations_(operations) {
        buffer_.reserve(buffer_bytes);
        remove_leftover(hidden_, operations_);
        const int fd = operations_.create(hidden_);
        if (fd < 0) throw detail::system_error("create the file", name_, -fd);
        file_ = detail::descriptor(fd);
        made_ = true;
        const int failed = operations_.copy_rights(fd, rights);
        if (failed == 0) return;
        discard(); // no destructor runs after this
        throw detail::system_error("set the permissions of the file", name_, failed);
    }

    ~partial_file() override { discard(); }

    /// Throws: errc::io when it is there and cannot be removed.
    static void remove_leftover(const std::filesystem::path& hidden, file_operations& operations) {
        struct stat facts {};
        if (::lstat(hidden.c_str(), &facts) != 0) return;
        const int failed = operations.remove(hidden);
        if (failed != 0 && failed != ENOENT)
            throw detail::system_error("remove what an interrupted run has left", hidden.string(), failed);
    }

    void write(bytes_view bytes) override {
        if (buffer_.size() + bytes.size() > buffer_bytes) empty_buffer();
        if (bytes.size() >= buffer_bytes) {
            detail::write_all_at(operations_, file_.get(), bytes, position_, name_);
        } else {
            buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
        }
        position_ += bytes.size();
    }

    std::uint64_t position() const override { return position_; }

    /// Flushes to disk and gives it its name, which nothing may have yet. Throws: errc::exists, errc::io; then there
    /// is no file of that name.
    void commit_new(const std::filesystem::path& to) {
        flush();
        named(operations_.rename_new(hidden_, to));
        const int failed = operations_.flush_directory(to.parent_path());
        if (failed == 0) return;
        operations_.remove(to); // nobody has relied on it yet
        throw detail::system_error("flush the directory to disk", name_, failed);
    }

    /// The same in the place of another file. Throws: errc::io; then the other is there still, or all is done
    /// but a power cut may bring the other back.
    void commit_over(const std::filesystem::path& to) {
        flush();
        named(operations_.rename_over(hidden_, to));
        if (const int failed = operations_.flush_directory(to.parent_path()))
            throw detail::system_error("flush the directory to disk", name_, failed);
    }

private:
    static constexpr std::size_t buffer_bytes = std::size_t{256} * KiB;

    void empty_buffer() {
        detail::write_all_at(operations_, file_.get(), buffer_, position_ - buffer_.size(), name_);
        buffer_.clear();
    }

    void flush() {
        empty_buffer();
        if (const int failed = operations_.flush(file_.get()))
            throw detail::system_error("flush the file to disk", name_, failed);
    }

    void named(int failed) {
        if (failed != 0) throw detail::system_error("give the finished file its name", name_, failed);
        made_ = false;
    }

    void discard() noexcept {
        if (made_) operations_.remove(hidden_);
        made_ = false;
    }

    std::filesystem::path hidden_;
    std::string name_;
    file_operations& operations_;
    detail::descriptor file_;
    byte_buffer buffer_;
    std::uint64_t position_ = 0;
    bool made_ = false; ///< there is a hidden file to remove
};

} // namespace bigsmall::io
