// SPDX-License-Identifier: BSL-1.0
// A table of text whose columns are as wide as their widest cells.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "console/format.hpp"

namespace bigsmall::app {

enum class align : unsigned char { left, right };

struct column {
    std::string_view title;
    align side = align::left;
};

using table_row = std::vector<std::string>;

/// One line per row below a line of titles; no spaces at line ends.
inline std::string table_text(const std::vector<column>& columns, const std::vector<table_row>& rows) {
    std::vector<std::size_t> widths;
    for (const column& one : columns) widths.push_back(one.title.size());
    for (const table_row& row : rows)
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], character_count(row[i]));
    const auto line = [&](const auto& cell) {
        std::string text;
        for (std::size_t i = 0; i < columns.size(); ++i) {
            const std::string padded = columns[i].side == align::right ? padded_left(cell(i), widths[i])
                                                                       : padded_right(cell(i), widths[i]);
            text += (i > 0 ? "  " : "") + padded;
        }
        text.erase(text.find_last_not_of(' ') + 1);
        return text + "\n";
    };
    std::string out = line([&](std::size_t i) { return std::string(columns[i].title); });
    for (const table_row& row : rows) out += line([&](std::size_t i) { return row[i]; });
    return out;
}

} // namespace bigsmall::app
