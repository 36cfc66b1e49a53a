// SPDX-License-Identifier: BSL-1.0
// Changes in place that are refused, and what is told of interrupted ones.
#include <chrono>
#include <string>

#include <sys/stat.h>

#include "in_place_files.hpp"
#include "support/catch.hpp"

using namespace in_place_test;

TEST_CASE("when the new bytes do not come, nothing was changed", "[archive][in_place]") {
    const model_file file(file_of(noise(5000, 1)));
    const byte_buffer longer = file_of(noise(6000, 2)), changed = changed_at(file.base, {{100, 4000}});
    for (const byte_buffer* target : {&longer, &changed}) {
        const auto change = change_of(file.base, *target);
        const auto refused = [&](auto&& produce) {
            const error e = thrown_by([&] { archive::change_in_place(file.path, change, produce); });
            CHECK(file.now() == file.base);
            CHECK(file.is_clean());
            return e.code();
        };
        const bytes_view all = *target;
        CHECK(refused([&](auto&& consumer) {
                  consumer(0, all.first(2000));
                  throw error(errc::cancelled, "stop");
              }) == errc::cancelled);
        CHECK(refused([&](auto&& consumer) { consumer(0, all.first(all.size() - 1)); }) == errc::mismatch);
        CHECK(refused([&](auto&& consumer) {
                  consumer(0, all);
                  consumer(all.size(), all.first(1));
              }) == errc::mismatch);
        CHECK(refused([&](auto&& consumer) { consumer(1, all.subspan(1)); }) == errc::mismatch);
        CHECK(refused([&](auto&& consumer) {
                  consumer(0, all);
                  write_file(file.path, file.base); // somebody else
                  fs::last_write_time(file.path, fs::file_time_type::clock::now() - std::chrono::hours(1));
              }) == errc::io);
        CHECK(refused([&](auto&& consumer) {
                  consumer(0, all);
                  write_file(file.directory / "other", file.base);
                  fs::rename(file.directory / "other", file.path);
              }) == errc::io);
    }
    // A wrong result is known beforehand where a whole file is written.
    auto wrong = change_of(file.base, longer);
    wrong.after[0] ^= 1;
    CHECK(thrown_by([&] { archive::change_in_place(file.path, wrong, producer_of(longer)); }).code() == errc::mismatch);
    CHECK(file.now() == file.base);
    CHECK(file.is_clean());
}

TEST_CASE("a file that is not the base is not changed", "[archive][in_place]") {
    const model_file file(file_of(noise(5000, 1)));
    const byte_buffer target = changed_at(file.base, {{100, 400}});
    auto change = change_of(file.base, target);
    (*change.before)[5] ^= 1;
    const error e = thrown_by([&] { archive::change_in_place(file.path, change, producer_of(target)); });
    CHECK(e.code() == errc::mismatch);
    CHECK_THAT(e.what(), Catch::Matchers::ContainsSubstring(archive::hex_of(hash_of(file.base))));
    CHECK(file.now() == file.base);
    CHECK(file.is_clean());
    change.before.reset(); // not known: what is there is recorded
    file.interrupt(target);
    CHECK(archive::undo_change(file.path).before == hash_of(file.base));
    archive::change_in_place(file.path, change, producer_of(target));
    CHECK(file.now() == target);
}

TEST_CASE("two runs do not change one file", "[archive][in_place]") {
    const model_file file(file_of(noise(5000, 1)));
    const byte_buffer target = changed_at(file.base, {{100, 400}});
    int refused = 0;
    const auto busy = [&](auto&& action) {
        const error e = thrown_by(action);
        refused += e.code() == errc::exists && std::string(e.what()).find("another run") != std::string::npos;
    };
    archive::change_in_place(file.path, change_of(file.base, target), [&](auto&& consumer) {
        busy([&] { file.become(target); });
        busy([&] { archive::finish_change(file.path); });
        busy([&] { archive::undo_change(file.path); });
        producer_of(target)(consumer);
    });
    CHECK(refused == 3);
    CHECK(file.now() == target);
}

TEST_CASE("what may not be changed in place is refused", "[archive][in_place]") {
    const model_file file(file_of(noise(5000, 1)));
    const byte_buffer target = changed_at(file.base, {{100, 400}});
    const auto refused = [&](const fs::path& path) {
        thrown_by([&] { archive::finish_change(path); });
        return thrown_by([&] { archive::change_in_place(path, change_of(file.base, target), producer_of(target)); });
    };
    fs::create_symlink(file.path, file.directory / "link");
    const error link = refused(file.directory / "link");
    CHECK(link.code() == errc::invalid_argument);
    CHECK_THAT(link.hint(), Catch::Matchers::ContainsSubstring("Hugging Face"));
    CHECK(refused(file.directory.path()).code() == errc::invalid_input);
    REQUIRE(::mkfifo((file.directory / "pipe").c_str(), 0600) == 0);
    CHECK(refused(file.directory / "pipe").code() == errc::invalid_input);
    CHECK(refused(file.directory / "nothing").code() == errc::missing);
    fs::create_hard_link(file.path, file.directory / "second name");
    CHECK(thrown_by([&] { file.become(target); }).code() == errc::invalid_argument);
    CHECK(file.now() == file.base);
}

TEST_CASE("an interrupted change is seen by others", "[archive][in_place]") {
    const model_file file(file_of(noise(5000, 1)));
    const byte_buffer target = changed_at(file.base, {{100, 400}, {4000, 2}});
    CHECK_FALSE(archive::pending_change(file.path));
    CHECK_NOTHROW(archive::require_no_pending_change(file.path));
    CHECK(thrown_by([&] { archive::finish_change(file.path); }).code() == errc::missing);
    CHECK(thrown_by([&] { archive::undo_change(file.path); }).code() == errc::missing);
    file.interrupt(target);
    temporary_directory elsewhere;
    fs::create_symlink(file.path, elsewhere / "link");
    for (const fs::path& path : {file.path, elsewhere / "link"}) {
        const auto pending = archive::pending_change(path);
        REQUIRE(pending);
        CHECK(pending->label == "patch.bs");
        CHECK(pending->file_bytes == target.size());
        CHECK(pending->before == hash_of(file.base));
        CHECK(pending->after == hash_of(target));
        CHECK(pending->runs == 2);
        CHECK(pending->changed_bytes == 402);
        const error e = thrown_by([&] { archive::require_no_pending_change(path); });
        CHECK(e.code() == errc::exists);
        CHECK_THAT(e.hint(), Catch::Matchers::ContainsSubstring("--undo"));
    }
    CHECK(thrown_by([&] { file.become(target); }).code() == errc::exists);
    CHECK(archive::finish_change(file.path).runs == 2);
    CHECK(file.now() == target);
    CHECK(file.is_clean());
}

TEST_CASE("a file that somebody else has changed meanwhile is not written to", "[archive][in_place]") {
    const model_file file(file_of(noise(9000, 1)));
    const byte_buffer target = changed_at(file.base, {{200, 100}, {8000, 200}});
    file.interrupt(target);
    const byte_buffer half = file.now();
    const auto refused = [&](const byte_buffer& bytes) {
        write_file(file.path, bytes);
        for (const auto settle : {0, 1}) {
            const error e =
                thrown_by([&] { settle == 0 ? archive::finish_change(file.path) : archive::undo_change(file.path); });
            CHECK(e.code() == errc::mismatch);
            CHECK(file.now() == bytes);
            CHECK(file.has_journal());
        }
    };
    for (const std::size_t at : {200u, 299u, 8000u, 8199u}) {
        byte_buffer foreign = half;
        while (foreign[at] == file.base[at] || foreign[at] == target[at])
            ++foreign[at];
        refused(foreign);
    }
    byte_buffer shorter = half, longer = half;
    shorter.pop_back();
    longer.push_back(0);
    refused(shorter);
    refused(longer);
    write_file(file.path, half);
    archive::undo_change(file.path);
    CHECK(file.now() == file.base);
}

TEST_CASE("a change at other places is told and the journal kept", "[archive][in_place]") {
    const model_file file(file_of(noise(9000, 1)));
    const byte_buffer target = changed_at(file.base, {{200, 100}, {8000, 200}});
    file.interrupt(target);
    byte_buffer foreign = file.now();
    foreign[5000] ^= 1;
    write_file(file.path, foreign);
    for (const byte_buffer* goal : {&target, &file.base}) {
        const error e =
            thrown_by([&] { goal == &target ? archive::finish_change(file.path) : archive::undo_change(file.path); });
        CHECK(e.code() == errc::mismatch);
        CHECK_THAT(e.what(), Catch::Matchers::ContainsSubstring("at other places"));
        byte_buffer expected = *goal;
        expected[5000] ^= 1;
        CHECK(file.now() == expected);
        CHECK(file.has_journal());
    }
    byte_buffer repaired = file.now();
    repaired[5000] ^= 1;
    write_file(file.path, repaired);
    archive::finish_change(file.path);
    CHECK(file.now() == target);
    CHECK(file.is_clean());
}

TEST_CASE("a damaged journal is refused and kept", "[archive][in_place]") {
    const model_file file(file_of(noise(9000, 1)));
    file.interrupt(changed_at(file.base, {{200, 100}, {8000, 200}}));
    const byte_buffer half = file.now();
    byte_buffer journal = read_file(io::journal_path(file.path));
    journal[journal.size() / 2] ^= 1;
    write_file(io::journal_path(file.path), journal);
    CHECK(thrown_by([&] { archive::finish_change(file.path); }).code() == errc::corrupt);
    CHECK(thrown_by([&] { archive::undo_change(file.path); }).code() == errc::corrupt);
    CHECK(file.now() == half);
    CHECK(file.has_journal());
}
