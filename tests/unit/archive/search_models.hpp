// SPDX-License-Identifier: BSL-1.0
// Small models for the tests of the search for a base, and the search in one line.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <bigsmall/archive/base_search.hpp>
#include <bigsmall/io/container/writer.hpp>

#include "support/archive_runs.hpp"

namespace support {

/// BF16 tensors of a small transformer, by name. A seed is a model.
using named_tensors = std::map<std::string, byte_buffer>;

inline constexpr std::size_t width = 64;

inline named_tensors trained(std::uint64_t seed) {
    named_tensors made;
    made["model.embed_tokens.weight"] = gaussian_bf16(100 * width, seed * 100);
    for (std::uint64_t layer = 0; layer < 3; ++layer) {
        const std::string name = "model.layers." + std::to_string(layer) + ".";
        made[name + "q_proj.weight"] = gaussian_bf16(width * width, seed * 100 + 10 * layer + 1);
        made[name + "up_proj.weight"] = gaussian_bf16(2 * width * width, seed * 100 + 10 * layer + 2);
        made[name + "norm.weight"] = gaussian_bf16(width, seed * 100 + 10 * layer + 3);
    }
    return made;
}

/// Moves each word by up to `most` steps, those of tensors with `part` in their names.
inline named_tensors tuned(named_tensors base, int most, std::uint64_t seed, const std::string& part = "") {
    std::mt19937_64 random(seed);
    for (auto& [name, bytes] : base) {
        if (name.find(part) == std::string::npos) continue;
        for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
            const auto step = static_cast<int>(random() % static_cast<std::uint64_t>(2 * most + 1)) - most;
            const auto word = static_cast<int>(load_le<std::uint16_t>(bytes.data() + i));
            const int moved = std::clamp((word & 0x7fff) + step, 0, 0x7f7f);
            store_le(bytes.data() + i, static_cast<std::uint16_t>((word & 0x8000) | moved));
        }
    }
    return base;
}

inline byte_buffer file_of(const named_tensors& tensors) {
    safetensors_builder file;
    for (const auto& [name, bytes] : tensors)
        file.add(name, "BF16", {bytes.size() / 2 / width, width}, bytes);
    return file.build();
}

/// What is younger than two seconds is not remembered.
inline void make_old(const fs::path& path) {
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(1));
}

inline fs::path put(const fs::path& path, const named_tensors& tensors) {
    write_file(path, file_of(tensors));
    make_old(path);
    return path;
}

inline archive::base_search_result search(const fs::path& target, archive::base_search_options options) {
    parallel::serial_executor e;
    return archive::find_base(archive::model_reader(target), options, {}, e);
}

inline archive::base_search_result search(const fs::path& target, const fs::path& below) {
    archive::base_search_options options;
    options.directories = {below};
    return search(target, options);
}

inline std::vector<std::string> names_of(const archive::base_search_result& found, const fs::path& below) {
    std::vector<std::string> names;
    for (const archive::ranked_base& base : found.ranked)
        names.push_back(base.path.lexically_relative(below).generic_string());
    return names;
}

using names = std::vector<std::string>;

inline std::vector<std::string> sorted(std::vector<std::string> list) {
    std::sort(list.begin(), list.end());
    return list;
}

inline std::size_t cached_of(const archive::base_search_result& found) {
    return static_cast<std::size_t>(
        std::count_if(found.ranked.begin(), found.ranked.end(), [](const auto& base) { return base.cached; }));
}

/// Bytes that nobody can read, where a model of the same size and time was.
inline void replace_unseen(const fs::path& path) {
    const fs::file_time_type time = fs::last_write_time(path);
    write_file(path, byte_buffer(static_cast<std::size_t>(fs::file_size(path)), 0xff));
    fs::last_write_time(path, time);
}

inline void write_empty_patch(const fs::path& path) {
    io::container_index index;
    index.writer = "test";
    index.base_files.push_back({"base.safetensors", 10, {}});
    io::memory_sink sink;
    io::container_writer(sink, io::required_features(index)).finish(index);
    write_file(path, sink.bytes());
}

inline archive::model_fingerprint print_of(const fs::path& path) {
    return archive::fingerprint_of(archive::model_reader(path));
}

inline double share_of(const archive::model_fingerprint& target, const archive::model_fingerprint& base) {
    return archive::patch_estimator(target).estimate(base).share;
}

} // namespace support
