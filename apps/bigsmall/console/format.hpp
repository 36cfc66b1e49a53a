// SPDX-License-Identifier: BSL-1.0
// Numbers and names as people read them. Nothing here asks the locale: the same input gives the same bytes
// on every machine.
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <bigsmall/core/units.hpp>

namespace bigsmall::app {

/// 548105171 -> "548,105,171".
inline std::string with_thousands(std::uint64_t number) {
    std::string digits = std::to_string(number);
    for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, 1, ',');
    return digits;
}

/// As with_thousands, with a minus sign when the difference a - b is negative.
inline std::string difference(std::uint64_t a, std::uint64_t b) {
    return a >= b ? with_thousands(a - b) : "-" + with_thousands(b - a);
}

/// `value` with exactly `places` digits behind the point.
inline std::string fixed(double value, int places) {
    std::array<char, 400> text{}; // the longest double has 309 digits before the point
    const auto done =
        std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, places);
    return {text.data(), done.ptr};
}

/// 100 * part / whole; 0 when there is no whole.
inline double percent(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

/// "75.53%", or "n/a" when there is no whole.
inline std::string percent_text(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? "n/a" : fixed(percent(part, whole), 2) + "%";
}

/// One binary unit: "394.80 MiB"; below 1 KiB "512 B".
inline std::string binary_size(std::uint64_t bytes) {
    const auto number = static_cast<double>(bytes);
    if (bytes < KiB) return std::to_string(bytes) + " B";
    if (bytes < MiB) return fixed(number / static_cast<double>(KiB), 2) + " KiB";
    if (bytes < GiB) return fixed(number / static_cast<double>(MiB), 2) + " MiB";
    return fixed(number / static_cast<double>(GiB), 2) + " GiB";
}

/// "413,973,591 bytes (394.80 MiB)": exact, and one unit to read it by.
inline std::string exact_size(std::uint64_t bytes) {
    const std::string exact = with_thousands(bytes) + " bytes";
    return bytes < KiB ? exact : exact + " (" + binary_size(bytes) + ")";
}

/// Megabytes (10^6 bytes) a second; "-" when no time has passed.
inline std::string speed(std::uint64_t bytes, double seconds) {
    return seconds <= 0 ? "- MB/s" : fixed(static_cast<double>(bytes) / seconds / 1e6, 1) + " MB/s";
}

/// "0:07", "12:34", "1:02:03".
inline std::string clock_time(std::uint64_t seconds) {
    const auto two = [](std::uint64_t n) { return (n < 10 ? "0" : "") + std::to_string(n); };
    const std::uint64_t minutes = seconds / 60;
    if (minutes < 60) return std::to_string(minutes) + ":" + two(seconds % 60);
    return std::to_string(minutes / 60) + ":" + two(minutes % 60) + ":" + two(seconds % 60);
}

/// Names come from files that strangers wrote: control characters must not reach a terminal, where they
/// could move the cursor or forge a line. They are shown as \xNN; everything else is left as it is.
inline std::string printable(std::string_view text) {
    constexpr std::string_view hex = "0123456789abcdef";
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        // The controls U+0080 to U+009F are the two bytes C2 80 to C2 9F; ESC [ has a twin among them.
        const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0u;
        const bool high_control = byte == 0xc2 && next >= 0x80 && next < 0xa0;
        if (byte >= 0x20 && byte != 0x7f && !high_control) {
            out += text[i];
            continue;
        }
        out += "\\x";
        out += hex[byte >> 4];
        out += hex[byte & 15];
        if (high_control) { // the second byte alone would still be the control in a Latin-1 terminal
            out += "\\x";
            out += hex[next >> 4];
            out += hex[next & 15];
            ++i;
        }
    }
    return out;
}

/// Number of characters, counting a UTF-8 sequence as one.
inline std::size_t character_count(std::string_view text) noexcept {
    std::size_t count = 0;
    for (const char c : text) count += (static_cast<unsigned char>(c) & 0xc0) != 0x80 ? 1 : 0;
    return count;
}

/// At most `width` characters (at least 4) of `text`, the cut shown as "...", never inside a character.
inline std::string shortened(std::string_view text, std::size_t width) {
    if (character_count(text) <= width) return std::string(text);
    std::size_t bytes = 0;
    for (std::size_t kept = 0; bytes < text.size(); ++bytes) {
        const bool starts = (static_cast<unsigned char>(text[bytes]) & 0xc0) != 0x80;
        if (starts && kept++ == width - 3) break;
    }
    return std::string(text.substr(0, bytes)) + "...";
}

inline std::string padded_right(std::string text, std::size_t width) {
    const std::size_t count = character_count(text);
    if (count < width) text.append(width - count, ' ');
    return text;
}

inline std::string padded_left(const std::string& text, std::size_t width) {
    const std::size_t count = character_count(text);
    return count < width ? std::string(width - count, ' ') + text : text;
}

} // namespace bigsmall::app
