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

/// XXH3 of the last footer of a container: it has the checksum of the index, which has those of all blocks. 0 for what
/// is no container, or has lost its end.
inline std::uint64_t ecc_identity(const source& file) {
    std::array<std::uint8_t, container_footer_bytes> last{};
    if (file.size() < last.size()) return 0;
    if (!detail::read_if_possible(file, file.size() - last.size(), last)) return 0;
    const auto footer = parse_footer(last);
    return footer && footer->file_bytes == file.size() ? checksum(last) : 0;
}

} // namespace bigsmall::io
