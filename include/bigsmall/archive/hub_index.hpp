// SPDX-License-Identifier: BSL-1.0
// Writes model.safetensors.index.json, by which loaders find the shard of a tensor. model_index.hpp reads it.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace bigsmall::archive {

inline constexpr std::string_view hub_index_name = "model.safetensors.index.json";

/// `total_size`: bytes of all tensors. `files`: the file of each tensor, relative to the index.
inline std::string encode_hub_index(std::uint64_t total_size, const std::map<std::string, std::string>& files) {
    nlohmann::json json;
    json["metadata"]["total_size"] = total_size;
    json["weight_map"] = files;
    return json.dump(2) + "\n";
}

/// "model-00001-of-00003", or "model" when there is one.
inline std::string shard_stem(std::size_t number, std::size_t count) {
    if (count == 1) return "model";
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "model-%05zu-of-%05zu", number + 1, count);
    return text.data();
}

} // namespace bigsmall::archive
