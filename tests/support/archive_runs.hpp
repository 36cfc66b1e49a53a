// SPDX-License-Identifier: BSL-1.0
// Packing and unpacking in one line, for tests of whole archives.
#pragma once

#include <filesystem>

#include <bigsmall/archive.hpp>
#include <bigsmall/parallel/executor.hpp>

#ifdef BIGSMALL_EXTERN_CODECS // but where a test is compiled by hand
#include "own_pipelines.hpp"
#endif
#include "support/model_files.hpp"

namespace support {

namespace fs = std::filesystem;

/// Small blocks, so that small tensors have several.
inline constexpr std::uint64_t test_block_bytes = 4096;

inline archive::pack_options small_blocks() {
    archive::pack_options options;
    options.block_bytes = test_block_bytes;
    return options;
}

inline archive::pack_result pack(const fs::path& source, const fs::path& output,
                                 const archive::pack_options& options = small_blocks()) {
    parallel::serial_executor e;
    return archive::pack(source, output, options, e);
}

inline archive::pack_result pack_per_shard(const fs::path& source, const fs::path& output) {
    archive::pack_options options = small_blocks();
    options.per_shard = true;
    return pack(source, output, options);
}

inline archive::unpack_result unpack(const fs::path& archive, const fs::path& output,
                                     const archive::unpack_options& options = {}) {
    parallel::serial_executor e;
    return archive::unpack(archive, output, options, e);
}

inline archive::verify_report verify(const fs::path& archive) {
    parallel::serial_executor e;
    return archive::verify(archive, {}, e);
}

inline archive::verify_report verify_against(const fs::path& archive, const fs::path& source) {
    parallel::serial_executor e;
    return archive::verify_against(archive, source, {}, e);
}

/// A Llama-like model of two layers in two shards, with tied embeddings, as a directory.
inline void write_sharded_model(const fs::path& directory) {
    const byte_buffer embedding = gaussian_bf16(64 * 96, 1);
    safetensors_builder first, second;
    first.metadata("format", "pt").add("model.embed_tokens.weight", "BF16", {96, 64}, embedding);
    first.add("model.layers.0.self_attn.q_proj.weight", "BF16", {64, 64}, gaussian_bf16(64 * 64, 2));
    first.add("model.layers.0.mlp.up_proj.weight", "BF16", {128, 64}, gaussian_bf16(128 * 64, 3));
    second.add("model.layers.1.self_attn.q_proj.weight", "BF16", {64, 64}, gaussian_bf16(64 * 64, 4));
    second.add("model.layers.1.mlp.up_proj.weight", "BF16", {128, 64}, gaussian_bf16(128 * 64, 5));
    second.add("model.norm.weight", "F32", {64}, noise(256, 6)).add("lm_head.weight", "BF16", {96, 64}, embedding);
    write_file(directory / "model-00001-of-00002.safetensors", first.build());
    write_file(directory / "model-00002-of-00002.safetensors", second.build());
    write_file(directory / "config.json", "{\"model_type\": \"llama\"}\n");
    write_file(directory / "empty.txt", "");
    write_file(directory / "onnx" / "deep" / "notes.bin", noise(10000, 7));
}

/// Flips every bit of one byte of a file.
inline void damage_byte(const fs::path& path, std::uint64_t offset) {
    byte_buffer bytes = read_file(path);
    bytes.at(static_cast<std::size_t>(offset)) ^= 0xff;
    write_file(path, bytes);
}

} // namespace support
