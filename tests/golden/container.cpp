// SPDX-License-Identifier: BSL-1.0
// A committed container of version 1 restores its committed directory, forever.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <bigsmall/archive.hpp>

#include "support/catch.hpp"

namespace {

namespace fs = std::filesystem;

std::string contents(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    REQUIRE(file.good());
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void check_restores(const std::string& name, std::size_t files_wanted) {
    const fs::path expected = fs::path(BIGSMALL_TEST_DATA_DIR) / name;
    const fs::path work = fs::temp_directory_path() / ("bigsmall_golden_" + name);
    fs::remove_all(work);
    fs::create_directories(work);
    bigsmall::parallel::serial_executor here;
    bigsmall::archive::unpack(fs::path(BIGSMALL_TEST_DATA_DIR) / (name + ".bs"), work / "back", {}, here);
    std::size_t files = 0;
    for (const auto& entry : fs::directory_iterator(expected)) {
        INFO(entry.path().filename().string());
        CHECK(contents(entry.path()) == contents(work / "back" / entry.path().filename()));
        ++files;
    }
    CHECK(files == files_wanted);
    fs::remove_all(work);
}

} // namespace

TEST_CASE("a container of version 1 restores its directory forever", "[golden]") {
    check_restores("container_v1", 4);
}

TEST_CASE("a container with bundles restores its directory forever", "[golden]") {
    check_restores("container_v1_bundles", 3);
}

TEST_CASE("a container with a lean index and shared blocks restores its directory forever", "[golden]") {
    check_restores("container_v1_lean", 2);
}
