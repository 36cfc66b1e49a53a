// SPDX-License-Identifier: BSL-1.0
// Small models for tests: safetensors files made in memory, a directory that goes away, errors as values.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <bigsmall/core.hpp>

namespace support {

using namespace bigsmall;

/// A directory for one test, empty at first and removed at its end.
class temporary_directory {
public:
    temporary_directory() {
        std::random_device random;
        path_ = std::filesystem::temp_directory_path() /
                ("bigsmall-test-" + std::to_string(random()) + "-" + std::to_string(random()));
        std::filesystem::create_directories(path_);
    }
    temporary_directory(const temporary_directory&) = delete;
    temporary_directory& operator=(const temporary_directory&) = delete;
    ~temporary_directory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

private:
    std::filesystem::path path_;
};

inline void write_file(const std::filesystem::path& path, bytes_view bytes) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

inline void write_file(const std::filesystem::path& path, std::string_view text) {
    write_file(path, as_bytes_view(text));
}

inline byte_buffer read_file(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) throw std::runtime_error("cannot read " + path.string());
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// Every file below a directory, by its path relative to it.
inline std::map<std::string, byte_buffer> read_tree(const std::filesystem::path& directory) {
    std::map<std::string, byte_buffer> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(directory))
        if (!entry.is_directory())
            files[entry.path().lexically_relative(directory).generic_string()] = read_file(entry.path());
    return files;
}

inline byte_buffer noise(std::size_t bytes, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    byte_buffer out(bytes);
    for (std::uint8_t& byte : out)
        byte = static_cast<std::uint8_t>(random());
    return out;
}

/// BF16 values as trained weights have them: Gaussian.
inline byte_buffer gaussian_bf16(std::size_t elems, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    byte_buffer out(elems * 2);
    for (std::size_t i = 0; i < elems; ++i) {
        float sum = 0; // twelve uniform values make a normal one, the same with every standard library
        for (int k = 0; k < 12; ++k)
            sum += static_cast<float>(random() >> 40) / 16777216.0f;
        const float value = (sum - 6.0f) * 0.02f;
        std::uint32_t bits;
        std::memcpy(&bits, &value, sizeof bits);
        store_le(out.data() + 2 * i, static_cast<std::uint16_t>(bits >> 16));
    }
    return out;
}

/// What `action` throws; fails the test by an exception of its own when it throws nothing.
template <class F>
error thrown_by(F&& action) {
    try {
        action();
    } catch (const error& e) {
        return e;
    }
    throw std::runtime_error("an error was expected, but nothing was thrown");
}

/// A real checkpoint of the shared data, or nothing where that is absent.
inline std::optional<std::filesystem::path> shared_data() {
    const char* folder = std::getenv("BIGSMALL_SHARED_DATA");
    if (folder == nullptr || !std::filesystem::is_directory(folder)) return std::nullopt;
    return std::filesystem::path(folder);
}

/// A safetensors file, piece by piece in file order. Names must need no escapes.
class safetensors_builder {
public:
    safetensors_builder& add(const std::string& name, const std::string& dtype_name,
                             const std::vector<std::uint64_t>& shape, const byte_buffer& bytes) {
        std::string dims;
        for (const std::uint64_t extent : shape)
            dims += (dims.empty() ? "" : ",") + std::to_string(extent);
        const std::size_t begin = data_.size();
        data_.insert(data_.end(), bytes.begin(), bytes.end());
        entries_.push_back("\"" + name + "\":{\"dtype\":\"" + dtype_name + "\",\"shape\":[" + dims +
                           "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(data_.size()) + "]}");
        return *this;
    }
    /// A tensor of one dimension; the bytes fill whole elements.
    safetensors_builder& add(const std::string& name, const std::string& dtype_name, const byte_buffer& bytes) {
        const std::uint64_t bits = find_dtype(dtype_name).value_or(dtype{}).bits;
        return add(name, dtype_name, {bytes.size() * 8 / bits}, bytes);
    }
    /// Bytes that belong to no tensor.
    safetensors_builder& gap(const byte_buffer& bytes) {
        data_.insert(data_.end(), bytes.begin(), bytes.end());
        return *this;
    }
    safetensors_builder& metadata(const std::string& key, const std::string& value) {
        metadata_ += (metadata_.empty() ? "" : ",") + ("\"" + key + "\":\"" + value + "\"");
        return *this;
    }
    /// Spaces behind the JSON.
    safetensors_builder& padding(std::size_t bytes) {
        padding_ = bytes;
        return *this;
    }
    /// The header names the tensors in the opposite order of their places.
    safetensors_builder& reversed_header() {
        reversed_ = true;
        return *this;
    }

    byte_buffer build() const {
        std::vector<std::string> entries = entries_;
        if (reversed_) std::reverse(entries.begin(), entries.end());
        if (!metadata_.empty()) entries.insert(entries.begin(), "\"__metadata__\":{" + metadata_ + "}");
        std::string json = "{";
        for (const std::string& entry : entries)
            json += (json.size() > 1 ? "," : "") + entry;
        json += "}" + std::string(padding_, ' ');
        byte_buffer file(8);
        store_le(file.data(), std::uint64_t{json.size()});
        file.insert(file.end(), json.begin(), json.end());
        file.insert(file.end(), data_.begin(), data_.end());
        return file;
    }

private:
    std::vector<std::string> entries_;
    std::string metadata_;
    byte_buffer data_;
    std::size_t padding_ = 0;
    bool reversed_ = false;
};

} // namespace support
