// SPDX-License-Identifier: BSL-1.0
// What an index says of the base of a patch.
#include <algorithm>
#include <string>
#include <vector>

#include "patch_fixtures.hpp"
#include "support/catch.hpp"

using namespace io_test;

namespace {

/// The section of a base, out of a whole index.
byte_buffer section_of_base(const container_index& index) {
    const byte_buffer raw = encode_index(index);
    byte_cursor in(raw);
    for (;;) {
        const auto tag = in.read<std::uint8_t>();
        const bytes_view body = in.take(in.read_varint());
        if (tag == 8) return {body.begin(), body.end()};
    }
}

} // namespace

TEST_CASE("a patch survives its round trip", "[io][patch]") {
    const sample made = sample_patch();
    CHECK(again(made.index) == made.index);
    CHECK(required_features(made.index) == (feature_lean_index | feature_bundles | feature_patch));
    const container_reader reader(in_memory(made.bytes));
    CHECK(reader.index() == made.index);
    CHECK(reader.state().all_ok());
    CHECK(reader.index().contents[0].is_unchanged());
    CHECK_FALSE(reader.index().contents[2].is_unchanged());  // has blocks
    CHECK_FALSE(reader.index().contents[11].is_unchanged()); // a slice
    container_index none;
    none.base_files.push_back({"base", 1, {}});
    CHECK(again(none) == none); // nothing of the base is like it
    CHECK(required_features(none) == patch_features);
}

TEST_CASE("files that equal tensors of a base are carried by a patch", "[io][patch]") {
    // No tensor extent has the content: there is no name to leave out.
    container_index index;
    index.base_files.push_back({"base", 1, {}});
    index.contents.push_back({10, {}, 0, 0, 0, no_bundle, {}, 0});
    index.base_tensors.push_back({0, "t", 10, {}});
    index.images.push_back({base_conversion::none, {{0, 0, 10}}});
    index.members.push_back({member_kind::file, "f", 10, {}, {}, {{extent_kind::file, 0}}});
    CHECK(again(index) == index);
    index.members.clear(); // nor does anything else have to have it
    CHECK(again(index) == index);
}

TEST_CASE("images are read in the order of their contents, base tensors in that of the writer", "[io][patch]") {
    container_index index = sample_patch().index;
    const container_index sound = index;
    std::swap(index.images[0], index.images[8]);
    std::swap(index.contents[0].image, index.contents[8].image);
    CHECK(again(index) == sound);
    std::swap(index.base_tensors[0], index.base_tensors[9]);
    for (base_image& image : index.images)
        for (base_part& part : image.parts)
            if (part.tensor == 0 || part.tensor == 9) part.tensor = 9 - part.tensor;
    CHECK(again(index).base_tensors == index.base_tensors);
    CHECK(again(index).images[0].parts[0] == base_part{9, 0, 40});
}

TEST_CASE("the section of a base is these bytes", "[io][patch]") {
    const byte_buffer sha(32, 0xb1), sha2(32, 0xb2);
    // Two tensors, unchanged: no names, sizes, hashes.
    CHECK(section_of_base(index_of_unchanged(2, 8)) == joined({{1, 17},
                                                               to_bytes("model.safetensors"),
                                                               {1},
                                                               byte_buffer(32, 0),
                                                               {2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}}));
    const auto md5 = [](std::uint8_t byte) { return byte_buffer(16, byte); };
    CHECK(section_of_base(sample_patch().index) ==
          joined({{2, 18},
                  to_bytes("base-1.safetensors"),
                  {0xe8, 7},
                  sha,
                  {18},
                  to_bytes("base-2.safetensors"),
                  {0x84, 7},
                  sha2,
                  {10, 10},                                       // tensors, images
                  {0, 0, 0, 0, 0, 0, 0, 0, 0, 1},                 // contents between
                  {0, 0, 0, 0, 0, 16, 1, 4, 16, 0},               // parts, conversions
                  {0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1, 2, 20},    // tensors of parts; 2 is one back, 20 is ten back
                  {0, 0, 0, 0, 30, 0, 0, 0, 0, 0, 8, 0, 24, 0},   // begins
                  {0, 0, 0, 0, 0, 30, 10, 0, 0, 0, 48, 40, 0, 0}, // bytes behind
                  {0, 1, 0x14, 0x07, 0x0d, 0x05, 0x15, 0x04, 0x04, 0x06}, // file, what is in words
                  {8},
                  to_bytes("old.name"),
                  {7},
                  to_bytes("experts"),
                  {1, 'q', 1, 'k', 1, 'v'},
                  {80, 70},
                  md5(99),
                  md5(98),
                  md5(97),
                  md5(96),
                  md5(95),
                  md5(94),
                  md5(93),
                  md5(92)}));
}

TEST_CASE("MD5s of a base that are receipts are lost with them", "[io][patch]") {
    sample made = sample_patch();
    REQUIRE(encode_receipts(made.index).size() == 13 * 16);
    made.bytes[made.payload_end] ^= 1; // the first receipt
    const container_reader reader(in_memory(made.bytes));
    CHECK(reader.index().receipts_lost);
    CHECK_FALSE(reader.state().all_ok());
    container_index expected = made.index;
    expected.receipts_lost = true;
    for (content_entry& content : expected.contents)
        content.md5 = {};
    expected.base_tensors[0].md5 = expected.base_tensors[1].md5 = {};
    CHECK(reader.index() == expected);
    // A program may compute them anew.
    container_index repaired = reader.index();
    for (content_entry& content : repaired.contents)
        content.md5 = made.index.contents[0].md5;
    repaired.receipts_lost = false;
    repaired.contents[13].md5 = {};
    CHECK(again(repaired) == repaired);
}

TEST_CASE("an unchanged tensor costs next to nothing beside its receipt and its header entry", "[io][patch]") {
    constexpr std::uint32_t count = 3000;
    const container_index index = index_of_unchanged(count, 64);
    container_index renamed = index;
    for (base_tensor& tensor : renamed.base_tensors)
        tensor.name = "base_" + tensor.name;
    container_index full = index; // without a base: as a block of its own each
    full.base_files.clear();
    full.base_tensors.clear();
    full.images.clear();
    for (std::uint32_t i = 0; i < count; ++i) {
        full.contents[i].image = no_image;
        full.contents[i].block_bytes = 64;
        full.contents[i].offset = 64 + 64 * std::uint64_t{i};
        full.contents[i].blocks = {{64, i * 0x9e3779b97f4a7c15u, 0, 0}};
    }
    const auto per_tensor = [](const container_index& one) {
        CHECK(again(one) == one);
        return static_cast<double>(zstd_compress(encode_index(one), 9).size()) / count;
    };
    const double patch = per_tensor(index), other_names = per_tensor(renamed), whole = per_tensor(full);
    INFO("bytes of compressed index a tensor: " << patch << " unchanged, " << other_names << " renamed, " << whole
                                                << " stored");
    CHECK(patch < 1.5); // nearly all of it the header, whose names are numbered
    CHECK(other_names < 2.5);
    CHECK(zstd_compress(section_of_base(index), 9).size() < 100); // one base file, and 3,000 tensors
    CHECK(patch + 8 < whole);
    CHECK(encode_receipts(index).size() == count * 16);
}
