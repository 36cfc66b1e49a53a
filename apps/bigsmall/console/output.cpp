// SPDX-License-Identifier: BSL-1.0
#include "console/output.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/posix.hpp>

#include "console/format.hpp"

namespace bigsmall::app {

void prepare_standard_streams() {
    for (int descriptor = 0; descriptor <= standard_error; ++descriptor) {
        if (::fcntl(descriptor, F_GETFD) != -1) continue;
        // open() gives the lowest free number, which is `descriptor`: those below are open by now.
        const int mode = descriptor == standard_error ? O_WRONLY : O_RDONLY;
        (void)::open("/dev/null", mode);
    }
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);
}

namespace {

void write_to_output(bytes_view bytes) {
    const int failure = io::detail::try_write_all(standard_output, bytes);
    if (failure == EPIPE) throw output_closed{};
    if (failure != 0)
        throw error(errc::io, std::string("cannot write to standard output: ") + std::strerror(failure));
}

} // namespace

void print(std::string_view text) { write_to_output(as_bytes_view(text)); }

void standard_output_sink::write(bytes_view bytes) {
    write_to_output(bytes);
    position_ += bytes.size();
}

void print_to_user(std::string_view text) noexcept {
    (void)io::detail::try_write_all(standard_error, as_bytes_view(text));
}

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
