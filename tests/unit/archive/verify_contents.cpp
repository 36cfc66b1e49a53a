// SPDX-License-Identifier: BSL-1.0
// A full verification: each block once, eight contents side by side in each thread, and every tensor told of what is
// wrong with it.
#include <algorithm>
#include <map>
#include <string>

#include <bigsmall/archive/verify.hpp>
#include <bigsmall/io/container/reader.hpp>
#include <bigsmall/parallel/tbb.hpp>

#include "patch_runs.hpp"
#include "support/archive_runs.hpp"
#include "support/catch.hpp"

using namespace support;

namespace {

io::container_reader open_container(const fs::path& path) {
    return io::container_reader(std::make_shared<const io::file_source>(path));
}

/// The same blocks under an index that `change` has changed.
template <class Change>
void write_changed(const fs::path& from, const fs::path& to, const Change& change) {
    const auto before = open_container(from);
    io::container_index index = before.index();
    change(index);
    std::map<std::uint64_t, std::pair<const io::content_entry*, std::size_t>> blocks; // in the order of the file
    for (const io::content_entry& content : before.index().contents)
        for (std::size_t b = 0; content.home == 0 && b < content.blocks.size(); ++b)
            blocks[before.block_offset(content, b)] = {&content, b};
    byte_buffer stored;
    io::memory_sink out;
    io::container_writer writer(out, io::required_features(index));
    for (const auto& [offset, block] : blocks) {
        before.read_block(*block.first, block.second, stored);
        writer.append_block(stored);
    }
    writer.finish(index);
    write_file(to, out.bytes());
}

std::string names_of(const archive::verify_report& report) {
    std::string names;
    for (const archive::damage& problem : report.problems)
        names += problem.member + ":" + problem.tensor + " ";
    return names;
}

/// More tensors than lanes, of different sizes: some of a block or two, an empty one, and one that may be so large that
/// there is no use for more than a few lanes.
byte_buffer uneven_model(std::size_t largest = 200'000) {
    safetensors_builder file;
    for (std::size_t i = 0; i < 20; ++i)
        file.add("t" + std::to_string(i), "U8", noise(i == 13 ? largest : 5000 + 3001 * (i * 7 % 5), i));
    return file.add("none", "U8", {}).build();
}

struct listener final : parallel::progress_listener {
    std::uint64_t done = 0, total = 0;
    void on_progress(const parallel::progress_event& event) override {
        CHECK(event.done_bytes >= done);
        done = event.done_bytes;
        total = event.total_bytes;
    }
};

} // namespace

TEST_CASE("tensors of any sizes pass through the lanes of any number of threads", "[archive]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", uneven_model(GENERATE(3'000u, 200'000u, 2'000'000u)));
    pack(dir / "m.safetensors", dir / "m.bs");
    for (const std::size_t threads : {1u, 2u, 3u, 40u}) {
        parallel::tbb_executor e(threads);
        listener progress;
        archive::verify_options options;
        options.progress = &progress;
        const auto report = archive::verify(dir / "m.bs", options, e);
        CHECK(report.ok);
        CHECK_FALSE(report.file_hashes);
        CHECK(report.tensors_checked == 21);
        CHECK(report.blocks_checked == report.blocks_total);
        CHECK(progress.done == report.bytes_checked);
        CHECK(progress.total == report.bytes_checked);
    }
}

TEST_CASE("whichever tensor is not the recorded one is found", "[archive]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", uneven_model(GENERATE(9'000u, 200'000u)));
    pack(dir / "m.safetensors", dir / "m.bs");
    parallel::tbb_executor e(2);
    for (std::size_t i = 0; i < 21; ++i) {
        write_changed(dir / "m.bs", dir / "wrong.bs", [&](auto& index) { index.contents[i].md5[15] ^= 1; });
        const auto report = archive::verify(dir / "wrong.bs", {}, e);
        CHECK(names_of(report) == "m.safetensors:" + (i == 20 ? "none" : "t" + std::to_string(i)) + " ");
        CHECK(report.problems.at(0).code == errc::mismatch);
        CHECK(report.tensors_checked == 21);
    }
}

TEST_CASE("all damaged blocks of a tensor are reported, and its MD5 is not", "[archive]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", uneven_model());
    pack(dir / "m.safetensors", dir / "m.bs");
    const auto before = open_container(dir / "m.bs");
    const auto& contents = before.index().contents;
    const auto large = std::find_if(contents.begin(), contents.end(),
                                    [](const io::content_entry& each) { return each.raw_bytes == 200'000; });
    REQUIRE(large != contents.end());
    for (const std::size_t block : {0u, 7u, 48u})
        damage_byte(dir / "m.bs", before.block_offset(*large, block) + 5);
    parallel::tbb_executor e(2);
    const auto report = archive::verify(dir / "m.bs", {}, e);
    REQUIRE(names_of(report) == "m.safetensors:t13 m.safetensors:t13 m.safetensors:t13 ");
    for (std::size_t i = 0; const std::size_t block : {0u, 7u, 48u}) {
        CHECK(report.problems[i].block == block);
        CHECK(report.problems[i].offset == before.block_offset(*large, block));
        CHECK(report.problems[i++].bytes == large->blocks[block].stored_bytes);
    }
    CHECK(report.blocks_checked == report.blocks_total - 3);
    CHECK(report.tensors_checked == 21);
}

TEST_CASE("a content is decoded once, and all that are made of it are told", "[archive]") {
    const temporary_directory dir;
    const byte_buffer same = noise(20'000, 1);
    safetensors_builder first, second;
    first.add("a", "U8", same).add("b", "U8", same).add("c", "U8", noise(5000, 2));
    second.add("d", "U8", same).add("e", "U8", noise(5000, 3));
    write_file(dir / "model" / "1.safetensors", first.build());
    write_file(dir / "model" / "2.safetensors", second.build());
    pack_per_shard(dir / "model", dir / "shards");
    REQUIRE(open_container(dir / "shards" / "2.bs").index().siblings.size() == 1);
    parallel::tbb_executor e(2);
    const auto whole = archive::verify(dir / "shards", {}, e);
    CHECK(whole.ok);
    CHECK(whole.blocks_checked == 5 + 2 + 2);
    CHECK(whole.blocks_checked == whole.blocks_total);
    CHECK(whole.bytes_checked == 30'000);
    CHECK(whole.tensors_checked == 5);

    const auto shard = open_container(dir / "shards" / "1.bs");
    damage_byte(dir / "shards" / "1.bs", shard.block_offset(shard.index().contents[0], 1));
    const auto damaged = archive::verify(dir / "shards", {}, e);
    CHECK(names_of(damaged) == "1.safetensors:a 1.safetensors:b 2.safetensors:d ");
    for (const archive::damage& problem : damaged.problems)
        CHECK(problem.file == (dir / "shards" / "1.bs").string());
}

TEST_CASE("a slice of a bundle has an MD5 of its own", "[archive]") {
    const temporary_directory dir;
    safetensors_builder file;
    for (int i = 0; i < 12; ++i)
        file.add("norm." + std::to_string(i), "F32", gaussian_bf16(100, static_cast<std::uint64_t>(i)));
    write_file(dir / "m.safetensors", file.build());
    pack(dir / "m.safetensors", dir / "m.bs");
    const io::container_index index = open_container(dir / "m.bs").index();
    REQUIRE(index.bundles == 1);
    REQUIRE(index.contents[5].is_slice());
    write_changed(dir / "m.bs", dir / "wrong.bs", [](auto& changed) { changed.contents[5].md5[0] ^= 1; });
    const auto report = verify(dir / "wrong.bs");
    REQUIRE(report.problems.size() == 1);
    CHECK(report.problems[0].code == errc::mismatch);
    CHECK(report.tensors_checked == 12);
    CHECK(report.blocks_checked == 1);
    // What is wrong with a bundle is wrong with all of its slices, and they have no MD5.
    damage_byte(dir / "wrong.bs", index.contents.back().offset + 3);
    const auto damaged = verify(dir / "wrong.bs");
    CHECK(damaged.problems.size() == 12);
    CHECK(damaged.tensors_checked == 0);
    for (const archive::damage& problem : damaged.problems)
        CHECK(problem.code == errc::corrupt);
}

TEST_CASE("a verification that is cancelled ends", "[archive]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", uneven_model());
    pack(dir / "m.safetensors", dir / "m.bs");
    parallel::cancel_token token;
    token.request();
    archive::verify_options options;
    options.cancel = &token;
    parallel::tbb_executor e(2);
    CHECK(thrown_by([&] { archive::verify(dir / "m.bs", options, e); }).code() == errc::cancelled);
}

TEST_CASE("without MD5s the SHA-256 of the files is what is left", "[archive]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", uneven_model());
    pack(dir / "m.safetensors", dir / "m.bs");
    damage_byte(dir / "m.bs", open_container(dir / "m.bs").footer().payload_end() + 3);
    const auto report = verify(dir / "m.bs");
    CHECK(report.file_hashes);
    CHECK(report.only_redundant());
    REQUIRE(report.problems.size() == 1);
    CHECK(report.tensors_checked == 21);
}

TEST_CASE("the report does not depend on the number of threads", "[archive]") {
    const temporary_directory dir;
    safetensors_builder file;
    for (std::size_t i = 0; i < 40; ++i)
        file.add("t" + std::to_string(i), "U8", noise(i % 3 == 0 ? 100 : 9000 + 4000 * (i % 5), i));
    write_file(dir / "m.safetensors", file.build());
    pack(dir / "m.safetensors", dir / "m.bs");
    write_changed(dir / "m.bs", dir / "wrong.bs", [](io::container_index& index) {
        for (const std::size_t i : {3u, 8u, 9u, 25u})
            index.contents[i].md5[7] ^= 1;
    });
    const auto before = open_container(dir / "wrong.bs");
    const auto& contents = before.index().contents;
    for (const std::size_t i : {1u, 8u, 20u, 38u})
        damage_byte(dir / "wrong.bs", before.block_offset(contents[i], contents[i].blocks.size() - 1) + 1);
    const auto told = [&](std::size_t threads) {
        parallel::tbb_executor e(threads);
        const auto report = archive::verify(dir / "wrong.bs", {}, e);
        std::string all = std::to_string(report.blocks_checked) + " " + std::to_string(report.bytes_checked) + " " +
                          std::to_string(report.tensors_checked);
        for (const archive::damage& problem : report.problems)
            all += "\n" + error_of(problem).message() + problem.tensor + std::to_string(problem.offset.value_or(0));
        return all;
    };
    const std::string one = told(1);
    CHECK(std::count(one.begin(), one.end(), '\n') == 4 + 3); // number 8 has no MD5 to be compared
    for (const std::size_t threads : {2u, 3u, 40u})
        CHECK(told(threads) == one);
}

TEST_CASE("damage of what no file is made of is told", "[archive]") {
    const temporary_directory dir;
    for (const std::uint64_t i : {1u, 2u})
        write_file(dir / "m" / (std::to_string(i) + ".bin"), noise(9000, i));
    pack(dir / "m", dir / "m.bs");
    write_changed(dir / "m.bs", dir / "less.bs", [](auto& index) { index.members.erase(index.members.begin()); });
    CHECK(verify(dir / "less.bs").ok);
    const auto before = open_container(dir / "less.bs");
    damage_byte(dir / "less.bs", before.block_offset(before.index().contents[0], 1) + 1);
    const auto report = verify(dir / "less.bs");
    REQUIRE(report.problems.size() == 1);
    CHECK(report.problems[0].block == 1u);
    CHECK(report.problems[0].member.empty());
}

TEST_CASE("who names a damaged tensor again is told once more, not of each block", "[archive]") {
    const temporary_directory dir;
    const byte_buffer same = noise(20'000, 1);
    write_file(dir / "m.safetensors", safetensors_builder().add("a", "U8", same).add("b", "U8", same).build());
    pack(dir / "m.safetensors", dir / "m.bs");
    const auto before = open_container(dir / "m.bs");
    for (const std::size_t block : {1u, 3u})
        damage_byte(dir / "m.bs", before.block_offset(before.index().contents[0], block));
    const auto report = verify(dir / "m.bs");
    CHECK(names_of(report) == "m.safetensors:a m.safetensors:a m.safetensors:b ");
    CHECK(report.tensors_checked == 2);
}

TEST_CASE("a shard alone is checked with the sibling that holds some of it", "[archive]") {
    const temporary_directory dir;
    const byte_buffer same = noise(20'000, 1);
    write_file(dir / "model" / "1.safetensors", safetensors_builder().add("a", "U8", same).build());
    write_file(dir / "model" / "2.safetensors",
               safetensors_builder().add("b", "U8", same).add("c", "U8", noise(5000, 2)).build());
    pack_per_shard(dir / "model", dir / "shards");
    const fs::path first = dir / "shards" / "1.bs", second = dir / "shards" / "2.bs";
    const auto whole = verify(second);
    CHECK(whole.ok);
    CHECK(whole.tensors_checked == 2);
    CHECK(whole.blocks_checked == 5 + 2);

    // A content is taken for the sibling's only where that is the same; another MD5 is one's own.
    fs::copy_file(second, dir / "kept.bs");
    write_changed(second, dir / "other.bs", [](io::container_index& index) { index.contents[0].md5[0] ^= 1; });
    fs::rename(dir / "other.bs", second);
    CHECK(names_of(verify(dir / "shards")).find("2.safetensors:b") != std::string::npos);
    fs::rename(dir / "kept.bs", second);
    CHECK(verify(dir / "shards").ok);

    const auto sibling = open_container(first);
    damage_byte(first, sibling.block_offset(sibling.index().contents[0], 2));
    const auto damaged = verify(second);
    CHECK(names_of(damaged) == "2.safetensors:b ");
    CHECK(damaged.problems.at(0).file == first.string());
}

TEST_CASE("what a listener throws ends the run and is no damage", "[archive]") {
    struct refusing final : parallel::progress_listener {
        void on_progress(const parallel::progress_event&) override { throw error(errc::io, "no more paper"); }
    };
    const temporary_directory dir;
    write_file(dir / "m.safetensors", uneven_model());
    pack(dir / "m.safetensors", dir / "m.bs");
    refusing progress;
    archive::verify_options options;
    options.progress = &progress;
    parallel::tbb_executor e(2);
    const error refused = thrown_by([&] { archive::verify(dir / "m.bs", options, e); });
    CHECK(refused.message() == "no more paper");
}

TEST_CASE("tensors of a patch are checked with the base, those that equal it as well", "[archive][patch]") {
    const temporary_directory dir;
    const byte_buffer frozen = gaussian_bf16(1'300'000, 1), moved = gaussian_bf16(20'000, 2);
    write_file(dir / "base.safetensors",
               safetensors_builder().add("frozen", "BF16", frozen).add("moved", "BF16", moved).build());
    write_file(dir / "tuned.safetensors",
               safetensors_builder().add("frozen", "BF16", frozen).add("moved", "BF16", trained(moved, 3)).build());
    pack(dir / "tuned.safetensors", dir / "p.bs", against(dir / "base.safetensors"));
    const auto patch = open_container(dir / "p.bs");
    const auto& contents = patch.index().contents;
    REQUIRE(contents.size() == 2);
    REQUIRE(contents[0].is_unchanged());
    const auto whole = verify_with(dir / "p.bs", dir / "base.safetensors");
    CHECK(whole.ok);
    CHECK(whole.tensors_checked == 2);
    CHECK(whole.bytes_checked == 2'640'000);
    CHECK(whole.blocks_checked == contents[1].blocks.size());

    damage_byte(dir / "p.bs", patch.block_offset(contents[1], 4) + 2);
    const auto damaged = verify_with(dir / "p.bs", dir / "base.safetensors");
    REQUIRE(names_of(damaged) == "tuned.safetensors:moved ");
    CHECK(damaged.problems[0].block == 4u);
    CHECK(damaged.problems[0].offset == patch.block_offset(contents[1], 4));

    // The MD5 of what equals a base tensor is that tensor's; one of its own is compared.
    pack(dir / "tuned.safetensors", dir / "again.bs", against(dir / "base.safetensors"));
    write_changed(dir / "again.bs", dir / "wrong.bs",
                  [](io::container_index& index) { index.contents[1].md5[0] ^= 1; });
    const auto wrong = verify_with(dir / "wrong.bs", dir / "base.safetensors");
    CHECK(names_of(wrong) == "tuned.safetensors:moved ");
    CHECK(wrong.problems.at(0).code == errc::mismatch);
}
