// SPDX-License-Identifier: BSL-1.0
// The executor concept: who runs the blocks, and in which order their results land.
#pragma once

#include <concepts>
#include <cstddef>

#include <bigsmall/parallel/stage.hpp>

namespace bigsmall::parallel {

namespace detail {

struct probe_item {};
struct probe_index {
    void operator()(std::size_t) const {}
};
struct probe_produce {
    bool operator()(probe_item&) const { return false; }
};
struct probe_stage {
    void operator()(probe_item&) const {}
};

} // namespace detail

/// What an executor promises; `laws.hpp` checks it on any type.
/// - `concurrency()`: how many calls may run at once, at least one.
/// - `for_each(count, f)`: calls f(i) once for every i below count, in any order, perhaps at once. May be
/// called
///   from within a stage or another for_each.
/// - `pipeline<Item>(in_flight, produce, stages...)`: `produce(item)` fills items one after another until it
///   returns false; each item then passes the stages from left to right. At most `in_flight` items exist;
///   they are reused, so their buffers keep their capacity and the producer must reset what it finds.
/// - The first exception wins: it reaches the caller after all running calls have ended; what had not begun
///   never begins. The executor can be used again afterwards.
template <class E>
concept executor = requires(E& e, const E& constant, std::size_t n, detail::probe_index each,
                            detail::probe_produce produce, detail::probe_stage run) {
    { constant.concurrency() } -> std::same_as<std::size_t>;
    e.for_each(n, each);
    e.template pipeline<detail::probe_item>(n, produce, in_order(run), any_order(run));
};

/// Runs everything in the calling thread: the reference for every other executor, and needs no library.
class serial_executor {
public:
    std::size_t concurrency() const noexcept { return 1; }

    template <class F>
    void for_each(std::size_t count, F&& f) {
        for (std::size_t i = 0; i < count; ++i)
            f(i);
    }

    template <class Item, class Produce, class... Stages>
    void pipeline(std::size_t /*in_flight*/, Produce&& produce, Stages&&... stages) {
        Item item{};
        while (produce(item))
            (stages.run(item), ...);
    }
};

static_assert(executor<serial_executor>);

} // namespace bigsmall::parallel
