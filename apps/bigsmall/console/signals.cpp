// SPDX-License-Identifier: BSL-1.0
#include "console/signals.hpp"

#include <array>
#include <atomic>
#include <csignal>

#include <unistd.h>

namespace bigsmall::app {
namespace {

constexpr std::array signals{SIGINT, SIGTERM, SIGHUP, SIGQUIT};
constexpr int signals_before_exit = 3;

// A signal handler has no argument through which to reach an object, so these few cannot be members.
std::atomic<parallel::cancel_token*> current_token{nullptr};
std::atomic<int> first_signal{0};
std::atomic<int> signal_count{0};

extern "C" void on_signal(int number) {
    int none = 0;
    first_signal.compare_exchange_strong(none, number);
    // Whoever asks three times does not want to wait: a write may be stuck in a full pipe.
    if (signal_count.fetch_add(1) + 1 >= signals_before_exit) ::_exit(128 + number);
    if (parallel::cancel_token* const token = current_token.load()) token->request();
}

} // namespace

signal_guard::signal_guard() {
    current_token.store(&token_);
    for (const int number : signals) {
        struct sigaction before{};
        if (::sigaction(number, nullptr, &before) == 0 && before.sa_handler == SIG_IGN) continue;
        struct sigaction action{};
        action.sa_handler = on_signal;
        ::sigemptyset(&action.sa_mask);
        action.sa_flags = SA_RESTART;
        ::sigaction(number, &action, nullptr);
    }
}

signal_guard::~signal_guard() {
    for (const int number : signals) {
        struct sigaction now{};
        if (::sigaction(number, nullptr, &now) == 0 && now.sa_handler == on_signal)
            std::signal(number, SIG_DFL);
    }
    current_token.store(nullptr);
}

int caught_signal() noexcept { return first_signal.load(); }

} // namespace bigsmall::app
