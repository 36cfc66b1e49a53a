// SPDX-License-Identifier: BSL-1.0
// What the io tests share: small files made in memory, a directory that goes away, errors as values.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <bigsmall/io.hpp>

namespace io_test {

using namespace bigsmall;
using namespace bigsmall::io;

/// A directory for one test, empty at first and removed at its end.
class scratch_directory {
public:
    scratch_directory() {
        std::random_device random;
        path_ = std::filesystem::temp_directory_path() /
                ("bigsmall-io-" + std::to_string(random()) + "-" + std::to_string(random()));
        std::filesystem::create_directories(path_);
    }
    scratch_directory(const scratch_directory&) = delete;
    scratch_directory& operator=(const scratch_directory&) = delete;
    ~scratch_directory() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
    const std::filesystem::path& path() const { return path_; }

    std::size_t entries() const {
        return static_cast<std::size_t>(
            std::distance(std::filesystem::directory_iterator(path_), std::filesystem::directory_iterator()));
    }

private:
    std::filesystem::path path_;
};

inline byte_buffer to_bytes(std::string_view text) {
    const bytes_view view = as_bytes_view(text);
    return {view.begin(), view.end()};
}

inline void write_file(const std::filesystem::path& path, bytes_view bytes) {
    std::ofstream out(path, std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

inline byte_buffer read_file(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline byte_buffer noise(std::size_t bytes, std::uint32_t seed) {
    std::mt19937 random(seed);
    byte_buffer out(bytes);
    for (std::uint8_t& byte : out)
        byte = static_cast<std::uint8_t>(random());
    return out;
}

/// The header of a safetensors file: the length, then the JSON.
inline byte_buffer header_of(std::string_view json) {
    byte_buffer bytes(8);
    store_le(bytes.data(), std::uint64_t{json.size()});
    const bytes_view text = as_bytes_view(json);
    bytes.insert(bytes.end(), text.begin(), text.end());
    return bytes;
}

/// A whole file: the header, then `data_bytes` zeros.
inline byte_buffer file_of(std::string_view json, std::size_t data_bytes) {
    byte_buffer bytes = header_of(json);
    bytes.resize(bytes.size() + data_bytes);
    return bytes;
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

inline bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

inline content_entry append_content(container_writer& to, bytes_view raw, std::uint64_t block_bytes) {
    content_entry content;
    content.raw_bytes = raw.size();
    content.block_bytes = block_bytes;
    content.md5.fill(static_cast<std::uint8_t>(raw.size()));
    for (std::size_t at = 0; at < raw.size(); at += block_bytes) {
        const bytes_view piece = raw.subspan(at, std::min<std::size_t>(block_bytes, raw.size() - at));
        const std::uint64_t offset = to.append_block(piece);
        if (content.blocks.empty()) content.offset = offset;
        content.blocks.push_back({piece.size(), checksum(piece), 3, 0x8001});
    }
    return content;
}

/// A container with a safetensors file (a tensor twice, a gap, an empty tensor), a carried file and an
/// empty one; `large` makes the blocks aligned ones.
struct sample {
    byte_buffer bytes;
    container_index index;
    std::uint64_t payload_end = 0;
};

inline sample make_sample(std::size_t tensor_bytes = 40, std::uint64_t block_bytes = 16) {
    const std::string n = std::to_string(tensor_bytes), n2 = std::to_string(2 * tensor_bytes);
    const std::string n7 = std::to_string(tensor_bytes + 7), n27 = std::to_string(2 * tensor_bytes + 7);
    byte_buffer header =
        header_of(R"({"a":{"dtype":"U8","shape":[)" + n + R"(],"data_offsets":[0,)" + n +
                  R"(]},"b":{"dtype":"U8","shape":[)" + n + R"(],"data_offsets":[)" + n7 + "," + n27 +
                  R"(]},"z":{"dtype":"F32","shape":[0],"data_offsets":[)" + n27 + "," + n27 + "]}}");
    sample made;
    memory_sink out;
    container_writer writer(out);
    container_index& index = made.index;
    index.writer = "test 1";
    index.directory = true;
    index.siblings = {"other.bs"};
    index.contents.push_back(append_content(writer, noise(tensor_bytes, 1), block_bytes));
    index.contents.push_back(append_content(writer, to_bytes("a gap!!"), block_bytes));
    index.contents.push_back({}); // no bytes, no blocks
    index.contents.push_back(append_content(writer, to_bytes("{\"config\": true}"), block_bytes));
    content_entry elsewhere = index.contents[1];
    elsewhere.home = 1;
    index.contents.push_back(elsewhere);
    index.members.resize(4);
    index.members[0] = {member_kind::safetensors,
                        "model.safetensors",
                        header.size() + 2 * tensor_bytes + 7,
                        {},
                        header,
                        {{extent_kind::tensor, 0},
                         {extent_kind::gap, 1},
                         {extent_kind::tensor, 0},
                         {extent_kind::tensor, 2}}};
    index.members[1] = {member_kind::file, "sub/config.json", 16, {}, {}, {{extent_kind::file, 3}}};
    index.members[2] = {member_kind::file, "empty", 0, {}, {}, {}};
    index.members[3] = {member_kind::file, "far", 7, {}, {}, {{extent_kind::file, 4}}};
    index.members[0].sha256.fill(0xab);
    made.payload_end = writer.position();
    writer.finish(index);
    made.bytes = out.take();
    return made;
}

/// A container of one carried file: two bundles, of the slices 0 and 2 and of slice 1, and a content of its own.
inline sample sample_with_bundles() {
    sample made;
    memory_sink out;
    container_writer writer(out, feature_lean_index | feature_bundles);
    container_index& index = made.index;
    index.contents.resize(3);
    const auto slice = [&](std::size_t number, std::uint64_t raw_bytes, std::uint32_t bundle, std::uint64_t offset) {
        content_entry& content = index.contents[number];
        content.raw_bytes = raw_bytes;
        content.bundle = bundle;
        content.offset = offset;
        content.md5.fill(static_cast<std::uint8_t>(number));
    };
    slice(0, 10, 4, 0);
    slice(1, 7, 5, 0);
    slice(2, 5, 4, 10);
    for (const std::uint32_t bytes : {8u, 15u, 7u})
        index.contents.push_back(append_content(writer, noise(bytes, bytes), bytes));
    index.contents[4].md5 = index.contents[5].md5 = {}; // bundles have none
    index.bundles = 2;
    index.members.push_back({member_kind::file, "f", 30, {}, {}, {}});
    for (std::uint32_t i = 0; i < 4; ++i)
        index.members[0].extents.push_back({extent_kind::file, i});
    made.payload_end = writer.position();
    writer.finish(index);
    made.bytes = out.take();
    return made;
}

/// Blocks a, b, c; then a content of b alone; then one of a, b and a c of its own. Nothing but a, b, c and c is stored.
inline sample sample_with_shared_blocks() {
    sample made;
    memory_sink out;
    container_writer writer(out);
    container_index& index = made.index;
    const byte_buffer a = noise(5000, 1), b = noise(5000, 2), c = noise(7, 3);
    byte_buffer all = a;
    all.insert(all.end(), b.begin(), b.end());
    all.insert(all.end(), c.begin(), c.end());
    index.contents.push_back(append_content(writer, all, 5000));
    const std::vector<std::uint64_t> offsets = block_offsets(index.contents[0]);
    const auto shared = [&](std::size_t i) {
        block_entry block = index.contents[0].blocks[i];
        block.shared_at = offsets[i];
        return block;
    };
    content_entry second, third = index.contents[0];
    second.raw_bytes = second.block_bytes = 5000;
    second.blocks = {shared(1)};
    const std::uint64_t own = writer.append_block(c);
    third.offset = own;
    third.blocks[0] = shared(0);
    third.blocks[1] = shared(1);
    index.contents.push_back(second);
    index.contents.push_back(third);
    index.members.push_back({member_kind::file, "f", 25'014, {}, {}, {}});
    for (std::uint32_t i = 0; i < 3; ++i)
        index.members[0].extents.push_back({extent_kind::file, i});
    made.payload_end = writer.position();
    writer.finish(index);
    made.bytes = out.take();
    return made;
}

/// An index, written and read again.
inline container_index again(const container_index& index) {
    return decode_index(encode_index(index), required_features(index), encode_receipts(index));
}

inline std::shared_ptr<const source> in_memory(byte_buffer bytes) {
    return std::make_shared<memory_source>(std::move(bytes), "test.bs");
}

/// The directory of real checkpoints beside the repository, when it is there.
inline std::filesystem::path shared_data() {
    if (const char* const named = std::getenv("BIGSMALL_SHARED_DATA")) return named;
    return std::filesystem::path(__FILE__).parent_path() / "../../../../shared/data";
}

} // namespace io_test
