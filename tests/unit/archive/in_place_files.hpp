// SPDX-License-Identifier: BSL-1.0
// A file and what it is to become, for the tests of changes in place.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include <bigsmall/archive/apply_in_place.hpp>
#include <bigsmall/io/source.hpp>

#include "failing_disk.hpp"
#include "support/model_files.hpp"

namespace in_place_test {

using namespace bigsmall;
using namespace support;
namespace fs = std::filesystem;

inline archive::sha256_digest hash_of(const byte_buffer& bytes) {
    return archive::detail::sha256_of(io::memory_source(bytes));
}

/// A safetensors file of one tensor.
inline byte_buffer file_of(const byte_buffer& data) { return safetensors_builder().add("t", "U8", data).build(); }

inline byte_buffer changed_at(byte_buffer bytes, std::initializer_list<std::pair<std::size_t, std::size_t>> places) {
    for (const auto& [at, count] : places)
        for (std::size_t i = at; i < at + count; ++i)
            bytes[i] = static_cast<std::uint8_t>(bytes[i] + 1 + i % 200);
    return bytes;
}

/// Calls the consumer as a decoder does: the header, then pieces of some size.
inline auto producer_of(const byte_buffer& target, std::size_t piece = 1000) {
    return [&target, piece](auto&& consumer) {
        const std::size_t header =
            std::min(target.size(), 8 + static_cast<std::size_t>(load_le<std::uint64_t>(target.data())));
        consumer(0, bytes_view(target).first(header));
        for (std::size_t at = header; at < target.size(); at += piece)
            consumer(at, bytes_view(target).subspan(at, std::min(piece, target.size() - at)));
    };
}

inline archive::in_place_change change_of(const byte_buffer& base, const byte_buffer& target) {
    return {target.size(), bytes_view(target).first(8), hash_of(base), hash_of(target), "patch.bs"};
}

/// The files of a directory, hidden ones too.
using file_set = std::map<std::string, byte_buffer>;

inline void put_files(const fs::path& directory, const file_set& files) {
    fs::remove_all(directory);
    fs::create_directories(directory);
    for (const auto& [name, bytes] : files)
        write_file(directory / name, bytes);
}

/// A file in a directory of its own, with something else beside it.
struct model_file {
    explicit model_file(byte_buffer bytes) : base(std::move(bytes)) {
        write_file(path, base);
        write_file(directory / "config.json", std::string_view("{}"));
    }

    byte_buffer now() const { return read_file(path); }
    bool has_journal() const { return fs::exists(io::journal_path(path)); }
    /// Nothing beside the file but what was there, or but a journal as well.
    bool is_clean(std::size_t files = 2) const { return read_tree(directory.path()).size() == files; }

    archive::in_place_result become(const byte_buffer& target, std::size_t piece = 1000) const {
        return archive::change_in_place(path, change_of(base, target), producer_of(target, piece));
    }

    /// Leaves a complete journal and some of the change in the file.
    void interrupt(const byte_buffer& target) const {
        for (std::size_t step = 0; !has_journal() || now() == base; ++step) {
            if (now() == target) throw std::runtime_error("the change was not interrupted");
            write_file(path, base);
            fs::remove(io::journal_path(path));
            failing_disk disk(fault::kill, step);
            try {
                archive::change_in_place(path, change_of(base, target), producer_of(target), disk);
            } catch (const ended&) {
            }
        }
    }

    temporary_directory directory;
    byte_buffer base;
    fs::path path = directory / "model.safetensors";
};

/// A directory in memory where there is such a place: thousands of runs are to end in it.
class fast_directory {
public:
    fast_directory() {
        const fs::path memory = "/dev/shm";
        const fs::path parent = fs::is_directory(memory) ? memory : fs::temp_directory_path();
        path_ = parent / ("bigsmall-test-" + std::to_string(std::random_device()()));
        fs::create_directories(path_);
    }
    fast_directory(const fast_directory&) = delete;
    fast_directory& operator=(const fast_directory&) = delete;
    ~fast_directory() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }

    fs::path operator/(const std::string& name) const { return path_ / name; }

private:
    fs::path path_;
};

} // namespace in_place_test
