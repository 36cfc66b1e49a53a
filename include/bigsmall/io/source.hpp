// SPDX-License-Identifier: BSL-1.0
// Where bytes come from: random access, so that a tensor or a block can be read without the rest.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>

namespace bigsmall::io {

/// Random access to a fixed number of bytes. Const member functions may be called from many threads at once.
class source {
public:
    source() = default;
    source(const source&) = delete;
    source& operator=(const source&) = delete;
    virtual ~source() = default;

    /// Bytes in all; does not change during the life of the object.
    virtual std::uint64_t size() const = 0;

    /// Fills `to` with the bytes from `offset` on.
    /// Throws: errc::truncated when the source ends before that; errc::io when reading fails.
    virtual void read(std::uint64_t offset, bytes_span to) const = 0;

    /// What messages call it: a path as a rule.
    virtual const std::string& name() const = 0;
};

namespace detail {

/// Throws errc::truncated unless `count` bytes from `offset` on lie within `size`.
inline void require_range(const std::string& name, std::uint64_t size, std::uint64_t offset,
                          std::uint64_t count) {
    if (offset <= size && count <= size - offset) return;
    throw error(errc::truncated, "the file ends too early: " + std::to_string(count) +
                                     " bytes are needed here, but the file has only " + std::to_string(size) +
                                     " bytes in all")
        .in_file(name)
        .at_offset(offset);
}

} // namespace detail

/// Bytes that are in memory already; owns them.
class memory_source final : public source {
public:
    explicit memory_source(byte_buffer bytes, std::string name = "memory")
        : bytes_(std::move(bytes)), name_(std::move(name)) {}

    std::uint64_t size() const override { return bytes_.size(); }
    const std::string& name() const override { return name_; }
    bytes_view bytes() const noexcept { return bytes_; }

    void read(std::uint64_t offset, bytes_span to) const override {
        detail::require_range(name_, bytes_.size(), offset, to.size());
        if (!to.empty()) std::memcpy(to.data(), bytes_.data() + offset, to.size());
    }

private:
    byte_buffer bytes_;
    std::string name_;
};

} // namespace bigsmall::io
