// SPDX-License-Identifier: BSL-1.0
// The executor of the tool. Costs: oneTBB (link -ltbb); the only header that includes it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/concurrent_queue.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_pipeline.h>
#include <oneapi/tbb/partitioner.h>
#include <oneapi/tbb/task_arena.h>

#include <bigsmall/parallel/executor.hpp>

namespace bigsmall::parallel {

/// Runs on oneTBB's threads, at most `threads` of them at once, the caller's included.
class tbb_executor {
public:
    /// `threads`: 0 means all that the machine has. More than the machine has is obeyed.
    explicit tbb_executor(std::size_t threads = 0) : arena_(arena_size(threads)) {
        const auto available = static_cast<std::size_t>(tbb::info::default_concurrency());
        if (threads > available) more_.emplace(tbb::global_control::max_allowed_parallelism, threads);
    }

    std::size_t concurrency() const { return static_cast<std::size_t>(arena_.max_concurrency()); }

    template <class F>
    void for_each(std::size_t count, F&& f) {
        arena_.execute([&] {
            // Isolated: a thread that waits here for the last calls must not pick up a pipeline's next item
            // meanwhile, or items and buffers would pile up on its stack.
            tbb::this_task_arena::isolate([&] {
                tbb::parallel_for(
                    tbb::blocked_range<std::size_t>(0, count, 1),
                    [&](const tbb::blocked_range<std::size_t>& range) {
                        for (std::size_t i = range.begin(); i != range.end(); ++i)
                            f(i);
                    },
                    tbb::auto_partitioner{});
            });
        });
    }

    template <class Item, class Produce, class... Stages>
    void pipeline(std::size_t in_flight, Produce&& produce, Stages&&... stages) {
        std::vector<Item> items(std::max<std::size_t>(in_flight, 1));
        tbb::concurrent_queue<Item*> idle;
        for (Item& item : items)
            idle.push(&item);

        const auto source =
            tbb::make_filter<void, Item*>(tbb::filter_mode::serial_in_order, [&](tbb::flow_control& control) -> Item* {
                Item* item = nullptr;
                // oneTBB admits no more items than there are, so one is always idle here. Should that ever be
                // otherwise, stopping would look like the end of the work.
                if (!idle.try_pop(item)) throw std::logic_error("oneTBB admits more items than it was told to");
                if (produce(*item)) return item;
                control.stop();
                return nullptr;
            });
        const auto drain =
            tbb::make_filter<Item*, void>(tbb::filter_mode::parallel, [&](Item* item) { idle.push(item); });
        arena_.execute([&] {
            tbb::this_task_arena::isolate(
                [&] { tbb::parallel_pipeline(items.size(), (source & ... & filter_of<Item>(stages)) & drain); });
        });
    }

private:
    static int arena_size(std::size_t threads) {
        if (threads == 0) return tbb::task_arena::automatic;
        return static_cast<int>(std::min<std::size_t>(threads, std::numeric_limits<int>::max()));
    }

    template <class Item, class Stage>
    static tbb::filter<Item*, Item*> filter_of(Stage& stage) {
        constexpr auto mode = std::remove_cvref_t<Stage>::order == stage_order::in_order
                                  ? tbb::filter_mode::serial_in_order
                                  : tbb::filter_mode::parallel;
        return tbb::make_filter<Item*, Item*>(mode, [&stage](Item* item) {
            stage.run(*item);
            return item;
        });
    }

    std::optional<tbb::global_control> more_;
    tbb::task_arena arena_;
};

static_assert(executor<tbb_executor>);

} // namespace bigsmall::parallel
