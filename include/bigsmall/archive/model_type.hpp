// SPDX-License-Identifier: BSL-1.0
// The kind of model that config.json names ("llama", "bert"), read out of an archive that carries one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include <bigsmall/archive/default_codec.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/archive/restore.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/io/container/index_rules.hpp>
#include <bigsmall/io/file_source.hpp>

namespace bigsmall::archive {

namespace detail {

inline constexpr std::uint64_t max_config_bytes = MiB;

/// The bytes of a small member that is no safetensors file.
inline byte_buffer read_small_member(const opened_container& container, const io::member_entry& member,
                                     const codec_ref& codec) {
    byte_buffer bytes, block;
    decode_memory memory;
    bundle_cache bundles;
    for (const io::extent_entry& extent : member.extents) {
        const io::content_entry& content = container.index().contents[extent.content];
        if (content.is_slice()) {
            block.resize(static_cast<std::size_t>(content.raw_bytes));
            bundles.read(container, content, 0, block, codec, memory);
            bytes.insert(bytes.end(), block.begin(), block.end());
        }
        const auto offsets = io::block_offsets(content);
        for (std::size_t b = 0; b < content.blocks.size(); ++b) {
            block.resize(static_cast<std::size_t>(io::raw_block_bytes(content, b)));
            decode_block(container, content, b, offsets[b], block, codec, memory);
            bytes.insert(bytes.end(), block.begin(), block.end());
        }
    }
    return bytes;
}

/// config.json at the top of what the archive restores; nothing when there is none of a sensible size.
inline byte_buffer read_config(const opened_archive& archive, const codec_ref& codec) {
    constexpr const char* name = "config.json";
    for (const carried_record& file : archive.shards().files)
        if (file.file == name && file.bytes <= max_config_bytes) {
            const io::file_source source(archive.path() / name);
            byte_buffer bytes(static_cast<std::size_t>(source.size() <= max_config_bytes ? source.size() : 0));
            source.read(0, bytes);
            return bytes;
        }
    for (const opened_container& container : archive.containers())
        for (const io::member_entry& member : container.index().members)
            if (container.folder + member.path == name && member.kind == io::member_kind::file &&
                member.raw_bytes <= max_config_bytes && member.extents.size() <= 1) // as packing makes it
                return read_small_member(container, member, codec);
    return {};
}

/// The "model_type" of the text of a config.json, or nothing.
inline std::string model_type_in(bytes_view text) {
    const nlohmann::json config = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
    if (!config.is_object()) return {};
    const auto at = config.find("model_type");
    return at != config.end() && at->is_string() ? at->get<std::string>() : std::string();
}

} // namespace detail

/// The "model_type" of config.json, or nothing: no such file, no such key, or not to be read. Never throws an error
/// of the file: this is a nicety, and verify is there to find damage.
inline std::string read_model_type(const opened_archive& archive, const codec_ref& codec = default_codec()) {
    try {
        return detail::model_type_in(detail::read_config(archive, codec));
    } catch (const error&) {
        return {};
    }
}

} // namespace bigsmall::archive
