// SPDX-License-Identifier: BSL-1.0
// One tensor, or a range of one, out of an archive.
#include <algorithm>
#include <string>

#include <bigsmall/archive/hash.hpp>
#include <bigsmall/archive/reader.hpp>
#include <bigsmall/parallel/tbb.hpp>

#include "support/archive_runs.hpp"
#include "support/catch.hpp"

using namespace support;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("tensors are found by name and read whole", "[archive]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    pack(dir / "model", dir / "model.bs");
    pack_per_shard(dir / "model", dir / "shards");
    parallel::tbb_executor e(2);
    for (const char* name : {"model.bs", "shards"}) {
        const archive::archive_reader reader(dir / name);
        CHECK(reader.tensors().size() == 7);
        CHECK(reader.read("lm_head.weight") == gaussian_bf16(64 * 96, 1));
        CHECK(reader.read(reader.at("model.layers.1.mlp.up_proj.weight"), e) == gaussian_bf16(128 * 64, 5));
        CHECK(reader.find("nothing") == nullptr);
        const error none = thrown_by([&] { reader.read("nothing"); });
        CHECK(none.code() == errc::missing);
        CHECK_THAT(none.what(), ContainsSubstring("nothing"));
        const archive::hash_methods methods;
        archive::md5_hasher md5;
        for (const archive::tensor_entry& tensor : reader.tensors()) {
            md5.start(methods.md5());
            md5.update(reader.read(tensor));
            CHECK(md5.finish() == tensor.md5);
        }
    }
}

TEST_CASE("any range of a tensor can be read", "[archive]") {
    const temporary_directory dir;
    const byte_buffer bytes = gaussian_bf16(10007, 1);
    write_file(dir / "m.safetensors", safetensors_builder().add("w", "BF16", bytes).add("z", "U8", {0}, {}).build());
    pack(dir / "m.safetensors", dir / "m.bs");
    const archive::archive_reader reader(dir / "m.bs");
    const archive::tensor_entry& w = reader.at("w");
    CHECK(reader.block_bytes(w) == test_block_bytes);
    for (const std::uint64_t offset : {0u, 1u, 4095u, 4096u, 4097u, 8192u, 20013u})
        for (const std::size_t count : {0u, 1u, 2u, 4095u, 4096u, 4097u, 12000u}) {
            if (offset + count > bytes.size()) continue;
            byte_buffer part(count);
            reader.read_range(w, offset, part);
            CHECK(std::equal(part.begin(), part.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset)));
        }
    byte_buffer whole(bytes.size());
    reader.read_range(w, 0, whole);
    CHECK(whole == bytes);
    CHECK(reader.read("z").empty());
    byte_buffer three(3);
    CHECK(thrown_by([&] { reader.read_range(w, bytes.size() - 2, three); }).code() == errc::invalid_argument);
    CHECK(thrown_by([&] { reader.read_range(w, ~std::uint64_t{0}, three); }).code() == errc::invalid_argument);
}

TEST_CASE("damage stays where it is", "[archive]") {
    const temporary_directory dir;
    const byte_buffer bytes = gaussian_bf16(10000, 1);
    write_file(dir / "m.safetensors", safetensors_builder().add("w", "BF16", bytes).build());
    pack(dir / "m.safetensors", dir / "m.bs");
    damage_byte(dir / "m.bs", 100); // in the first block
    const archive::archive_reader reader(dir / "m.bs");
    byte_buffer part(5000);
    reader.read_range(reader.at("w"), 4096, part);
    CHECK(std::equal(part.begin(), part.end(), bytes.begin() + 4096));
    const error e = thrown_by([&] { reader.read("w"); });
    CHECK(e.code() == errc::corrupt);
    CHECK(e.tensor() == "w");
}
