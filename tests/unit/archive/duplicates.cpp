// SPDX-License-Identifier: BSL-1.0
// Equal parts are stored once, and only equal parts.
#include <string>

#include <bigsmall/archive/duplicates.hpp>
#include <bigsmall/parallel/tbb.hpp>

#include "support/archive_runs.hpp"
#include "support/catch.hpp"

using namespace support;

namespace {

/// The contents of the extents of a directory after the search, as "0 1 0 | 2 ...": one group per member.
std::string contents_of(const fs::path& source, archive::duplicate_scope scope, std::uint64_t bundle_limit = 0) {
    archive::pack_plan plan = archive::make_plan(archive::find_files(source));
    parallel::tbb_executor e(2);
    archive::find_duplicates(plan, scope, bundle_limit, {}, e);
    std::string text;
    for (const archive::planned_member& member : plan.members) {
        if (!text.empty()) text += "| ";
        for (const archive::planned_extent& extent : member.extents)
            text += std::to_string(extent.content) + " ";
    }
    return text;
}

} // namespace

TEST_CASE("equal tensors, gaps and files share a content whatever their type", "[archive]") {
    const temporary_directory dir;
    const byte_buffer same = noise(20000, 1), small = noise(64, 2), tiny = noise(63, 3);
    safetensors_builder a, b;
    a.add("x", "BF16", same).add("y", "U8", same).add("s", "U8", small).gap(small).add("t", "U8", tiny);
    b.add("x", "F32", same).add("t", "U8", tiny).add("e", "U8", {}).add("f", "U8", {});
    write_file(dir / "m" / "a.safetensors", a.build());
    write_file(dir / "m" / "b.safetensors", b.build());
    write_file(dir / "m" / "c.bin", same);
    // What has no bytes has nothing to share.
    CHECK(contents_of(dir / "m", archive::duplicate_scope::everywhere) == "0 0 2 2 4 | 0 4 7 8 | 0 ");
}

TEST_CASE("parts that differ where no sample is taken are told apart", "[archive]") {
    const temporary_directory dir;
    byte_buffer bytes(3000000, 0);
    safetensors_builder file;
    file.add("a", "U8", bytes);
    bytes[1000000] = 1;
    file.add("b", "U8", bytes).add("c", "U8", bytes);
    bytes[2999999 - 5000] = 1;
    file.add("d", "U8", bytes).add("e", "U8", bytes).add("f", "U8", byte_buffer(3000000, 0));
    write_file(dir / "m" / "m.safetensors", file.build());
    CHECK(contents_of(dir / "m", archive::duplicate_scope::everywhere) == "0 1 1 3 3 0 ");
}

TEST_CASE("one_directory keeps to files that lie side by side", "[archive]") {
    const temporary_directory dir;
    const byte_buffer file = safetensors_builder().add("x", "U8", noise(5000, 1)).build();
    for (const char* name : {"a.safetensors", "sub/b.safetensors", "sub/c.safetensors", "z.safetensors"})
        write_file(dir / "m" / name, file);
    CHECK(contents_of(dir / "m", archive::duplicate_scope::one_directory) == "0 | 1 | 1 | 0 ");
    CHECK(contents_of(dir / "m", archive::duplicate_scope::everywhere) == "0 | 0 | 0 | 0 ");
}

TEST_CASE("what may lie in a bundle is shared within a file only when there is a container for each", "[archive]") {
    const temporary_directory dir;
    const byte_buffer large = noise(200, 1), small = noise(100, 2);
    safetensors_builder file;
    file.add("a", "U8", large).add("b", "U8", small).add("c", "U8", small);
    write_file(dir / "m" / "a.safetensors", file.build());
    write_file(dir / "m" / "b.safetensors", file.build());
    CHECK(contents_of(dir / "m", archive::duplicate_scope::one_directory, 200) == "0 1 1 | 0 4 4 ");
    CHECK(contents_of(dir / "m", archive::duplicate_scope::everywhere, 200) == "0 1 1 | 0 1 1 ");
}
