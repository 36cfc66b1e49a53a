// SPDX-License-Identifier: BSL-1.0
// XXH3-64, the checksum of blocks, headers and indexes. xxHash in its header-only form: nothing to link.
#pragma once

#include <cstdint>

#ifndef XXH_INLINE_ALL
#define XXH_INLINE_ALL
#endif
#include <xxhash.h>

#include <bigsmall/core/bytes.hpp>

namespace bigsmall::io {

/// XXH3-64 with seed 0.
inline std::uint64_t checksum(bytes_view bytes) noexcept { return XXH3_64bits(bytes.data(), bytes.size()); }

} // namespace bigsmall::io
