// SPDX-License-Identifier: BSL-1.0
// The two streams of the tool: data on standard output, words to the user on standard error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/io/sink.hpp>

namespace bigsmall::app {

inline constexpr int standard_output = 1;
inline constexpr int standard_error = 2;

/// Gives every closed standard stream a descriptor, so that no file opened later lands on number 1 or 2
/// and is written over. Writing to a standard output that was closed still fails. SIGPIPE and
/// SIGXFSZ are ignored: a reader that goes away and a file that may not grow are errors of a write, after which
/// temporary files are removed, not deaths.
void prepare_standard_streams();

/// The reader of standard output went away, as `head` does when it has enough: the end, and nothing to say about.
struct output_closed {};

/// Writes all of `text` to standard output. Throws error(errc::io), or output_closed.
void print(std::string_view text);

/// Standard output as a place for data. write() throws as print().
class standard_output_sink final : public io::sink {
public:
    void write(bytes_view bytes) override;
    std::uint64_t position() const override { return position_; }

private:
    std::uint64_t position_ = 0;
};

/// Writes `text` to standard error; nothing can be done when that fails.
void print_to_user(std::string_view text) noexcept;

/// "bigsmall: ..." on standard error.
void tell(std::string_view line);

/// "bigsmall: error: ..." and, when there is one, "bigsmall: hint: ..." on standard error.
void tell_error(const std::string& message, const std::string& hint);

bool is_terminal(int descriptor) noexcept;

/// Columns of the terminal on standard error, 80 when it does not say.
std::size_t terminal_columns() noexcept;

} // namespace bigsmall::app
