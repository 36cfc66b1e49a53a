// SPDX-License-Identifier: BSL-1.0
// Text from files, made fit for messages: names in a hostile file can be megabytes of terminal escapes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bigsmall::io {

/// `text` with control bytes and backslashes escaped, cut to at most `max_bytes` of the original followed
/// by "..." when longer. Bytes of 0x80 and above pass: they are UTF-8 in every name we have seen.
inline std::string printable(std::string_view text, std::size_t max_bytes = 120) {
    constexpr std::string_view digits = "0123456789abcdef";
    // A cut inside a UTF-8 sequence would print as rubbish: step back to its first byte.
    std::size_t kept = std::min(text.size(), max_bytes);
    while (kept > 0 && kept < text.size() && (static_cast<std::uint8_t>(text[kept]) & 0xc0u) == 0x80u)
        --kept;
    std::string out;
    out.reserve(kept + 8);
    for (const char c : text.substr(0, kept)) {
        const auto byte = static_cast<std::uint8_t>(c);
        if (c == '\\') {
            out += "\\\\";
        } else if (byte < 0x20 || byte == 0x7f) {
            out += "\\x";
            out += digits[byte >> 4];
            out += digits[byte & 15u];
        } else {
            out += c;
        }
    }
    if (kept < text.size()) out += "...";
    return out;
}

/// `text` made printable and put in double quotes.
inline std::string in_quotes(std::string_view text) { return '"' + printable(text) + '"'; }

} // namespace bigsmall::io
