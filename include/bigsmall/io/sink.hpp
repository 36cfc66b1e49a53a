// SPDX-License-Identifier: BSL-1.0
// Where bytes go: append only, so that a container can be written to a pipe.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/io/posix.hpp>

namespace bigsmall::io {

/// Takes bytes in order. Not for use by several threads at once.
class sink {
public:
    sink() = default;
    sink(const sink&) = delete;
    sink& operator=(const sink&) = delete;
    virtual ~sink() = default;

    /// Appends all of `bytes`. Throws: errc::io.
    virtual void write(bytes_view bytes) = 0;

    /// Bytes written so far.
    virtual std::uint64_t position() const = 0;
};

/// Collects the bytes in memory.
class memory_sink final : public sink {
public:
    void write(bytes_view bytes) override { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
    std::uint64_t position() const override { return bytes_.size(); }

    const byte_buffer& bytes() const noexcept { return bytes_; }
    /// Hands the bytes over and starts again from nothing.
    byte_buffer take() noexcept { return std::exchange(bytes_, {}); }

private:
    byte_buffer bytes_;
};

/// Writes to a descriptor that somebody else opened and will close: 1 for standard output.
class file_descriptor_sink final : public sink {
public:
    explicit file_descriptor_sink(int borrowed_fd, std::string name = "output")
        : fd_(borrowed_fd), name_(std::move(name)) {}

    void write(bytes_view bytes) override {
        detail::write_all(fd_, bytes, name_);
        position_ += bytes.size();
    }
    std::uint64_t position() const override { return position_; }

private:
    int fd_;
    std::string name_;
    std::uint64_t position_ = 0;
};

} // namespace bigsmall::io
