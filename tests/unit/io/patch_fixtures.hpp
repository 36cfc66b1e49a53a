// SPDX-License-Identifier: BSL-1.0
// Patches for tests of the container.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "io_fixtures.hpp"

namespace io_test {

inline constexpr std::uint64_t patch_features = feature_lean_index | feature_patch;

inline byte_buffer joined(std::initializer_list<byte_buffer> pieces) {
    byte_buffer all;
    for (const byte_buffer& piece : pieces)
        all.insert(all.end(), piece.begin(), piece.end());
    return all;
}

/// A header of tensors of bytes, one after another.
inline byte_buffer header_of_tensors(const std::vector<std::pair<std::string, std::uint64_t>>& tensors) {
    std::string json = "{";
    std::uint64_t at = 0;
    for (const auto& [name, bytes] : tensors) {
        json += (at > 0 ? ",\"" : "\"") + name + R"(":{"dtype":"U8","shape":[)" + std::to_string(bytes) +
                R"(],"data_offsets":[)" + std::to_string(at) + ',' + std::to_string(at + bytes) + "]}";
        at += bytes;
    }
    return header_of(json + "}");
}

/// A patch of one safetensors file whose tensors have images of all kinds, and two slices of a bundle at the end.
inline sample sample_patch() {
    const std::vector<std::pair<std::string, std::uint64_t>> tensors = {
        {"same", 40}, {"renamed", 40}, {"changed", 40}, {"half0", 30},  {"half1", 50}, {"fused", 60},
        {"halved", 20}, {"doubled", 20}, {"resized", 64}, {"new", 24}, {"also", 40}, {"s0", 5}, {"s1", 6}};
    sample made;
    memory_sink out;
    container_writer writer(out, feature_lean_index | feature_bundles | feature_patch);
    container_index& index = made.index;
    index.base_files = {{"base-1.safetensors", 1000, {}}, {"base-2.safetensors", 900, {}}};
    index.base_files[0].sha256.fill(0xb1);
    index.base_files[1].sha256.fill(0xb2);
    index.members.push_back({member_kind::safetensors, "model.safetensors", 0, {}, header_of_tensors(tensors), {}});
    index.members[0].raw_bytes = index.members[0].header.size();
    for (std::uint32_t i = 0; i < tensors.size(); ++i) {
        index.contents.push_back({tensors[i].second, {}, 0, 0, 0, no_bundle, {}});
        index.contents[i].md5.fill(static_cast<std::uint8_t>(i + 1));
        index.members[0].extents.push_back({extent_kind::tensor, i});
        index.members[0].raw_bytes += tensors[i].second;
    }
    const auto base = [&](const char* name, std::uint64_t bytes, std::uint32_t file, std::uint8_t md5) {
        index.base_tensors.push_back({file, name, bytes, {}});
        index.base_tensors.back().md5.fill(md5);
    };
    base("same", 40, 0, 1);     // 0: the receipt of the content
    base("old.name", 40, 0, 2); // 1
    base("changed", 40, 1, 99); // 2
    base("experts", 80, 1, 98); // 3
    base("q", 30, 0, 97);       // 4
    base("k", 20, 0, 96);       // 5
    base("v", 10, 1, 95);       // 6
    base("halved", 40, 1, 94);  // 7
    base("doubled", 10, 1, 93); // 8
    base("resized", 70, 1, 92); // 9: more bytes than are used
    const auto image = [&](std::size_t content, base_conversion conversion, std::vector<base_part> parts) {
        index.contents[content].image = static_cast<std::uint32_t>(index.images.size());
        index.images.push_back({conversion, std::move(parts)});
    };
    using enum base_conversion;
    image(0, none, {{0, 0, 40}});
    image(1, none, {{1, 0, 40}});
    image(2, none, {{2, 0, 40}});
    image(3, none, {{3, 0, 30}});
    image(4, none, {{3, 30, 50}});
    image(5, none, {{4, 0, 30}, {5, 0, 20}, {6, 0, 10}});
    image(6, f32_to_bf16, {{7, 0, 20}});
    image(7, f16_to_f32, {{8, 0, 20}});
    image(8, none, {{9, 8, 16}, {no_base, 0, 8}, {9, 24, 40}});
    image(10, none, {{0, 0, 40}}); // another content of the same tensor
    const auto store = [&](std::size_t number) {
        content_entry coded = append_content(writer, noise(tensors[number].second, 1), 16);
        coded.md5 = index.contents[number].md5;
        coded.image = index.contents[number].image;
        index.contents[number] = coded;
    };
    for (const std::size_t number : {2u, 5u, 8u, 9u, 10u})
        store(number);
    index.contents[11].bundle = index.contents[12].bundle = 13;
    index.contents[12].offset = 5;
    index.contents.push_back(append_content(writer, noise(11, 1), 11));
    index.contents[13].md5 = {};
    index.bundles = 1;
    made.payload_end = writer.position();
    writer.finish(index);
    made.bytes = out.take();
    return made;
}

/// A patch in which each of `count` tensors of `bytes` bytes is that of the base of the same name.
inline container_index index_of_unchanged(std::uint32_t count, std::uint64_t bytes) {
    container_index index;
    std::vector<std::pair<std::string, std::uint64_t>> tensors;
    index.members.push_back({member_kind::safetensors, "model.safetensors", 0, {}, {}, {}});
    index.base_files.push_back({"model.safetensors", 1, {}});
    for (std::uint32_t i = 0; i < count; ++i) {
        tensors.emplace_back("model.layers." + std::to_string(i) + ".weight", bytes);
        content_entry content{bytes, {}, 0, 0, 0, no_bundle, {}, i};
        const byte_buffer md5 = noise(16, i);
        std::copy(md5.begin(), md5.end(), content.md5.begin());
        index.contents.push_back(content);
        index.members[0].extents.push_back({extent_kind::tensor, i});
        index.base_tensors.push_back({0, tensors.back().first, bytes, content.md5});
        index.images.push_back({base_conversion::none, {{i, 0, bytes}}});
    }
    index.members[0].header = header_of_tensors(tensors);
    index.members[0].raw_bytes = index.members[0].header.size() + count * bytes;
    return index;
}

} // namespace io_test
