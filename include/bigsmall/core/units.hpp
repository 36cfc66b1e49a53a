// SPDX-License-Identifier: BSL-1.0
// Binary units. Sizes in this library are bytes unless a name ends in _bits or _elems.
#pragma once

#include <cstdint>

namespace bigsmall {

inline constexpr std::uint64_t KiB = std::uint64_t{1} << 10;
inline constexpr std::uint64_t MiB = std::uint64_t{1} << 20;
inline constexpr std::uint64_t GiB = std::uint64_t{1} << 30;

} // namespace bigsmall
