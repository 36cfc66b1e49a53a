// SPDX-License-Identifier: BSL-1.0
// Where the contents of a patch find the bytes that they differ from. An interface, so that an opened archive need not
// know what a base is: its base may be an archive itself.
#pragma once

#include <cstdint>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/io/container/index.hpp>

namespace bigsmall::archive {

class base_bytes {
public:
    base_bytes() = default;
    base_bytes(const base_bytes&) = delete;
    base_bytes& operator=(const base_bytes&) = delete;
    virtual ~base_bytes() = default;

    /// Fills `to` with the image of `content`, one of the container's own contents that have one, from its byte `begin`
    /// on. Any thread may call. Throws: as reading the base does.
    virtual void read(const io::content_entry& content, std::uint64_t begin, bytes_span to) const = 0;
};

} // namespace bigsmall::archive
