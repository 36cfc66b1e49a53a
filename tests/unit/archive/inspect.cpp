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
