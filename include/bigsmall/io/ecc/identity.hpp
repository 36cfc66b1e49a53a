// SPDX-License-Identifier: BSL-1.0
// What tells the versions of a container apart without reading it.
#pragma once

#include <array>
#include <cstdint>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/io/checksum.hpp>
#include <bigsmall/io/container/format.hpp>
#include <bigsmall/io/ecc/sidecar.hpp>
#include <bigsmall/io/source.hpp>

namespace bigsmall::io {

namespace detail {

using container_end = std::array<std::uint8_t, container_footer_bytes>;

inline std::uint64_t ecc_identity_in(const container_end& end, std::uint64_t file_bytes) {
    const auto footer = parse_footer(end);
    return footer && footer->file_bytes == file_bytes ? checksum(end) : 0;
}

} // namespace detail

/// XXH3 of the last footer of a container: it has the checksum of the index, which has those of all blocks. 0 for what
/// is no container, or has lost its end. Throws: errc::io; errc::truncated.
inline std::uint64_t ecc_identity(const source& file) {
    detail::container_end end{};
    if (file.size() < end.size()) return 0;
    file.read(file.size() - end.size(), end);
    return detail::ecc_identity_in(end, file.size());
}

/// The same of a file that may be damaged: 0 as well when its end cannot be read.
inline std::uint64_t ecc_identity_if_readable(const source& file) {
    detail::container_end end{};
    if (file.size() < end.size() || !detail::read_if_possible(file, file.size() - end.size(), end)) return 0;
    return detail::ecc_identity_in(end, file.size());
}

} // namespace bigsmall::io
