// SPDX-License-Identifier: BSL-1.0
#include "console/progress.hpp"

#include <utility>

#include "console/output.hpp"

namespace bigsmall::app {
namespace {

constexpr std::chrono::milliseconds terminal_interval{100};
constexpr std::chrono::seconds plain_interval{30};
constexpr std::size_t plain_width = 160;

} // namespace

progress_display::progress_display(std::string verb, show_ratio ratio)
    : verb_(std::move(verb)), ratio_(ratio), terminal_(is_terminal(standard_error)), start_(clock::now()),
      last_(start_) {}

// The line is wiped, so that what follows does not stand behind its remains.
progress_display::~progress_display() {
    if (drawn_ > 0) redraw({});
}

void progress_display::on_progress(const parallel::progress_event& event) {
    const auto now = clock::now();
    if (now - last_ < (terminal_ ? clock::duration(terminal_interval) : clock::duration(plain_interval)))
        return;
    last_ = now;
    const double seconds = std::chrono::duration<double>(now - start_).count();
    if (terminal_)
        redraw(progress_line(verb_, event, seconds, ratio_, terminal_columns() - 1));
    else
        tell(progress_line(verb_, event, seconds, ratio_, plain_width));
}

// Spaces wipe what a longer line left behind: that works on every terminal.
void progress_display::redraw(const std::string& line) {
    const std::size_t width = character_count(line);
    std::string text = "\r" + padded_right(line, drawn_);
    if (line.empty()) text += "\r";
    drawn_ = width;
    print_to_user(text);
}

} // namespace bigsmall::app
