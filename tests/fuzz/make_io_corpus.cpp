// SPDX-License-Identifier: BSL-1.0
// Writes the seed corpora of the io fuzz targets: `make_io_corpus DIRECTORY`. The files are committed; this
// program is here so that anybody can see what they are and make them again.
#include <array>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <string>

#include <bigsmall/archive/joined_model.hpp>

#include "unit/io/io_fixtures.hpp"
#include "unit/io/patch_fixtures.hpp"

namespace {

using namespace io_test;

void save(const std::filesystem::path& directory, const std::string& name, bytes_view bytes) {
    std::filesystem::create_directories(directory);
    write_file(directory / name, bytes);
}

void save_headers(const std::filesystem::path& to) {
    const std::string tensor = R"({"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]})";
    save(to, "no_tensors", file_of("{}", 0));
    save(to, "padded", file_of("{}      ", 0));
    save(to, "one_tensor", file_of("{\"model.layers.0.weight\":" + tensor + "}", 12));
    save(to, "metadata", file_of(R"({"__metadata__":{"format":"pt","\u00e9":""},"a":)" + tensor + "}", 12));
    save(to, "empty_and_scalar",
         file_of(R"({"e":{"dtype":"F32","shape":[0,7],"data_offsets":[4,4]},)"
                 R"("s":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})",
                 4));
    save(to, "unknown_field",
         file_of(R"({"a":{"x":[1,-2.5,{"y":null}],"dtype":"F4","shape":[2],)"
                 R"("data_offsets":[1,2]}})",
                 3));
    save(to, "repeated_name", file_of("{\"a\":" + tensor + ",\"a\":" + tensor + "}", 12));
    save(to, "overlap", file_of("{\"a\":" + tensor + ",\"b\":" + tensor + "}", 12));
    save(to, "beyond_the_end", file_of("{\"a\":" + tensor + "}", 11));
    save(to, "huge_numbers",
         file_of(R"({"a":{"dtype":"F64","shape":[18446744073709551615,2],)"
                 R"("data_offsets":[0,18446744073709551615]}})",
                 1));
    save(to, "length_only", byte_buffer{2, 0, 0, 0, 0, 0, 0, 0});
}

/// Of one file with three tensors of BF16, a block each, which its header names in that order.
container_index index_of_one_file(const std::array<std::uint32_t, 3>& order = {0, 1, 2}) {
    container_index index;
    std::string json = "{";
    member_entry member{member_kind::safetensors, "model.safetensors", 0, {}, {}, {}};
    for (std::uint32_t i = 0; i < 3; ++i) {
        json += (i ? ",\"layers." : "\"layers.") + std::to_string(order[i]) +
                R"(.weight":{"dtype":"BF16","shape":[20,25],"data_offsets":[)" + std::to_string(1000 * order[i]) + "," +
                std::to_string(1000 * (order[i] + 1)) + "]}";
        index.contents.push_back({1000, {}, 256 * KiB, 64 + 700 * std::uint64_t{i}, 0, no_bundle, {{700, i, 1, 2}}});
        member.extents.push_back({extent_kind::tensor, i});
    }
    member.header = header_of(json + "}");
    member.raw_bytes = member.header.size() + 3000;
    index.members.push_back(member);
    return index;
}

/// As the fuzz target wants it: the number of receipts, then the index.
byte_buffer fuzzed_index(const container_index& index) {
    byte_buffer bytes = encode_index(index);
    bytes.insert(bytes.begin(), static_cast<std::uint8_t>(index.first_bundle()));
    return bytes;
}

/// Those that are not called lean_ are of the time before feature_lean_index, and stay.
void save_containers(const std::filesystem::path& to) {
    const sample made = make_sample();
    save(to, "lean_sample", made.bytes);
    save(to, "lean_aligned_blocks", make_sample(9000, 4500).bytes);
    save(to, "lean_cut", bytes_view(made.bytes).first(made.bytes.size() - 50));
    byte_buffer damaged = made.bytes;
    damaged[damaged.size() - 10] ^= 1;
    save(to, "lean_damaged_footer", damaged);
    memory_sink empty;
    container_writer(empty).finish({});
    save(to, "lean_empty", empty.bytes());
    save(to, "original_python", as_bytes_view(std::string_view("BGSM\x01\x00\x02\x00\x00\x00{}", 12)));
    save(to, "lean_index", fuzzed_index(made.index));
    save(to, "lean_index_empty", fuzzed_index({}));
    save(to, "lean_bundles", sample_with_bundles().bytes);
    save(to, "lean_shared_blocks", sample_with_shared_blocks().bytes);
    save(to, "lean_index_shared_blocks", fuzzed_index(sample_with_shared_blocks().index));
    save(to, "lean_index_bundles", fuzzed_index(sample_with_bundles().index));
    save(to, "lean_index_order", fuzzed_index(index_of_one_file({2, 0, 1})));
    save(to, "patch", sample_patch().bytes);
    save(to, "patch_index", fuzzed_index(sample_patch().index));
    save(to, "patch_index_unchanged", fuzzed_index(index_of_unchanged(3, 8)));
    container_index no_images;
    no_images.base_files.push_back({"base.safetensors", 9, {}});
    save(to, "patch_index_no_images", fuzzed_index(no_images));
}

/// What the first shard keeps of the container that it was a part of.
void save_joined(const std::filesystem::path& to) {
    const byte_buffer whole = archive::detail::encode_joined(index_of_one_file());
    save(to, "one_file", whole);
    save(to, "one_file_cut", bytes_view(whole).first(whole.size() - 3));
    save(to, "patch", archive::detail::encode_joined(sample_patch().index));
    save(to, "several_files", archive::detail::encode_joined(make_sample().index));
    save(to, "bundles", archive::detail::encode_joined(sample_with_bundles().index));
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: make_io_corpus DIRECTORY\n";
        return 2;
    }
    const std::filesystem::path to = argv[1];
    save_headers(to / "safetensors_header");
    save_containers(to / "container");
    save_joined(to / "joined_index");
    return 0;
}
