// SPDX-License-Identifier: BSL-1.0
// What an unfinished run has left may be cut or changed anywhere, and the disk may end the run at any call.
#include <chrono>
#include <string>

#include "resume_runs.hpp"

using namespace resume_test;

TEST_CASE("what is damaged is made again, from there on", "[archive][resume]") {
    const temporary_directory root;
    write_model(root / "model");
    leave_unfinished(root / "model", root / "begun.bs", 7);
    const fs::path kept = root / "begun.bs.progress", output = root / "out.bs", used = root / "out.bs.progress";
    const byte_buffer payload = read_file(kept / "payload"), log = read_file(kept / "log");
    const auto resumed_with = [&](const byte_buffer& some_payload, const byte_buffer& some_log) {
        fs::remove(output);
        write_file(used / "payload", some_payload);
        write_file(used / "log", some_log);
        return resumed(root / "model", output);
    };
    std::size_t whole = 0, nothing = 0;
    std::uint64_t most = 0;
    for (std::size_t at = 0; at < payload.size(); at += 97) {
        CAPTURE(at);
        byte_buffer damaged = payload;
        damaged[at] ^= 0x10;
        const archive::resume_event event = resumed_with(damaged, log);
        (event.happened == continued ? whole : nothing) += 1;
        most = std::max(most, event.source_bytes);
        const byte_buffer cut(payload.begin(), payload.begin() + static_cast<std::ptrdiff_t>(at));
        resumed_with(cut, log);
    }
    CHECK(whole > 10);
    CHECK(nothing > 0); // the header of the container, and the first blocks
    CHECK(most > 0);
    for (std::size_t at = 0; at < log.size(); at += 31) {
        CAPTURE(at);
        byte_buffer damaged = log;
        damaged[at] ^= 0x10;
        resumed_with(payload, damaged);
        const byte_buffer cut(log.begin(), log.begin() + static_cast<std::ptrdiff_t>(at));
        resumed_with(payload, cut);
    }
    byte_buffer newer = log;
    newer[8] = 9;
    CHECK(resumed_with(payload, newer).happened == started_over);
    CHECK(resumed_with(payload, noise(500, 1)).happened == started_over);
    byte_buffer longer = payload;
    longer.resize(longer.size() + 1000, 0xee);
    CHECK(resumed_with(longer, log).happened == continued);
}

TEST_CASE("a run that the disk ends at any step goes on to the same bytes", "[archive][resume]") {
    const temporary_directory root;
    for (int i = 0; i < 5; ++i)
        write_file(root / "model" / (std::to_string(i) + ".bin"), noise(1500, static_cast<std::uint64_t>(i)));
    pack(root / "model", root / "whole.bs", without_resuming(resumable()));
    const byte_buffer wanted = read_file(root / "whole.bs");
    fs::remove(root / "whole.bs");
    parallel::serial_executor e;
    for (const fault kind : {fault::kill, fault::power_cut, fault::error, fault::dead_device}) {
        std::size_t outcomes[3] = {0, 0, 0}; // finished, resumable, nothing
        for (std::size_t step = 0;; ++step) {
            CAPTURE(static_cast<int>(kind), step);
            archive::pack_options options = resumable();
            options.resume.flush_every = std::chrono::milliseconds(0); // after each batch
            bool struck = false;
            {
                failing_disk disk(kind, step, static_cast<std::uint32_t>(step));
                options.resume.operations = &disk;
                runs_through(root / "model", root / "out.bs", options, e);
                struck = disk.struck();
            }
            if (!struck) break;
            if (fs::exists(root / "out.bs")) REQUIRE(read_file(root / "out.bs") == wanted);
            const bool kept = fs::exists(root / "out.bs.progress" / "log");
            outcomes[fs::exists(root / "out.bs") ? 0 : kept ? 1 : 2] += 1;
            {
                failing_disk again(fault::kill, 3 * step);
                options.resume.operations = &again;
                runs_through(root / "model", root / "out.bs", options, e);
            }
            options.resume.operations = nullptr;
            runs_through(root / "model", root / "out.bs", options, e);
            REQUIRE(read_file(root / "out.bs") == wanted);
            runs_through(root / "model", root / "out.bs", options, e); // removes the rest, if any
            REQUIRE(names_in(root.path()) == std::vector<std::string>{"model", "out.bs"});
            fs::remove(root / "out.bs");
        }
        fs::remove_all(root / "out.bs");
        CHECK(outcomes[1] > 10);
        CHECK(outcomes[0] + outcomes[2] > 3);
    }
}
