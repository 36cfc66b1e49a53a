// SPDX-License-Identifier: BSL-1.0
// A request to stop, made from anywhere and noticed at the next batch.
#pragma once

#include <atomic>

#include <bigsmall/core/error.hpp>

namespace bigsmall::parallel {

/// Shared by whoever asks and whoever works; it must outlive the work.
class cancel_token {
public:
    /// May be called from any thread and from a signal handler.
    void request() noexcept { requested_.store(true, std::memory_order_relaxed); }

    bool requested() const noexcept { return requested_.load(std::memory_order_relaxed); }

    /// Throws errc::cancelled once a request was made.
    void throw_if_requested() const {
        if (requested()) throw error(errc::cancelled, "stopped on request");
    }

private:
    static_assert(std::atomic<bool>::is_always_lock_free, "a signal handler may only touch lock-free atomics");
    std::atomic<bool> requested_{false};
};

} // namespace bigsmall::parallel
