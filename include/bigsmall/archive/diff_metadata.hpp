// SPDX-License-Identifier: BSL-1.0
// The texts that safetensors headers carry beside the tensors.
#pragma once

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include <bigsmall/archive/model_reader.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/io/file_source.hpp>
#include <bigsmall/io/safetensors/layout.hpp>

namespace bigsmall::archive::detail {

/// The values of every key in `__metadata__`, of all files of a model together: files may be cut otherwise.
using model_metadata = std::map<std::string, std::set<std::string>, std::less<>>;

inline void add_metadata(const io::safetensors_layout& layout, model_metadata& all) {
    for (std::size_t i = 0; i < layout.metadata.size(); ++i)
        all[std::string(layout.metadata[i].first)].emplace(layout.metadata[i].second);
}

/// Reads headers or indexes only. Throws: as opening the model does.
inline model_metadata metadata_of(const model_reader& model) {
    model_metadata all;
    if (model.is_archive()) {
        const opened_archive archive(model.path());
        for (const opened_container& container : archive.containers())
            for (const io::member_entry& member : container.index().members)
                if (member.kind == io::member_kind::safetensors)
                    add_metadata(io::parse_safetensors_header(member.header, member.raw_bytes), all);
        return all;
    }
    std::error_code failed;
    const bool directory = std::filesystem::is_directory(model.path(), failed);
    for (const model_file& file : model.files()) {
        const io::file_source source(directory ? model.path() / file.name : model.path());
        add_metadata(io::read_safetensors_layout(source), all);
    }
    return all;
}

/// The keys of which the values differ, or that one of them lacks; sorted.
inline std::vector<std::string> different_keys(const model_metadata& a, const model_metadata& b) {
    std::vector<std::string> keys;
    for (const auto& [key, values] : a)
        if (const auto at = b.find(key); at == b.end() || at->second != values) keys.push_back(key);
    for (const auto& [key, values] : b)
        if (!a.contains(key)) keys.push_back(key);
    std::sort(keys.begin(), keys.end());
    return keys;
}

} // namespace bigsmall::archive::detail
