// SPDX-License-Identifier: BSL-1.0
// What a codec answers. Codecs never throw: the caller knows the file and the tensor, and makes the error.
#pragma once

#include <cstdint>

namespace bigsmall {

enum class status : std::uint8_t {
    ok,
    truncated,   ///< the coded bytes end before the last symbol
    corrupt,     ///< the coded bytes contradict themselves
    unsupported, ///< a wire id that this reader does not know
};

/// A short English phrase, for error messages.
constexpr const char* describe(status s) noexcept {
    switch (s) {
    case status::ok: return "ok";
    case status::truncated: return "the data ends too early";
    case status::corrupt: return "the data contradicts itself";
    case status::unsupported: return "the data uses a coding that this version does not know";
    }
    return "unknown status";
}

} // namespace bigsmall
