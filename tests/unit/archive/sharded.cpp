// SPDX-License-Identifier: BSL-1.0
// One container per shard: the layout, its index, and shards that refer to each other.
#include <chrono>
#include <string>

#include <bigsmall/archive.hpp>

#include "support/archive_runs.hpp"
#include "support/catch.hpp"

using namespace support;
using Catch::Matchers::ContainsSubstring;

namespace {

const char* const first_shard = "model-00001-of-00002";
const char* const second_shard = "model-00002-of-00002";

std::string text_of(const fs::path& path) {
    const byte_buffer bytes = read_file(path);
    return std::string(as_string_view(bytes));
}

} // namespace

TEST_CASE("a model is packed shard by shard and comes back", "[archive]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    const auto packed = pack_per_shard(dir / "model", dir / "shards");
    CHECK(packed.tensors == 7);
    CHECK(packed.duplicate_tensors == 1);
    CHECK(packed.files.size() == 6);
    const auto tree = read_tree(dir / "shards");
    CHECK(tree.size() == 6);
    CHECK(tree.count(std::string(first_shard) + ".bs") == 1);
    CHECK(tree.at("config.json") == read_file(dir / "model" / "config.json"));
    CHECK(tree.count("onnx/deep/notes.bin") == 1);

    unpack(dir / "shards", dir / "back");
    CHECK(read_tree(dir / "back") == read_tree(dir / "model"));
}

TEST_CASE("the index of shards names files, sizes, hashes and tensors", "[archive]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    pack_per_shard(dir / "model", dir / "shards");
    const archive::shard_index index = archive::read_shard_index(dir / "shards");
    REQUIRE(index.shards.size() == 2);
    CHECK(index.shards[0].source == std::string(first_shard) + ".safetensors");
    CHECK(index.shards[0].stored_bytes == fs::file_size(dir / "shards" / index.shards[0].file));
    CHECK(index.shards[0].source_sha256.size() == 64);
    CHECK(index.shards[0].needs.empty());
    CHECK(index.shards[1].needs == std::vector<std::string>{std::string(first_shard) + ".bs"});
    CHECK(index.files.size() == 3);
    CHECK(index.weight_map.size() == 7);
    CHECK(index.weight_map.at("lm_head.weight") == std::vector<std::string>{std::string(second_shard) + ".bs"});
    CHECK(index.tensor_bytes == 2 * (2 * 96 * 64 + 2 * 64 * 64 + 2 * 128 * 64) + 256);
    CHECK(archive::encode_shard_index(index) == text_of(dir / "shards" / archive::shard_index_name));
}

TEST_CASE("a shard opens alone, or says which file it needs", "[archive]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    pack_per_shard(dir / "model", dir / "shards");
    const fs::path second = dir / "shards" / (std::string(second_shard) + ".bs");
    unpack(second, dir / "back.safetensors");
    CHECK(read_file(dir / "back.safetensors") ==
          read_file(dir / "model" / (std::string(second_shard) + ".safetensors")));

    fs::create_directories(dir / "alone");
    fs::copy(second, dir / "alone" / "s.bs");
    const error e = thrown_by([&] { unpack(dir / "alone" / "s.bs", dir / "other.safetensors"); });
    CHECK(e.code() == errc::missing);
    CHECK_THAT(e.what(), ContainsSubstring(std::string(first_shard) + ".bs"));
    CHECK_THAT(e.what(), ContainsSubstring("lm_head.weight"));
    CHECK_FALSE(fs::exists(dir / "other.safetensors"));

    // What it holds itself can be read all the same.
    const archive::archive_reader reader(dir / "alone" / "s.bs");
    CHECK(reader.read("model.norm.weight") == noise(256, 6));
    CHECK(thrown_by([&] { reader.read("lm_head.weight"); }).code() == errc::missing);
    const auto report = archive::verify_fast(dir / "alone" / "s.bs");
    CHECK_FALSE(report.ok);
    CHECK(archive::inspect(dir / "alone" / "s.bs").duplicate_tensors == 1);
}

TEST_CASE("verify counts what it decoded, and says once which sibling is missing", "[archive]") {
    const temporary_directory dir;
    safetensors_builder first, second;
    for (int i = 0; i < 3; ++i) {
        const byte_buffer shared = noise(10000, std::uint64_t(i));
        first.add("a" + std::to_string(i), "U8", shared);
        second.add("b" + std::to_string(i), "U8", shared);
    }
    second.add("own", "U8", noise(5000, 9));
    write_file(dir / "model" / "a.safetensors", first.build());
    write_file(dir / "model" / "b.safetensors", second.build());
    pack_per_shard(dir / "model", dir / "shards");
    fs::create_directories(dir / "alone");
    fs::copy(dir / "shards" / "b.bs", dir / "alone" / "b.bs");

    parallel::serial_executor e;
    const auto sampled = archive::verify_sample(dir / "alone" / "b.bs", 1.0, 1, {}, e);
    for (const auto& report : {verify(dir / "alone" / "b.bs"), sampled}) {
        REQUIRE(report.problems.size() == 1);
        CHECK(report.problems[0].code == errc::missing);
        CHECK(report.problems[0].file == (dir / "alone" / "a.bs").string());
        CHECK_FALSE(report.problems[0].offset);
        CHECK_THAT(report.problems[0].what, ContainsSubstring("3 parts of \"b.bs\""));
        CHECK(report.blocks_total == 3 * 3 + 2);
        CHECK(report.blocks_checked == 2);
        CHECK(report.bytes_checked == 5000);
        CHECK(report.tensors_total == 4);
        CHECK(report.tensors_checked == 1);
    }
    CHECK_FALSE(thrown_by([&] { unpack(dir / "alone" / "b.bs", dir / "x"); }).offset());

    // With the sibling beside it the sample reads from there, and damage has its place in there.
    fs::copy(dir / "shards" / "a.bs", dir / "alone" / "a.bs");
    const auto whole = archive::verify_sample(dir / "alone" / "b.bs", 1.0, 1, {}, e);
    CHECK(whole.ok);
    CHECK(whole.blocks_checked == whole.blocks_total);
    damage_byte(dir / "alone" / "a.bs", 64 + 10);
    const auto damaged = archive::verify_sample(dir / "alone" / "b.bs", 1.0, 1, {}, e);
    REQUIRE(damaged.problems.size() == 1);
    CHECK(damaged.problems[0].file == (dir / "alone" / "a.bs").string());
    CHECK(damaged.problems[0].tensor == "b0");
    CHECK(damaged.problems[0].offset == 64u);
    CHECK(damaged.blocks_checked == damaged.blocks_total);
}

TEST_CASE("a file whose name a shard needs is named, with the reason", "[archive]") {
    const temporary_directory dir;
    write_file(dir / "model" / "a.safetensors", safetensors_builder().add("t", "U8", noise(9, 1)).build());
    write_file(dir / "model" / "a.bs", "mine");
    const error shard = thrown_by([&] { pack_per_shard(dir / "model", dir / "shards"); });
    CHECK(shard.code() == errc::invalid_input);
    CHECK_THAT(shard.what(), ContainsSubstring("container of \"a.safetensors\""));
    CHECK_THAT(shard.hint(), ContainsSubstring("--per-shard"));
    fs::rename(dir / "model" / "a.bs", dir / "model" / "bigsmall.index.json");
    const error index = thrown_by([&] { pack_per_shard(dir / "model", dir / "shards"); });
    CHECK_THAT(index.what(), ContainsSubstring("needed for the index of the shards"));
    CHECK_FALSE(fs::exists(dir / "shards"));
}

TEST_CASE("shards that the model's index names and that are not there are told", "[archive]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    const auto with_index = [&](const std::string& text) {
        write_file(dir / "model" / "onnx" / "model.safetensors.index.json", text);
        fs::remove(dir / "m.bs");
        return pack(dir / "model", dir / "m.bs").absent_shards;
    };
    const auto absent = with_index(R"({"metadata":{"x":"no"},"weight_map":{"a":"1.safetensors","b":"2.safetensors",)"
                                   R"("c":"1.safetensors","d":["no"],"e":{"f":"no"}},"other":{"y":"no"}})");
    REQUIRE(absent.size() == 2);
    CHECK(absent[0].index == "onnx/model.safetensors.index.json");
    CHECK(absent[0].shard == "onnx/1.safetensors");
    CHECK(pack_per_shard(dir / "model", dir / "shards").absent_shards.size() == 2);
    CHECK(with_index(R"({"weight_map":{"a":"../model-00001-of-00002.safetensors"}})").size() == 1);
    CHECK(with_index("{\"weight_map\":{\"a\":\"1.safetensors\"").empty());
    write_file(dir / "model" / "onnx" / "1.safetensors", safetensors_builder().add("t", "U8", noise(9, 1)).build());
    CHECK(with_index(R"({"weight_map":{"a":"1.safetensors"}})").empty());
}

TEST_CASE("an index of very many tensors is written in no time", "[archive]") {
    archive::shard_index index;
    for (int i = 0; i < 200'000; ++i)
        index.weight_map["model.layers." + std::to_string(i)] = {"a.bs"};
    const auto begin = std::chrono::steady_clock::now();
    const std::string text = archive::encode_shard_index(index);
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(10)); // comparing all pairs takes a minute
    CHECK(archive::decode_shard_index(text).weight_map == index.weight_map);
}

TEST_CASE("sizes in an index that no sum can hold are refused", "[archive]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    pack_per_shard(dir / "model", dir / "shards");
    archive::shard_index index = archive::read_shard_index(dir / "shards");
    for (archive::carried_record& file : index.files)
        file.bytes = ~std::uint64_t{0} / 2;
    write_file(dir / "shards" / "bigsmall.index.json", archive::encode_shard_index(index));
    const error e = thrown_by([&] { archive::inspect(dir / "shards"); });
    CHECK(e.code() == errc::corrupt);
    CHECK_THAT(e.what(), ContainsSubstring("2^63"));
}

TEST_CASE("a sibling of another version is noticed", "[archive]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    pack_per_shard(dir / "model", dir / "shards");
    write_file(dir / "other" / "m.safetensors",
               safetensors_builder().add("x", "BF16", gaussian_bf16(9000, 99)).build());
    archive::pack_options replace = small_blocks();
    replace.existing = io::if_exists::replace;
    pack(dir / "other" / "m.safetensors", dir / "shards" / (std::string(first_shard) + ".bs"), replace);
    const auto alone = archive::verify_fast(dir / "shards" / (std::string(second_shard) + ".bs"));
    REQUIRE(alone.problems.size() == 1);
    CHECK_THAT(alone.problems[0].what, ContainsSubstring("another version"));
    CHECK(thrown_by([&] { unpack(dir / "shards" / (std::string(second_shard) + ".bs"), dir / "x"); }).code() ==
          errc::corrupt);
    CHECK(thrown_by([&] { unpack(dir / "shards", dir / "y"); }).code() == errc::mismatch);
    CHECK_FALSE(archive::verify_fast(dir / "shards").ok);
}

TEST_CASE("carried files are checked by their hash", "[archive]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    pack_per_shard(dir / "model", dir / "shards");
    CHECK(verify(dir / "shards").ok);
    damage_byte(dir / "shards" / "config.json", 3);
    const error e = thrown_by([&] { unpack(dir / "shards", dir / "back"); });
    CHECK(e.code() == errc::mismatch);
    CHECK_THAT(e.what(), ContainsSubstring("config.json"));
    CHECK_FALSE(fs::exists(dir / "back"));
    CHECK(archive::verify_fast(dir / "shards").ok);
    CHECK_FALSE(verify(dir / "shards").ok);
    fs::remove(dir / "shards" / "config.json");
    CHECK(archive::verify_fast(dir / "shards").problems.size() == 1);
    CHECK(verify(dir / "shards").problems.size() == 1);
}

TEST_CASE("layouts that cannot be are refused", "[archive]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    CHECK(thrown_by([&] { pack_per_shard(dir / "model" / "config.json", dir / "s"); }).code() ==
          errc::invalid_argument);
    CHECK(thrown_by([&] { pack_per_shard(dir / "model", dir / "model" / "s"); }).code() == errc::invalid_argument);
    write_file(dir / "model" / (std::string(first_shard) + ".bs"), "in the way");
    CHECK(thrown_by([&] { pack_per_shard(dir / "model", dir / "s"); }).code() == errc::invalid_input);
    fs::remove(dir / "model" / (std::string(first_shard) + ".bs"));
    write_file(dir / "model" / "bigsmall.index.json", "{}");
    CHECK(thrown_by([&] { pack_per_shard(dir / "model", dir / "s"); }).code() == errc::invalid_input);
    fs::remove(dir / "model" / "bigsmall.index.json");
    write_file(dir / "model" / "caf\xe9.txt", "not UTF-8");
    CHECK(thrown_by([&] { pack_per_shard(dir / "model", dir / "s"); }).code() == errc::invalid_input);
    CHECK_FALSE(fs::exists(dir / "s"));
    pack(dir / "model", dir / "model.bs");
    unpack(dir / "model.bs", dir / "back");
    CHECK(read_tree(dir / "back") == read_tree(dir / "model"));
}

TEST_CASE("a damaged or hostile index of shards is refused in words", "[archive]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    pack_per_shard(dir / "model", dir / "shards");
    const fs::path path = dir / "shards" / archive::shard_index_name;
    const std::string good = text_of(path);
    const auto with = [&](const std::string& from, const std::string& to) {
        std::string bad = good;
        bad.replace(bad.find(from), from.size(), to);
        write_file(path, bad);
        return thrown_by([&] { unpack(dir / "shards", dir / "back"); });
    };
    CHECK(with("\"version\": 1", "\"version\": 2").code() == errc::unsupported);
    CHECK(with("bigsmall-shards", "other").code() == errc::unsupported);
    CHECK(with("\"version\": 1", "\"version\": 1, \"version\": 1").code() == errc::corrupt);
    CHECK(with("\"config.json\"", "\"../config.json\"").code() == errc::corrupt);
    CHECK(with("\"config.json\"", "\"/etc/config.json\"").code() == errc::corrupt);
    CHECK(with("\"config.json\"", "7").code() == errc::corrupt);
    CHECK(with("\"stored_bytes\": ", "\"stored_bytes\": -").code() == errc::corrupt);
    const auto says = [&](const std::string& from, const std::string& to, const char* words) {
        CHECK_THAT(with(from, to).what(), ContainsSubstring(words));
    };
    says("\"config.json\"", "7", "files[0].file must be a string, but is number");
    says("\"stored_bytes\": ", "\"stored_bytes\": -", "shards[0].stored_bytes must be a whole number, but is -");
    says("\"needs\": []", "\"needs\": [\"a\", null]", "shards[0].needs[1] must be a string, but is null");
    says("\"total_size\"", "\"size\"", "metadata.total_size is missing");
    says("\"shards\": [", "\"shards\": 1, \"x\": [", "shards must be an array, but is number");
    says("\"weight_map\": {", "\"weight_map\": {\"t\": 1.5, ", "weight_map[\"t\"] must be an array, but is number");
    CHECK(with("{", std::string(100000, '[')).code() == errc::corrupt);
    CHECK(with("}\n", "").code() == errc::corrupt);
    CHECK(std::string(with("}\n", "").what()).find("json.exception") == std::string::npos);
    fs::remove(path);
    const error none = thrown_by([&] { unpack(dir / "shards", dir / "back"); });
    CHECK(none.code() == errc::missing);
    CHECK_THAT(none.what(), ContainsSubstring("bigsmall.index.json"));
}
