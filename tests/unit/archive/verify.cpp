// SPDX-License-Identifier: BSL-1.0
// Verify finds what is wrong, says where, and goes on behind it.
#include <string>

#include <bigsmall/archive/verify.hpp>
#include <bigsmall/io/container/reader.hpp>
#include <bigsmall/parallel/tbb.hpp>

#include "support/archive_runs.hpp"
#include "support/catch.hpp"

using namespace support;
using Catch::Matchers::ContainsSubstring;

namespace {

io::container_reader open(const fs::path& path) {
    return io::container_reader(std::make_shared<const io::file_source>(path));
}

/// Handles the first item and forgets the others; of calls for each of several, all.
struct losing_executor : parallel::serial_executor {
    template <class F>
    void for_each(std::size_t, F&&) {}

    template <class Item, class Produce, class... Stages>
    void pipeline(std::size_t, Produce&& produce, Stages&&... stages) {
        Item item{};
        if (produce(item)) (stages.run(item), ...);
    }
};

/// Three tensors of several blocks each, and the container of them.
struct packed_model {
    temporary_directory dir;
    fs::path source = dir / "m.safetensors", container = dir / "m.bs";
    packed_model() {
        safetensors_builder file;
        for (int i = 0; i < 3; ++i)
            file.add("t" + std::to_string(i), "BF16", gaussian_bf16(10000, std::uint64_t(i)));
        write_file(source, file.build());
        pack(source, container);
    }
};

} // namespace

TEST_CASE("an intact archive passes every kind of check", "[archive]") {
    const packed_model m;
    parallel::tbb_executor e(2);
    const auto full = archive::verify(m.container, {}, e);
    CHECK(full.ok);
    CHECK(full.tensors_checked == 3);
    CHECK(full.blocks_checked == 15);
    CHECK(full.blocks_total == 15);
    CHECK(full.bytes_checked == 60000);
    CHECK(full.problems.empty());
    const auto fast = archive::verify_fast(m.container);
    CHECK(fast.ok);
    CHECK(fast.tensors_checked == 0);
    CHECK(fast.tensors_total == 3);
    CHECK(archive::verify_against(m.container, m.source, {}, e).ok);
}

TEST_CASE("every damaged block is reported with its place", "[archive]") {
    const packed_model m;
    const auto before = open(m.container);
    const auto& contents = before.index().contents;
    const std::uint64_t second = before.block_offset(contents[1], 2), third = before.block_offset(contents[2], 4);
    damage_byte(m.container, second + 10);
    damage_byte(m.container, third + 10);
    CHECK(archive::verify_fast(m.container).ok);
    const auto report = verify(m.container);
    CHECK_FALSE(report.ok);
    REQUIRE(report.problems.size() == 2);
    CHECK(report.tensors_checked == 3);
    CHECK(report.blocks_checked == 13);
    CHECK(report.bytes_checked == 60000 - 4096 - (20000 - 4 * 4096));
    const archive::damage& first = report.problems[0];
    CHECK(first.code == errc::corrupt);
    CHECK(first.file == m.container.string());
    CHECK(first.member == "m.safetensors");
    CHECK(first.tensor == "t1");
    CHECK(first.block == 2u);
    CHECK(first.offset == second);
    CHECK(first.bytes == contents[1].blocks[2].stored_bytes);
    CHECK(report.problems[1].tensor == "t2");
    const error e = thrown_by([&] { unpack(m.container, m.dir / "back"); });
    CHECK(e.code() == errc::corrupt);
    CHECK(std::string(e.what()).find("block 2: block 2") == std::string::npos);
    CHECK(e.tensor() == "t1");
    CHECK(e.offset() == second);
    CHECK_FALSE(fs::exists(m.dir / "back"));
}

TEST_CASE("blocks that are intact but not the recorded ones are found by the hashes", "[archive]") {
    const packed_model m;
    const auto before = open(m.container);
    // A container whose index claims another MD5 and another SHA-256 than its blocks have.
    const auto rewrite = [&](auto&& change) {
        io::container_index index = before.index();
        change(index);
        byte_buffer bytes = read_file(m.container), stored;
        io::memory_sink out;
        io::container_writer writer(out);
        for (const io::content_entry& content : before.index().contents)
            for (std::size_t b = 0; b < content.blocks.size(); ++b) {
                before.read_block(content, b, stored);
                writer.append_block(stored);
            }
        writer.finish(index);
        write_file(m.dir / "wrong.bs", out.bytes());
        return verify(m.dir / "wrong.bs");
    };
    CHECK(rewrite([](auto&) {}).ok);
    const auto md5 = rewrite([](auto& index) { index.contents[1].md5[0] ^= 1; });
    REQUIRE(md5.problems.size() == 1);
    CHECK(md5.problems[0].code == errc::mismatch);
    CHECK(md5.problems[0].tensor == "t1");
    // The SHA-256 of a file takes a pass of its own.
    CHECK(rewrite([](auto& index) { index.members[0].sha256[0] ^= 1; }).ok);
    archive::verify_options with_files;
    with_files.file_hashes = true;
    parallel::serial_executor e;
    const auto sha = archive::verify(m.dir / "wrong.bs", with_files, e);
    CHECK(sha.file_hashes);
    REQUIRE(sha.problems.size() == 1);
    CHECK(sha.problems[0].member == "m.safetensors");
    CHECK(sha.problems[0].tensor.empty());
    CHECK(thrown_by([&] { unpack(m.dir / "wrong.bs", m.dir / "back"); }).code() == errc::mismatch);
    CHECK_FALSE(fs::exists(m.dir / "back"));

    // Restoring needs no MD5s, which are worth nothing beside a SHA-256, unless files are wanted that may be damaged.
    const auto swapped = rewrite([](auto& index) { std::swap(index.contents[0], index.contents[2]); });
    CHECK(swapped.ok);
    const error refused = thrown_by([&] { unpack(m.dir / "wrong.bs", m.dir / "back"); });
    CHECK(refused.code() == errc::mismatch);
    CHECK_THAT(refused.hint(), ContainsSubstring("verify --file-hashes"));
    CHECK_FALSE(fs::exists(m.dir / "back"));
    rewrite([](auto& index) { index.contents[1].md5[0] ^= 1; });
    unpack(m.dir / "wrong.bs", m.dir / "back");
    CHECK(read_file(m.dir / "back") == read_file(m.source));
    archive::unpack_options skip;
    skip.damaged = archive::if_damaged::skip;
    const auto skipped = unpack(m.dir / "wrong.bs", m.dir / "skipped", skip);
    REQUIRE(skipped.problems.size() == 1);
    CHECK(skipped.problems[0].tensor == "t1");
}

TEST_CASE("a damaged copy of the index is a problem that has cost nothing, both are the end", "[archive]") {
    const packed_model m;
    const std::uint64_t a = open(m.container).footer().copy_a_offset;
    const std::uint64_t b = open(m.container).footer().copy_b_offset;
    damage_byte(m.container, b + 5);
    const auto one = archive::verify_fast(m.container);
    CHECK_FALSE(one.ok);
    CHECK(one.only_redundant());
    REQUIRE(one.problems.size() == 1);
    CHECK_THAT(one.problems[0].what, ContainsSubstring("second copy of the index"));
    const auto full = verify(m.container);
    CHECK(full.only_redundant());
    CHECK(full.tensors_checked == 3);
    damage_byte(m.container, a + 5);
    const auto both = archive::verify_fast(m.container);
    CHECK_FALSE(both.ok);
    CHECK(both.problems.size() == 1);
    CHECK_FALSE(both.only_redundant());
    damage_byte(m.container, a + 5);
    damage_byte(m.container, 20);
    const auto header = archive::verify_fast(m.container);
    CHECK(header.only_redundant());
    CHECK(header.problems.size() == 2);
}

TEST_CASE("missing bytes at the end are called missing, others surplus", "[archive]") {
    const packed_model m;
    byte_buffer bytes = read_file(m.container);
    bytes.resize(bytes.size() - 30);
    write_file(m.container, bytes);
    const auto cut = verify(m.container);
    CHECK(cut.only_redundant());
    REQUIRE(cut.problems.size() == 2);
    CHECK_THAT(cut.problems[0].what, ContainsSubstring("last footer"));
    CHECK(cut.problems[1].what == "its last 30 bytes are missing");
    bytes.resize(bytes.size() + 40);
    write_file(m.container, bytes);
    CHECK(archive::verify_fast(m.container).problems.back().what == "there are 10 bytes behind its end");
}

TEST_CASE("an executor that loses items does not make an archive whole", "[archive]") {
    losing_executor e;
    const temporary_directory dir;
    write_file(dir / "m.safetensors", safetensors_builder().add("t", "U8", noise(20'000'000, 1)).build());
    pack(dir / "m.safetensors", dir / "m.bs", {});
    write_file(dir / "none.safetensors", safetensors_builder().add("none", "U8", {}).build());
    pack(dir / "none.safetensors", dir / "none.bs");
    CHECK(thrown_by([&] { archive::verify(dir / "none.bs", {}, e); }).code() == errc::io);
    for (const bool file_hashes : {false, true}) {
        archive::verify_options options;
        options.file_hashes = file_hashes;
        const error lost = thrown_by([&] { archive::verify(dir / "m.bs", options, e); });
        CHECK_THAT(lost.what(), ContainsSubstring("through the executor"));
    }
}

TEST_CASE("what is no archive is an error, not a report", "[archive]") {
    const packed_model m;
    CHECK(thrown_by([&] { archive::verify_fast(m.source); }).code() == errc::unsupported);
    CHECK(thrown_by([&] { archive::verify_fast(m.dir / "none.bs"); }).code() == errc::missing);
    CHECK(thrown_by([&] { archive::verify_fast(m.dir.path()); }).code() == errc::missing);
    byte_buffer cut = read_file(m.container);
    cut.resize(cut.size() / 2);
    write_file(m.container, cut);
    CHECK_FALSE(archive::verify_fast(m.container).ok);
}

TEST_CASE("a sample is a share of the blocks, chosen by its seed", "[archive]") {
    const packed_model m;
    parallel::tbb_executor e(2);
    const auto sample = [&](double fraction, std::uint64_t seed) {
        return archive::verify_sample(m.container, fraction, seed, {}, e);
    };
    CHECK(sample(0.0001, 1).blocks_checked == 1);
    CHECK(sample(0.0001, 1).tensors_checked == 1);
    CHECK(sample(0.4, 1).blocks_checked == 6);
    CHECK(sample(1.0, 1).blocks_checked == 15);
    CHECK(sample(1.0, 1).tensors_checked == 3);
    CHECK(sample(0.4, 5).seed == 5u);
    for (const double wrong : {0.0, -1.0, 1.01, std::nan("")})
        CHECK(thrown_by([&] { sample(wrong, 1); }).code() == errc::invalid_argument);

    const auto before = open(m.container);
    damage_byte(m.container, before.block_offset(before.index().contents[1], 2) + 1);
    std::size_t noticed = 0;
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        const auto report = sample(0.2, seed);
        CHECK(report.ok == sample(0.2, seed).ok);
        noticed += report.ok ? 0 : 1;
        CHECK(report.blocks_checked == 3); // the damaged one among them
        if (report.ok) continue;
        CHECK(report.problems[0].tensor == "t1");
        CHECK(report.problems[0].block == 2u);
    }
    CHECK(noticed > 1); // a share of 0.2 finds one block of 15 in 8 of 40 runs on average
    CHECK(noticed < 30);
    CHECK_FALSE(sample(1.0, 0).ok);
    CHECK(sample(1.0, 0).blocks_checked == 15);
    CHECK(sample(1.0, 0).bytes_checked == 60000);
    CHECK(sample(1.0, 0).tensors_checked == 3);
}

TEST_CASE("comparing with a source names what differs", "[archive]") {
    const packed_model m;
    const byte_buffer original = read_file(m.source);
    const auto against = [&](const byte_buffer& source) {
        write_file(m.dir / "other.safetensors", source);
        return verify_against(m.container, m.dir / "other.safetensors").problems;
    };
    CHECK(against(original).empty());

    byte_buffer changed = original;
    changed[changed.size() - 25000] ^= 1;
    changed[changed.size() - 1] ^= 1;
    const auto bytes = against(changed);
    REQUIRE(bytes.size() == 2);
    CHECK(bytes[0].tensor == "t1");
    CHECK_THAT(bytes[0].what, ContainsSubstring("byte 15000"));
    CHECK(bytes[1].tensor == "t2");

    safetensors_builder moved;
    moved.add("t2", "BF16", gaussian_bf16(10000, 2)).add("new", "U8", noise(10, 1));
    moved.add("t0", "F16", gaussian_bf16(10000, 0));
    const auto names = against(moved.build());
    REQUIRE(names.size() == 4);
    CHECK_THAT(names[0].what, ContainsSubstring("header"));
    CHECK(names[1].tensor == "t0");
    CHECK(names[2].tensor == "t1");
    CHECK(names[3].tensor == "new");
    safetensors_builder swapped;
    for (const std::uint64_t i : {2u, 1u, 0u})
        swapped.add("t" + std::to_string(i), "BF16", gaussian_bf16(10000, i));
    CHECK(against(swapped.build()).size() == 1);

    CHECK(thrown_by([&] { against(noise(3, 1)); }).code() == errc::truncated);
}

TEST_CASE("comparing directories names files that only one side has", "[archive]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    pack(dir / "model", dir / "model.bs");
    pack_per_shard(dir / "model", dir / "shards");
    for (const char* archive : {"model.bs", "shards"})
        CHECK(verify_against(dir / archive, dir / "model").ok);
    write_file(dir / "model" / "new.txt", "new");
    fs::remove(dir / "model" / "empty.txt");
    write_file(dir / "model" / "config.json", "changed");
    for (const char* archive : {"model.bs", "shards"}) {
        const auto problems = verify_against(dir / archive, dir / "model").problems;
        REQUIRE(problems.size() == 3);
        CHECK(problems[2].member == "new.txt");
    }
    const fs::path file = dir / "model" / "config.json";
    CHECK(thrown_by([&] { verify_against(dir / "model.bs", file); }).code() == errc::invalid_argument);
}
