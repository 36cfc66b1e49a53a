// SPDX-License-Identifier: BSL-1.0
// Blocks that an earlier block equals are stored once: inside a tensor and across tensors.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <bigsmall/archive/equal_blocks.hpp>
#include <bigsmall/archive/inspect.hpp>
#include <bigsmall/archive/reader.hpp>
#include <bigsmall/archive/transcode.hpp>
#include <bigsmall/parallel/tbb.hpp>

#include "support/archive_runs.hpp"
#include "support/catch.hpp"

using namespace support;

namespace {

constexpr std::size_t part_bytes = 16 * 4096;

byte_buffer joined(std::initializer_list<const byte_buffer*> parts) {
    byte_buffer all;
    for (const byte_buffer* part : parts)
        all.insert(all.end(), part->begin(), part->end());
    return all;
}

/// Noise q, k and v: q twice in one tensor, k, all three fused, k again under another name, and a tail of its own.
byte_buffer fused_file() {
    const byte_buffer q = noise(part_bytes, 1), k = noise(part_bytes, 2), v = noise(part_bytes, 3);
    const byte_buffer tail = noise(5000, 4);
    safetensors_builder file;
    file.add("q_twice", "U8", joined({&q, &q})).add("k", "U8", k).add("qkv", "U8", joined({&q, &k, &v}));
    return file.add("k_again", "U8", k).add("k_and_tail", "U8", joined({&k, &tail})).build();
}

/// Two different parts of one block with the same XXH3. In a word whose lower half is that of the secret, the product
/// of the halves is zero whatever the upper half is; the word itself is added to its neighbour's sum. So what one
/// word's upper half gains and that of the next stripe loses changes nothing.
std::pair<byte_buffer, byte_buffer> colliding_blocks() {
    byte_buffer a = noise(4096, 5);
    std::copy_n(XXH3_kSecret, 4, a.begin());          // lane 0 of stripe 0
    std::copy_n(XXH3_kSecret + 8, 4, a.begin() + 64); // lane 0 of stripe 1, whose secret begins 8 bytes later
    a[4] = a[68] = 100;
    byte_buffer b = a;
    b[4] = 101;
    b[68] = 99;
    return {std::move(a), std::move(b)};
}

constexpr std::size_t distinct_bytes = 3 * part_bytes + 5000;

archive::tensor_summary summary_of(const archive::archive_summary& all, const std::string& name) {
    const auto at = std::find_if(all.tensors.begin(), all.tensors.end(), [&](const auto& t) { return t.name == name; });
    REQUIRE(at != all.tensors.end());
    return *at;
}

} // namespace

TEST_CASE("equal blocks inside and across tensors are stored once, and come back", "[archive]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", fused_file());
    pack(dir / "m.safetensors", dir / "m.bs");
    CHECK(fs::file_size(dir / "m.bs") > distinct_bytes);
    CHECK(fs::file_size(dir / "m.bs") < distinct_bytes + 6000);
    unpack(dir / "m.bs", dir / "back.safetensors");
    CHECK(read_file(dir / "back.safetensors") == fused_file());
    CHECK(verify(dir / "m.bs").ok);
    CHECK(archive::verify_fast(dir / "m.bs").ok);
    CHECK(verify_against(dir / "m.bs", dir / "m.safetensors").ok);

    const archive::archive_reader reader(dir / "m.bs");
    const byte_buffer qkv = reader.read("qkv");
    const byte_buffer q = noise(part_bytes, 1), k = noise(part_bytes, 2), v = noise(part_bytes, 3);
    CHECK(qkv == joined({&q, &k, &v})); // the whole of it ...
    byte_buffer range(10'000);
    reader.read_range(reader.at("qkv"), part_bytes - 5000, range); // ... and what lies across two owners
    CHECK(std::equal(range.begin(), range.end(), qkv.begin() + static_cast<std::ptrdiff_t>(part_bytes - 5000)));
}

TEST_CASE("sizes of tensors count each block once", "[archive]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", fused_file());
    pack(dir / "m.safetensors", dir / "m.bs");
    const archive::archive_summary all = archive::inspect(dir / "m.bs");
    const auto stored = [&](const char* name) { return summary_of(all, name).stored_bytes; };
    CHECK(stored("q_twice") > part_bytes);
    CHECK(stored("q_twice") < part_bytes + 500);
    CHECK(stored("k") > part_bytes);
    CHECK(stored("qkv") > part_bytes); // v
    CHECK(stored("qkv") < part_bytes + 500);
    CHECK(stored("k_and_tail") < 5000 + 500);
    CHECK(summary_of(all, "k_again").duplicate_of == "k");
}

TEST_CASE("a content whose blocks are all shared is itself, and no other", "[archive]") {
    const temporary_directory dir;
    const byte_buffer a = noise(part_bytes, 1), b = noise(part_bytes, 2);
    safetensors_builder file;
    file.add("both", "U8", joined({&a, &b})).add("a", "U8", a).add("b", "U8", b).add("b_again", "U8", b);
    write_file(dir / "m.safetensors", file.build());
    pack(dir / "m.safetensors", dir / "m.bs");
    const archive::archive_summary all = archive::inspect(dir / "m.bs");
    CHECK(summary_of(all, "a").duplicate_of.empty());
    CHECK(summary_of(all, "b").duplicate_of.empty());
    CHECK(summary_of(all, "b_again").duplicate_of == "b");
    CHECK(summary_of(all, "b").stored_bytes == 0);
    unpack(dir / "m.bs", dir / "back.safetensors");
    CHECK(read_file(dir / "back.safetensors") == file.build());
}

TEST_CASE("damage to a shared block is damage to all that share it", "[archive]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", fused_file());
    pack(dir / "m.safetensors", dir / "m.bs");
    const archive::archive_reader reader(dir / "m.bs");
    const auto& content = reader.archive().containers()[0].index().contents[reader.at("k").content];
    damage_byte(dir / "m.bs", content.offset + 100);
    const archive::verify_report report = verify(dir / "m.bs");
    std::string tensors;
    for (const archive::damage& found : report.problems)
        tensors += found.tensor + " ";
    CHECK(tensors == "k qkv k_again k_and_tail ");
}

TEST_CASE("transcoding finds equal blocks anew, whatever their size", "[archive][transcode]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", fused_file());
    for (const std::uint64_t before : {4096u, 8192u, 20000u}) {
        archive::pack_options packing;
        packing.block_bytes = before;
        packing.existing = io::if_exists::replace;
        pack(dir / "m.safetensors", dir / "m.bs", packing);
        for (const std::uint64_t after : {4096u, 16384u, 30000u}) {
            INFO(before << " to " << after);
            archive::transcode_options options;
            options.block_bytes = after;
            options.existing = io::if_exists::replace;
            parallel::tbb_executor e(2);
            archive::transcode(dir / "m.bs", dir / "out.bs", options, e);
            archive::pack_options direct = packing;
            direct.block_bytes = after;
            direct.codec = options.codec;
            pack(dir / "m.safetensors", dir / "direct.bs", direct);
            CHECK(read_file(dir / "out.bs") == read_file(dir / "direct.bs"));
            archive::unpack_options over;
            over.existing = io::if_exists::replace;
            unpack(dir / "out.bs", dir / "back.safetensors", over);
            CHECK(read_file(dir / "back.safetensors") == fused_file());
        }
    }
}

TEST_CASE("containers beside others do not share blocks", "[archive]") {
    const temporary_directory dir;
    write_file(dir / "m" / "a.safetensors", fused_file());
    const byte_buffer k = noise(part_bytes, 2);
    write_file(dir / "m" / "b.safetensors", safetensors_builder().add("k", "U8", k).build());
    pack_per_shard(dir / "m", dir / "out");
    CHECK(fs::file_size(dir / "out" / "a.bs") > distinct_bytes + 3 * part_bytes);
    CHECK(fs::file_size(dir / "out" / "b.bs") < 2000); // refers to the other's k
    CHECK(verify(dir / "out").ok);
    unpack(dir / "out", dir / "back");
    CHECK(read_file(dir / "back" / "b.safetensors") == read_file(dir / "m" / "b.safetensors"));
}

TEST_CASE("equal fingerprints are not taken for equal bytes", "[archive][transcode]") {
    const auto [a, b] = colliding_blocks();
    REQUIRE(a != b);
    REQUIRE(io::checksum(a) == io::checksum(b));
    const temporary_directory dir;
    const byte_buffer both = joined({&a, &b, &a});
    write_file(dir / "m.safetensors",
               safetensors_builder().add("a", "U8", joined({&b, &a})).add("b", "U8", both).build());
    pack(dir / "m.safetensors", dir / "m.bs");
    archive::transcode_options options;
    options.block_bytes = test_block_bytes;
    parallel::serial_executor e;
    archive::transcode(dir / "m.bs", dir / "t.bs", options, e);
    for (const char* name : {"m.bs", "t.bs"}) {
        unpack(dir / name, dir / (std::string(name) + ".back"));
        CHECK(read_file(dir / (std::string(name) + ".back")) == read_file(dir / "m.safetensors"));
        CHECK(fs::file_size(dir / name) < 5 * 4096); // b, the first of its fingerprint, is shared; a is not
    }
}

TEST_CASE("blocks of many batches share the same for any executor", "[archive][threads][transcode]") {
    const temporary_directory dir;
    std::vector<byte_buffer> pool;
    for (std::uint64_t i = 0; i < 300; ++i)
        pool.push_back(noise(test_block_bytes, i));
    byte_buffer shuffled; // three batches; owners and sharers are often in different ones
    for (std::uint64_t i = 0; i < 2500; ++i) {
        const byte_buffer& block = pool[i * i * 7 % (100 + i / 10 % 200)];
        shuffled.insert(shuffled.end(), block.begin(), block.end());
    }
    const byte_buffer half(shuffled.begin(), shuffled.begin() + 1000 * test_block_bytes);
    write_file(dir / "m.safetensors", safetensors_builder().add("a", "U8", shuffled).add("b", "U8", half).build());
    pack(dir / "m.safetensors", dir / "serial.bs");
    CHECK(fs::file_size(dir / "serial.bs") < 300 * (test_block_bytes + 100) + 20'000);
    for (const std::size_t threads : {1u, 2u, 5u}) {
        INFO(threads << " threads");
        parallel::tbb_executor e(threads);
        archive::pack_options options = small_blocks();
        options.existing = io::if_exists::replace;
        archive::pack(dir / "m.safetensors", dir / "m.bs", options, e);
        CHECK(read_file(dir / "m.bs") == read_file(dir / "serial.bs"));
        archive::transcode_options again;
        again.block_bytes = test_block_bytes;
        again.codec = options.codec;
        again.existing = io::if_exists::replace;
        archive::transcode(dir / "m.bs", dir / "t.bs", again, e);
        CHECK(read_file(dir / "t.bs") == read_file(dir / "serial.bs"));
    }
    unpack(dir / "serial.bs", dir / "back");
    CHECK(read_file(dir / "back") == read_file(dir / "m.safetensors"));
}

TEST_CASE("the finder knows the first of equal fingerprints, of one size", "[archive]") {
    archive::detail::equal_block_finder finder;
    CHECK(finder.find_or_add(7, 1, 0, 4095).added == nullptr); // too small to be worth it
    const auto first = finder.find_or_add(7, 1, 4096, 5000);
    REQUIRE(first.added != nullptr);
    CHECK(first.earlier == nullptr);
    const auto second = finder.find_or_add(7, 2, 0, 5000);
    CHECK(second.earlier == first.added);
    CHECK(second.added == nullptr);
    CHECK(second.earlier->content == 1);
    CHECK(second.earlier->begin == 4096);
    CHECK(finder.find_or_add(7, 2, 0, 5001).earlier == nullptr);
}

TEST_CASE("damaged receipts are reported, restoring goes on, and transcoding makes them anew", "[archive]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", fused_file());
    pack(dir / "m.safetensors", dir / "m.bs");
    const io::container_footer footer = archive::opened_archive(dir / "m.bs").containers()[0].reader->footer();
    damage_byte(dir / "m.bs", footer.payload_end() + 3);
    for (const archive::verify_report& report : {archive::verify_fast(dir / "m.bs"), verify(dir / "m.bs")}) {
        CHECK_FALSE(report.ok);
        CHECK(report.only_redundant());
        REQUIRE(report.problems.size() == 1);
        CHECK(report.problems[0].what == "the receipts (the MD5 of each tensor) are damaged");
    }
    CHECK(archive::inspect(dir / "m.bs").tensors[0].md5.empty());
    unpack(dir / "m.bs", dir / "back.safetensors");
    CHECK(read_file(dir / "back.safetensors") == fused_file());
    archive::transcode_options options;
    options.block_bytes = test_block_bytes;
    parallel::serial_executor e;
    archive::transcode(dir / "m.bs", dir / "healed.bs", options, e);
    CHECK(verify(dir / "healed.bs").ok);
    CHECK(archive::inspect(dir / "healed.bs").tensors[0].md5.size() == 32);
}
