// SPDX-License-Identifier: BSL-1.0
// A model is read the same way whatever it lies in: a file, a directory, an archive of either.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <bigsmall/archive/decoded_blocks.hpp>
#include <bigsmall/archive/hash.hpp>
#include <bigsmall/archive/input_files.hpp>
#include <bigsmall/archive/model_reader.hpp>
#include <bigsmall/parallel/tbb.hpp>

#include "support/archive_runs.hpp"
#include "support/catch.hpp"

using namespace support;
using archive::model_reader;
using Catch::Matchers::ContainsSubstring;

namespace {

byte_buffer whole(const model_reader& model, std::size_t tensor) {
    byte_buffer bytes(static_cast<std::size_t>(model.tensors()[tensor].bytes));
    model.read(tensor, 0, bytes);
    return bytes;
}

template <class Hasher>
typename Hasher::digest hash_of(const EVP_MD* method, bytes_view bytes) {
    Hasher hash;
    hash.start(method);
    hash.update(bytes);
    return hash.finish();
}

/// Name, dtype, shape and bytes of every tensor, and the name of its file.
std::vector<std::pair<std::string, byte_buffer>> contents_of(const model_reader& model) {
    std::vector<std::pair<std::string, byte_buffer>> all;
    for (std::size_t i = 0; i < model.tensors().size(); ++i) {
        const archive::model_tensor& tensor = model.tensors()[i];
        std::string facts = model.files()[tensor.file].name + " " + tensor.name + " " + tensor.dtype_name;
        for (const std::uint64_t extent : tensor.shape)
            facts += " " + std::to_string(extent);
        all.emplace_back(std::move(facts), whole(model, i));
    }
    return all;
}

} // namespace

TEST_CASE("files, directories and archives give the same model", "[archive]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    pack(dir / "model", dir / "one.model"); // an archive by its bytes, not by its name
    pack_per_shard(dir / "model", dir / "shards");
    const model_reader plain(dir / "model");
    REQUIRE(plain.tensors().size() == 7);
    REQUIRE(plain.files().size() == 2);
    CHECK(plain.files()[1].name == "model-00002-of-00002.safetensors");
    CHECK(plain.files()[1].bytes == fs::file_size(dir / "model" / "model-00002-of-00002.safetensors"));
    CHECK(plain.tensors()[0].name == "model.embed_tokens.weight");
    CHECK(plain.tensors()[0].shape == std::vector<std::uint64_t>{96, 64});
    CHECK(plain.tensors()[0].type.bits == 16);
    CHECK(plain.tensors()[6].file == 1);
    CHECK(whole(plain, 0) == gaussian_bf16(64 * 96, 1));
    CHECK(whole(plain, 6) == gaussian_bf16(64 * 96, 1));
    CHECK_FALSE(plain.is_archive());
    const archive::hash_methods methods;
    for (const char* name : {"one.model", "shards"}) {
        const model_reader packed(dir / name);
        CHECK(packed.is_archive());
        CHECK(contents_of(packed) == contents_of(plain));
        for (std::size_t f = 0; f < 2; ++f) {
            const byte_buffer file = read_file(dir / "model" / plain.files()[f].name);
            CHECK(plain.sha256(f) == hash_of<archive::sha256_hasher>(methods.sha256(), file));
            CHECK(packed.sha256(f) == plain.sha256(f));
            CHECK(packed.files()[f].name == plain.files()[f].name);
            CHECK(packed.files()[f].bytes == plain.files()[f].bytes);
        }
        for (std::size_t t = 0; t < 7; ++t) {
            CHECK(plain.md5(t) == hash_of<archive::md5_hasher>(methods.md5(), whole(plain, t)));
            CHECK(packed.md5(t) == plain.md5(t));
        }
    }
    const model_reader single(dir / "model" / "model-00001-of-00002.safetensors");
    CHECK(single.files().size() == 1);
    CHECK(single.files()[0].name == "model-00001-of-00002.safetensors");
    CHECK(single.tensors().size() == 3);
}

TEST_CASE("any range of a model's tensor can be read by many threads", "[archive]") {
    const temporary_directory dir;
    const byte_buffer bytes = gaussian_bf16(30007, 1);
    write_file(dir / "m.safetensors",
               safetensors_builder().add("v", "U8", {3}, noise(3, 1)).add("w", "BF16", bytes).build());
    pack(dir / "m.safetensors", dir / "m.bs");
    parallel::tbb_executor e(4);
    for (const char* name : {"m.safetensors", "m.bs"}) {
        const model_reader model(dir / name);
        std::atomic<int> wrong = 0;
        e.for_each(400, [&](std::size_t i) {
            const std::size_t offset = i * 7919 % bytes.size();
            byte_buffer part(std::min<std::size_t>(i * 37, bytes.size() - offset));
            model.read(1, offset, part);
            if (!std::equal(part.begin(), part.end(), bytes.begin() + static_cast<std::ptrdiff_t>(offset))) ++wrong;
        });
        CHECK(wrong == 0);
        byte_buffer part(3);
        const error e1 = thrown_by([&] { model.read(1, bytes.size() - 2, part); });
        CHECK(e1.code() == errc::invalid_argument);
        CHECK(e1.tensor() == "w");
        CHECK_THAT(e1.file(), ContainsSubstring(name[2] == 'b' ? "m.bs" : "m.safetensors"));
        CHECK(thrown_by([&] { model.read(1, ~std::uint64_t{0}, part); }).code() == errc::invalid_argument);
    }
}

TEST_CASE("a block of which parts are read is decoded once", "[archive]") {
    archive::detail::decoded_blocks blocks;
    const byte_buffer bytes = noise(1000, 1);
    int decoded = 0;
    const auto decode = [&](bytes_span to) {
        ++decoded;
        std::copy(bytes.begin(), bytes.end(), to.begin());
    };
    byte_buffer part(100);
    for (std::size_t from = 0; from < 1000; from += 100) {
        blocks.read({0, 1, 2}, 1000, from, part, decode);
        CHECK(std::equal(part.begin(), part.end(), bytes.begin() + static_cast<std::ptrdiff_t>(from)));
    }
    CHECK(decoded == 1);
    // What fails is tried again.
    CHECK_THROWS(blocks.read({0, 1, 3}, 1000, 0, part, [](bytes_span) { throw error(errc::io, "no"); }));
    blocks.read({0, 1, 3}, 1000, 0, part, decode);
    CHECK(decoded == 2);
    // Old ones go when there is too much.
    for (std::uint64_t block = 10; block < 50; ++block)
        blocks.read({0, 1, block}, MiB, 0, part, [](bytes_span) {});
    blocks.read({0, 1, 2}, 1000, 0, part, decode);
    CHECK(decoded == 3);
}

TEST_CASE("an archive without receipts computes them", "[archive]") {
    const temporary_directory dir;
    const byte_buffer bytes = gaussian_bf16(10000, 1);
    write_file(dir / "m.safetensors", safetensors_builder().add("w", "BF16", bytes).build());
    pack(dir / "m.safetensors", dir / "m.bs");
    const model_reader before(dir / "m.bs");
    const auto md5 = before.md5(0);
    const io::container_reader container(std::make_shared<io::file_source>(dir / "m.bs"));
    REQUIRE(container.footer().receipts_bytes > 0);
    damage_byte(dir / "m.bs", container.footer().payload_end());
    const model_reader after(dir / "m.bs");
    CHECK(archive::archive_reader(dir / "m.bs").tensors()[0].md5 != md5);
    CHECK(after.md5(0) == md5);
}

TEST_CASE("what a model is missing or is not is said", "[archive]") {
    const temporary_directory dir;
    fs::create_directories(dir / "empty");
    const error none = thrown_by([&] { model_reader model(dir / "empty"); });
    CHECK(none.code() == errc::missing);
    CHECK_THAT(none.what(), ContainsSubstring("there is no safetensors file in it"));
    CHECK(thrown_by([&] { model_reader model(dir / "nothing"); }).code() == errc::missing);
    write_file(dir / "text", "0123456789abcdef");
    CHECK(thrown_by([&] { model_reader model(dir / "text"); }).code() == errc::invalid_input);
    write_file(dir / "short", "0");
    CHECK(thrown_by([&] { model_reader model(dir / "short"); }).code() == errc::truncated);
    write_file(dir / "none.safetensors", safetensors_builder().build());
    CHECK(model_reader(dir / "none.safetensors").tensors().empty());
    write_file(dir / "nil.safetensors", safetensors_builder().add("z", "F32", {0, 4}, {}).build());
    pack(dir / "nil.safetensors", dir / "nil.bs");
    const model_reader plain(dir / "nil.safetensors"), packed(dir / "nil.bs");
    CHECK(plain.md5(0) == packed.md5(0));
    byte_buffer nothing;
    packed.read(0, 0, nothing);
}

TEST_CASE("a model that is written to while it is read is noticed", "[archive]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    pack_per_shard(dir / "model", dir / "shards");
    for (const char* name : {"model/model-00001-of-00002.safetensors", "shards/bigsmall.index.json"}) {
        const fs::path path = dir / name;
        const model_reader model(path.parent_path());
        model.require_unchanged();
        byte_buffer bytes = read_file(path);
        bytes.push_back(' ');
        write_file(path, bytes);
        const error changed = thrown_by([&] { model.require_unchanged(); });
        CHECK(changed.code() == errc::io);
        CHECK_THAT(changed.file(), ContainsSubstring(path.filename().string()));
    }
}

TEST_CASE("no output takes the place of what a model is read from", "[archive]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    pack(dir / "model", dir / "one.bs");
    pack_per_shard(dir / "model", dir / "shards");
    archive::input_files inputs("a file of the base");
    model_reader(dir / "model").add_to(inputs);
    model_reader(dir / "one.bs").add_to(inputs);
    model_reader(dir / "shards").add_to(inputs);
    for (const char* name : {"model/model-00001-of-00002.safetensors", "one.bs", "shards/bigsmall.index.json",
                             "shards/config.json", "shards/model-00002-of-00002.bs"}) {
        REQUIRE(fs::exists(dir / name));
        CHECK(inputs.contains(dir / name));
    }
    CHECK_FALSE(inputs.contains(dir / "other.bs"));
}

TEST_CASE("damage of a model names the tensor", "[archive]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", safetensors_builder().add("w", "BF16", gaussian_bf16(10000, 1)).build());
    pack(dir / "m.safetensors", dir / "m.bs");
    damage_byte(dir / "m.bs", 100); // in the first block
    const model_reader model(dir / "m.bs");
    byte_buffer part(100);
    const error damaged = thrown_by([&] { model.read(0, 10, part); });
    CHECK(damaged.code() == errc::corrupt);
    CHECK(damaged.tensor() == "w");
    CHECK_THAT(damaged.file(), ContainsSubstring("m.bs"));
    model.read(0, 10000, part);
}
