// SPDX-License-Identifier: BSL-1.0
// What MD5 side by side works on.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bigsmall::kernel {

inline constexpr std::size_t md5_messages = 8;

/// words[w][m] is word w of the state of message m.
struct md5_states {
    alignas(32) std::uint32_t words[4][md5_messages];
};

/// Takes `blocks` blocks of 64 bytes of each of md5_messages messages into their states.
using md5_blocks_function = void (*)(md5_states& states, const std::uint8_t* const* messages,
                                     std::size_t blocks) noexcept;

} // namespace bigsmall::kernel
