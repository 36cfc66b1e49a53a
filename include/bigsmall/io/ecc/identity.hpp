// SPDX-License-Identifier: BSL-1.0
// What tells the versions of a container apart without reading it.
#pragma once

#include <array>
#include <cstdint>

#include <bigsmall/core/error.hpp>
#include <bigsmall/io/checksum.hpp>
#include <bigsmall/io/container/format.hpp>
#include <bigsmall/io/source.hpp>

namespace bigsmall::io {

/// XXH3 of the last footer of a container: it has the checksum of the index, which has those of all blocks. 0 for what
/// is no container, or has lost its end. Throws: errc::io; errc::truncated.
inline std::uint64_t ecc_identity(const source& file) {
    std::array<std::uint8_t, container_footer_bytes> last{};
    if (file.size() < last.size()) return 0;
    file.read(file.size() - last.size(), last);
    const auto footer = parse_footer(last);
    return footer && footer->file_bytes == file.size() ? checksum(last) : 0;
}

/// The same of a file that may be damaged: 0 as well when its end cannot be read.
inline std::uint64_t ecc_identity_if_readable(const source& file) {
    try {
        return ecc_identity(file);
    } catch (const error& failure) {
        if (failure.code() != errc::io && failure.code() != errc::truncated) throw;
        return 0;
    }
}

} // namespace bigsmall::io
