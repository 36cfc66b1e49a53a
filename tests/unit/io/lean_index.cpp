// SPDX-License-Identifier: BSL-1.0
// What an index leaves out: receipts, places in headers, blocks that are there already.
#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "index_rules.hpp"
#include "support/catch.hpp"

using namespace io_test;

namespace {

std::vector<broken_rule> broken_shared_blocks() {
    const auto gone = "one that is not there", other = "which is another";
    return {
        {[](auto& i) { i.contents[1].blocks[0].shared_at += 64; }, gone},
        {[](auto& i) { i.contents[1].blocks[0].shared_at = 64; }, other}, // another block
        {[](auto& i) { i.contents[1].blocks[0].checksum ^= 1; }, other},
        {[](auto& i) { i.contents[1].blocks[0].stored_bytes -= 1; }, other},
        {[](auto& i) { i.contents[1].blocks[0].entropy ^= 1; }, other},
        {[](auto& i) { i.contents[1].raw_bytes -= 1; }, other},
        {[](auto& i) { i.contents[1].blocks[0].shared_at += 1; }, "not a multiple of 64"},
        {[](auto& i) { i.contents[1].blocks[0].shared_at = 1; }, "not a multiple of 64"},
        {[](auto& i) { i.contents[2].blocks[2].shared_at = 1; }, "inside the file header"},
        {[](auto& i) {
             i.contents[1].home = 1;
             i.siblings = {"s.bs"};
         },
         "in a sibling file shares bytes"},
        // The owner is no owner any more.
        {[](auto& i) { i.contents[0].blocks[1].shared_at = i.contents[1].blocks[0].shared_at; }, gone},
        {[](auto& i) { i.contents[1].offset = 64; }, "has a place of its own"},
    };
}

/// The index of one safetensors file with that header, whose tensors are bytes of 1, 2, 3 ... bytes with a gap of 5
/// behind the first.
container_index index_with_header(const std::string& json) {
    container_index index;
    member_entry member{member_kind::safetensors, "m", 0, {}, header_of(json), {}};
    member.raw_bytes = member.header.size();
    for (const std::uint64_t bytes : {1u, 5u, 2u, 3u}) {
        const auto number = static_cast<std::uint32_t>(index.contents.size());
        member.extents.push_back({bytes == 5 ? extent_kind::gap : extent_kind::tensor, number});
        index.contents.push_back({bytes, {}, 16, 64 + 16 * number, 0, no_bundle, {{bytes, 1, 0, 0}}});
        member.raw_bytes += bytes;
    }
    index.members.push_back(member);
    return index;
}

} // namespace

TEST_CASE("places that follow from sizes are left out of headers, others are kept", "[io][index]") {
    const auto tensor = [](const char* name, int n, const char* places) {
        return '"' + std::string(name) + R"(":{"dtype":"U8","shape":[)" + std::to_string(n) + R"(],"data_offsets":[)" +
               places + "]}";
    };
    const std::string a = tensor("a", 1, "0,1"), b = tensor("b", 2, "6,8"), c = tensor("c", 3, "8,11");
    const auto digits_gone = [](const std::string& json) {
        const container_index index = index_with_header(json);
        REQUIRE(again(index) == index);
        const auto brief = io::detail::brief_header(index, index.members[0]);
        return brief ? index.members[0].header.size() - brief->size() : 0;
    };
    CHECK(digits_gone("{" + a + "," + b + "," + c + "}") == 3 + 3 + 4);
    CHECK(digits_gone("{\"__metadata__\":{\"format\":\"pt\"}," + a + "," + b + "," + c + "}   ") == 10);
    // Another order costs a byte a tensor and one more.
    CHECK(digits_gone("{" + b + "," + a + "," + c + "}") == 10 - 4);
    CHECK(digits_gone("{" + c + "," + b + "," + a + "}") == 10 - 4);
    CHECK(digits_gone("{" + c + ",\"__metadata__\":{\"format\":\"pt\"}," + a + "," + b + "}") == 10 - 4);
    // Other spelling, names that look like places: as they are, or in part.
    CHECK(digits_gone("{" + b + "," + a + "," + tensor("c", 3, "8, 11") + "}") == 0);
    CHECK(digits_gone("{" + b + "," + a + "," + tensor("c", 3, "8,11 ") + "}") == 0);
    CHECK(digits_gone("{" + a + "," + c + "," + tensor("b", 2, "6,8 ") + "}") == 3);
    CHECK(digits_gone("{" + a + "," + b + "," + tensor("c", 3, "8,11 ") + "}") == 6);
    CHECK(digits_gone("{" + a + "," + b + "," + tensor("c", 3, "8, 11") + "}") == 6);
    CHECK(digits_gone("{" + a + "," + b + "," + tensor("c", 3, " 8,11") + "}") == 6);
    CHECK(digits_gone("{\"__metadata__\":{\"data_offsets\":\"[\"}," + a + "," + b + "," + c + "}") == 10);
    CHECK(digits_gone("{" + tensor("\\\"data_offsets\\\":[0,1", 1, "0,1") + "," + b + "," + c + "}") == 10);
}

TEST_CASE("a brief header that asks for places that are not there is refused", "[io][index]") {
    const container_index index = make_sample().index;
    const member_entry& member = index.members[0];
    const byte_buffer brief = io::detail::brief_header(index, member).value();
    CHECK(io::detail::full_header(brief, index, member) == member.header);
    byte_buffer more = brief;
    io::detail::append(more, "\"data_offsets\":[]");
    CHECK_FALSE(io::detail::full_header(more, index, member));
    member_entry none = member;
    none.extents.clear();
    CHECK_FALSE(io::detail::full_header(brief, index, none));
    // Sizes that add up to more than a file may have.
    container_index huge = index;
    huge.contents[0].raw_bytes = ~std::uint64_t{0};
    CHECK_FALSE(io::detail::full_header(brief, huge, member));
}

TEST_CASE("places follow from the order of the tensors, empty ones and a thousand among them", "[io][index]") {
    // Tensors of 0 to 300 bytes, named in the order of their names, or backwards, or shuffled.
    constexpr std::size_t count = 1000;
    container_index index;
    member_entry member{member_kind::safetensors, "m", 0, {}, {}, {}};
    std::vector<std::string> entries;
    std::uint64_t position = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t bytes = i % 7 == 0 ? 0 : i * 37 % 301;
        const auto number = static_cast<std::uint32_t>(i);
        member.extents.push_back({extent_kind::tensor, number});
        index.contents.push_back({bytes, {}, 512, bytes == 0 ? 0 : 64 + 512 * number, 0, no_bundle, {}});
        if (bytes != 0) index.contents.back().blocks = {{bytes, i, 0, 0}};
        entries.push_back("\"t" + std::to_string(i) + R"(":{"data_offsets":[)" + std::to_string(position) + "," +
                          std::to_string(position + bytes) + R"(],"dtype":"U8","shape":[)" + std::to_string(bytes) +
                          "]}");
        position += bytes;
    }
    std::mt19937_64 random(1);
    for (const char* how : {"in place", "by name", "backwards", "shuffled"}) {
        INFO(how);
        if (how == std::string("by name")) std::sort(entries.begin(), entries.end());
        if (how == std::string("backwards")) std::reverse(entries.begin(), entries.end());
        if (how == std::string("shuffled"))
            for (std::size_t i = count; i > 1; --i)
                std::swap(entries[i - 1], entries[random() % i]);
        std::string json;
        for (const std::string& entry : entries)
            json += (json.empty() ? "{" : ",") + entry;
        member.header = header_of(json + "}");
        member.raw_bytes = member.header.size() + position;
        index.members = {member};
        REQUIRE(again(index) == index);
        const byte_buffer brief = io::detail::brief_header(index, member).value();
        const bool in_place = how == std::string("in place");
        CHECK((brief.back() != '}') == !in_place);
        CHECK(brief.size() < member.header.size() - 9 * count);
    }
}

TEST_CASE("an order that is none is refused", "[io][index]") {
    const auto tensor = [](const char* name, int n, const char* places) {
        return '"' + std::string(name) + R"(":{"dtype":"U8","shape":[)" + std::to_string(n) + R"(],"data_offsets":[)" +
               places + "]}";
    };
    const container_index index = index_with_header("{" + tensor("b", 2, "6,8") + "," + tensor("c", 3, "8,11") + "," +
                                                    tensor("a", 1, "0,1") + "}");
    const member_entry& member = index.members[0];
    const byte_buffer brief = io::detail::brief_header(index, member).value();
    const byte_buffer order{0, 2, 0, 5}; // one on, the next, three back
    REQUIRE(byte_buffer(brief.end() - 4, brief.end()) == order);
    const auto with_order = [&](const byte_buffer& other) {
        byte_buffer made(brief.begin(), brief.end() - 4);
        made.insert(made.end(), other.begin(), other.end());
        return io::detail::full_header(made, index, member);
    };
    CHECK(with_order(order) == member.header);
    CHECK_FALSE(with_order({0}));
    CHECK_FALSE(with_order({0, 2, 0}));
    CHECK_FALSE(with_order({0, 2, 0, 5, 0}));
    CHECK_FALSE(with_order({0, 2, 0, 0}));    // behind the last
    CHECK_FALSE(with_order({0, 2, 0, 7}));    // in front of the first
    CHECK_FALSE(with_order({0, 6, 0, 5}));    // behind the last, and back
    CHECK_FALSE(with_order({0, 2, 0, 0x85})); // ends in a number
    CHECK_FALSE(with_order({0, 2, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}));
    CHECK_FALSE(with_order({0, 2, 0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}));
    CHECK(with_order({0, 2, 1, 2}) != member.header); // some order, for the rules of headers to refuse

    // As many lists as tensors, and all of them empty.
    const auto text_with = [&](const std::string& json) {
        byte_buffer made = header_of(json);
        made.insert(made.end(), order.begin(), order.end());
        return io::detail::full_header(made, index, member);
    };
    CHECK(text_with(R"({"b":{"data_offsets":[]},"c":{"data_offsets":[]},"a":{"data_offsets":[]}})"));
    CHECK_FALSE(text_with(R"({"b":{"data_offsets":[]},"c":{"data_offsets":[]}})"));
    CHECK_FALSE(
        text_with(R"({"b":{"data_offsets":[]},"c":{"data_offsets":[]},"a":{"data_offsets":[],"data_offsets":[]}})"));
    CHECK_FALSE(text_with(R"({"b":{"data_offsets":[]},"c":{"data_offsets":[]},"a":{"data_offsets":[0,1]}})"));
    // Sizes that add up to more than a file may have; no header at all.
    container_index huge = index;
    huge.contents[0].raw_bytes = ~std::uint64_t{0};
    CHECK_FALSE(io::detail::full_header(brief, huge, member));
    CHECK(io::detail::full_header(byte_buffer(3), index, member) == byte_buffer(3));
}

TEST_CASE("an index needs as many receipts as contents that are no bundles", "[io][index]") {
    for (const container_index& index : {make_sample().index, sample_with_bundles().index}) {
        const byte_buffer raw = encode_index(index), receipts = encode_receipts(index);
        CHECK(receipts.size() == index.first_bundle() * 16);
        for (const std::size_t n : {std::size_t{0}, receipts.size() - 16, receipts.size() - 1}) {
            const bytes_view fewer = bytes_view(receipts).first(n);
            CHECK(contains(thrown_by([&] { decode_index(raw, required_features(index), fewer); }).what(), "receipts"));
        }
        byte_buffer more = receipts;
        more.resize(more.size() + 16);
        CHECK(contains(thrown_by([&] { decode_index(raw, required_features(index), more); }).what(), "receipts"));
    }
}

TEST_CASE("shared blocks survive their round trip, and keep their rules", "[io][index]") {
    const container_index index = sample_with_shared_blocks().index;
    CHECK(again(index) == index);
    check_refused(broken_shared_blocks(), index);
    const auto says = [&](const byte_buffer& body) {
        const byte_buffer raw = with_section(index, 7, body);
        return std::string(thrown_by([&] { decode_index(raw, feature_lean_index, encode_receipts(index)); }).what());
    };
    CHECK(contains(says({}), "greater than the bytes that follow"));
    CHECK(contains(says({0}), "no shared blocks"));
    CHECK(contains(says({9, 0, 0}), "greater than the bytes that follow"));
    CHECK(contains(says({2, 0, 0, 0}), "greater than the bytes that follow"));
    CHECK(contains(says({1, 9, 0}), "more shared blocks than blocks"));
    CHECK(contains(says({1, 3, 1}), "lies nowhere"));
    CHECK(contains(says({1, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}), "lies nowhere"));
    CHECK(contains(says({1, 3, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}), "lies nowhere"));
    // Without the feature bit there is no such section.
    const byte_buffer old{1, 2, 0, 0, 2, 1, 0, 3, 1, 0, 4, 1, 0, 5, 1, 0, 7, 3, 1, 0, 0};
    CHECK(contains(thrown_by([&] { decode_index(old, 0, {}); }).what(), "unknown kind"));
}

TEST_CASE("blocks that share bytes are read from where these are", "[io][container]") {
    const sample made = sample_with_shared_blocks();
    const container_reader reader(in_memory(made.bytes));
    CHECK(reader.index() == made.index);
    byte_buffer stored, raw;
    for (const content_entry& content : reader.index().contents)
        for (std::size_t i = 0; i < content.blocks.size(); ++i) {
            reader.read_block(content, i, stored);
            raw.insert(raw.end(), stored.begin(), stored.end());
        }
    const byte_buffer a = noise(5000, 1), b = noise(5000, 2), c = noise(7, 3);
    byte_buffer expected;
    for (const byte_buffer* part : {&a, &b, &c, &b, &a, &b, &c})
        expected.insert(expected.end(), part->begin(), part->end());
    CHECK(raw == expected);
    CHECK(made.payload_end < 64 + 3 * 5000);
}
