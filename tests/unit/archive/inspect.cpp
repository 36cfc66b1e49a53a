// SPDX-License-Identifier: BSL-1.0
// What an archive says about itself, in either layout.
#include <string>

#include <bigsmall/archive/inspect.hpp>

#include "support/archive_runs.hpp"
#include "support/catch.hpp"

using namespace support;

namespace {

const archive::tensor_summary& tensor(const archive::archive_summary& summary, const std::string& name) {
    for (const archive::tensor_summary& t : summary.tensors)
        if (t.name == name) return t;
    throw std::runtime_error("no tensor " + name);
}

} // namespace

TEST_CASE("the summary of a model is the same in both layouts", "[archive]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    pack(dir / "model", dir / "model.bs");
    pack_per_shard(dir / "model", dir / "shards");
    for (const char* name : {"model.bs", "shards"}) {
        INFO(name);
        const archive::archive_summary summary = archive::inspect(dir / name);
        CHECK(summary.tensors.size() == 7);
        CHECK(summary.duplicate_tensors == 1);
        CHECK(summary.dominant_dtype == "BF16");
        CHECK(summary.directory);
        CHECK(summary.layer_count == 2);
        CHECK(summary.largest_layer_raw_bytes == 2 * (64 * 64 + 128 * 64));
        CHECK(summary.non_layer_raw_bytes == 2 * 2 * 96 * 64 + 256);
        CHECK(summary.streaming_peak_bytes() == 2 * (64 * 64 + 128 * 64) + 2 * 2 * 96 * 64 + 256);
        std::uint64_t source_bytes = 0, file_bytes = 0;
        for (const auto& [path, bytes] : read_tree(dir / "model"))
            source_bytes += bytes.size();
        CHECK(summary.source_bytes == source_bytes);
        if (fs::is_directory(dir / name))
            for (const auto& [path, bytes] : read_tree(dir / name))
                file_bytes += bytes.size();
        else
            file_bytes = fs::file_size(dir / name);
        CHECK(summary.file_bytes == file_bytes);

        const auto& head = tensor(summary, "lm_head.weight");
        CHECK(head.duplicate_of == "model.embed_tokens.weight");
        CHECK(head.duplicate_member == "model-00001-of-00002.safetensors");
        CHECK(head.coding == "duplicate");
        CHECK(head.stored_bytes == 0);
        CHECK(head.raw_bytes == 2 * 96 * 64);
        CHECK(head.md5 == tensor(summary, "model.embed_tokens.weight").md5);
        const auto& up = tensor(summary, "model.layers.1.mlp.up_proj.weight");
        CHECK(up.shape == std::vector<std::uint64_t>{128, 64});
        CHECK(up.member == "model-00002-of-00002.safetensors");
        CHECK(up.blocks == 4);
        CHECK(up.stored_bytes < up.raw_bytes);
        CHECK(up.coding.find("field_planes") == 0);
        CHECK(up.place.layer == 1u);
        CHECK(up.place.role == archive::tensor_role::mlp_gate_up);
    }
}

TEST_CASE("the breakdowns add up", "[archive]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    pack(dir / "model", dir / "model.bs");
    const archive::archive_summary summary = archive::inspect(dir / "model.bs");
    for (const auto* groups : {&summary.dtypes, &summary.codings, &summary.roles}) {
        std::uint64_t tensors = 0, raw_bytes = 0;
        for (const archive::group_summary& group : *groups) {
            tensors += group.tensors;
            raw_bytes += group.raw_bytes;
        }
        CHECK(tensors == summary.tensors.size());
        CHECK(raw_bytes == summary.tensor_bytes);
    }
    CHECK(summary.dtypes.size() == 2);
    REQUIRE(summary.containers.size() == 1);
    CHECK(summary.containers[0].health.all_ok());
    CHECK(summary.containers[0].writer.find("bigsmall ") == 0);
    CHECK(summary.members.size() == 5);
    CHECK(summary.members[0].path == "config.json");
    CHECK(summary.members[0].kind == io::member_kind::file);
}

TEST_CASE("config.json says what kind of model it is", "[archive]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    pack(dir / "model", dir / "model.bs");
    pack_per_shard(dir / "model", dir / "shards");
    CHECK(archive::inspect(dir / "model.bs").model_type == "llama");
    CHECK(archive::inspect(dir / "shards").model_type == "llama");
    for (const char* text : {"{}", "[1]", "{\"model_type\": 7}", "{\"model_type\": \"llama\"", ""}) {
        write_file(dir / "model" / "config.json", text);
        fs::remove(dir / "model.bs");
        pack(dir / "model", dir / "model.bs");
        CHECK(archive::inspect(dir / "model.bs").model_type.empty());
    }
    pack(dir / "model" / "model-00001-of-00002.safetensors", dir / "one.bs");
    CHECK(archive::inspect(dir / "one.bs").model_type.empty());
}

namespace {

/// A container of `contents`, none of which lies in it, and one plain file for each of `members`, made of extents that
/// all name one content.
void write_forged(const fs::path& path, std::vector<std::string> siblings, std::vector<io::content_entry> contents,
                  std::vector<std::vector<std::uint32_t>> members) {
    io::container_index index;
    index.siblings = std::move(siblings);
    index.contents = std::move(contents);
    for (const std::vector<std::uint32_t>& numbers : members) {
        io::member_entry member;
        member.kind = io::member_kind::file;
        member.path = "f" + std::to_string(index.members.size());
        for (const std::uint32_t number : numbers) {
            member.extents.push_back({io::extent_kind::file, number});
            member.raw_bytes += index.contents[number].raw_bytes;
        }
        index.members.push_back(std::move(member));
    }
    io::memory_sink out;
    io::container_writer(out).finish(index);
    write_file(path, out.bytes());
}

} // namespace

TEST_CASE("equal offsets in two missing siblings are two places", "[archive]") {
    const temporary_directory dir;
    io::container_index index;
    index.siblings = {"x.bs", "y.bs"};
    for (const std::uint32_t home : {1u, 2u})
        index.contents.push_back({8, {}, 8, 64, home, io::no_bundle, {{8, 0, 0, 0}}});
    const byte_buffer file = safetensors_builder().add("a", "U8", noise(8, 1)).add("b", "U8", noise(8, 2)).build();
    io::member_entry member;
    member.path = "m.safetensors";
    member.raw_bytes = file.size();
    member.header = byte_buffer(file.begin(), file.end() - 16);
    member.extents = {{io::extent_kind::tensor, 0}, {io::extent_kind::tensor, 1}};
    index.members.push_back(member);
    io::memory_sink out;
    io::container_writer(out).finish(index);
    write_file(dir / "m.bs", out.bytes());
    const archive::archive_summary summary = archive::inspect(dir / "m.bs");
    CHECK(tensor(summary, "a").duplicate_of == "x.bs");
    CHECK(tensor(summary, "b").duplicate_of == "y.bs");
}

TEST_CASE("an archive that would restore more bytes than a number holds is refused", "[archive]") {
    const temporary_directory dir;
    // 2^18 blocks of 16 MiB, 2^15 times in each of 64 files: 2^63 bytes.
    io::content_entry content{std::uint64_t{1} << 42, {}, io::max_raw_block_bytes, 64, 1, io::no_bundle, {}};
    content.blocks.assign(std::size_t{1} << 18, {1, 0, 0, 0});
    const std::vector<std::uint32_t> often(std::size_t{1} << 15, 0);
    write_forged(dir / "m.bs", {"x.bs"}, {content}, {64, often});
    const error e = thrown_by([&] { archive::inspect(dir / "m.bs"); });
    CHECK(e.code() == errc::corrupt);
    CHECK(std::string(e.what()).find("2^63") != std::string::npos);
    CHECK_FALSE(archive::verify_fast(dir / "m.bs").ok);
    write_forged(dir / "n.bs", {"x.bs"}, {content}, {63, often});
    CHECK(archive::inspect(dir / "n.bs").source_bytes == std::uint64_t{63} << 57);
}

TEST_CASE("the dominant type is the one with most bytes, not most tensors", "[archive]") {
    const temporary_directory dir;
    safetensors_builder file;
    for (int i = 0; i < 10; ++i)
        file.add("n" + std::to_string(i), "F32", noise(8, std::uint64_t(i)));
    file.add("w", "F8_E4M3", noise(1000, 1)).add("z", "BF16", {0}, {});
    write_file(dir / "m.safetensors", file.build());
    pack(dir / "m.safetensors", dir / "m.bs");
    const archive::archive_summary summary = archive::inspect(dir / "m.bs");
    CHECK(summary.dominant_dtype == "F8_E4M3");
    CHECK_FALSE(summary.directory);
    CHECK(tensor(summary, "z").coding == "empty");
    CHECK(summary.layer_count == 0);
    CHECK(summary.streaming_peak_bytes() == summary.tensor_bytes);
}

TEST_CASE("a container names the operating point of its codec", "[archive]") {
    for (const archive::operating_point point : archive::operating_points) {
        const archive::packing_recipe recipe = archive::recipe_of(point);
        CHECK(archive::point_of(recipe.name) == point);
        const std::string name = archive::writer_name(recipe.codec);
        CHECK(name == std::string("bigsmall ") + version_string + " (" + std::string(recipe.name) + ")");
        CHECK(archive::point_of_writer(name) == point);
    }
    CHECK(archive::writer_name(ref_of<>()) == std::string("bigsmall ") + version_string);
    for (const char* other :
         {"", "bigsmall 0.1.0", "bigsmall 0.1.0 (fast)", "other (storage)", "bigsmall 0.1.0 (storage"})
        CHECK_FALSE(archive::point_of_writer(other));
}
