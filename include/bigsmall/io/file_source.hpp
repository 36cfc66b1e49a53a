// SPDX-License-Identifier: BSL-1.0
// A file read by position (pread), so that threads share one descriptor without a lock.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>

#include <bigsmall/io/posix.hpp>
#include <bigsmall/io/source.hpp>

namespace bigsmall::io {

/// A regular file, opened for reading; its size is that of the moment of opening.
class file_source final : public source {
public:
    /// Throws: errc::missing when there is no such file; errc::io when it cannot be opened; errc::invalid_input when it
    /// is not a regular file.
    explicit file_source(const std::filesystem::path& path) : name_(path.string()) {
        // O_NONBLOCK: opening a pipe by mistake must not wait for its writer. It changes nothing for files.
        file_ = detail::descriptor(detail::open_retry(path.c_str(), O_RDONLY | O_NONBLOCK));
        if (!file_.valid()) throw detail::system_error("open the file for reading", name_, errno);
        struct stat facts {};
        if (::fstat(file_.get(), &facts) != 0)
            throw detail::system_error("ask for the size of the file", name_, errno);
        if (S_ISDIR(facts.st_mode))
            throw error(errc::invalid_input, "this is a directory where a file is needed").in_file(name_);
        if (!S_ISREG(facts.st_mode))
            throw error(errc::invalid_input, "this is not a regular file: random access is needed to read it")
                .in_file(name_);
        size_ = static_cast<std::uint64_t>(facts.st_size);
    }

    std::uint64_t size() const override { return size_; }
    const std::string& name() const override { return name_; }

    void read(std::uint64_t offset, bytes_span to) const override {
        detail::require_range(name_, size_, offset, to.size());
        while (!to.empty()) {
            const ssize_t n = ::pread(file_.get(), to.data(), to.size(), static_cast<off_t>(offset));
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) throw detail::system_error("read", name_, errno).at_offset(offset);
            if (n == 0)
                throw error(errc::truncated, "the file became shorter while it was being read")
                    .in_file(name_)
                    .at_offset(offset);
            to = to.subspan(static_cast<std::size_t>(n));
            offset += static_cast<std::uint64_t>(n);
        }
    }

private:
    std::string name_;
    detail::descriptor file_;
    std::uint64_t size_ = 0;
};

} // namespace bigsmall::io
