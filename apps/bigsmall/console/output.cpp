// SPDX-License-Identifier: BSL-1.0
#include "console/output.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <bigsmall/core/error.hpp>

#include "console/format.hpp"

namespace bigsmall::app {
namespace {

// Returns 0, or the errno of the write that failed.
int write_all(int descriptor, std::string_view text) noexcept {
    while (!text.empty()) {
        const ssize_t written = ::write(descriptor, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return errno;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return 0;
}

} // namespace

void prepare_standard_streams() {
    for (int descriptor = 0; descriptor <= standard_error; ++descriptor) {
        if (::fcntl(descriptor, F_GETFD) != -1) continue;
        // open() gives the lowest free number, which is `descriptor`: those below are open by now.
        const int mode = descriptor == standard_error ? O_WRONLY : O_RDONLY;
        (void)::open("/dev/null", mode);
    }
    std::signal(SIGPIPE, SIG_IGN);
}

void print(std::string_view text) {
    if (const int failure = write_all(standard_output, text))
        throw error(errc::io, std::string("cannot write to standard output: ") + std::strerror(failure));
}

void print_to_user(std::string_view text) noexcept { (void)write_all(standard_error, text); }

void tell(std::string_view line) { print_to_user("bigsmall: " + printable(line) + "\n"); }

void tell_error(const std::string& message, const std::string& hint) {
    tell("error: " + message);
    if (!hint.empty()) tell("hint: " + hint);
}

bool is_terminal(int descriptor) noexcept { return ::isatty(descriptor) == 1; }

std::size_t terminal_columns() noexcept {
    winsize size{};
    if (::ioctl(standard_error, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
    return size.ws_col;
}

} // namespace bigsmall::app
