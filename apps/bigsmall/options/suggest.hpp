// SPDX-License-Identifier: BSL-1.0
// "Did you mean": the nearest known word to a mistyped one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

namespace bigsmall::app {

/// Number of insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`
/// (Damerau's optimal string alignment: a swap of two letters is the commonest slip and counts once).
inline std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
    for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            row[j] = std::min({last[j] + 1, row[j - 1] + 1, replaced});
            const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
        }
        std::swap(before_last, last);
        std::swap(last, row);
    }
    return last[b.size()];
}

/// The word that `typed` was probably meant to be, or an empty view when none is near: at most a third of
/// its letters may be wrong, or it must be an unfinished beginning of at least two letters.
inline std::string_view nearest(std::string_view typed, const std::vector<std::string_view>& known) {
    std::string_view best;
    std::size_t best_distance = std::max<std::size_t>(1, typed.size() / 3) + 1;
    for (const std::string_view word : known) {
        const std::size_t distance = edit_distance(typed, word);
        if (distance < best_distance) {
            best = word;
            best_distance = distance;
        }
    }
    if (!best.empty() || typed.size() < 2) return best;
    for (const std::string_view word : known)
        if (word.substr(0, typed.size()) == typed) return word;
    return {};
}

} // namespace bigsmall::app
