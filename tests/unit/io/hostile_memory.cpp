// SPDX-License-Identifier: BSL-1.0
// What a hostile header or index costs: a small multiple of the bytes that are really there.
#include <array>
#include <string>

#include "io_fixtures.hpp"
#include "support/catch.hpp"
#include "support/peak_memory.hpp"

using namespace io_test;
using support::memory_is_measurable;
using support::memory_of;

namespace {

constexpr std::size_t text_bytes = 8'000'000;

byte_buffer header_with(const std::string& json) {
    byte_buffer header(8);
    store_le(header.data(), std::uint64_t{json.size()});
    header.insert(header.end(), json.begin(), json.end());
    return header;
}

std::string repeated(const std::string& head, const std::string& piece, const std::string& tail) {
    std::string text = head;
    while (text.size() < text_bytes)
        text += piece;
    return text + tail;
}

/// The five sections, of which `tag` has `body` and the others are empty.
byte_buffer index_with(std::uint8_t tag, const byte_buffer& body) {
    io::detail::byte_writer out;
    for (std::uint8_t section = 1; section <= 5; ++section) {
        out.u8(section);
        out.sized(section == tag ? body : section == 1 ? byte_buffer{0, 0} : byte_buffer{0});
    }
    return out.take();
}

} // namespace

TEST_CASE("a hostile safetensors header costs at most 8 times its size", "[io][hostile]") {
    if (!memory_is_measurable) SKIP("a sanitizer takes memory of its own");
    const std::string tensor = R"({"dtype":"","shape":[],"data_offsets":[0,0]})";
    std::string zeros = "0", most_zeros = "0";
    for (int i = 1; i < 600; ++i) // one more than a power of two is the worst rank
        zeros += ",0";
    for (int i = 1; i < 32769; ++i)
        most_zeros += ",0";
    std::string distinct = R"({"__metadata__":{)", tensors = "{";
    for (int i = 0; distinct.size() < text_bytes; ++i)
        distinct += '"' + std::to_string(i) + R"(":"",)";
    for (int i = 0; tensors.size() < text_bytes; ++i)
        tensors += '"' + std::to_string(i) + "\":" + tensor + ",";
    for (const std::string& json : {
             repeated(R"({"__metadata__":{)", R"("":"",)", R"("x":""}})"),
             distinct + R"("x":""}})",
             repeated(R"({"a":{"x":{)", R"("":0,)", R"("x":0}}})"),
             repeated("{", "\"\":" + tensor + ",", "\"x\":" + tensor + "}"),
             tensors + "\"x\":" + tensor + "}",
             repeated("{", R"("a":{"dtype":"","shape":[)" + zeros + R"(],"data_offsets":[0,0]},)",
                      "\"x\":" + tensor + "}"),
             repeated("{", R"("a":{"dtype":"","shape":[)" + most_zeros + R"(],"data_offsets":[0,0]},)",
                      "\"x\":" + tensor + "}"),
         }) {
        INFO(json.substr(0, 100));
        const byte_buffer header = header_with(json);
        const std::uint64_t times = json.find(zeros) == std::string::npos ? 8 : 5;
        CHECK(memory_of([&] { parse_safetensors_header(header, header.size()); }) < times * header.size());
    }
}

TEST_CASE("the counts of an index cost at most 9 times the bytes behind them", "[io][hostile]") {
    if (!memory_is_measurable) SKIP("a sanitizer takes memory of its own");
    io::detail::byte_writer siblings, extents;
    siblings.varint(text_bytes / 2);
    siblings.bytes(byte_buffer(text_bytes, 0));
    extents.varint(1);
    extents.bytes(byte_buffer{1, 1, 'f', 0});
    extents.bytes(byte_buffer(32, 0));
    extents.bytes(byte_buffer{0});
    extents.varint(text_bytes);
    extents.bytes(byte_buffer(text_bytes, 2));
    for (const byte_buffer& raw : {index_with(2, siblings.take()), index_with(5, extents.take())})
        CHECK(memory_of([&] { decode_index(raw, 0, {}); }) < 9 * raw.size());
}

TEST_CASE("blocks that share cost at most 4.25 times the bytes behind them", "[io][hostile]") {
    if (!memory_is_measurable) SKIP("a sanitizer takes memory of its own");
    constexpr std::size_t count = (1u << 19) + 1; // one more than a power of two is the worst for what grows
    container_index index;
    index.contents.push_back({std::uint64_t{count} * 4096, {}, 4096, 64, 0, no_bundle, {{9, 7, 0, 0}}});
    index.contents[0].blocks.resize(count, {9, 7, 0, 0, 64});
    index.members.push_back({member_kind::file, "f", index.contents[0].raw_bytes, {}, {}, {{extent_kind::file, 0}}});
    const byte_buffer raw = encode_index(index), receipts = encode_receipts(index);
    // 4.03 times; 4.53 when the room to look blocks up in grows as it is filled.
    CHECK(4 * memory_of([&] { decode_index(raw, feature_lean_index, receipts); }) < 17 * raw.size());
    CHECK(decode_index(raw, feature_lean_index, receipts) == index); // here: of a child only the memory counts
}

TEST_CASE("images and base tensors cost at most 8.25 times the bytes behind them", "[io][hostile]") {
    if (!memory_is_measurable) SKIP("a sanitizer takes memory of its own");
    constexpr std::uint32_t count = (1u << 19) + 1;
    container_index tensors, parts;
    tensors.base_files.push_back({"", 0, {}});
    parts.base_files = tensors.base_files;
    // The dearest tensors have the MD5s of their contents and names of no bytes.
    for (std::uint32_t i = 0; i < count; ++i) {
        tensors.contents.push_back({1, {}, 0, 0, 0, no_bundle, {}, i});
        tensors.base_tensors.push_back({0, "", 1, {}});
        tensors.images.push_back({base_conversion::none, {{i, 0, 1}}});
    }
    // Bytes behind a part are one byte up to 127 of them.
    for (std::uint32_t i = 0; i < count / 16; ++i) {
        parts.contents.push_back({64, {}, 0, 0, 0, no_bundle, {}, i});
        parts.images.push_back({base_conversion::none, std::vector<base_part>(64, {no_base, 0, 1})});
    }
    const std::array<const container_index*, 2> indexes{&tensors, &parts};
    for (const container_index* const index : indexes) {
        const byte_buffer raw = encode_index(*index), receipts = encode_receipts(*index);
        const std::uint64_t memory = memory_of([&] { decode_index(raw, required_features(*index), receipts); });
        const double times = static_cast<double>(memory) / static_cast<double>(raw.size() + receipts.size());
        INFO(times);
        CHECK(times < 8.25);
    }
    for (const container_index* const index : indexes) // of a child only the memory counts
        CHECK(again(*index) == *index);
}

TEST_CASE("a container of 1 KiB takes less than 64 MiB, whatever its index announces", "[io][hostile]") {
    // Extents of no bytes are the dearest, one byte each, and zstd makes them thousands of times smaller.
    const auto bomb_of = [](std::uint64_t raw_bytes) {
        io::detail::byte_writer extents;
        extents.varint(1);
        extents.bytes(byte_buffer{1, 1, 'f', 0});
        extents.bytes(byte_buffer(32, 0));
        extents.bytes(byte_buffer{0});
        extents.varint(raw_bytes);
        extents.bytes(byte_buffer(raw_bytes, 2));
        const byte_buffer raw = index_with(5, extents.take()), stored = zstd_compress(raw, 19);
        memory_sink file;
        file.write(encode_header({}));
        const container_footer footer = make_footer(container_header_bytes, stored.size(), raw.size(),
                                                    checksum(stored), 0, 1);
        file.write(stored);
        file.write(encode_footer(footer));
        return file.take();
    };
    const byte_buffer allowed = bomb_of(4'000'000), more = bomb_of(5'000'000);
    REQUIRE(allowed.size() < 1024);
    REQUIRE(more.size() < 1024);
    const error e = thrown_by([&] { container_reader reader(std::make_shared<memory_source>(more)); });
    CHECK(std::string(e.what()).find("the index announces") != std::string::npos);
    if (!memory_is_measurable) SKIP("a sanitizer takes memory of its own");
    const std::uint64_t memory =
        memory_of([&] { container_reader reader(std::make_shared<memory_source>(allowed)); });
    INFO(memory);
    CHECK(memory > 16 * MiB); // it is read to where its extents are refused
    CHECK(memory < 64 * MiB);
}

TEST_CASE("an index that shrinks more than a file may announce is filled up, and read again", "[io][container]") {
    // A header of 20 MB of spaces over no tensors, as safetensors allows it.
    const byte_buffer header = header_with("{}" + std::string(20'000'000, ' '));
    container_index index;
    index.members.push_back({member_kind::safetensors, "f", header.size(), {}, header, {}});
    memory_sink file;
    container_writer writer(file, required_features(index));
    writer.finish(index);
    CHECK(file.bytes().size() < 2 * 20'000'000 / 63);
    const container_reader reader(std::make_shared<memory_source>(file.take()));
    CHECK(reader.index() == index);
}

TEST_CASE("siblings without a name, and more of them than a container may have, are refused", "[io][hostile]") {
    const auto says = [](std::size_t count, const byte_buffer& one) {
        io::detail::byte_writer body;
        body.varint(count);
        for (std::size_t i = 0; i < count; ++i)
            body.bytes(one);
        const error e = thrown_by([&] { decode_index(index_with(2, body.take()), 0, {}); });
        CHECK(e.code() == errc::corrupt);
        return std::string(e.what());
    };
    CHECK(says(2, {0, 0}).find("a sibling file has no name") != std::string::npos);
    CHECK(says(max_siblings + 1, {1, 's'}).find("more sibling files than") != std::string::npos);
    CHECK(says(1000, {0}).find("greater than the bytes that follow") != std::string::npos);
    container_index many;
    many.siblings.assign(max_siblings + 1, "s");
    CHECK(thrown_by([&] { encode_index(many); }).code() == errc::invalid_argument);
}
