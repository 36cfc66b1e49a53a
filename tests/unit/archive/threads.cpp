// SPDX-License-Identifier: BSL-1.0
// Every verb on plain threads: what the thread sanitizer can follow.
#include <bigsmall/archive.hpp>

#include "support/archive_runs.hpp"
#include "support/catch.hpp"
#include "support/thread_pipelines.hpp"

using namespace support;

TEST_CASE("all verbs run on threads and agree with the serial ones", "[archive]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    safetensors_builder big;
    const byte_buffer weights = gaussian_bf16(2500000, 9);
    big.add("a", "BF16", weights).add("b", "BF16", gaussian_bf16(900000, 8)).add("c", "BF16", weights);
    for (int i = 0; i < 2000; ++i)
        big.add("t" + std::to_string(i), "U8", noise(100, static_cast<std::uint64_t>(i)));
    write_file(dir / "model" / "big.safetensors", big.build());
    pack(dir / "model", dir / "serial.bs");

    thread_executor e(3);
    archive::pack_options options = small_blocks();
    archive::pack(dir / "model", dir / "threads.bs", options, e);
    CHECK(read_file(dir / "threads.bs") == read_file(dir / "serial.bs"));
    options.per_shard = true;
    archive::pack(dir / "model", dir / "shards", options, e);
    archive::unpack(dir / "threads.bs", dir / "a", {}, e);
    archive::unpack(dir / "shards", dir / "b", {}, e);
    CHECK(read_tree(dir / "a") == read_tree(dir / "model"));
    CHECK(read_tree(dir / "b") == read_tree(dir / "model"));
    CHECK(archive::verify(dir / "threads.bs", {}, e).ok);
    CHECK(archive::verify_sample(dir / "threads.bs", 0.3, 1, {}, e).ok);
    CHECK(archive::verify_against(dir / "shards", dir / "model", {}, e).ok);
    const archive::archive_reader reader(dir / "threads.bs");
    CHECK(reader.read(reader.at("c"), e) == weights);

    damage_byte(dir / "threads.bs", fs::file_size(dir / "threads.bs") / 3);
    CHECK_FALSE(archive::verify(dir / "threads.bs", {}, e).ok);
    CHECK(thrown_by([&] { archive::unpack(dir / "threads.bs", dir / "c", {}, e); }).code() == errc::corrupt);
    CHECK_FALSE(fs::exists(dir / "c"));
}
