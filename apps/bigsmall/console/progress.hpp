// SPDX-License-Identifier: BSL-1.0
// Progress on standard error: one line that is drawn over on a terminal, a plain line every 30 s elsewhere.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <bigsmall/parallel/progress.hpp>

#include "console/format.hpp"

namespace bigsmall::app {

/// Whether the bytes written so far say something about compression.
enum class show_ratio : bool { no, yes };

/// The words of one progress line, at most `width` characters: the name of the tensor gives way first.
inline std::string progress_line(std::string_view verb, const parallel::progress_event& event, double seconds,
                                 show_ratio ratio, std::size_t width) {
    // The sizes may be those of a hostile file: a cast of a number that does not fit is undefined.
    const double share = event.total_bytes == 0 ? 1.0
                                                : std::min(1.0, static_cast<double>(event.done_bytes) /
                                                                    static_cast<double>(event.total_bytes));
    constexpr double longest_wait = 1e9; // seconds: 32 years
    std::string line(verb);
    line += " " + padded_left(std::to_string(static_cast<int>(100.0 * share)), 3) + "%  " +
            speed(event.done_bytes, seconds);
    if (ratio == show_ratio::yes && event.done_bytes > 0)
        line += "  ratio " + percent_text(event.out_bytes, event.done_bytes);
    if (share > 0)
        line += "  ETA " + clock_time(static_cast<std::uint64_t>(
                               std::min(longest_wait, seconds * (1.0 - share) / share + 0.5)));
    const std::size_t used = line.size() + 2;
    if (!event.item.empty() && used + 8 <= width)
        line += "  " + shortened(printable(event.item), width - used);
    return shortened(line, width);
}

class progress_display : public parallel::progress_listener {
public:
    progress_display(std::string verb, show_ratio ratio);
    ~progress_display() override;
    progress_display(const progress_display&) = delete;
    progress_display& operator=(const progress_display&) = delete;

    void on_progress(const parallel::progress_event& event) override;

private:
    using clock = std::chrono::steady_clock;

    void redraw(const std::string& line);

    std::string verb_;
    show_ratio ratio_;
    bool terminal_;
    clock::time_point start_, last_;
    std::size_t drawn_ = 0; // characters on the terminal's line
};

} // namespace bigsmall::app
