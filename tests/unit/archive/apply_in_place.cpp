// SPDX-License-Identifier: BSL-1.0
// Changes in place when nobody ends them, and all that is refused.
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <sys/stat.h>

#include <bigsmall/io/file_source.hpp>
#include <bigsmall/io/journal_reader.hpp>

#include "in_place_files.hpp"
#include "support/catch.hpp"
#include "support/peak_memory.hpp"

using namespace in_place_test;

namespace {

std::vector<io::journal_run> runs_of(const fs::path& journal, std::vector<byte_buffer>& memory) {
    io::journal_reader reader(std::make_shared<const io::file_source>(journal));
    std::vector<io::journal_run> runs;
    for (io::journal_run run; reader.next(run);) {
        for (bytes_view* side : {&run.before, &run.after}) {
            memory.push_back(byte_buffer(side->begin(), side->end()));
            *side = memory.back();
        }
        runs.push_back(run);
    }
    return runs;
}

/// Fails with the journal complete and the file as it was.
class no_write_to_the_file final : public io::file_operations {
public:
    int rename_new(const path& from, const path& to) override {
        named_ = true;
        return file_operations::rename_new(from, to);
    }
    std::int64_t write_at(int fd, bytes_view bytes, std::uint64_t offset) override {
        return named_ ? -EIO : file_operations::write_at(fd, bytes, offset);
    }

private:
    bool named_ = false;
};

} // namespace

TEST_CASE("a file becomes another one in place", "[archive][in_place]") {
    const model_file file(file_of(noise(100'000, 1)));
    struct stat before {
    }, after{};
    REQUIRE(::stat(file.path.c_str(), &before) == 0);
    const byte_buffer target = changed_at(file.base, {{9, 1}, {5000, 10}, {5073, 1}, {70'000, 20'000}});
    const archive::in_place_result result = file.become(target);
    CHECK(file.now() == target);
    CHECK(file.is_clean());
    CHECK(result.runs == 3);
    CHECK(result.changed_bytes == 1 + 74 + 20'000);
    CHECK(result.file_bytes == target.size());
    CHECK_FALSE(result.rewritten_whole);
    REQUIRE(::stat(file.path.c_str(), &after) == 0);
    CHECK(before.st_ino == after.st_ino);
}

TEST_CASE("a file that is the new one already is not written to", "[archive][in_place]") {
    const model_file file(file_of(noise(5000, 1)));
    const auto time = fs::last_write_time(file.path);
    failing_disk disk(fault::none);
    const auto result =
        archive::change_in_place(file.path, change_of(file.base, file.base), producer_of(file.base), disk);
    CHECK(result.runs == 0);
    CHECK(result.changed_bytes == 0);
    CHECK(fs::last_write_time(file.path) == time);
    CHECK(file.is_clean());
}

TEST_CASE("the runs of a journal are the changes, merged when there is little between them", "[archive][in_place]") {
    std::mt19937 random(7);
    for (int round = 0; round < 60; ++round) {
        CAPTURE(round);
        const model_file file(file_of(noise(20'000, 3)));
        byte_buffer target = file.base;
        for (std::size_t at = 200 + random() % 500; at < target.size(); at += 1 + random() % (round < 30 ? 200 : 3000))
            for (std::size_t n = 1 + random() % 40; n > 0 && at < target.size(); --n, ++at)
                target[at] = static_cast<std::uint8_t>(random());
        no_write_to_the_file disk;
        CHECK(thrown_by([&] {
                  archive::change_in_place(file.path, change_of(file.base, target),
                                           producer_of(target, 1 + random() % 900), disk);
              }).code() == errc::io);
        REQUIRE(file.now() == file.base);
        std::vector<byte_buffer> memory;
        memory.reserve(2 * file.base.size());
        byte_buffer rebuilt = file.base;
        std::uint64_t end = 0;
        for (const io::journal_run& run : runs_of(io::journal_path(file.path), memory)) {
            REQUIRE((end == 0 || run.offset >= end + 64));
            REQUIRE(run.before.front() != run.after.front());
            REQUIRE(run.before.back() != run.after.back());
            REQUIRE(
                std::equal(run.before.begin(), run.before.end(), file.base.begin() + static_cast<long>(run.offset)));
            std::copy(run.after.begin(), run.after.end(), rebuilt.begin() + static_cast<long>(run.offset));
            std::size_t same = 0;
            for (std::size_t i = 0; i < run.before.size(); ++i) {
                same = run.before[i] == run.after[i] ? same + 1 : 0;
                REQUIRE(same < 64);
            }
            end = run.offset + run.before.size();
        }
        REQUIRE(rebuilt == target);
        archive::finish_change(file.path);
        REQUIRE(file.now() == target);
    }
}

TEST_CASE("long changes are several runs", "[archive][in_place]") {
    const model_file file(file_of(noise(5 * MiB / 2, 1)));
    byte_buffer target = file.base;
    const std::size_t header = target.size() - 5 * MiB / 2;
    for (std::size_t i = header; i < target.size(); ++i)
        target[i] = static_cast<std::uint8_t>(target[i] + 1);
    // Equal bytes across the place where the second run begins, and the last ones of all.
    const std::size_t second = header + MiB;
    std::copy_n(file.base.begin() + static_cast<long>(second - 20), 40,
                target.begin() + static_cast<long>(second - 20));
    target[target.size() - 1] = file.base.back();
    const archive::in_place_result result = file.become(target, 700'000);
    CHECK(file.now() == target);
    CHECK(result.runs == 3);
    CHECK(result.changed_bytes == 5 * MiB / 2 - 1);
}

TEST_CASE("a new file that does not fit takes the place of the old one", "[archive][in_place]") {
    const model_file file(file_of(noise(5000, 1)));
    REQUIRE(::chmod(file.path.c_str(), 0640) == 0);
    const byte_buffer longer = file_of(noise(6000, 2));
    // As many bytes in all, but another header.
    const byte_buffer shifted = safetensors_builder().add("tensor", "U8", noise(4995, 2)).build();
    REQUIRE(shifted.size() == file.base.size());
    for (const byte_buffer* target : {&longer, &shifted}) {
        write_file(file.path, file.base);
        const archive::in_place_result result = file.become(*target);
        CHECK(result.rewritten_whole);
        CHECK(result.changed_bytes == target->size());
        CHECK(result.file_bytes == target->size());
        CHECK(file.now() == *target);
        CHECK(file.is_clean());
        struct stat facts {};
        REQUIRE(::stat(file.path.c_str(), &facts) == 0);
        CHECK((facts.st_mode & 07777) == 0640);
    }
}

TEST_CASE("a journal is as private as the file", "[archive][in_place]") {
    const model_file file(file_of(noise(5000, 1)));
    REQUIRE(::chmod(file.path.c_str(), 0600) == 0);
    file.interrupt(changed_at(file.base, {{200, 300}}));
    struct stat facts {};
    REQUIRE(::stat(io::journal_path(file.path).c_str(), &facts) == 0);
    CHECK((facts.st_mode & 07777) == 0600);
}

TEST_CASE("the longest name of a file can be changed in place", "[archive][in_place]") {
    const temporary_directory directory;
    const byte_buffer base = file_of(noise(5000, 1)), target = changed_at(base, {{300, 3}});
    const fs::path path = directory / (std::string(243, 'm') + ".safetensors");
    write_file(path, base);
    no_write_to_the_file disk;
    CHECK(thrown_by([&] {
              archive::change_in_place(path, change_of(base, target), producer_of(target), disk);
          }).code() == errc::io);
    REQUIRE(archive::pending_change(path));
    archive::finish_change(path);
    CHECK(read_file(path) == target);
    CHECK(read_tree(directory.path()).size() == 1);
}

TEST_CASE("a change in place takes little memory however much changes", "[archive][in_place]") {
    if (!support::memory_is_measurable) SKIP("a sanitizer would be measured");
    const model_file file(file_of(noise(40 * MiB, 1)));
    byte_buffer target = file.base;
    for (std::size_t i = 100; i < target.size(); ++i)
        target[i] = static_cast<std::uint8_t>(target[i] + (i % 1000 < 800));
    const archive::in_place_change change = change_of(file.base, target);
    const std::uint64_t used =
        memory_of([&] { archive::change_in_place(file.path, change, producer_of(target, MiB)); });
    CHECK(used < 16 * MiB);
    CHECK(file.now() == target);
}
