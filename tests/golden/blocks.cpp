// SPDX-License-Identifier: BSL-1.0
// Every committed block is decoded to its committed bytes, by every kernel table; every wire id has one.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>

#include "support/catch.hpp"
#include "support/golden_blocks.hpp"

namespace {

bigsmall::byte_buffer read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    REQUIRE(file.good());
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

const std::filesystem::path directory = BIGSMALL_TEST_DATA_DIR;

} // namespace

TEST_CASE("golden blocks decode to their bytes forever", "[golden]") {
    std::size_t seen = 0;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
        if (entry.path().extension() != ".block") continue;
        INFO(entry.path().filename().string());
        const bigsmall::byte_buffer coded = read_file(entry.path());
        const bigsmall::byte_buffer raw = read_file(std::filesystem::path(entry.path()).replace_extension(".raw"));
        for (const bigsmall::kernel::table* each : bigsmall::kernel::runnable())
            for (const bigsmall::kernel::table* table : {each, &bigsmall::kernel::streaming(*each)}) {
                bigsmall::scratch memory(*table);
                bigsmall::byte_buffer back(raw.size(), 0xa5);
                REQUIRE(bigsmall::archive::default_codec().decode(coded, back, memory) == bigsmall::status::ok);
                REQUIRE(back == raw);
            }
        ++seen;
    }
    CHECK(seen >= golden::block_cases().size());
}

TEST_CASE("every wire id has a golden block", "[golden]") {
    std::set<bigsmall::wire_id> groupings, entropies;
    for (const golden::block_case& each : golden::block_cases()) {
        INFO(each.name);
        REQUIRE(std::filesystem::exists(directory / (each.name + ".block")));
        // What the case was made to show is in its first bytes: the grouping, the stream count, the lead entropy.
        const bigsmall::byte_buffer coded = read_file(directory / (each.name + ".block"));
        CHECK(coded[0] == each.label.grouping);
        CHECK(coded[2] == each.label.entropy);
        groupings.insert(coded[0]);
        entropies.insert(coded[2]);
    }
    CHECK(groupings.size() == 22);
    CHECK(entropies.size() == 7);
}
