// SPDX-License-Identifier: BSL-1.0
// What the readers of an index's sections share: counts, texts and hashes that may be anybody's.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/varint.hpp>

namespace bigsmall::io::detail {

class section_parser {
protected:
    static void require(bool holds, const char* otherwise) {
        if (!holds) throw error(errc::corrupt, std::string("the index is damaged: ") + otherwise);
    }

    /// A count of things that take at least `least_bytes` each.
    static std::size_t read_count(byte_cursor& in, std::size_t least_bytes) {
        const std::uint64_t count = in.read_varint();
        require(in.ok() && count <= in.left() / least_bytes, "a count is greater than the bytes that follow");
        return static_cast<std::size_t>(count);
    }

    static bytes_view read_sized(byte_cursor& in) { return in.take(in.read_varint()); }
    static std::string read_text(byte_cursor& in) { return std::string(as_string_view(read_sized(in))); }

    template <std::size_t N>
    static void read_digest(byte_cursor& in, std::array<std::uint8_t, N>& digest) {
        const bytes_view bytes = in.take(N);
        std::copy(bytes.begin(), bytes.end(), digest.begin());
    }
};

} // namespace bigsmall::io::detail
