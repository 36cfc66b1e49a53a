// SPDX-License-Identifier: BSL-1.0
// What an index may not say of the base of a patch.
#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "index_rules.hpp"
#include "patch_fixtures.hpp"
#include "support/catch.hpp"

using namespace io_test;

namespace {

// One change each to the index of sample_patch().
std::vector<broken_rule> broken_owners() {
    return {
        {[](auto& i) { i.base_files.clear(); }, "there are bytes of a base that has no files"},
        {[](auto& i) {
             i.base_files.clear();
             i.images.clear();
         },
         "there are bytes of a base that has no files"},
        {[](auto& i) { // nothing but zeros
             i.base_files.clear();
             i.base_tensors.clear();
             for (std::size_t c = 0; c < i.contents.size(); ++c)
                 if (i.contents[c].image != no_image)
                     i.images[i.contents[c].image] = {{}, {{no_base, 0, i.contents[c].raw_bytes}}};
         },
         "there are bytes of a base that has no files"},
        {[](auto& i) { // zeros, byte by byte
             base_image& image = i.images[i.contents[2].image];
             image = {{}, std::vector<base_part>(most_image_parts(i.contents[2].raw_bytes) + 1, {no_base, 0, 1})};
         },
         "has too many parts"},
        {[](auto& i) { i.contents[9].image = 10; }, "content 9 has an image that is not there"},
        {[](auto& i) { i.contents[10].image = 0; }, "content 10 has the image of another content"},
        {[](auto& i) { i.contents[2].image = no_image; }, "image 2 belongs to no content"},
        {[](auto& i) { i.images.push_back(i.images[0]); }, "image 10 belongs to no content"},
        {[](auto& i) { i.contents[1].image = no_image; }, "content 1 has 40 bytes, but blocks of none"},
        {[](auto& i) { // an empty content with an image
             i.contents.insert(i.contents.end() - 1, content_entry{});
             i.contents[13].image = 10;
             i.contents[11].bundle = i.contents[12].bundle = 14;
             i.images.push_back({});
         },
         "content 13 has an image, but no bytes"},
        {[](auto& i) {
             i.contents[2].home = 1;
             i.siblings = {"s.bs"};
         },
         "content 2 has an image, but lies in a sibling file"},
        {[](auto& i) {
             i.contents[0].home = 1;
             i.siblings = {"s.bs"};
         },
         "content 0 has an image, but lies in a sibling file"},
        {[](auto& i) {
             i.contents[11].image = 10;
             i.images.push_back({{}, {{0, 0, 5}}});
         },
         "content 11 has an image, but is a bundle or a part of one"},
        {[](auto& i) {
             i.contents[13].image = 10;
             i.images.push_back({{}, {{0, 0, 11}}});
         },
         "content 13 has an image, but is a bundle or a part of one"},
        {[](auto& i) { i.contents[0].offset = 64; }, "content 0 equals its image, but has a place of its own"},
        {[](auto& i) {
             i.contents[0].blocks.resize(1, {9, 7, 0, 0});
         },
         "has 1 blocks where its 40 bytes make 0"},
    };
}

std::vector<broken_rule> broken_images() {
    const auto more = "the image of content 5 has more bytes", fewer = "the image of content 5 has fewer bytes";
    const auto cuts = "converts elements of 2 bytes and has a part that cuts one";
    const auto cuts4 = "converts elements of 4 bytes and has a part that cuts one";
    const auto behind = "has a part that ends behind base tensor";
    constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
    return {
        {[](auto& i) { i.images[0].conversion = static_cast<base_conversion>(7); }, "has an unknown conversion"},
        {[](auto& i) {
             i.images[5].parts.push_back({6, 0, 1});
         },
         more},
        {[](auto& i) { i.images[5].parts.pop_back(); }, fewer},
        {[](auto& i) { i.images[5].parts[1].bytes -= 1; }, fewer},
        {[](auto& i) { i.images[5].parts.clear(); }, fewer},
        {[](auto& i) {
             i.images[5].parts.push_back({6, 0, 0});
         },
         "the image of content 5 has a part of no bytes"},
        {[](auto& i) { i.images[8].parts[1].bytes = 0; }, "the image of content 8 has a part of no bytes"},
        {[](auto& i) {
             i.images[6].parts = {{7, 0, 19}, {7, 0, 1}};
         },
         cuts},
        {[](auto& i) { i.images[6].parts[0].begin = 1; }, cuts},
        {[](auto& i) {
             i.images[6].parts = {{no_base, 0, 1}, {7, 0, 19}};
         },
         cuts},
        {[](auto& i) {
             i.images[7].parts = {{8, 0, 18}, {no_base, 0, 2}};
         },
         cuts4},
        {[](auto& i) { i.images[7].parts[0].begin = 2; }, cuts4},
        {[](auto& i) { i.images[8].parts[1].begin = 1; }, "has zeros that do not begin at 0"},
        {[](auto& i) { i.images[0].parts[0].tensor = 10; }, "has a part of a base tensor that is not there"},
        {[](auto& i) { i.images[0].parts[0].begin = 1; }, behind},
        {[](auto& i) { i.images[0].parts[0].begin = most; }, behind},
        {[](auto& i) { i.images[8].parts[2].begin = 31; }, behind},
        {[](auto& i) { i.base_tensors[0].bytes = 39; }, behind},
        {[](auto& i) { i.base_tensors[7].bytes = 36; }, behind},
        {[](auto& i) { i.base_tensors[8].bytes = 8; }, behind},
        // Wraps to 20 when it is counted in the base.
        {[](auto& i) { i.images[6].parts[0].begin = (std::uint64_t{1} << 63) - 10; }, behind},
        {[](auto& i) { i.base_tensors[7].bytes = 42; }, "converts a base tensor that ends inside an element"},
        {[](auto& i) { i.base_tensors[8].bytes = 11; }, "converts a base tensor that ends inside an element"},
        {[](auto& i) { i.base_tensors[2].file = 2; }, "base tensor 2 lies in a base file that is not there"},
        {[](auto& i) { i.base_tensors.push_back(i.base_tensors[0]); }, "base tensor 10 is in no image"},
        {[](auto& i) { i.images[1].parts[0].tensor = 0; }, "base tensor 1 is in no image"},
    };
}

/// The sections of an empty index, the contents of `count` unchanged bytes, and `body` as that of the base.
byte_buffer raw_with_base(std::size_t count, const byte_buffer& body, std::uint8_t offset = 1) {
    io::detail::byte_writer out, contents;
    contents.varint(count);
    for (std::size_t i = 0; i < count; ++i)
        contents.bytes(byte_buffer{1, 0, 0, offset});
    const auto section = [&](std::uint8_t tag, bytes_view bytes) {
        out.u8(tag);
        out.sized(bytes);
    };
    section(1, byte_buffer{0, 0});
    section(2, byte_buffer{0});
    section(3, contents.written());
    section(4, byte_buffer{0});
    section(5, byte_buffer{0});
    section(8, body);
    return out.take();
}

/// One base file without a name.
const byte_buffer one_file = joined({{1, 0, 0}, byte_buffer(32, 0)});

std::string refusal(std::size_t count, const byte_buffer& body, std::uint8_t offset = 1) {
    const byte_buffer raw = raw_with_base(count, body, offset), receipts(count * 16, 3);
    const error e = thrown_by([&] { decode_index(raw, patch_features, receipts); });
    CHECK(e.code() == errc::corrupt);
    return e.what();
}

} // namespace

TEST_CASE("a patch that breaks a rule is neither written nor read", "[io][patch]") {
    const container_index sound = sample_patch().index;
    check_refused(broken_owners(), sound);
    check_refused(broken_images(), sound);
}

TEST_CASE("the section of a base is there when the feature bit is set, and only then", "[io][patch]") {
    const container_index index = index_of_unchanged(1, 8);
    const byte_buffer raw = encode_index(index), receipts = encode_receipts(index);
    const auto says = [&](const byte_buffer& bytes, std::uint64_t features) {
        return std::string(thrown_by([&] { decode_index(bytes, features, receipts); }).what());
    };
    CHECK(decode_index(raw, patch_features, receipts) == index);
    CHECK(contains(says(raw, feature_lean_index), "a section is of an unknown kind"));
    CHECK(contains(says(raw, feature_patch), "a patch of an older form"));
    const byte_buffer without = encode_index({});
    CHECK(contains(says(without, patch_features), "a section is missing"));
    byte_buffer twice = raw;
    const byte_buffer body = joined({one_file, {0, 0}});
    twice.push_back(8);
    twice.push_back(static_cast<std::uint8_t>(body.size()));
    twice.insert(twice.end(), body.begin(), body.end());
    CHECK(contains(says(twice, patch_features), "not in order"));
    memory_sink out;
    container_writer writer(out);
    CHECK(contains(thrown_by([&] { writer.finish(index); }).what(), "other features than the header"));
}

TEST_CASE("a malformed section of a base is refused", "[io][patch]") {
    // One tensor of one byte: what is there after the file is 1, 1 | gap | head | step | begin | behind | flags.
    const auto says = [](std::initializer_list<int> after_file, std::uint8_t offset = 1) {
        byte_buffer body = one_file;
        for (const int byte : after_file)
            body.push_back(static_cast<std::uint8_t>(byte));
        return refusal(1, body, offset);
    };
    const byte_buffer sound = raw_with_base(1, joined({one_file, {1, 1, 0, 0, 0, 0, 0, 1, 1, 'n'}}));
    const container_index read = decode_index(sound, patch_features, byte_buffer(16, 3));
    CHECK(read.base_tensors == std::vector<base_tensor>{{0, "n", 1, read.contents[0].md5}});
    CHECK(read.contents[0].offset == 0);

    CHECK(contains(refusal(1, {}), "greater than the bytes that follow"));
    CHECK(contains(refusal(1, {0, 0, 0}), "names no files of a base"));
    CHECK(contains(refusal(1, joined({{2, 0, 0}, byte_buffer(33, 0)})), "greater than the bytes that follow"));
    CHECK(contains(says({1, 2, 0, 0, 0, 0, 0, 0}), "greater than the bytes that follow"));
    CHECK(contains(says({1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}), "more images than contents"));
    CHECK(contains(says({1, 1, 1, 0, 0, 0, 0, 1, 1, 'n'}), "an image belongs to a content that is not there"));
    CHECK(contains(says({1, 1, 0, 7, 0, 0, 0, 1, 1, 'n'}), "an unknown conversion"));
    CHECK(contains(says({1, 1, 0, 16, 0, 0, 0, 1, 1, 'n'}), "more parts than the bytes"));
    CHECK(contains(says({1, 1, 0, 0xf8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}),
                   "more parts than the bytes"));
    CHECK(contains(says({1, 1, 0, 0, 3, 0, 0, 1, 1, 'n'}), "names a base tensor that is not there"));
    CHECK(contains(says({1, 1, 0, 0, 2, 0, 0, 1, 1, 'n'}), "names a base tensor that is not there"));
    CHECK(contains(says({1, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 1, 1, 'n'}),
                   "names a base tensor that is not there"));
    CHECK(contains(says({0, 1, 0, 0, 0, 0, 0, 1, 1, 'n'}), "names a base tensor that is not there"));
    CHECK(contains(says({1, 1, 0, 0, 0, 0, 1, 1, 1, 'n'}), "a part of an image has no bytes"));
    CHECK(contains(says({1, 1, 0, 8, 0, 1, 0, 0, 0, 0}), "a part of an image has no bytes"));
    CHECK(contains(says({2, 1, 0, 0, 0, 0, 0, 1, 1, 'n'}), "more base tensors than the bytes"));
    CHECK(contains(says({1, 1, 0, 0, 0, 0, 0, 9, 1, 'n'}), "lies in a file that is not there"));
    CHECK(contains(says({1, 1, 0, 0, 0, 0, 0, 0x11, 1, 'n'}), "lies in a file that is not there"));
    CHECK(contains(says({1, 1, 0, 0, 0, 0, 0, 0xf9, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1, 'n'}),
                   "lies in a file that is not there"));
    CHECK(contains(says({1, 1, 0, 0, 0, 0, 0, 1, 2, 'n'}), "a section is malformed"));
    CHECK(contains(says({1, 1, 0, 0, 0, 0, 0, 1, 1, 'n', 0}), "a section is malformed"));
    CHECK(contains(says({1, 1, 0, 0, 0, 0, 0, 5, 1, 'n', 0}), "a section is malformed"));
    // Nothing to take from: the image is a part, no tensor extent has the content, a part ends beyond everything.
    CHECK(contains(says({1, 1, 0, 0, 0, 0, 0, 3, 1, 'n', 2}), "a base tensor has no MD5"));
    CHECK(contains(says({1, 1, 0, 1, 0, 0, 0, 1, 1, 'n'}), "a part ends where no base tensor ends"));
    CHECK(contains(says({1, 1, 0, 0, 0, 0, 0, 0}), "has the name of a tensor that is not there"));
    CHECK(contains(says({1, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 1, 1, 'n'}),
                   "a part ends where no base tensor ends"));
    // What is not said of a tensor that no part names stays empty, and is refused.
    CHECK(contains(says({1, 1, 0, 0, 1, 0, 0, 0}), "base tensor 0 is in no image"));
    // Unchanged, and in a place; in the place of the unchanged, and without an image.
    CHECK(contains(says({1, 1, 0, 0, 0, 0, 0, 1, 1, 'n'}, 64), "an unchanged content has a place"));
    CHECK(contains(says({1, 1, 0, 0, 0, 0, 0, 1, 1, 'n'}, 0), "an unchanged content has a place"));
    CHECK(contains(says({0, 0}), "content 0 has 1 bytes, but blocks of none"));
}

TEST_CASE("only the receipt of an unchanged content of one whole tensor is that tensor's MD5", "[io][patch]") {
    // With its own MD5 each of these is sound; without it there is none to take.
    const auto without_md5 = [](const container_index& index) {
        CHECK(again(index) == index);
        const byte_buffer raw = encode_index(index), receipts = encode_receipts(index);
        byte_cursor in(raw);
        byte_buffer body;
        for (unsigned tag = 0; tag != 8;) {
            tag = in.read<std::uint8_t>();
            const bytes_view section = in.take(in.read_varint());
            body.assign(section.begin(), section.end());
        }
        const std::size_t own_bytes = index.images[0].parts.size() == 1 ? 0 : 1;
        body.resize(body.size() - 16);
        std::uint8_t& flags = body[body.size() - 1 - own_bytes];
        REQUIRE(flags == (own_bytes != 0 ? 6 : 4));
        flags = static_cast<std::uint8_t>(flags - 4);
        const byte_buffer bad = with_section(index, 8, body);
        return std::string(thrown_by([&] { decode_index(bad, required_features(index), receipts); }).what());
    };
    container_index changed = index_of_unchanged(1, 8), converted = changed, split = changed;
    changed.contents[0].block_bytes = 8;
    changed.contents[0].offset = 64;
    changed.contents[0].blocks = {{5, 7, 0, 0}};
    converted.images[0].conversion = base_conversion::bf16_to_f16;
    split.images[0].parts = {{0, 0, 4}, {0, 4, 4}};
    for (const container_index& index : {changed, converted, split})
        CHECK(contains(without_md5(index), "a base tensor has no MD5"));
}

TEST_CASE("a name is not taken from a header that names too few tensors, or is none", "[io][patch]") {
    const container_index index = index_of_unchanged(2, 8);
    const byte_buffer receipts = encode_receipts(index);
    const auto says = [&](const byte_buffer& header) {
        io::detail::byte_writer members;
        members.varint(1);
        members.u8(0);
        members.sized(to_bytes("model.safetensors"));
        members.varint(header.size() + 16);
        members.bytes(byte_buffer(32, 0));
        members.varint(std::uint64_t{header.size()} << 1);
        members.bytes(header);
        members.bytes(byte_buffer{2, 1, 1}); // two extents, each the next tensor
        const byte_buffer raw = with_section(index, 5, members.take());
        return std::string(thrown_by([&] { decode_index(raw, patch_features, receipts); }).what());
    };
    CHECK(contains(says(header_of_tensors({{"model.layers.0.weight", 16}})), "a header names too few tensors"));
    CHECK(contains(says(header_of("[]")), "a safetensors header is not valid"));
}

TEST_CASE("only the first part of an image has the name of its content's tensor", "[io][patch]") {
    container_index index = index_of_unchanged(1, 8);
    index.base_tensors.push_back({0, index.base_tensors[0].name, 4, {}});
    index.base_tensors[0].bytes = 4;
    index.images[0].parts = {{0, 0, 4}, {1, 0, 4}};
    CHECK(again(index) == index);
    byte_buffer raw = encode_index(index);
    const byte_buffer name = to_bytes(index.base_tensors[0].name);
    // Flags of the second tensor: its name and its MD5 are there. Without the name:
    const auto place = std::search(raw.end() - 60, raw.end(), name.begin(), name.end());
    REQUIRE(place != raw.end());
    raw.erase(place - 1, place + static_cast<std::ptrdiff_t>(name.size()));
    const auto flags = raw.end() - 33;
    REQUIRE(*flags == 5);
    *flags = 4;
    // The section is shorter by 21 bytes than before.
    byte_cursor in(raw);
    io::detail::byte_writer out;
    for (unsigned tag = 0; tag != 8;) {
        tag = in.read<std::uint8_t>();
        const std::uint64_t size = in.read_varint();
        out.u8(static_cast<std::uint8_t>(tag));
        out.sized(in.take(tag == 8 ? in.left() : size));
    }
    const byte_buffer bad = out.take();
    CHECK(contains(thrown_by([&] { decode_index(bad, patch_features, encode_receipts(index)); }).what(),
                   "a base tensor has no name"));
}

TEST_CASE("every prefix and every changed byte of a patch's index is refused or keeps the rules", "[io][patch]") {
    const container_index sound = sample_patch().index;
    const std::uint64_t features = required_features(sound);
    const byte_buffer whole = encode_index(sound), receipts = encode_receipts(sound);
    const auto read = [&](bytes_view raw) { return decode_index(raw, features, receipts); };
    for (std::size_t n = 0; n < whole.size(); ++n)
        CHECK(thrown_by([&] { read(bytes_view(whole).first(n)); }).code() == errc::corrupt);
    for (std::size_t at = 0; at < whole.size(); ++at)
        for (const unsigned change : {1u, 2u, 4u, 8u, 16u, 32u, 64u, 128u, 255u}) {
            byte_buffer raw = whole;
            raw[at] = static_cast<std::uint8_t>(raw[at] ^ change);
            try {
                const container_index index = read(raw);
                if (again(index) != index) FAIL("byte " << at << " by " << change);
            } catch (const error& e) {
                if (e.code() != errc::corrupt) FAIL("byte " << at << " by " << change << ": " << e.what());
            }
        }
    SUCCEED();
}
