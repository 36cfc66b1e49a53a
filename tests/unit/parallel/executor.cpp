// SPDX-License-Identifier: BSL-1.0
// The promises of the executor concept, on both executors, and of the tools beside them.
#include <atomic>
#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <bigsmall/parallel.hpp>
#include <bigsmall/parallel/laws.hpp>
#include <bigsmall/parallel/tbb.hpp>

#include "support/catch.hpp"
#include "support/thread_executor.hpp"

using namespace bigsmall;

namespace {

std::string joined(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines)
        text += line + "\n";
    return text;
}

// Laws broken on purpose: the suite must notice.
struct forgetful_executor {
    std::size_t concurrency() const { return 1; }
    template <class F>
    void for_each(std::size_t count, F&& f) {
        for (std::size_t i = 1; i < count; ++i)
            f(i);
    }
    template <class Item, class Produce, class... Stages>
    void pipeline(std::size_t, Produce&& produce, Stages&&... stages) {
        std::vector<Item> items;
        for (Item item{}; produce(item); item = Item{})
            items.push_back(item);
        for (std::size_t i = items.size(); i-- > 0;)
            (stages.run(items[i]), ...);
    }
};
static_assert(parallel::executor<forgetful_executor>);

struct no_executor {};
static_assert(!parallel::executor<no_executor>);

} // namespace

TEST_CASE("serial_executor keeps the executor laws", "[parallel]") {
    parallel::serial_executor e;
    CHECK(joined(parallel::broken_laws(e)) == "");
}

TEST_CASE("tbb_executor keeps the executor laws with any number of threads", "[parallel]") {
    for (const std::size_t threads : {0u, 1u, 2u, 3u, 8u}) {
        parallel::tbb_executor e(threads);
        INFO("threads " << threads);
        if (threads != 0) CHECK(e.concurrency() == threads);
        for (int round = 0; round < 5; ++round)
            CHECK(joined(parallel::broken_laws(e)) == "");
    }
}

TEST_CASE("an executor of one's own keeps the executor laws", "[parallel]") {
    for (const std::size_t threads : {1u, 4u}) {
        support::thread_executor e(threads);
        CHECK(joined(parallel::broken_laws(e)) == "");
    }
}

TEST_CASE("the law suite notices a broken executor", "[parallel]") {
    forgetful_executor e;
    const std::string broken = joined(parallel::broken_laws(e));
    CHECK(broken.find("for_each calls every index exactly once") != std::string::npos);
    CHECK(broken.find("in order") != std::string::npos);
    CHECK(broken.find("in_flight") != std::string::npos);
}

TEST_CASE("a thread waiting inside a stage does not begin another item", "[parallel]") {
    parallel::tbb_executor e(4);
    struct item {
        int number = 0;
    };
    int produced = 0;
    std::atomic<bool> nested{false};
    e.pipeline<item>(
        8,
        [&](item& it) {
            it.number = produced++;
            return produced <= 64;
        },
        parallel::any_order([&](item&) {
            static thread_local int depth = 0;
            if (++depth > 1) nested = true;
            e.for_each(4, [](std::size_t) { std::this_thread::sleep_for(std::chrono::microseconds(200)); });
            --depth;
        }));
    CHECK_FALSE(nested);
}

TEST_CASE("items are reused, so buffers keep their capacity", "[parallel]") {
    parallel::tbb_executor e(2);
    struct item {
        int number = 0;
    };
    std::set<const item*> seen;
    int left = 50;
    e.pipeline<item>(
        3, [&](item&) { return left-- > 0; }, parallel::in_order([&](item& it) { seen.insert(&it); }));
    CHECK(seen.size() <= 3);
}

TEST_CASE("cancel_token stops a run at the next check", "[parallel]") {
    parallel::cancel_token token;
    CHECK_NOTHROW(token.throw_if_requested());
    token.request();
    CHECK(token.requested());
    try {
        token.throw_if_requested();
        FAIL("no exception");
    } catch (const error& e) {
        CHECK(e.code() == errc::cancelled);
    }
}

TEST_CASE("object_pool makes no more objects than were on loan together", "[parallel]") {
    struct counted {
        int uses = 0;
    };
    parallel::object_pool<counted> pool;
    {
        const auto first = pool.borrow();
        const auto second = pool.borrow();
        ++first->uses;
        ++second->uses;
        CHECK(&*first != &*second);
    }
    for (int i = 0; i < 4; ++i)
        ++pool.borrow()->uses;
    const auto one = pool.borrow();
    const auto two = pool.borrow();
    CHECK(one->uses + two->uses == 6);
}
