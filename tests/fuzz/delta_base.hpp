// SPDX-License-Identifier: BSL-1.0
// The base of fuzzed differences: words like those of weights, and a few of everything.
#pragma once

#include <bigsmall/codec/laws.hpp>
#include <bigsmall/core/bytes.hpp>

namespace fuzz {

inline bigsmall::byte_buffer delta_base(std::size_t size_bytes) {
    bigsmall::laws::fixed_random random(7);
    bigsmall::byte_buffer base(size_bytes);
    for (std::size_t i = 0; i < size_bytes; ++i) {
        const auto noise = static_cast<std::uint8_t>(random() >> 21);
        base[i] = i % 64 > 60 || i % 2 == 0 ? noise : static_cast<std::uint8_t>(0x3c | (noise & 0x81));
    }
    return base;
}

} // namespace fuzz
