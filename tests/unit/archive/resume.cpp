// SPDX-License-Identifier: BSL-1.0
// Packing that can be resumed: stopped after any batch, it goes on to the same bytes.
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include <sys/file.h>

#include <bigsmall/archive/open_model.hpp>

#include "resume_runs.hpp"
#include "support/thread_pipelines.hpp"

using namespace resume_test;

namespace {

/// Stops a run after each number of batches, and resumes it with other threads.
void stop_everywhere(const fs::path& root, const fs::path& source, archive::pack_options options) {
    fs::remove(root / "whole.bs");
    fs::remove(root / "out.bs");
    const archive::pack_result whole = pack(source, root / "whole.bs", without_resuming(options));
    const byte_buffer wanted = read_file(root / "whole.bs");
    std::size_t stops = 0;
    for (std::size_t batches = 0;; ++batches) {
        CAPTURE(batches);
        stop_after stop(batches);
        options.progress = &stop;
        thread_executor some(1 + batches % 3), others(1 + (batches + 1) % 4);
        if (runs_through(source, root / "out.bs", options, some)) break;
        REQUIRE_FALSE(fs::exists(root / "out.bs"));
        REQUIRE(names_in(root / "out.bs.progress") == std::vector<std::string>{"log", "payload"});
        noted events;
        options.progress = nullptr;
        options.resume.listener = &events;
        const archive::pack_result result = archive::pack(source, root / "out.bs", options, others);
        options.resume.listener = nullptr;
        REQUIRE(read_file(root / "out.bs") == wanted);
        REQUIRE_FALSE(fs::exists(root / "out.bs.progress"));
        REQUIRE(events.events.size() == 1);
        REQUIRE(events.events[0].happened == archive::resume_event::what::continued);
        // The listener throws when the batch is on record already.
        REQUIRE(result.resumed_bytes == events.events[0].source_bytes);
        REQUIRE(result.compressed_bytes == whole.compressed_bytes);
        REQUIRE(result.grouped_tensors == whole.grouped_tensors);
        REQUIRE(result.patch.has_value() == whole.patch.has_value());
        if (whole.patch) {
            REQUIRE(result.patch->matched_bytes == whole.patch->matched_bytes);
            REQUIRE(result.patch->unchanged_bytes == whole.patch->unchanged_bytes);
            REQUIRE(result.patch->useless_bytes == whole.patch->useless_bytes);
            REQUIRE(result.patch->changed_stored_bytes == whole.patch->changed_stored_bytes);
            REQUIRE(result.patch->changed_alone_bytes == whole.patch->changed_alone_bytes);
        }
        fs::remove(root / "out.bs");
        ++stops;
    }
    CHECK(stops > 4);
}

} // namespace

TEST_CASE("a run that nothing stops writes the same bytes and leaves nothing", "[archive][resume]") {
    const temporary_directory root;
    write_model(root / "model");
    noted events;
    parallel::serial_executor e;
    archive::pack(root / "model", root / "out.bs", resumable(&events), e);
    pack(root / "model", root / "whole.bs", without_resuming(resumable()));
    CHECK(read_file(root / "out.bs") == read_file(root / "whole.bs"));
    CHECK(names_in(root.path()) == std::vector<std::string>{"model", "out.bs", "whole.bs"});
    CHECK(events.events.empty());
}

TEST_CASE("a run that is stopped after any batch goes on to the same bytes", "[archive][resume]") {
    const temporary_directory root;
    write_model(root / "model");
    stop_everywhere(root.path(), root / "model", resumable());
    archive::pack_options grouped = resumable();
    grouped.group_streams = true;
    stop_everywhere(root.path(), root / "model", grouped);
}

TEST_CASE("a tensor of several batches is hashed on from where it began", "[archive][resume]") {
    const temporary_directory root;
    write_long_model(root / "long.safetensors");
    archive::pack_options options = resumable();
    options.block_bytes = 64;
    stop_everywhere(root.path(), root / "long.safetensors", options);
}

TEST_CASE("a patch that is stopped after any batch goes on to the same bytes", "[archive][resume]") {
    const temporary_directory root;
    write_model(root / "base");
    fs::copy(root / "base", root / "tuned", fs::copy_options::recursive);
    for (int i = 0; i < 6; i += 2) {
        const fs::path file = root / "tuned" / ("model-" + std::to_string(i) + ".safetensors");
        byte_buffer bytes = read_file(file);
        for (std::size_t at = bytes.size() / 2; at < bytes.size(); at += 40)
            bytes[at] ^= 1;
        write_file(file, bytes);
    }
    archive::pack_options options = resumable();
    parallel::serial_executor e;
    options.base = archive::open_model(root / "base", nullptr, options, e);
    stop_everywhere(root.path(), root / "tuned", options);
}

TEST_CASE("a run can be stopped again and again", "[archive][resume]") {
    const temporary_directory root;
    write_model(root / "model");
    pack(root / "model", root / "whole.bs", without_resuming(resumable()));
    std::size_t runs = 0;
    for (bool done = false; !done; ++runs) {
        // Each run gets one batch further than the one before.
        stop_after stop(runs);
        archive::pack_options options = resumable();
        options.progress = &stop;
        parallel::serial_executor e;
        done = runs_through(root / "model", root / "out.bs", options, e);
    }
    CHECK(runs > 5);
    CHECK(read_file(root / "out.bs") == read_file(root / "whole.bs"));
}

TEST_CASE("a source that has changed is packed from the beginning", "[archive][resume]") {
    const temporary_directory root;
    write_model(root / "model");
    const fs::path file = root / "model" / "model-1.safetensors", output = root / "out.bs";
    const auto time = fs::last_write_time(file);

    leave_unfinished(root / "model", output, 4);
    fs::last_write_time(file, time + std::chrono::seconds(1));
    archive::resume_event event = resumed(root / "model", output);
    CHECK(event.happened == started_over);
    CHECK(event.reason == "\"model-1.safetensors\" has changed");
    fs::remove(output);

    // In secret: as large, and with the old time.
    fs::last_write_time(file, time);
    leave_unfinished(root / "model", output, 5);
    change_contents(file);
    fs::last_write_time(file, time);
    event = resumed(root / "model", output);
    CHECK(event.happened == started_over);
    CHECK(event.reason == "the contents of \"model-1.safetensors\" have changed");
    fs::remove(output);

    leave_unfinished(root / "model", output, 4);
    fs::remove(root / "model" / "config.json");
    event = resumed(root / "model", output);
    CHECK(event.happened == started_over);
    CHECK(event.reason == "the source has more or fewer files than it had");
    fs::remove(output);

    leave_unfinished(root / "model", output, 4);
    archive::pack_options others = resumable();
    others.block_bytes = 8192;
    event = resumed(root / "model", output, others);
    CHECK(event.happened == started_over);
    CHECK(event.reason.starts_with("it was begun as another one (\"bigsmall "));
    fs::remove(output);

    leave_unfinished(root / "model", output, 4);
    CHECK(resumed(root / "model", output).happened == continued);
}

TEST_CASE("nobody else's files are touched", "[archive][resume]") {
    const temporary_directory root;
    write_model(root / "model");
    const fs::path output = root / "out.bs", progress = root / "out.bs.progress";
    parallel::serial_executor e;
    const auto refused = [&] {
        return thrown_by([&] { archive::pack(root / "model", output, resumable(), e); }).code();
    };
    write_file(progress / "precious.txt", "mine");
    CHECK(refused() == errc::exists);
    CHECK(read_tree(progress).size() == 1);
    fs::remove_all(progress);
    write_file(progress, "a file");
    CHECK(refused() == errc::exists);
    fs::remove(progress);
    fs::create_directory(root / "elsewhere");
    fs::create_directory_symlink(root / "elsewhere", progress);
    CHECK(refused() == errc::exists);
    CHECK(fs::is_empty(root / "elsewhere"));
    fs::remove(progress);
    write_file(root / "victim", "as it was");
    fs::create_directory(progress);
    fs::create_symlink(root / "victim", progress / "payload");
    CHECK(refused() == errc::exists);
    fs::remove(progress / "payload");
    fs::create_symlink(root / "victim", progress / "log");
    CHECK(refused() == errc::exists);
    CHECK(read_file(root / "victim").size() == 9);
    fs::remove_all(progress);

    CHECK(thrown_by([&] { archive::pack(root / "model", root / "model" / "x.bs", resumable(), e); }).code() ==
          errc::invalid_argument);
    fs::rename(root / "model", root / "m.progress");
    CHECK(thrown_by([&] { archive::pack(root / "m.progress", root / "m", resumable(), e); }).code() ==
          errc::invalid_argument);
}

TEST_CASE("one run at a time writes an output", "[archive][resume]") {
    const temporary_directory root;
    write_model(root / "model");
    const fs::path progress = root / "out.bs.progress";
    leave_unfinished(root / "model", root / "out.bs", 3);
    const std::map<std::string, byte_buffer> before = read_tree(progress);
    const io::detail::descriptor other(io::detail::open_retry(progress.c_str(), O_RDONLY | O_DIRECTORY));
    REQUIRE(::flock(other.get(), LOCK_EX | LOCK_NB) == 0);
    parallel::serial_executor e;
    const error refused = thrown_by([&] { archive::pack(root / "model", root / "out.bs", resumable(), e); });
    CHECK(refused.code() == errc::exists);
    CHECK(refused.message() == "another run is writing this output");
    CHECK(read_tree(progress) == before);
}

TEST_CASE("an output that is there is not overwritten, and what is left of its run goes away", "[archive][resume]") {
    const temporary_directory root;
    write_model(root / "model");
    leave_unfinished(root / "model", root / "out.bs", 3);
    write_file(root / "out.bs", "somebody's");
    parallel::serial_executor e;
    CHECK(thrown_by([&] { archive::pack(root / "model", root / "out.bs", resumable(), e); }).code() == errc::exists);
    CHECK(fs::exists(root / "out.bs.progress" / "payload"));
    // As a kill leaves it right after the output got its name.
    fs::remove(root / "out.bs.progress" / "payload");
    CHECK(thrown_by([&] { archive::pack(root / "model", root / "out.bs", resumable(), e); }).code() == errc::exists);
    CHECK_FALSE(fs::exists(root / "out.bs.progress"));
    CHECK(read_file(root / "out.bs").size() == 10);

    archive::pack_options replacing = resumable();
    replacing.existing = io::if_exists::replace;
    leave_unfinished(root / "model", root / "out.bs", 3, replacing);
    CHECK(read_file(root / "out.bs").size() == 10);
    CHECK(resumed(root / "model", root / "out.bs", replacing).happened == continued);
}

TEST_CASE("a run that fails before it has done anything leaves nothing", "[archive][resume]") {
    const temporary_directory root;
    write_file(root / "broken.safetensors", noise(100, 1));
    parallel::serial_executor e;
    CHECK_THROWS_AS(archive::pack(root / "broken.safetensors", root / "out.bs", resumable(), e), error);
    CHECK(names_in(root.path()) == std::vector<std::string>{"broken.safetensors"});

    // One that is stopped while it plans leaves what an earlier one has done.
    write_model(root / "model");
    leave_unfinished(root / "model", root / "out.bs", 3);
    parallel::cancel_token token;
    token.request();
    archive::pack_options options = resumable();
    options.cancel = &token;
    CHECK(thrown_by([&] { archive::pack(root / "model", root / "out.bs", options, e); }).code() == errc::cancelled);
    CHECK(resumed(root / "model", root / "out.bs").happened == continued);
}
