// SPDX-License-Identifier: BSL-1.0
// Migrating keeps the smaller of each block and what a codec of today makes of it, and never anything that is wrong.
#include <string>

#include <bigsmall/archive/migrate.hpp>
#include <bigsmall/archive/open_model.hpp>
#include <bigsmall/archive/reshard.hpp>
#include <bigsmall/parallel/executor.hpp>

#include "support/archive_runs.hpp"
#include "support/catch.hpp"

using namespace support;
using Catch::Matchers::ContainsSubstring;

namespace {

archive::migrate_options to_balanced() {
    archive::migrate_options options;
    options.point = archive::operating_point::balanced;
    return options;
}

archive::migrate_options dry_run() {
    archive::migrate_options options = to_balanced();
    options.what = archive::migration::report_only;
    return options;
}

archive::migrate_result migrate(const fs::path& path, const archive::migrate_options& options = to_balanced()) {
    parallel::serial_executor e;
    return archive::migrate(path, options, e);
}

byte_buffer model_of(std::uint64_t seed) {
    safetensors_builder file;
    file.gap(noise(100, seed));
    const byte_buffer tied = gaussian_bf16(9000, seed + 1);
    file.add("model.embed.weight", "BF16", tied);
    for (std::uint64_t layer = 0; layer < 6; ++layer) {
        const std::string name = "model.layers." + std::to_string(layer) + ".";
        file.add(name + "w", "BF16", {100, 120}, gaussian_bf16(12000, seed + 10 + layer));
        file.add(name + "norm", "F32", noise(128, seed + 20 + layer));
        file.add(name + "random", "U8", noise(5000, seed + 30 + layer));
    }
    file.add("again", "U8", noise(5000, seed + 32));
    return file.add("head.weight", "BF16", tied).build();
}

/// As a writer with a codec of less effort would have packed it.
archive::pack_options older_blocks() {
    archive::pack_options options = small_blocks();
    options.codec = archive::recipe_of(archive::operating_point::inference).codec;
    return options;
}

} // namespace

TEST_CASE("what gets smaller is coded anew, the rest stays, and the same files come back", "[archive][migrate]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", model_of(1));
    pack(dir / "m.safetensors", dir / "m.bs", older_blocks());
    const byte_buffer before = read_file(dir / "m.bs");
    const archive::migrate_result foretold = migrate(dir / "m.bs", dry_run());
    CHECK(read_file(dir / "m.bs") == before);
    CHECK_FALSE(fs::exists(dir / "m.bs.bak"));
    const archive::migrate_result done = migrate(dir / "m.bs");
    CHECK(done.old_bytes == before.size());
    CHECK(done.new_bytes == fs::file_size(dir / "m.bs"));
    CHECK(done.new_bytes < before.size());
    CHECK(done.new_bytes == foretold.new_bytes);
    CHECK(done.smaller_blocks == foretold.smaller_blocks);
    CHECK(done.smaller_tensors == foretold.smaller_tensors);
    CHECK(done.smaller_tensors >= 8);
    CHECK(done.smaller_tensors < done.tensors);
    CHECK(done.smaller_blocks < done.blocks);
    CHECK(read_file(dir / "m.bs.bak") == before);
    CHECK(verify(dir / "m.bs").ok);
    unpack(dir / "m.bs", dir / "back");
    CHECK(read_file(dir / "back") == model_of(1));
    // What is migrated has nothing to gain, and is not touched.
    const byte_buffer after = read_file(dir / "m.bs");
    const archive::migrate_result again = migrate(dir / "m.bs");
    CHECK(again.new_bytes == again.old_bytes);
    CHECK(again.files.empty());
    CHECK(read_file(dir / "m.bs") == after);
    // Blocks that do not get smaller are those of before.
    const archive::opened_archive old(dir / "m.bs.bak"), now(dir / "m.bs");
    std::size_t kept = 0;
    for (std::size_t i = 0; i < old.containers()[0].index().contents.size(); ++i) {
        const auto& was = old.containers()[0].index().contents[i].blocks;
        const auto& is = now.containers()[0].index().contents[i].blocks;
        REQUIRE(was.size() == is.size());
        for (std::size_t b = 0; b < was.size(); ++b) {
            if (is[b].stored_bytes == was[b].stored_bytes) ++kept;
            CHECK((is[b].stored_bytes < was[b].stored_bytes || is[b].checksum == was[b].checksum));
        }
    }
    CHECK(kept > 0);
}

TEST_CASE("backups are not overwritten unasked, and permissions stay", "[archive][migrate]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", model_of(2));
    pack(dir / "m.safetensors", dir / "m.bs", older_blocks());
    fs::permissions(dir / "m.bs", fs::perms::owner_read | fs::perms::owner_write);
    const byte_buffer before = read_file(dir / "m.bs");
    write_file(dir / "m.bs.bak", "mine");
    CHECK(thrown_by([&] { migrate(dir / "m.bs"); }).code() == errc::exists);
    CHECK(read_file(dir / "m.bs") == before);
    archive::migrate_options options = to_balanced();
    options.existing = io::if_exists::replace;
    migrate(dir / "m.bs", options);
    CHECK(read_file(dir / "m.bs.bak") == before);
    CHECK(fs::status(dir / "m.bs").permissions() == (fs::perms::owner_read | fs::perms::owner_write));
    write_file(dir / "m.bs", before);
    fs::remove(dir / "m.bs.bak");
    options.backup = archive::keep_backup::no;
    migrate(dir / "m.bs", options);
    CHECK(fs::file_size(dir / "m.bs") < before.size());
    std::size_t files = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(dir.path()))
        ++files;
    CHECK(files == 2);
}

TEST_CASE("damage keeps an archive as it is", "[archive][migrate]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", model_of(3));
    pack(dir / "m.safetensors", dir / "m.bs", older_blocks());
    damage_byte(dir / "m.bs", 40000);
    const byte_buffer before = read_file(dir / "m.bs");
    for (const archive::migrate_options& options : {to_balanced(), dry_run()}) {
        const error e = thrown_by([&] { migrate(dir / "m.bs", options); });
        CHECK(e.code() == errc::corrupt);
        CHECK_FALSE(e.tensor().empty());
    }
    CHECK(read_file(dir / "m.bs") == before);
    CHECK_FALSE(fs::exists(dir / "m.bs.bak"));
}

TEST_CASE("a directory is migrated as a whole, and joins to the same file", "[archive][migrate]") {
    const temporary_directory dir;
    parallel::serial_executor e;
    write_file(dir / "m.safetensors", model_of(4));
    pack(dir / "m.safetensors", dir / "m.bs", older_blocks());
    archive::reshard_options three;
    three.layout.shards = 3;
    archive::reshard({dir / "m.bs"}, dir / "three", three, e);
    const fs::path second = dir / "three" / "model-00002-of-00003.bs";
    CHECK_THAT(thrown_by([&] { migrate(second); }).what(), ContainsSubstring("is a shard of the model"));
    const archive::migrate_result done = migrate(dir / "three");
    CHECK_FALSE(done.files.empty());
    CHECK(done.backups.size() == done.files.size());
    CHECK(done.new_bytes < done.old_bytes);
    CHECK(verify(dir / "three").ok);
    CHECK(archive::read_shard_index(dir / "three").shards[1].stored_bytes == fs::file_size(second));
    archive::reshard_options one;
    one.layout.shards = 1;
    CHECK(archive::reshard({dir / "three"}, dir / "one", one, e).original);
    unpack(dir / "one" / "model.bs", dir / "back");
    CHECK(read_file(dir / "back") == model_of(4));
    // Tied tensors of shards refer to each other.
    write_sharded_model(dir / "model");
    archive::pack_options per_shard = older_blocks();
    per_shard.per_shard = true;
    pack(dir / "model", dir / "tied", per_shard);
    // One backup that is in the way, and none is made.
    const fs::path in_the_way = dir / "tied" / "model-00002-of-00002.bs.bak";
    write_file(in_the_way, "mine");
    const auto before = read_tree(dir / "tied");
    CHECK(thrown_by([&] { migrate(dir / "tied"); }).code() == errc::exists);
    CHECK(read_tree(dir / "tied") == before);
    fs::remove(in_the_way);
    CHECK(migrate(dir / "tied").files.size() == 2);
    CHECK(verify_against(dir / "tied", dir / "model").ok);
}

TEST_CASE("differences to a base stay in a migrated patch", "[archive][migrate]") {
    const temporary_directory dir;
    parallel::serial_executor e;
    byte_buffer tuned = model_of(5);
    write_file(dir / "base.safetensors", tuned);
    for (std::size_t i = tuned.size() - 30000; i < tuned.size(); i += 50)
        tuned[i] ^= 1;
    write_file(dir / "tuned.safetensors", tuned);
    archive::pack_options packing = older_blocks();
    packing.base = archive::open_model(dir / "base.safetensors", nullptr, archive::run_options(), e);
    pack(dir / "tuned.safetensors", dir / "patch.bs", packing);
    const archive::migrate_result done = migrate(dir / "patch.bs");
    CHECK(done.untried_blocks > 0);
    CHECK(done.new_bytes <= done.old_bytes);
    archive::unpack_options unpacking;
    unpacking.base = packing.base;
    unpack(dir / "patch.bs", dir / "back", unpacking);
    CHECK(read_file(dir / "back") == tuned);
}
