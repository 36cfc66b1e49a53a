// SPDX-License-Identifier: BSL-1.0
// Packing per shard that can be resumed: stopped anywhere, it goes on to the same files.
#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "resume_runs.hpp"
#include "support/thread_pipelines.hpp"

using namespace resume_test;

namespace {

/// The model of the other tests, with a shard in a folder.
void write_shards(const fs::path& directory) {
    write_model(directory);
    safetensors_builder file;
    file.add("weight", "BF16", gaussian_bf16(3000, 77));
    write_file(directory / "more" / "text.safetensors", file.build());
}

std::string read_text(const fs::path& file) {
    const byte_buffer bytes = read_file(file);
    return {bytes.begin(), bytes.end()};
}

archive::pack_options per_shard(archive::resume_listener* listener = nullptr) {
    archive::pack_options options = resumable(listener);
    options.per_shard = true;
    return options;
}

std::vector<archive::resume_event> ended_by_another(const fs::path& source, const fs::path& output) {
    return events_of_next(source, output, per_shard());
}

} // namespace

TEST_CASE("a run per shard that nothing stops writes the same files and leaves nothing", "[archive][resume]") {
    const temporary_directory root;
    write_shards(root / "model");
    CHECK(ended_by_another(root / "model", root / "out").empty());
    write_file(root / "plain" / "notes.txt", "no shard at all");
    CHECK(ended_by_another(root / "plain", root / "out2").empty());
    CHECK(names_in(root.path()) == std::vector<std::string>{"model", "out", "out2", "plain"});
}

TEST_CASE("a run per shard that is stopped after any batch goes on to the same files", "[archive][resume]") {
    const temporary_directory root;
    write_shards(root / "model");
    archive::pack_options options = per_shard();
    const archive::pack_result whole = pack(root / "model", root / "whole", without_resuming(options));
    const std::map<std::string, byte_buffer> wanted = read_tree(root / "whole");
    std::size_t stops = 0;
    for (std::size_t batches = 0;; ++batches) {
        CAPTURE(batches);
        stop_after stop(batches);
        options.progress = &stop;
        thread_executor some(1 + batches % 3), others(1 + (batches + 1) % 4);
        if (runs_through(root / "model", root / "out", options, some)) break;
        REQUIRE_FALSE(fs::exists(root / "out"));
        REQUIRE(names_in(root / "out.progress") == std::vector<std::string>{"bigsmall-logs", "bigsmall-payloads"});
        noted events;
        options.progress = nullptr;
        options.resume.listener = &events;
        const archive::pack_result result = archive::pack(root / "model", root / "out", options, others);
        options.resume.listener = nullptr;
        REQUIRE(read_tree(root / "out") == wanted);
        REQUIRE_FALSE(fs::exists(root / "out.progress"));
        REQUIRE(events.events.size() == 1);
        REQUIRE(events.events[0].happened == continued);
        REQUIRE(result.resumed_bytes == events.events[0].source_bytes);
        REQUIRE(result.resumed_bytes <= result.source_bytes);
        REQUIRE(result.compressed_bytes == whole.compressed_bytes);
        REQUIRE(result.grouped_tensors == whole.grouped_tensors);
        REQUIRE(result.files.size() == whole.files.size());
        fs::remove_all(root / "out");
        ++stops;
    }
    CHECK(stops > 8);
}

TEST_CASE("a run per shard can be stopped again and again", "[archive][resume]") {
    const temporary_directory root;
    write_shards(root / "model");
    std::uint64_t before = 0;
    for (std::size_t runs = 1;; ++runs) {
        stop_after stop(runs);
        noted events;
        archive::pack_options options = per_shard(&events);
        options.progress = &stop;
        parallel::serial_executor e;
        const bool done = runs_through(root / "model", root / "out", options, e);
        const std::uint64_t now = events.events.empty() ? 0 : events.events.back().source_bytes;
        CHECK(now >= before);
        before = now;
        if (done) break;
        REQUIRE(runs < 100);
    }
    CHECK(before > 0);
    pack(root / "model", root / "whole", without_resuming(per_shard()));
    CHECK(read_tree(root / "out") == read_tree(root / "whole"));
}

TEST_CASE("of several containers those are made again whose source has changed", "[archive][resume]") {
    const temporary_directory root;
    write_shards(root / "model");
    const fs::path file = root / "model" / "model-1.safetensors", output = root / "out";
    const auto time = fs::last_write_time(file);
    const auto stop = [&] { leave_unfinished(root / "model", output, 6, per_shard()); };

    stop();
    change_contents(file);
    fs::last_write_time(file, time + std::chrono::seconds(1));
    std::vector<archive::resume_event> events = ended_by_another(root / "model", output);
    REQUIRE(events.size() == 2);
    CHECK(events[0].happened == started_over);
    CHECK(events[0].container == "model-1.bs");
    CHECK(events[0].reason == "\"model-1.safetensors\" has changed");
    CHECK(events[1].happened == continued);
    fs::remove_all(output);

    // In secret: all of it begins again.
    fs::last_write_time(file, time);
    stop();
    change_contents(file);
    fs::last_write_time(file, time);
    events = ended_by_another(root / "model", output);
    REQUIRE(!events.empty());
    CHECK(events.back().happened == started_over);
    CHECK(events.back().container.empty());
    CHECK(events.back().reason == "the contents of \"model-1.safetensors\" have changed");
    fs::remove_all(output);

    // A shard more in front costs nothing of the others.
    stop();
    fs::copy_file(root / "model" / "more" / "text.safetensors", root / "model" / "first.safetensors");
    events = ended_by_another(root / "model", output);
    REQUIRE(events.size() == 1);
    CHECK(events[0].happened == continued);
    fs::remove_all(output);

    // A shard less.
    stop();
    fs::remove(root / "model" / "first.safetensors");
    events = ended_by_another(root / "model", output);
    REQUIRE(events.size() == 2);
    CHECK(events[0].container == "first.bs");
    CHECK(events[0].reason == "the source has no such shard any more");
    CHECK(events[1].happened == continued);
    fs::remove_all(output);

    // Another operating point.
    stop();
    archive::pack_options options = per_shard();
    options.tune(archive::operating_point::balanced);
    events = events_of_next(root / "model", output, options);
    REQUIRE(!events.empty());
    CHECK(events[0].happened == started_over);
}

TEST_CASE("what does not belong into the directory of a run per shard", "[archive][resume]") {
    const temporary_directory root;
    write_shards(root / "model");
    const fs::path output = root / "out", kept = root / "out.progress";
    const auto stop = [&] { leave_unfinished(root / "model", output, 6, per_shard()); };

    // What an earlier run of another model, or the end of one, may have left.
    stop();
    write_file(kept / "bigsmall-payloads" / "config.json", "old");
    write_file(kept / "bigsmall-payloads" / ".model-0.bs.0123456789abcdef.partial", "half");
    write_file(kept / "bigsmall-payloads" / "gone" / "other.bs", "of another model");
    write_file(kept / "bigsmall-logs" / "gone" / "other.bs", "of another model");
    CHECK(ended_by_another(root / "model", output).size() == 2);
    CHECK_FALSE(fs::exists(output / "gone"));
    fs::remove_all(output);

    // Nobody is led elsewhere.
    stop();
    fs::create_directory(root / "elsewhere");
    fs::create_directory_symlink(root / "elsewhere", kept / "bigsmall-payloads" / "link");
    parallel::serial_executor e;
    CHECK(thrown_by([&] { archive::pack(root / "model", output, per_shard(), e); }).code() == errc::exists);
    CHECK(fs::is_symlink(kept / "bigsmall-payloads" / "link"));
    fs::remove(kept / "bigsmall-payloads" / "link");

    // Nor is another file changed by a second name in there.
    const fs::path log = kept / "bigsmall-logs" / "model-1.bs";
    fs::rename(log, root / "aside");
    write_file(root / "precious", "precious");
    fs::create_hard_link(root / "precious", log);
    CHECK(thrown_by([&] { archive::pack(root / "model", output, per_shard(), e); }).code() == errc::exists);
    CHECK(read_text(root / "precious") == "precious");
    fs::rename(root / "aside", log);

    // Somebody else's files.
    write_file(root / "mine.progress" / "logs" / "train.log", "precious");
    for (const bool shards : {false, true}) {
        archive::pack_options options = shards ? per_shard() : resumable();
        CHECK(thrown_by([&] { archive::pack(root / "model", root / "mine", options, e); }).code() == errc::exists);
        write_file(root / "mine" / "file", "there");
        CHECK(thrown_by([&] { archive::pack(root / "model", root / "mine", options, e); }).code() == errc::exists);
        CHECK(read_text(root / "mine.progress" / "logs" / "train.log") == "precious");
        fs::remove_all(root / "mine");
    }

    // A run into one file does not take the place of one per shard, nor the other way round.
    CHECK(thrown_by([&] { archive::pack(root / "model", output, resumable(), e); }).code() == errc::exists);
    CHECK(fs::exists(log));
    leave_unfinished(root / "model", root / "single", 4);
    CHECK(thrown_by([&] { archive::pack(root / "model", root / "single", per_shard(), e); }).code() == errc::exists);
    CHECK(resumed(root / "model", root / "single").happened == continued);

    // The source is not removed with what is kept.
    fs::create_directories(root / "within.progress" / "bigsmall-payloads");
    fs::copy(root / "model", root / "within.progress" / "bigsmall-payloads" / "model", fs::copy_options::recursive);
    for (const bool shards : {false, true}) {
        const archive::pack_options options = shards ? per_shard() : resumable();
        CHECK(thrown_by([&] {
                  archive::pack(root / "within.progress" / "bigsmall-payloads" / "model", root / "within", options, e);
              }).code() == errc::invalid_argument);
    }
    CHECK(read_tree(root / "within.progress" / "bigsmall-payloads" / "model") == read_tree(root / "model"));

    // Damage of what is kept.
    for (const char* what : {"bigsmall-payloads", "bigsmall-logs"}) {
        byte_buffer bytes = read_file(kept / what / "model-1.bs");
        bytes[bytes.size() / 2] ^= 1;
        write_file(kept / what / "model-1.bs", bytes);
        ended_by_another(root / "model", output);
        fs::remove_all(output);
        stop();
    }
    for (const char* what : {"bigsmall-payloads", "bigsmall-logs"}) {
        fs::remove(kept / what / "model-1.bs");
        ended_by_another(root / "model", output);
        fs::remove_all(output);
        stop();
    }
}

TEST_CASE("a run per shard over an older output", "[archive][resume]") {
    const temporary_directory root;
    write_shards(root / "model");
    const fs::path output = root / "out";
    archive::pack_options options = per_shard();
    parallel::serial_executor e;
    archive::pack(root / "model", output, options, e);
    const std::map<std::string, byte_buffer> before = read_tree(output);

    // It is there: refused, and what a run has left that was killed at its very end goes away.
    fs::create_directory(root / "out.progress");
    fs::create_directory(root / "out.progress" / "bigsmall-logs");
    CHECK(thrown_by([&] { archive::pack(root / "model", output, options, e); }).code() == errc::exists);
    CHECK_FALSE(fs::exists(root / "out.progress"));

    // What is kept for another run stays when one is refused.
    fs::rename(output, root / "aside");
    leave_unfinished(root / "model", output, 5, options);
    fs::rename(root / "aside", output);
    CHECK(thrown_by([&] { archive::pack(root / "model", output, options, e); }).code() == errc::exists);
    CHECK(fs::exists(root / "out.progress" / "bigsmall-logs" / "model-0.bs"));

    // Replaced file by file, and what is of the older one only is removed.
    fs::remove(root / "model" / "more" / "text.safetensors");
    options.existing = io::if_exists::replace;
    const archive::pack_result result = archive::pack(root / "model", output, options, e);
    CHECK(result.removed_files == std::vector<fs::path>{output / "more" / "text.bs"});
    CHECK(result.resumed_bytes > 0);
    CHECK_FALSE(fs::exists(root / "out.progress"));
    pack(root / "model", root / "whole", without_resuming(per_shard()));
    CHECK(read_tree(output) == read_tree(root / "whole"));
    CHECK(before != read_tree(output));
}

TEST_CASE("a run per shard that fails before it has done anything leaves nothing", "[archive][resume]") {
    const temporary_directory root;
    write_shards(root / "model");
    write_file(root / "model" / "model-0.safetensors", "no header");
    parallel::serial_executor e;
    CHECK_THROWS_AS(archive::pack(root / "model", root / "out", per_shard(), e), error);
    CHECK(names_in(root.path()) == std::vector<std::string>{"model"});
}

TEST_CASE("a run per shard into an empty directory", "[archive][resume]") {
    const temporary_directory root;
    write_shards(root / "model");
    fs::create_directory(root / "out");
    leave_unfinished(root / "model", root / "out", 5, per_shard());
    CHECK(fs::is_empty(root / "out"));
    const std::vector<archive::resume_event> events = ended_by_another(root / "model", root / "out");
    CHECK(events.size() == 1);

    // One that was made in a special way stays what it is.
    fs::remove_all(root / "out");
    fs::create_directory(root / "out");
    fs::permissions(root / "out", fs::perms::owner_all | fs::perms::others_exec);
    ended_by_another(root / "model", root / "out");
    CHECK(fs::status(root / "out").permissions() == (fs::perms::owner_all | fs::perms::others_exec));
}

TEST_CASE("a run per shard that the disk ends at any step goes on to the same files", "[archive][resume]") {
    enum class target { absent, empty, older };
    const temporary_directory root;
    for (int i = 0; i < 3; ++i) {
        safetensors_builder file;
        file.add("w", "U8", noise(1500, static_cast<std::uint64_t>(i)));
        write_file(root / "model" / (i == 2 ? "more" : "") / (std::to_string(i) + ".safetensors"), file.build());
    }
    write_file(root / "model" / "config.json", "{}");
    const fs::path output = root / "out", whole = root / "whole";
    pack(root / "model", whole, without_resuming(per_shard()));
    const std::map<std::string, byte_buffer> wanted = read_tree(whole);
    parallel::serial_executor e;
    // What is there matters at the end only: where it begins, the first series finds out.
    std::size_t last_steps = 0;
    for (const target there : {target::absent, target::empty, target::older})
        for (const fault kind : {fault::kill, fault::power_cut, fault::error, fault::dead_device}) {
            std::size_t finished = 0, kept = 0;
            for (std::size_t step = there == target::absent ? 0 : last_steps;; ++step) {
                CAPTURE(static_cast<int>(there), static_cast<int>(kind), step);
                archive::pack_options options = per_shard();
                options.resume.flush_every = std::chrono::milliseconds(0); // after each batch
                if (there == target::empty) fs::create_directory(output);
                if (there == target::older) {
                    fs::copy(whole, output, fs::copy_options::recursive);
                    options.existing = io::if_exists::replace;
                }
                bool struck = false;
                {
                    failing_disk disk(kind, step, static_cast<std::uint32_t>(step));
                    options.resume.operations = &disk;
                    runs_through(root / "model", output, options, e);
                    struck = disk.struck();
                }
                if (!struck) break;
                // Each file of an older output is whole, the older or the newer; a new one has all of them or none.
                if (fs::exists(output) && !fs::is_empty(output)) {
                    REQUIRE(read_tree(output) == wanted);
                    ++finished;
                }
                if (finished == 0 && there == target::absent && kind == fault::kill)
                    last_steps = step > 10 ? step - 10 : 0;
                kept += fs::exists(root / "out.progress" / "bigsmall-logs" / "0.bs") ? 1 : 0;
                {
                    failing_disk again(fault::kill, 2 * step);
                    options.resume.operations = &again;
                    runs_through(root / "model", output, options, e);
                }
                options.resume.operations = nullptr;
                runs_through(root / "model", output, options, e);
                REQUIRE(read_tree(output) == wanted);
                runs_through(root / "model", output, options, e); // removes the rest, if any
                REQUIRE(names_in(root.path()) == std::vector<std::string>{"model", "out", "whole"});
                fs::remove_all(output);
            }
            fs::remove_all(output);
            CHECK(kept > (there == target::absent ? 10 : 3));
            CHECK(finished > 3);
        }
}
