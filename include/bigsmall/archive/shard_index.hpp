// SPDX-License-Identifier: BSL-1.0
// bigsmall.index.json, which ties the containers of a sharded model together; docs/format/sharded.md has the
// description.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <bigsmall/archive/hash.hpp>
#include <bigsmall/archive/json_place.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/io/file_source.hpp>
#include <bigsmall/io/path_safety.hpp>
#include <bigsmall/io/printable.hpp>

namespace bigsmall::archive {

inline constexpr std::string_view shard_index_name = "bigsmall.index.json";
inline constexpr std::string_view shard_index_format = "bigsmall-shards";
inline constexpr std::uint64_t shard_index_version = 1;
inline constexpr std::uint64_t max_shard_index_bytes = 64 * MiB;

/// One container and the file that it restores. Paths are relative to the directory of the index.
struct shard_record {
    std::string file;
    std::uint64_t stored_bytes = 0;
    std::string source;
    std::uint64_t source_bytes = 0;
    std::string source_sha256;      ///< hexadecimal
    std::vector<std::string> needs; ///< other containers that hold some of its tensors
};

/// A file that lies beside the containers as it is.
struct carried_record {
    std::string file;
    std::uint64_t bytes = 0;
    std::string sha256; ///< hexadecimal
};

struct shard_index {
    std::string writer;
    std::uint64_t tensor_bytes = 0; ///< raw bytes of all tensors
    std::vector<shard_record> shards;
    std::vector<carried_record> files;
    std::map<std::string, std::vector<std::string>> weight_map; ///< tensor name to the containers that have one
};

namespace detail {

/// Refuses what JSON allows and we do not: a key twice in one object, and deep nesting.
class strict_keys {
public:
    bool operator()(int depth, nlohmann::json::parse_event_t event, nlohmann::json& value) {
        using parse_event = nlohmann::json::parse_event_t;
        if (depth > 8) throw error(errc::corrupt, "it is nested too deeply");
        if (event == parse_event::object_start) open_.emplace_back();
        if (event == parse_event::object_end) open_.pop_back();
        if (event == parse_event::key && !open_.back().insert(value.get<std::string>()).second)
            throw error(errc::corrupt, "the key " + io::in_quotes(value.get<std::string>()) + " is there twice");
        return true;
    }

private:
    std::vector<std::set<std::string>> open_;
};

inline shard_index shard_index_of(const json_place& json) {
    if (json.at("format").text() != shard_index_format)
        throw error(errc::unsupported, "this is not the index of a sharded bigsmall model");
    if (json.at("version").count() != shard_index_version)
        throw error(errc::unsupported, "this index was written by a newer bigsmall")
            .with_hint("a newer release can read it");
    shard_index index;
    index.writer = json.at("writer").text();
    index.tensor_bytes = json.at("metadata").at("total_size").count();
    json.at("shards").each_element([&](const json_place& shard) {
        index.shards.push_back({shard.at("file").text(), shard.at("stored_bytes").count(), shard.at("source").text(),
                                shard.at("source_bytes").count(), shard.at("source_sha256").text(),
                                shard.at("needs").texts()});
    });
    json.at("files").each_element([&](const json_place& file) {
        index.files.push_back({file.at("file").text(), file.at("bytes").count(), file.at("sha256").text()});
    });
    json.at("weight_map").each_member([&](const std::string& tensor, const json_place& files) {
        index.weight_map[tensor] = files.texts();
    });
    return index;
}

/// JSON is UTF-8.
inline void require_utf8(const std::string& name) {
    if (io::is_utf8(name)) return;
    throw error(errc::invalid_input,
                "the file name " + io::in_quotes(name) + " is not UTF-8, which the index of shards cannot express")
        .with_hint("one container for the whole directory can hold it");
}

/// Both sets of paths, that of the layout and that of what is restored, must be those of one directory.
inline void check_shard_paths(const shard_index& index, errc code) {
    std::vector<std::string_view> stored{shard_index_name}, restored;
    for (const shard_record& shard : index.shards) {
        stored.push_back(shard.file);
        restored.push_back(shard.source);
    }
    for (const carried_record& file : index.files) {
        stored.push_back(file.file);
        restored.push_back(file.file);
    }
    for (const auto& paths : {stored, restored}) {
        for (const std::string_view path : paths)
            if (const auto reason = io::unsafe_path_reason(path))
                throw error(code, "the path " + io::in_quotes(path) + " is not safe: " + *reason);
        if (const auto conflict = io::path_conflict(paths)) throw error(code, *conflict);
    }
}

} // namespace detail

/// The text of the file. Throws: errc::invalid_input when a file name is not UTF-8, or when two files would
/// get one name.
inline std::string encode_shard_index(const shard_index& index) {
    detail::check_shard_paths(index, errc::invalid_input);
    for (const shard_record& shard : index.shards)
        detail::require_utf8(shard.source);
    for (const carried_record& file : index.files)
        detail::require_utf8(file.file);
    nlohmann::ordered_json json;
    json["format"] = shard_index_format;
    json["version"] = shard_index_version;
    json["writer"] = index.writer;
    json["metadata"]["total_size"] = index.tensor_bytes;
    json["shards"] = nlohmann::ordered_json::array();
    for (const shard_record& s : index.shards)
        json["shards"].push_back({{"file", s.file},
                                  {"stored_bytes", s.stored_bytes},
                                  {"source", s.source},
                                  {"source_bytes", s.source_bytes},
                                  {"source_sha256", s.source_sha256},
                                  {"needs", s.needs}});
    json["files"] = nlohmann::ordered_json::array();
    for (const carried_record& f : index.files)
        json["files"].push_back({{"file", f.file}, {"bytes", f.bytes}, {"sha256", f.sha256}});
    // An ordered_json looks for a key from the first on; the map of it is sorted by name anyway.
    nlohmann::json weights = nlohmann::json::object();
    for (const auto& [tensor, files] : index.weight_map) {
        if (files.size() == 1)
            weights[tensor] = files.front();
        else
            weights[tensor] = files;
    }
    json["weight_map"] = weights;
    return json.dump(2) + "\n";
}

/// Throws: errc::corrupt when the text is not such an index; errc::unsupported when it is a newer one.
inline shard_index decode_shard_index(std::string_view text) {
    shard_index index;
    try {
        const nlohmann::json document = nlohmann::json::parse(text, detail::strict_keys());
        index = detail::shard_index_of(detail::json_place(document));
    } catch (const nlohmann::json::exception& e) {
        // "[json.exception.parse_error.101] WORDS": the words are what a person needs.
        std::string_view words = e.what();
        if (words.starts_with("[")) words.remove_prefix(std::min(words.find("] ") + 2, words.size()));
        throw error(errc::corrupt, "the index of shards is damaged: " + io::printable(words, 200));
    }
    detail::check_shard_paths(index, errc::corrupt);
    return index;
}

/// Reads the index of a directory. Throws: errc::missing when it has none; as decode_shard_index(); errc::io.
inline shard_index read_shard_index(const std::filesystem::path& directory) {
    const std::filesystem::path path = directory / shard_index_name;
    std::error_code failed;
    if (!std::filesystem::exists(path, failed))
        throw error(errc::missing, "this directory has no " + std::string(shard_index_name))
            .in_file(directory.string())
            .with_hint("a directory of .bs files is read by that index; a single .bs file needs none");
    const io::file_source file(path);
    try {
        if (file.size() > max_shard_index_bytes) throw error(errc::limit, "the index of shards is larger than 64 MiB");
        byte_buffer bytes(static_cast<std::size_t>(file.size()));
        file.read(0, bytes);
        return decode_shard_index(as_string_view(bytes));
    } catch (error& e) {
        e.in_file(path.string());
        throw;
    }
}

} // namespace bigsmall::archive
