// SPDX-License-Identifier: BSL-1.0
// An executor on plain threads, made anew for every call: slow, small, and transparent to the thread sanitizer,
// which cannot see the locks inside oneTBB.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <bigsmall/parallel/executor.hpp>

namespace support {

class thread_executor {
public:
    explicit thread_executor(std::size_t threads) : threads_(threads) {}

    std::size_t concurrency() const { return threads_; }

    template <class F>
    void for_each(std::size_t count, F&& f) {
        std::atomic<std::size_t> next{0};
        first_exception failure;
        run_threads(std::min(threads_, count), [&] {
            for (std::size_t i = next++; i < count && !failure.any(); i = next++)
                failure.guard([&] { f(i); });
        });
        failure.rethrow();
    }

    // Every thread carries one item through all stages; a stage in order waits for the item's turn.
    template <class Item, class Produce, class... Stages>
    void pipeline(std::size_t in_flight, Produce&& produce, Stages&&... stages) {
        std::mutex mutex;
        std::condition_variable changed;
        std::size_t produced = 0;
        std::array<std::size_t, sizeof...(Stages)> turn{};
        bool ended = false;
        first_exception failure;

        const auto pass = [&](auto& stage, std::size_t number, std::size_t ticket, Item& item) {
            if constexpr (std::remove_cvref_t<decltype(stage)>::order == bigsmall::parallel::stage_order::in_order) {
                std::unique_lock lock(mutex);
                changed.wait(lock, [&] { return turn[number] == ticket || failure.any(); });
                if (failure.any()) return;
            }
            failure.guard([&] { stage.run(item); });
            const std::lock_guard lock(mutex);
            ++turn[number];
            changed.notify_all();
        };
        run_threads(std::max<std::size_t>(in_flight, 1), [&] {
            Item item{};
            while (!failure.any()) {
                std::size_t ticket = 0;
                {
                    const std::lock_guard lock(mutex);
                    failure.guard([&] { ended = ended || !produce(item); });
                    if (ended || failure.any()) break;
                    ticket = produced++;
                }
                std::size_t number = 0;
                ((failure.any() ? void() : pass(stages, number, ticket, item), ++number), ...);
            }
            const std::lock_guard lock(mutex);
            changed.notify_all();
        });
        failure.rethrow();
    }

private:
    class first_exception {
    public:
        bool any() const { return any_; }
        template <class F>
        void guard(F&& f) {
            try {
                f();
            } catch (...) {
                const std::lock_guard lock(mutex_);
                if (!thrown_) thrown_ = std::current_exception();
                any_ = true;
            }
        }
        void rethrow() const {
            if (thrown_) std::rethrow_exception(thrown_);
        }

    private:
        std::mutex mutex_;
        std::exception_ptr thrown_;
        std::atomic<bool> any_{false};
    };

    template <class F>
    static void run_threads(std::size_t count, F&& f) {
        std::vector<std::thread> others;
        for (std::size_t i = 1; i < count; ++i)
            others.emplace_back([&] { f(); });
        if (count > 0) f();
        for (std::thread& other : others)
            other.join();
    }

    std::size_t threads_;
};

static_assert(bigsmall::parallel::executor<thread_executor>);

} // namespace support
