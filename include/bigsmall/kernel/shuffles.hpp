// SPDX-License-Identifier: BSL-1.0
// Controls for byte shuffles of sixteen bytes (x86 PSHUFB, aarch64 TBL), by eight bits of a bitmap.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace bigsmall::kernel::shuffles {

/// weave[m]: eight outputs, the k-th from the upper half (the next of the ones) where bit k of m is set, else from the
/// lower half (the next of the zeros).
inline constexpr auto weave = [] {
    std::array<std::array<std::uint8_t, 8>, 256> controls{};
    for (std::size_t mask = 0; mask < 256; ++mask) {
        std::uint8_t zero = 0, one = 8;
        for (std::size_t k = 0; k < 8; ++k)
            controls[mask][k] = mask >> k & 1 ? one++ : zero++;
    }
    return controls;
}();

/// part[m]: the inverse. Lower half: the inputs whose bit is clear, in order; upper half: those whose bit is set.
inline constexpr auto part = [] {
    std::array<std::array<std::uint8_t, 16>, 256> controls{};
    for (std::size_t mask = 0; mask < 256; ++mask) {
        std::size_t zero = 0, one = 8;
        for (std::uint8_t k = 0; k < 8; ++k)
            controls[mask][mask >> k & 1 ? one++ : zero++] = k;
    }
    return controls;
}();

} // namespace bigsmall::kernel::shuffles
