// SPDX-License-Identifier: BSL-1.0

#include "index_rules.hpp"
#include "support/catch.hpp"

using namespace io_test;

namespace {

// One change each to the index of make_sample().
std::vector<broken_rule> broken_contents() {
    return {
        {[](auto& i) { i.contents[0].home = 2; }, "lies in sibling file 2, but the index names only 1"},
        {[](auto& i) { i.contents[0].block_bytes = 0; }, "but blocks of none"},
        {[](auto& i) { i.contents[0].block_bytes = max_raw_block_bytes + 1; },
         "more than the 16777216 allowed"},
        {[](auto& i) { i.contents[0].blocks.pop_back(); }, "has 2 blocks where its 40 bytes make 3"},
        {[](auto& i) { i.contents[2].blocks.resize(1); }, "has 1 blocks where its 0 bytes make 0"},
        {[](auto& i) { i.contents[0].raw_bytes = ~std::uint64_t{0}; }, "blocks where its"},
        {[](auto& i) { i.contents[0].offset = 63; }, "inside the file header"},
        {[](auto& i) { i.contents[0].offset = ~std::uint64_t{0}; }, "beyond any file"},
        {[](auto& i) { i.contents[0].offset = (~std::uint64_t{0} >> 1) - 10; }, "beyond any file"},
        {[](auto& i) { i.contents[0].blocks[1].stored_bytes = 0; },
         "block 1 of content 0 has no stored bytes"},
        {[](auto& i) { i.contents[0].blocks[1].stored_bytes = max_stored_block_bytes + 1; },
         "that a block may have"},
        {[](auto& i) {
             i.contents[0].blocks[0].stored_bytes = 4096;
             i.contents[0].offset = 65;
         },
         "not a multiple of 64"},
    };
}

std::vector<broken_rule> broken_members() {
    return {
        {[](auto& i) { i.members[0].path = "../model"; }, "is not safe: it has the part \"..\""},
        {[](auto& i) { i.members[0].path = "/etc/passwd"; }, "is not safe: it is absolute"},
        {[](auto& i) { i.members[0].path = ""; }, "is not safe: it is empty"},
        {[](auto& i) { i.members[0].path.push_back('\0'); }, "NUL"},
        {[](auto& i) { i.members[0].path = "far"; }, "the path \"far\" is there twice"},
        {[](auto& i) { i.members[0].path = "sub"; }, "both a file and the directory of \"sub/config.json\""},
        {[](auto& i) { i.siblings[0] = "../other.bs"; }, "of a sibling file is not safe"},
        {[](auto& i) { i.members[0].raw_bytes += 1; }, "its parts make"},
        {[](auto& i) { i.members[0].raw_bytes = 10; }, "its safetensors header is not valid"},
        {[](auto& i) { i.members[0].header.clear(); }, "its safetensors header is not valid"},
        {[](auto& i) { i.members[0].header[8] = '['; }, "its safetensors header is not valid"},
        {[](auto& i) { i.members[0].extents.pop_back(); }, "its header names 3 tensors, but there are 2"},
        {[](auto& i) {
             i.members[0].extents.push_back({extent_kind::tensor, 2});
         },
         "more tensors than its header"},
        {[](auto& i) { i.members[0].extents[0].content = 99; }, "refers to content 99, but there are only 5"},
        {[](auto& i) { i.members[0].extents[0].kind = extent_kind::file; }, "a kind that does not belong"},
        {[](auto& i) { i.members[0].extents[0].kind = extent_kind::gap; }, "by the index"},
        {[](auto& i) { std::swap(i.members[0].extents[0], i.members[0].extents[1]); },
         "tensor \"a\" is at bytes"},
        {[](auto& i) { i.members[1].extents[0].kind = extent_kind::tensor; }, "a kind that does not belong"},
        {[](auto& i) { i.members[1].header = header_of("{}"); },
         "a plain file, but has a safetensors header"},
        {[](auto& i) { i.members[1].raw_bytes = 15; }, "its parts make 16 bytes where it has 15"},
        {[](auto& i) { i.members[1].extents.clear(); }, "its parts make 0 bytes where it has 16"},
    };
}

std::vector<broken_rule> broken_bundles() {
    return {
        {[](auto& i) { i.bundles = 7; }, "more bundles than contents"},
        {[](auto& i) { i.bundles = 1; }, "is a slice of something that is no bundle"},
        {[](auto& i) { i.bundles = 3; }, "is a bundle of 8 bytes, but its slices have 0"},
        {[](auto& i) { i.contents[0].bundle = 3; }, "is a slice of something that is no bundle"},
        {[](auto& i) { i.contents[0].bundle = 6; }, "is a slice of something that is no bundle"},
        {[](auto& i) { i.contents[2].offset = 9; }, "not where the one before it ends"},
        {[](auto& i) { i.contents[0].home = 1; i.siblings = {"s.bs"}; }, "not where the one before it ends"},
        {[](auto& i) { i.contents[1].raw_bytes = max_bundle_bytes + 1; }, "not where the one before it ends"},
        {[](auto& i) { i.contents[2].raw_bytes = 6; }, "is a bundle of 15 bytes, but its slices have 16"},
        {[](auto& i) { i.contents[5].block_bytes = 4; i.contents[5].blocks.resize(2, {1, 1, 1, 1}); },
         "is a bundle, and not one block"},
        {[](auto& i) { i.members[0].extents[0].content = 4; }, "refers to a bundle"},
        {[](auto& i) { // a bundle that shares the block of a content that is like it
             i.contents[3].blocks = i.contents[5].blocks;
             i.contents[5].blocks[0].shared_at = i.contents[3].offset;
             i.contents[5].offset = 0;
             i.contents[3].raw_bytes = i.contents[3].block_bytes = i.contents[5].raw_bytes;
         },
         "is a bundle, and not one block"},
    };
}

} // namespace

TEST_CASE("an index survives its round trip", "[io][index]") {
    CHECK(again({}) == container_index{});
    const container_index index = make_sample().index;
    CHECK(again(index) == index);
    CHECK(encode_index(again(index)) == encode_index(index));
}

TEST_CASE("an empty index is these bytes", "[io][index]") {
    // Golden: tag, length, body of the five sections.
    CHECK(encode_index({}) == byte_buffer{1, 2, 0, 0, 2, 1, 0, 3, 1, 0, 4, 1, 0, 5, 1, 0});
}

TEST_CASE("a small index is these bytes, in both forms", "[io][index]") {
    container_index index;
    index.writer = "w";
    index.contents.resize(2);
    index.contents[1] = {300, {}, 256, 64, 0, no_bundle,
                         {{5, 0x0807060504030201u, 0x0102, 0x8001}, {6, 9, 0x0102, 0x8001}}};
    index.contents[0].md5.fill(7);
    index.contents[1].md5.fill(8);
    index.members.push_back(
        {member_kind::file, "f", 300, {}, {}, {{extent_kind::file, 0}, {extent_kind::file, 1}}});
    const byte_buffer receipts = encode_receipts(index);
    CHECK(receipts.size() == 32);
    for (const bool lean : {false, true}) {
        byte_buffer expected{1, 3, 1, 'w', 0, 2, 1, 0};
        const auto add = [&](std::initializer_list<int> bytes) {
            for (const int b : bytes)
                expected.push_back(static_cast<std::uint8_t>(b));
        };
        add({3, lean ? 11 : 43, 2, 0, 0, 0, 0, 0xac, 2, 0x80, 2, 0, 64});
        if (!lean) expected.insert(expected.end(), receipts.begin(), receipts.end());
        add({4, 25, 1, 0x02, 0x01, 0x01, 0x80, 5, 6, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 0, 0, 0, 0, 0, 0});
        add({5, 42, 1, 1, 1, 'f', 0xac, 2});
        expected.resize(expected.size() + 32); // a SHA-256
        add({0, 2, 2, 2});
        if (lean) CHECK(encode_index(index) == expected);
        CHECK(decode_index(expected, lean ? feature_lean_index : 0, lean ? receipts : byte_buffer()) == index);
    }
}

TEST_CASE("bundles survive their round trip", "[io][index]") {
    const container_index index = sample_with_bundles().index;
    CHECK(again(index) == index);
    CHECK(required_features(index) == (feature_bundles | feature_lean_index));
    CHECK(required_features(make_sample().index) == feature_lean_index);
}

TEST_CASE("an index with bundles that breaks a rule is neither written nor read", "[io][index]") {
    check_refused(broken_bundles(), sample_with_bundles().index);
}

TEST_CASE("a malformed section of bundles is refused", "[io][index]") {
    const container_index index = sample_with_bundles().index;
    const auto read = [&](const byte_buffer& raw) {
        return decode_index(raw, required_features(index), encode_receipts(index));
    };
    const auto says = [&](const byte_buffer& body) {
        return std::string(thrown_by([&] { read(with_section(index, 6, body)); }).what());
    };
    CHECK_NOTHROW(read(with_section(index, 6, {2, 0, 2, 1})));
    CHECK(contains(says({}), "no bundles"));
    CHECK(contains(says({0, 0, 2, 1}), "no bundles"));
    CHECK(contains(says({99, 0, 2, 1}), "more bundles than contents"));
    CHECK(contains(says({2, 0, 2}), "names a bundle that is not there"));
    CHECK(contains(says({2, 0, 4, 1}), "names a bundle that is not there"));
    CHECK(contains(says({2, 1, 2, 1}), "names a bundle that is not there"));
    CHECK(contains(says({2, 2, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1}), "that is not there"));
    CHECK(contains(says({2, 0, 2, 0}), "is a bundle of"));
    CHECK(contains(says({2, 0, 0, 0}), "a bundle has no slices"));
    CHECK(contains(says({2, 0, 2, 1, 0}), "malformed"));
    const auto one_bundle = with_section(index, 6, {1, 0, 0, 0});
    CHECK(contains(thrown_by([&] { decode_index(one_bundle, required_features(index), byte_buffer(5 * 16)); }).what(),
                   "is a bundle of 7 bytes, but its slices have 22"));
}

TEST_CASE("an index that breaks a rule is neither written nor read", "[io][index]") {
    check_refused(broken_contents(), make_sample().index);
    check_refused(broken_members(), make_sample().index);
}

TEST_CASE("malformed sections are refused", "[io][index]") {
    const container_index index = make_sample().index;
    const auto refused = [&](const byte_buffer& raw) {
        return thrown_by([&] { decode_index(raw, feature_lean_index, encode_receipts(index)); });
    };
    CHECK(contains(refused({}).what(), "a section is missing"));
    CHECK(contains(refused({1, 2, 0, 0, 2, 1, 0, 3, 1, 0, 4, 1, 0}).what(), "a section is missing"));
    CHECK(contains(refused({1, 2, 0, 0, 3, 1, 0}).what(), "a section is missing"));
    CHECK(contains(refused({1, 2, 0, 0, 1, 2, 0, 0}).what(), "not in order"));
    CHECK(contains(refused({64, 0}).what(), "a section is missing"));
    CHECK(contains(refused({1, 200, 0}).what(), "ends behind the end"));
    CHECK(contains(refused({1, 2, 0, 2}).what(), "unknown flags"));
    CHECK(contains(refused({1, 3, 0, 0, 0}).what(), "malformed"));
    const byte_buffer huge{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1};
    for (std::uint8_t tag = 2; tag <= 5; ++tag)
        CHECK(refused(with_section(index, tag, huge)).code() == errc::corrupt);
    // A content that claims 2^60 blocks of one byte.
    io::detail::byte_writer contents;
    contents.varint(1);
    contents.varint(std::uint64_t{1} << 60);
    contents.varint(1);
    contents.varint(0);
    contents.varint(64);
    CHECK(contains(refused(with_section(index, 3, contents.take())).what(), "more blocks than the bytes"));
    CHECK(contains(refused(with_section(index, 4, {0})).what(), "more blocks than the bytes"));
}

TEST_CASE("sections that a later version may add are passed over or refused", "[io][index]") {
    const container_index index = make_sample().index;
    byte_buffer raw = encode_index(index);
    for (const int b : {70, 2, 9, 9, 200, 0})
        raw.push_back(static_cast<std::uint8_t>(b));
    CHECK(decode_index(raw, feature_lean_index, encode_receipts(index)) == index);
    byte_buffer required = encode_index({});
    required.push_back(6);
    required.push_back(0);
    CHECK(thrown_by([&] { decode_index(required, feature_lean_index, {}); }).code() == errc::corrupt);
}

TEST_CASE("every prefix and every changed byte of a raw index is refused or keeps the rules", "[io][index]") {
    const container_index sound = make_sample().index;
    const byte_buffer whole = encode_index(sound), receipts = encode_receipts(sound);
    const auto read = [&](bytes_view raw) { return decode_index(raw, feature_lean_index, receipts); };
    for (std::size_t n = 0; n < whole.size(); ++n)
        CHECK(thrown_by([&] { read(bytes_view(whole).first(n)); }).code() == errc::corrupt);
    for (std::size_t at = 0; at < whole.size(); ++at)
        for (unsigned change = 1; change < 256; change += 2) {
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

TEST_CASE("signs fold and unfold", "[io][index]") {
    for (const std::int64_t value :
         {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1}, std::int64_t{-5000}, std::int64_t{1} << 40,
          std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()})
        CHECK(io::detail::unfold_sign(io::detail::fold_sign(value)) == value);
    CHECK(io::detail::fold_sign(-1) == 1);
    CHECK(io::detail::fold_sign(1) == 2);
}

TEST_CASE("an index of 100,000 tensors survives its round trip", "[io][index]") {
    container_index index;
    std::string json = "{";
    member_entry member{member_kind::safetensors, "model.safetensors", 0, {}, {}, {}};
    constexpr std::uint64_t bytes = 1000;
    for (std::uint32_t i = 0; i < 100'000; ++i) {
        json += (i ? ",\"model.layers." : "\"model.layers.") + std::to_string(i) +
                ".weight\":{\"dtype\":\"BF16\",\"shape\":[20,25],\"data_offsets\":[" +
                std::to_string(bytes * i) + "," + std::to_string(bytes * (i + 1)) + "]}";
        index.contents.push_back({bytes, {}, 256 * KiB, 64 + 700 * std::uint64_t{i}, 0, no_bundle, {{700, i, 1, 2}}});
        member.extents.push_back({extent_kind::tensor, i});
    }
    member.header = header_of(json + "}");
    member.raw_bytes = member.header.size() + 100'000 * bytes;
    index.members.push_back(member);
    const byte_buffer raw = encode_index(index), receipts = encode_receipts(index);
    CHECK(decode_index(raw, feature_lean_index, receipts) == index);
}
