// SPDX-License-Identifier: BSL-1.0
// model.safetensors.index.json, the map of tensors to shards that a sharded model on the hub has: read only to notice
// shards that it names and that are not there. It is packed as it is, whatever it says.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <bigsmall/archive/source_tree.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/io/file_source.hpp>

namespace bigsmall::archive {

/// A shard that an index of the model names and that the model's directory does not have.
struct absent_shard {
    std::string index; ///< the file that names it, relative to the source
    std::string shard; ///< relative to the source, too
};

namespace detail {

/// Collects the values of "weight_map" (nlohmann's SAX interface fixes the names of the functions).
class weight_map_handler {
public:
    explicit weight_map_handler(std::set<std::string>& shards) : shards_(shards) {}

    bool start_object(std::size_t) { return open(); }
    bool end_object() { return close(); }
    bool start_array(std::size_t) { return open(); }
    bool end_array() { return close(); }
    bool key(const std::string& name) {
        if (depth_ == 1) inside_ = name == "weight_map";
        return true;
    }
    bool string(std::string& text) {
        if (depth_ == 2 && inside_) shards_.insert(std::move(text));
        return true;
    }
    bool number_unsigned(std::uint64_t) { return true; }
    bool number_integer(std::int64_t) { return true; }
    bool number_float(double, const std::string&) { return true; }
    bool boolean(bool) { return true; }
    bool binary(const std::vector<std::uint8_t>&) { return true; }
    bool null() { return true; }
    bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) { return false; }

private:
    bool open() {
        ++depth_;
        return true;
    }
    bool close() {
        --depth_;
        return true;
    }

    std::set<std::string>& shards_;
    std::size_t depth_ = 0;
    bool inside_ = false; // the value of "weight_map"
};

/// What an index of a model names as values of its "weight_map"; nothing when it is no JSON: such a file is packed like
/// any other.
inline std::set<std::string> shards_named_in(std::string_view index) {
    std::set<std::string> shards;
    weight_map_handler handler(shards);
    if (!nlohmann::json::sax_parse(index.begin(), index.end(), &handler)) shards.clear();
    return shards;
}

inline std::set<std::string> shards_named_in(const source_file& file) {
    constexpr std::uint64_t max_bytes = 64 * MiB;
    if (file.stamp.bytes > max_bytes) return {};
    const io::file_source source(file.path);
    byte_buffer bytes(static_cast<std::size_t>(std::min(source.size(), max_bytes)));
    source.read(0, bytes);
    return shards_named_in(as_string_view(bytes));
}

} // namespace detail

/// What the *.safetensors.index.json files of a directory name and it does not have. Throws: errc::io.
inline std::vector<absent_shard> absent_shards(const source_tree& tree) {
    std::vector<absent_shard> absent;
    if (!tree.directory) return absent;
    std::set<std::string_view> there;
    for (const source_file& file : tree.files)
        there.insert(file.name);
    for (const source_file& file : tree.files) {
        if (!std::string_view(file.name).ends_with(".safetensors.index.json")) continue;
        const std::string folder = file.name.substr(0, file.name.rfind('/') + 1);
        for (const std::string& shard : detail::shards_named_in(file))
            if (there.count(folder + shard) == 0) absent.push_back({file.name, folder + shard});
    }
    return absent;
}

} // namespace bigsmall::archive
