// SPDX-License-Identifier: BSL-1.0
// Every committed block of differences is decoded to its committed bytes, by every kernel table.
#include <filesystem>
#include <fstream>
#include <iterator>

#include "support/catch.hpp"
#include "support/golden_deltas.hpp"

namespace {

bigsmall::byte_buffer read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    REQUIRE(file.good());
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

const std::filesystem::path directory = BIGSMALL_TEST_DATA_DIR;

} // namespace

TEST_CASE("golden differences give their bytes forever", "[golden]") {
    std::size_t seen = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
        if (entry.path().extension() != ".delta") continue;
        INFO(entry.path().filename().string());
        const bigsmall::byte_buffer coded = read_file(entry.path());
        const bigsmall::byte_buffer base = read_file(std::filesystem::path(entry.path()).replace_extension(".base"));
        const bigsmall::byte_buffer raw = read_file(std::filesystem::path(entry.path()).replace_extension(".raw"));
        REQUIRE(bigsmall::delta_codec::is_delta(coded));
        for (const bigsmall::kernel::table* table : bigsmall::kernel::runnable()) {
            bigsmall::scratch memory(*table);
            bigsmall::byte_buffer back(raw.size(), 0xa5);
            REQUIRE(bigsmall::delta_codec::decode(coded, base, back, memory) == bigsmall::status::ok);
            REQUIRE(back == raw);
        }
        ++seen;
    }
    CHECK(seen >= golden::delta_cases().size());
}

TEST_CASE("every way of coding differences has a golden block", "[golden]") {
    for (const golden::delta_case& each : golden::delta_cases()) {
        INFO(each.name);
        REQUIRE(std::filesystem::exists(directory / (each.name + ".delta")));
        CHECK(read_file(directory / (each.name + ".raw")) == each.raw);
        CHECK(read_file(directory / (each.name + ".base")) == each.base);
    }
}
