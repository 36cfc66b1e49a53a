// SPDX-License-Identifier: BSL-1.0
// Text from files, made fit for messages: names in a hostile file can be megabytes of terminal escapes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bigsmall::io {

/// Bytes of the UTF-8 character that `text` begins with; 0 when it begins with none.
inline std::size_t utf8_character(std::string_view text) noexcept {
    const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<std::uint8_t>(text[i]) : 0u; };
    const std::uint32_t first = byte(0), second = byte(1);
    if (text.empty() || first < 0x80) return text.empty() ? 0 : 1;
    const std::size_t length = first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : 4;
    if (first < 0xc2 || first > 0xf4) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xc0u) != 0x80u) return 0;
    // Longer than needed, a surrogate, or above U+10FFFF.
    const bool wrong = (first == 0xe0 && second < 0xa0) || (first == 0xed && second >= 0xa0) ||
                       (first == 0xf0 && second < 0x90) || (first == 0xf4 && second >= 0x90);
    return wrong ? 0 : length;
}

inline bool is_utf8(std::string_view text) noexcept {
    while (!text.empty()) {
        const std::size_t length = utf8_character(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

/// `text` with control bytes, backslashes and what is not UTF-8 escaped, cut to at most `max_bytes` of the original
/// followed by "..." when longer.
inline std::string printable(std::string_view text, std::size_t max_bytes = 120) {
    constexpr std::string_view digits = "0123456789abcdef";
    // A cut inside a UTF-8 sequence would print as rubbish: step back to its first byte.
    std::size_t kept = std::min(text.size(), max_bytes);
    while (kept > 0 && kept < text.size() && (static_cast<std::uint8_t>(text[kept]) & 0xc0u) == 0x80u)
        --kept;
    std::string out;
    out.reserve(kept + 8);
    for (std::string_view rest = text.substr(0, kept); !rest.empty();) {
        const auto byte = static_cast<std::uint8_t>(rest.front());
        const std::size_t length = utf8_character(rest);
        if (byte == '\\') {
            out += "\\\\";
        } else if (byte < 0x20 || byte == 0x7f || length == 0) {
            out += "\\x";
            out += digits[byte >> 4];
            out += digits[byte & 15u];
        } else {
            out += rest.substr(0, length);
        }
        rest.remove_prefix(length == 0 ? 1 : length);
    }
    if (kept < text.size()) out += "...";
    return out;
}

/// `text` made printable and put in double quotes.
inline std::string in_quotes(std::string_view text) { return '"' + printable(text) + '"'; }

} // namespace bigsmall::io
