// SPDX-License-Identifier: BSL-1.0
// Ctrl-C and its relatives become a request to stop, so that temporary files are removed.
#pragma once

#include <bigsmall/parallel/cancel.hpp>

namespace bigsmall::app {

/// While one of these lives, SIGINT, SIGTERM, SIGHUP and SIGQUIT ask `token` to stop; the third signal ends the
/// process at once. Other signals (SIGUSR1, SIGKILL) end it at once and leave its temporary file.
/// A signal that was ignored when the tool started (nohup) stays ignored. One at a time.
class signal_guard {
public:
    signal_guard();
    ~signal_guard();
    signal_guard(const signal_guard&) = delete;
    signal_guard& operator=(const signal_guard&) = delete;

    const parallel::cancel_token& token() const noexcept { return token_; }

private:
    parallel::cancel_token token_;
};

/// The first signal that a guard caught, 0 when there was none.
int caught_signal() noexcept;

} // namespace bigsmall::app
