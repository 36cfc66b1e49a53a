// SPDX-License-Identifier: BSL-1.0
// A directory of outputs: its directories are flushed before they get their names, and its errors name what was asked.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include <sys/syscall.h>
#include <unistd.h>

#include <bigsmall/archive/output_directory.hpp>

#include "support/archive_runs.hpp"
#include "support/catch.hpp"

using namespace support;

namespace {

std::vector<std::string> flushed; // paths at the time of the call

} // namespace

// In the place of the C library's: notes what is flushed.
extern "C" int fsync(int descriptor) {
    std::array<char, 4096> path{};
    const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
    const ssize_t length = ::readlink(link.c_str(), path.data(), path.size());
    if (length > 0) flushed.emplace_back(path.data(), static_cast<std::size_t>(length));
    return static_cast<int>(::syscall(SYS_fsync, descriptor));
}

namespace {

bool was_flushed(const std::string& ending) {
    return std::any_of(flushed.begin(), flushed.end(), [&](const std::string& path) { return path.ends_with(ending); });
}

void write_three(const fs::path& target, io::if_exists existing) {
    flushed.clear();
    archive::output_directory out(target, existing);
    for (const char* name : {"a/b/one", "a/two", "three"})
        write_file(out.place(name), "text");
    out.commit();
}

} // namespace

TEST_CASE("every new directory is flushed, and a new output before it gets its name", "[archive]") {
    const temporary_directory dir;
    write_three(dir / "new", io::if_exists::refuse);
    CHECK(was_flushed(".partial/a/b"));
    CHECK(was_flushed(".partial/a"));
    CHECK(was_flushed(".partial"));
    CHECK(flushed.back() == dir.path().string());
    CHECK(read_tree(dir / "new").size() == 3);

    fs::create_directories(dir / "old");
    write_file(dir / "old" / "kept", "text");
    write_three(dir / "old", io::if_exists::replace);
    CHECK(was_flushed("/old/a/b"));
    CHECK(was_flushed("/old/a"));
    CHECK(was_flushed("/old"));
    CHECK(read_tree(dir / "old").size() == 4);
}

TEST_CASE("what can never be replaced is refused in words that do not offer it", "[archive]") {
    const temporary_directory dir;
    write_file(dir / "file", "text");
    fs::create_directories(dir / "folder" / "name");
    const auto at = [](const fs::path& path, io::if_exists existing) {
        return thrown_by([&] { archive::output_directory(path, existing); });
    };
    CHECK(at(dir / "file", io::if_exists::refuse).code() == errc::exists);
    CHECK(at(dir / "file", io::if_exists::replace).code() == errc::invalid_argument);
    CHECK(at(dir / "file", io::if_exists::refuse).hint() == "choose another name for the output");
    const error inside = thrown_by([&] {
        archive::output_directory out(dir / "folder", io::if_exists::replace);
        write_file(out.place("name"), "text");
        out.commit();
    });
    CHECK(inside.code() == errc::invalid_argument);
    for (const auto existing : {io::if_exists::refuse, io::if_exists::replace}) {
        const error e = thrown_by([&] { io::atomic_file(dir / "folder", existing); });
        CHECK(e.code() == (existing == io::if_exists::refuse ? errc::exists : errc::invalid_argument));
        CHECK(e.hint() == "choose another name for the output");
    }
}

TEST_CASE("errors of a file in the hidden directory name the output", "[archive]") {
    const temporary_directory dir;
    io::atomic_file file(dir / "hidden", io::if_exists::refuse, "shown");
    fs::remove(file.temporary());
    CHECK(thrown_by([&] { file.commit(); }).file() == "shown");
}
