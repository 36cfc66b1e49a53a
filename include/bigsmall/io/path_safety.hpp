// SPDX-License-Identifier: BSL-1.0
// Paths that come out of files: only such as stay below the directory that they are put under.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <bigsmall/io/printable.hpp>

namespace bigsmall::io {

inline constexpr std::size_t max_member_path_bytes = 4096;

/// Why `path` is not a safe relative path, as the end of a sentence; nothing when it is safe. Safe: parts
/// divided by single '/', none of them empty, "." or "..", no NUL byte, not absolute, not too long.
inline std::optional<std::string> unsafe_path_reason(std::string_view path) {
    if (path.empty()) return "it is empty";
    if (path.size() > max_member_path_bytes)
        return "it is longer than " + std::to_string(max_member_path_bytes) + " bytes";
    if (path.front() == '/') return "it is absolute";
    if (path.find('\0') != std::string_view::npos) return "it contains a NUL byte";
    for (std::size_t begin = 0; begin <= path.size();) {
        const std::size_t end = std::min(path.find('/', begin), path.size());
        const std::string_view part = path.substr(begin, end - begin);
        if (part.empty()) return "it has an empty part";
        if (part == "." || part == "..") return "it has the part \"" + std::string(part) + "\"";
        begin = end + 1;
    }
    return std::nullopt;
}

/// Why these (safe) paths cannot all be files of one directory, or nothing when they can: one of them is
/// there twice, or one is the directory of another.
inline std::optional<std::string> path_conflict(const std::vector<std::string_view>& paths) {
    // With '/' before every other byte, all that lies below "a" comes right behind "a": looking at
    // neighbours is enough.
    const auto rank = [](char c) { return c == '/' ? 0u : 1u + static_cast<unsigned char>(c); };
    const auto before = [&](std::string_view a, std::string_view b) {
        return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                            [&](char x, char y) { return rank(x) < rank(y); });
    };
    std::vector<std::string_view> sorted = paths;
    std::sort(sorted.begin(), sorted.end(), before);
    for (std::size_t i = 1; i < sorted.size(); ++i) {
        const std::string_view a = sorted[i - 1], b = sorted[i];
        if (a == b) return "the path " + in_quotes(a) + " is there twice";
        if (b.size() > a.size() && b.starts_with(a) && b[a.size()] == '/')
            return "the path " + in_quotes(a) + " is both a file and the directory of " + in_quotes(b);
    }
    return std::nullopt;
}

} // namespace bigsmall::io
