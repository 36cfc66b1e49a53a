// SPDX-License-Identifier: BSL-1.0
// Chains of patches made into one, without their base.
#include "unit/archive/patch_chains.hpp"

using namespace support;

TEST_CASE("patches of different tensors are squashed without their base", "[archive][patch]") {
    tensors now = model_of_layers();
    chain steps(now);
    train(now, "layers.0.q.weight", 1);
    train(now, "layers.0.norm.weight", 2);
    now["new.weight"] = bf16({40, 64}, 200);
    now["new.bias"] = bf16({64}, 201); // small ones lie in bundles
    now["new.scale"] = bf16({64}, 202);
    steps.add(now);
    train(now, "layers.1.q.weight", 3);
    train(now, "embed.weight", 4);
    now.erase("layers.3.up.weight");
    now["copy.weight"] = now.at("layers.1.q.weight");
    steps.add(now);
    train(now, "layers.2.up.weight", 5);
    now["renamed.weight"] = now.at("layers.0.q.weight"); // which the first patch has changed
    now.erase("layers.0.q.weight");
    now["layers.2.norm.bias"].bytes = noise(128, 6);
    steps.add(now);
    CHECK(steps.squashed_bytes() <= steps.direct_bytes() + steps.direct_bytes() / 20);
}

TEST_CASE("a squashed patch is one link of a longer chain", "[archive][patch]") {
    tensors now = model_of_layers();
    chain steps(now);
    for (int layer = 0; layer < 3; ++layer) {
        train(now, "layers." + std::to_string(layer) + ".up.weight", static_cast<std::uint64_t>(layer));
        steps.add(now);
    }
    const temporary_directory dir;
    parallel::serial_executor e;
    archive::squash({steps.patch(1), steps.patch(2)}, dir / "two.bs", small_blocks(), e);
    archive::squash({dir / "two.bs", steps.patch(3)}, dir / "three.bs", small_blocks(), e);
    apply(steps.file(0), dir / "three.bs", dir / "back.safetensors");
    CHECK(read_file(dir / "back.safetensors") == read_file(steps.file(3)));
    archive::squash({steps.patch(1)}, dir / "one.bs", small_blocks(), e);
    apply(steps.file(0), dir / "one.bs", dir / "first.safetensors");
    CHECK(read_file(dir / "first.safetensors") == read_file(steps.file(1)));
    // The chain is known by the files of the base, whatever is left of it.
    CHECK(io::container_reader(std::make_shared<const io::file_source>(dir / "three.bs")).index().base_files ==
          io::container_reader(std::make_shared<const io::file_source>(steps.patch(1))).index().base_files);
}

TEST_CASE("rows, fused tensors and other types are traced back to the first base", "[archive][patch]") {
    tensors now = model_of_layers();
    for (const char* name : {"layers.0.up.weight", "layers.3.up.weight"})
        now[name] = {"F32", {128, 64}, in_f32(now.at(name).bytes)};
    chain steps(now);

    // Fused, grown, rounded: images of several parts, with zeros and conversions.
    const auto fuse = [](const tensor& a, const tensor& b) {
        tensor both = a;
        both.shape[0] += b.shape[0];
        both.bytes.insert(both.bytes.end(), b.bytes.begin(), b.bytes.end());
        return both;
    };
    now["layers.1.qk.weight"] = fuse(now.at("layers.1.q.weight"), now.at("layers.1.k.weight"));
    now.erase("layers.1.q.weight");
    now.erase("layers.1.k.weight");
    now["embed.weight"] = fuse(now.at("embed.weight"), {"BF16", {8, 64}, byte_buffer(8 * 128)});
    now["layers.0.up.weight"] = model_of_layers().at("layers.0.up.weight");
    steps.add(now);

    // Trained on, and cut: rows from the front, from the middle and from the end.
    train(now, "layers.1.qk.weight", 1);
    const auto cut = [&](const std::string& name, std::ptrdiff_t first, std::ptrdiff_t last) {
        tensor& one = now.at(name);
        one.shape[0] -= static_cast<std::uint64_t>(last - first);
        one.bytes.erase(one.bytes.begin() + 128 * first, one.bytes.begin() + 128 * last);
    };
    cut("layers.0.up.weight", 0, 28);
    cut("embed.weight", 304, 308);
    cut("embed.weight", 100, 150);
    cut("layers.2.up.weight", 10, 20);
    now["layers.3.up.weight"] = model_of_layers().at("layers.3.up.weight");
    cut("layers.3.up.weight", 0, 28);
    steps.add(now);
    const archive::pack_result second = pack(steps.file(2), steps.dir() / "again.bs", against(steps.file(1)));
    REQUIRE(second.patch->matched_tensors == now.size());
    CHECK(steps.squashed_bytes() <= steps.direct_bytes() + steps.direct_bytes() / 10);
}

TEST_CASE("what takes nothing from the base any more is a patch all the same", "[archive][patch]") {
    tensors now{{"a.weight", bf16({64, 64}, 1)}};
    chain steps(now);
    train(now, "a.weight", 2);
    steps.add(now);
    steps.add({{"b.weight", bf16({64, 32}, 3)}});
    steps.squashed_bytes();
}

TEST_CASE("directories are squashed with the files beside the model", "[archive][patch]") {
    const temporary_directory dir;
    for (const int step : {0, 1, 2}) {
        const fs::path folder = dir / std::to_string(step);
        tensors now = model_of_layers();
        if (step >= 1) train(now, "layers.0.q.weight", 1);
        if (step >= 2) train(now, "layers.1.q.weight", 2);
        tensors head{{"head.weight", bf16({64, 64}, 50)}};
        write(folder / "model.safetensors", now);
        write(folder / "head.safetensors", head);
        write_file(folder / "config.json", "{\"step\": " + std::to_string(step) + "}\n");
        write_file(folder / "notes" / "same.txt", std::string(9000, 'x'));
    }
    pack(dir / "1", dir / "1.bs", against(dir / "0"));
    pack(dir / "2", dir / "2.bs", against(dir / "1"));
    parallel::serial_executor e;
    archive::squash({dir / "1.bs", dir / "2.bs"}, dir / "both.bs", small_blocks(), e);
    apply(dir / "0", dir / "both.bs", dir / "back");
    CHECK(read_tree(dir / "back") == read_tree(dir / "2"));
}

TEST_CASE("a type of the same width is another tensor", "[archive][patch]") {
    tensors now = model_of_layers();
    byte_buffer f16, bf16_bytes;
    for (std::size_t i = 0; i < 4096; ++i) { // 1 and -1 in both types
        const bool negative = noise(4096, 3)[i] % 2 == 1;
        f16.insert(f16.end(), {0x00, static_cast<std::uint8_t>(negative ? 0xbc : 0x3c)});
        bf16_bytes.insert(bf16_bytes.end(), {0x80, static_cast<std::uint8_t>(negative ? 0xbf : 0x3f)});
    }
    now["w"] = {"F16", {64, 64}, f16};
    chain steps(now);
    train(now, "layers.0.q.weight", 1);
    steps.add(now);
    now["w"] = {"BF16", {64, 64}, bf16_bytes};
    steps.add(now);
    steps.squashed_bytes();
}
