// SPDX-License-Identifier: BSL-1.0
// The promises of an executor as a test that anyone can run on his own. Part of no umbrella.
#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include <bigsmall/parallel/executor.hpp>

namespace bigsmall::parallel {

namespace detail {

struct law_item {
    std::size_t number = 0;
    std::vector<int> buffer;
};

/// Runs numbered items through an any-order and two in-order stages and notes what an observer can see.
struct law_run {
    static constexpr std::size_t never = static_cast<std::size_t>(-1);

    std::size_t items = 200;
    std::size_t in_flight = 3;
    std::size_t throw_at = never; ///< the item at which the middle stage throws

    std::size_t produced = 0;
    std::atomic<std::size_t> alive{0}, most_alive{0}, in_last_stage{0};
    std::atomic<bool> overlapped{false};
    std::vector<std::size_t> first_order, last_order;

    template <executor E>
    void operator()(E& e) {
        e.template pipeline<law_item>(
            in_flight, [&](law_item& item) { return produce(item); },
            in_order([&](law_item& item) { first_order.push_back(item.number); }), any_order([&](law_item& item) {
                // Work that calls for helpers, as coding a batch of blocks does.
                std::atomic<std::size_t> sum{0};
                e.for_each(8, [&](std::size_t i) { sum += i; });
                if (sum != 28) overlapped = true;
                if (item.number == throw_at) throw std::runtime_error("law");
            }),
            in_order([&](law_item& item) { leave(item); }));
    }

private:
    bool produce(law_item& item) {
        if (produced == items) return false;
        const std::size_t now = ++alive;
        std::size_t most = most_alive;
        while (now > most && !most_alive.compare_exchange_weak(most, now)) {
        }
        item.number = produced++;
        item.buffer.resize(64);
        return true;
    }

    void leave(const law_item& item) {
        if (++in_last_stage != 1) overlapped = true;
        last_order.push_back(item.number);
        --alive;
        --in_last_stage;
    }
};

inline bool counts_up(const std::vector<std::size_t>& numbers, std::size_t count) {
    if (numbers.size() != count) return false;
    for (std::size_t i = 0; i < count; ++i)
        if (numbers[i] != i) return false;
    return true;
}

template <executor E>
bool calls_each_once(E& e, std::size_t count) {
    std::vector<std::atomic<int>> calls(count);
    e.for_each(count, [&](std::size_t i) { ++calls[i]; });
    for (const std::atomic<int>& n : calls)
        if (n != 1) return false;
    return true;
}

template <executor E, class Work>
bool throws_law(E&, Work&& work) {
    try {
        work();
    } catch (const std::runtime_error& e) {
        return std::string(e.what()) == "law";
    }
    return false;
}

} // namespace detail

/// The promises of the executor concept that `e` breaks, in English; empty when it keeps them all.
template <executor E>
std::vector<std::string> broken_laws(E& e) {
    std::vector<std::string> broken;
    const auto expect = [&](bool kept, const char* law) {
        if (!kept) broken.emplace_back(law);
    };
    expect(e.concurrency() >= 1, "concurrency is at least one");
    for (const std::size_t count : {0u, 1u, 2u, 1000u})
        expect(detail::calls_each_once(e, count), "for_each calls every index exactly once");

    for (const std::size_t in_flight : {1u, 3u, 16u}) {
        detail::law_run run;
        run.in_flight = in_flight;
        run(e);
        expect(detail::counts_up(run.first_order, run.items), "an in-order stage sees every item in order");
        expect(detail::counts_up(run.last_order, run.items), "order is restored behind an any-order stage");
        expect(!run.overlapped, "an in-order stage holds one item at a time");
        expect(run.most_alive <= in_flight, "no more than in_flight items are alive");
        expect(run.alive == 0, "every item leaves");
    }
    detail::law_run empty;
    empty.items = 0;
    empty(e);
    expect(empty.last_order.empty(), "a producer without items runs no stage");

    const bool for_each_throws = detail::throws_law(e, [&] {
        e.for_each(100, [](std::size_t i) {
            if (i == 50) throw std::runtime_error("law");
        });
    });
    expect(for_each_throws, "an exception leaves for_each");
    detail::law_run failing;
    failing.throw_at = 20;
    expect(detail::throws_law(e, [&] { failing(e); }), "an exception of a stage leaves the pipeline");
    expect(failing.last_order.size() <= 20 && detail::counts_up(failing.last_order, failing.last_order.size()),
           "nothing behind a failed item leaves");
    expect(failing.produced < failing.items, "production ends after an exception");
    const bool producer_throws = detail::throws_law(e, [&] {
        e.template pipeline<detail::law_item>(
            2, [](detail::law_item&) -> bool { throw std::runtime_error("law"); }, any_order([](detail::law_item&) {}));
    });
    expect(producer_throws, "an exception of the producer leaves the pipeline");
    expect(detail::calls_each_once(e, 100), "an executor can be used after an exception");
    return broken;
}

} // namespace bigsmall::parallel
