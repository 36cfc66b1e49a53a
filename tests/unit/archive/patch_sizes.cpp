// SPDX-License-Identifier: BSL-1.0
// A patch is not larger than the same archive without a base, whatever the base is.
#include <algorithm>
#include <cstdint>
#include <string>

#include "patch_runs.hpp"
#include "support/archive_runs.hpp"
#include "support/catch.hpp"

using namespace support;

TEST_CASE("thousands of tiny tensors cost no more in a patch than alone", "[archive][patch]") {
    const temporary_directory dir;
    safetensors_builder base, same, other;
    for (std::size_t i = 0; i < 1500; ++i) {
        const std::string name = "layers." + std::to_string(i) + ".scale";
        base.add(name, "F32", noise(4, i));
        same.add(name, "F32", noise(4, i % 7 == 0 ? 5000 + i : i));
        other.add(name, "F32", noise(4, 9000 + i));
    }
    write_file(dir / "base.safetensors", base.build());
    write_file(dir / "same.safetensors", same.build());
    write_file(dir / "other.safetensors", other.build());
    for (const char* name : {"same", "other"}) {
        const fs::path file = dir / (std::string(name) + ".safetensors");
        const auto alone = pack(file, dir / (std::string(name) + ".bs"));
        const auto patch = pack(file, dir / (std::string(name) + ".p.bs"), against(dir / "base.safetensors"));
        INFO(name << " alone " << alone.compressed_bytes << " patch " << patch.compressed_bytes);
        CHECK(patch.compressed_bytes <= alone.compressed_bytes + 200);
        apply(dir / "base.safetensors", dir / (std::string(name) + ".p.bs"), dir / "back");
        CHECK(read_file(dir / "back") == read_file(file));
        fs::remove(dir / "back");
    }
}

TEST_CASE("small tensors that changed are better off among their likes where a base gains them little",
          "[archive][patch]") {
    const temporary_directory dir;
    constexpr std::size_t tensors = 300;
    safetensors_builder base, tuned;
    for (std::size_t i = 0; i < tensors; ++i) {
        const byte_buffer bias = gaussian_bf16(64, i);
        base.add("layers." + std::to_string(i) + ".bias", "BF16", bias);
        tuned.add("layers." + std::to_string(i) + ".bias", "BF16", trained(bias, 1000 + i));
    }
    write_file(dir / "base.safetensors", base.build());
    write_file(dir / "tuned.safetensors", tuned.build());
    const auto alone = pack(dir / "tuned.safetensors", dir / "alone.bs");
    const auto patch = pack(dir / "tuned.safetensors", dir / "p.bs", against(dir / "base.safetensors"));
    CHECK(patch.compressed_bytes <= alone.compressed_bytes + 200 + 2 * tensors);
}

TEST_CASE("a base of little use costs no more where blocks are equal", "[archive][patch]") {
    const temporary_directory dir;
    const byte_buffer tile = noise(16 * 4096, 1);
    byte_buffer tiled, mixed = noise(16 * tile.size(), 2);
    for (int i = 0; i < 16; ++i)
        tiled.insert(tiled.end(), tile.begin(), tile.end());
    // The first tile is near the base, so that it holds differences, which no other one may share.
    std::copy(tile.begin(), tile.end(), mixed.begin());
    for (std::size_t i = 0; i < tile.size(); i += 64)
        mixed[i] ^= 1;
    write_file(dir / "tuned.safetensors", safetensors_builder().add("w", "BF16", tiled).build());
    write_file(dir / "far.safetensors", safetensors_builder().add("w", "BF16", noise(tiled.size(), 3)).build());
    write_file(dir / "mixed.safetensors", safetensors_builder().add("w", "BF16", mixed).build());
    const auto alone = pack(dir / "tuned.safetensors", dir / "alone.bs");
    for (const char* base : {"far", "mixed"}) {
        const fs::path path = dir / (std::string(base) + ".safetensors");
        const fs::path output = dir / (std::string(base) + ".bs"), back = dir / (std::string(base) + ".back");
        const auto patch = pack(dir / "tuned.safetensors", output, against(path));
        CHECK(patch.compressed_bytes <= alone.compressed_bytes + 2000); // once more than alone, not for every tile
        apply(path, output, back);
        CHECK(read_file(back) == read_file(dir / "tuned.safetensors"));
    }
}
