// SPDX-License-Identifier: BSL-1.0
// A change in place is ended at each of its steps, and so is what brings it to an end afterwards.
#include <optional>

#include <sys/wait.h>

#include "in_place_files.hpp"
#include "support/catch.hpp"

using namespace in_place_test;
using archive::change_direction;

namespace {

const std::string model = "model.safetensors";
const std::string journal = model + ".bigsmall-journal";

struct change_pair {
    byte_buffer base, target;
};

/// Changes close together, far apart, in the header, and at the very end.
const change_pair& in_place() {
    static const change_pair pair = [] {
        const byte_buffer base = file_of(noise(9000, 1));
        const std::size_t size = base.size();
        return change_pair{base, changed_at(base, {{10, 1}, {100, 3}, {150, 40}, {6000, 150}, {size - 1, 1}})};
    }();
    return pair;
}

const change_pair& whole() {
    static const change_pair pair{file_of(noise(500, 2)), file_of(noise(700, 3))};
    return pair;
}

/// False when the disk ended it.
template <class Action>
bool runs_through(Action&& action) {
    try {
        action();
        return true;
    } catch (const ended&) {
    } catch (const error&) {
    }
    return false;
}

bool change(const fs::path& directory, const change_pair& pair, io::file_operations& disk) {
    return runs_through([&] {
        archive::change_in_place(directory / model, change_of(pair.base, pair.target), producer_of(pair.target), disk);
    });
}

bool settle(const fs::path& directory, change_direction direction, io::file_operations& disk) {
    return runs_through([&] {
        if (direction == change_direction::finish)
            archive::finish_change(directory / model, disk);
        else
            archive::undo_change(directory / model, disk);
    });
}

const byte_buffer& goal(const change_pair& pair, change_direction direction) {
    return direction == change_direction::finish ? pair.target : pair.base;
}

constexpr change_direction directions[] = {change_direction::finish, change_direction::undo};

/// Whatever the state is: without a journal, the file is one of both; with one, both can be had.
void require_recoverable(const fs::path& directory, const file_set& state, const change_pair& pair) {
    REQUIRE(state.count(model) == 1);
    if (state.count(journal) == 0) {
        const byte_buffer& file = state.at(model);
        REQUIRE((file == pair.base || file == pair.target));
        return;
    }
    for (const change_direction direction : directions) {
        put_files(directory, state);
        failing_disk disk;
        REQUIRE(settle(directory, direction, disk));
        REQUIRE(read_tree(directory) == file_set{{model, goal(pair, direction)}});
    }
}

/// Ends the finishing or undoing of `state` at each step. Returns the steps.
std::size_t end_recovery_everywhere(const fs::path& directory, const file_set& state, const change_pair& pair,
                                    change_direction direction, fault kind, std::uint32_t seed) {
    for (std::size_t step = 0;; ++step) {
        put_files(directory, state);
        failing_disk disk(kind, step, seed + static_cast<std::uint32_t>(step));
        const bool done = settle(directory, direction, disk);
        if (!disk.struck()) {
            REQUIRE(done);
            return step;
        }
        const file_set after = read_tree(directory);
        require_recoverable(directory, after, pair);
        if (after.count(journal) == 0) REQUIRE(after.at(model) == goal(pair, direction));
    }
}

struct steps_tried {
    std::size_t change = 0, recovery = 0, with_journal = 0;
};

steps_tried end_everywhere(const change_pair& pair, fault kind, std::uint32_t seed = 0) {
    const fast_directory root;
    const fs::path directory = root / "models";
    steps_tried tried;
    for (std::size_t step = 0;; ++step) {
        CAPTURE(step, seed);
        put_files(directory, {{model, pair.base}});
        failing_disk disk(kind, step, seed + static_cast<std::uint32_t>(step));
        const bool done = change(directory, pair, disk);
        const file_set state = read_tree(directory);
        if (!disk.struck()) {
            REQUIRE(done);
            REQUIRE(state == file_set{{model, pair.target}});
            return tried;
        }
        ++tried.change;
        require_recoverable(directory, state, pair);
        if (state.count(journal) == 0) continue;
        ++tried.with_journal;
        for (const change_direction direction : directions)
            tried.recovery += end_recovery_everywhere(directory, state, pair, direction, kind, seed);
    }
}

} // namespace

TEST_CASE("a change in place that is killed at any step can be finished and undone", "[archive][in_place]") {
    const steps_tried tried = end_everywhere(in_place(), fault::kill);
    INFO(tried.change << " steps, " << tried.with_journal << " with a journal, " << tried.recovery << " in recovery");
    CHECK(tried.change > 20);
    CHECK(tried.with_journal > 8);
    CHECK(tried.recovery > 200);
}

TEST_CASE("a change in place survives a power cut at any step", "[archive][in_place]") {
    for (std::uint32_t seed = 0; seed < 3; ++seed) {
        const steps_tried tried = end_everywhere(in_place(), fault::power_cut, 1000 * seed);
        CHECK(tried.change > 20);
        CHECK(tried.recovery > 200);
    }
}

TEST_CASE("a change in place survives an error at any step", "[archive][in_place]") {
    for (const fault kind : {fault::error, fault::dead_device})
        CHECK(end_everywhere(in_place(), kind).change > 20);
}

TEST_CASE("a file that is rewritten whole is the old or the new one whenever the run ends", "[archive][in_place]") {
    for (const fault kind : {fault::kill, fault::power_cut, fault::error, fault::dead_device})
        for (std::uint32_t seed = 0; seed < 4; ++seed) {
            const steps_tried tried = end_everywhere(whole(), kind, 1000 * seed);
            CHECK(tried.change > 8);
            CHECK(tried.with_journal == 0);
        }
}

TEST_CASE("a process that dies by a signal at any step leaves a file that can be recovered", "[archive][in_place]") {
    const fast_directory root;
    const fs::path directory = root / "models";
    std::size_t killed = 0;
    for (;; ++killed) {
        CAPTURE(killed);
        put_files(directory, {{model, in_place().base}});
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            failing_disk disk(fault::sigkill, killed);
            ::_exit(change(directory, in_place(), disk) ? 0 : 1);
        }
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        if (WIFEXITED(status)) {
            REQUIRE(WEXITSTATUS(status) == 0);
            break;
        }
        REQUIRE(WTERMSIG(status) == SIGKILL);
        require_recoverable(directory, read_tree(directory), in_place());
    }
    CHECK(killed > 20);
    CHECK(read_tree(directory) == file_set{{model, in_place().target}});
}

TEST_CASE("the next run removes what a killed one has left and does the whole change", "[archive][in_place]") {
    const fast_directory root;
    const fs::path directory = root / "models";
    for (const change_pair* pair : {&in_place(), &whole()}) {
        std::size_t leftovers = 0;
        for (std::size_t step = 0;; ++step) {
            put_files(directory, {{model, pair->base}});
            failing_disk disk(fault::kill, step);
            if (change(directory, *pair, disk)) break;
            const file_set state = read_tree(directory);
            if (state.count(journal) != 0 || state.at(model) != pair->base) continue;
            leftovers += state.size() - 1;
            failing_disk again;
            REQUIRE(change(directory, *pair, again));
            REQUIRE(read_tree(directory) == file_set{{model, pair->target}});
        }
        CHECK(leftovers > 3);
    }
}

TEST_CASE("an error before the journal is complete leaves nothing behind", "[archive][in_place]") {
    const fast_directory root;
    const fs::path directory = root / "models";
    std::size_t clean = 0;
    for (std::size_t step = 0;; ++step) {
        put_files(directory, {{model, in_place().base}});
        failing_disk disk(fault::error, step);
        if (change(directory, in_place(), disk)) break;
        const file_set state = read_tree(directory);
        if (state.count(journal) != 0 || state.at(model) == in_place().target) continue;
        CAPTURE(step);
        REQUIRE(state == file_set{{model, in_place().base}});
        ++clean;
    }
    CHECK(clean > 8);
}
