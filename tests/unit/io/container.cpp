// SPDX-License-Identifier: BSL-1.0
#include <algorithm>

#include "io_fixtures.hpp"
#include "support/catch.hpp"

using namespace io_test;

namespace {

bool is_failure_of_a_file(errc code) {
    return code == errc::corrupt || code == errc::truncated || code == errc::unsupported;
}

error refused(byte_buffer bytes) {
    return thrown_by([&] { container_reader reader(in_memory(std::move(bytes))); });
}

byte_buffer prefix_of(const byte_buffer& bytes, std::size_t n) {
    return {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n)};
}

/// An index as it is read when its receipts are damaged.
container_index without_receipts(container_index index) {
    index.receipts_lost = true;
    for (content_entry& content : index.contents)
        content.md5 = {};
    return index;
}

/// Opens changed bytes: either an error of the right kind, or the very same index, with or without receipts, and then
/// every block is the stored one or reported as damaged.
bool safe_to_open(byte_buffer bytes, const container_index& expected) {
    try {
        const container_reader reader(in_memory(std::move(bytes)));
        if (reader.index() != expected && reader.index() != without_receipts(expected)) return false;
        static_cast<void>(reader.state());
        byte_buffer stored;
        for (const content_entry& content : reader.index().contents)
            for (std::size_t i = 0; i < content.blocks.size(); ++i)
                try {
                    reader.read_block(content, i, stored);
                    if (checksum(stored) != content.blocks[i].checksum) return false;
                } catch (const error& e) {
                    if (!is_failure_of_a_file(e.code()) && e.code() != errc::missing) return false;
                }
        return true;
    } catch (const error& e) {
        return is_failure_of_a_file(e.code());
    }
}

} // namespace

TEST_CASE("a container gives back its index and its blocks", "[io][container]") {
    const std::size_t tensor_bytes = GENERATE(std::size_t{1}, std::size_t{40}, std::size_t{30'000});
    const std::uint64_t block_bytes = GENERATE(std::uint64_t{16}, std::uint64_t{5000});
    const sample made = make_sample(tensor_bytes, block_bytes);
    const container_reader reader(in_memory(made.bytes));
    CHECK(reader.index() == made.index);
    CHECK(reader.state().all_ok());
    CHECK(reader.footer().payload_end() == made.payload_end);
    byte_buffer raw, stored;
    for (std::size_t i = 0; i < reader.index().contents[0].blocks.size(); ++i) {
        reader.read_block(reader.index().contents[0], i, stored);
        raw.insert(raw.end(), stored.begin(), stored.end());
        CHECK(stored.size() == raw_block_bytes(reader.index().contents[0], i));
    }
    CHECK(raw == noise(tensor_bytes, 1));
}

TEST_CASE("an empty container is a container", "[io][container]") {
    memory_sink out;
    container_writer(out).finish({});
    CHECK(out.position() < 64 + 2 * 96 + 200);
    const container_reader reader(in_memory(out.take()));
    CHECK(reader.index() == container_index{});
    CHECK(reader.state().all_ok());
}

TEST_CASE("large blocks are aligned, small ones are not", "[io][container]") {
    CHECK(block_start(65, 4095) == 65);
    CHECK(block_start(65, 4096) == 128);
    CHECK(block_start(128, 1 << 20) == 128);
    memory_sink out;
    out.write(to_bytes("not ours")); // offsets count from where the container begins
    container_writer writer(out);
    CHECK(writer.append_block(byte_buffer(3, 1)) == 64);
    CHECK(writer.append_block(byte_buffer(10, 2)) == 67);
    CHECK(writer.append_block(byte_buffer(4096, 3)) == 128);
    CHECK(writer.append_block(byte_buffer(1, 4)) == 128 + 4096);
    CHECK(writer.position() == 128 + 4097);
    const byte_buffer bytes = out.take();
    CHECK(std::all_of(bytes.begin() + 8 + 77, bytes.begin() + 8 + 128, [](auto b) { return b == 0; }));
    CHECK(bytes[8 + 128] == 3);
    CHECK(thrown_by([&] { writer.append_block({}); }).code() == errc::invalid_argument);
}

TEST_CASE("block offsets follow the alignment rule", "[io][container]") {
    content_entry content;
    content.offset = 100;
    content.blocks.resize(4);
    content.blocks[0].stored_bytes = 10;
    content.blocks[1].stored_bytes = 5000;
    content.blocks[2].stored_bytes = 4000;
    content.blocks[3].stored_bytes = 4096;
    CHECK(block_offsets(content) == std::vector<std::uint64_t>{100, 128, 5128, 9152, 13248});
    CHECK(blocks_end(content) == 13248);
}

TEST_CASE("a content of another file is asked for by name", "[io][container]") {
    const container_reader reader(in_memory(make_sample().bytes));
    byte_buffer stored;
    const error e = thrown_by([&] { reader.read_block(reader.index().contents[4], 0, stored); });
    CHECK(e.code() == errc::missing);
    CHECK(contains(e.what(), "\"other.bs\", which is needed beside this one"));
    // The sibling itself reads it with the entry of the file that lacks it.
    const content_entry foreign = reader.index().contents[4];
    const container_reader sibling(in_memory(make_sample().bytes));
    sibling.read_block(foreign, 0, stored);
    CHECK(stored == to_bytes("a gap!!"));
    CHECK(thrown_by([&] { sibling.read_block(foreign, 1, stored); }).code() == errc::invalid_argument);
}

TEST_CASE("a damaged block is named with its place, and others are still read", "[io][container]") {
    sample made = make_sample();
    const std::uint64_t at = made.index.contents[0].offset + 16; // block 1 of 3
    made.bytes[at] ^= 1;
    const container_reader reader(in_memory(made.bytes));
    byte_buffer stored;
    reader.read_block(reader.index().contents[0], 0, stored);
    reader.read_block(reader.index().contents[0], 2, stored);
    const error e = thrown_by([&] { reader.read_block(reader.index().contents[0], 1, stored); });
    CHECK(e.code() == errc::corrupt);
    CHECK(contains(e.what(), "block 1 (bytes " + std::to_string(at) + " to " + std::to_string(at + 16)));
    CHECK(e.file() == "test.bs");
    block_entry outside = made.index.contents[0].blocks[0];
    CHECK(thrown_by([&] { reader.read_block_at(made.payload_end - 3, outside, 0, stored); }).code() ==
          errc::corrupt);
    outside.stored_bytes = ~std::uint64_t{0};
    CHECK(thrown_by([&] { reader.read_block_at(64, outside, 0, stored); }).code() == errc::corrupt);
}

TEST_CASE("one copy of everything at the end is enough", "[io][container]") {
    const sample made = make_sample();
    const container_footer footer = container_reader(in_memory(made.bytes)).footer();
    struct wound {
        std::uint64_t at;
        bool container_reader::health::*part;
    };
    using health = container_reader::health;
    for (const wound& w : {wound{0, &health::header_ok}, wound{20, &health::header_ok},
                           wound{footer.copy_a_offset, &health::index_a_ok},
                           wound{footer.copy_a_offset + footer.stored_bytes, &health::footer_a_ok},
                           wound{footer.copy_b_offset + 5, &health::index_b_ok},
                           wound{footer.copy_b_offset + footer.stored_bytes + 30, &health::footer_b_ok}}) {
        byte_buffer bytes = made.bytes;
        bytes[w.at] ^= 0x40;
        const container_reader reader(in_memory(bytes));
        CHECK(reader.index() == made.index);
        CHECK_FALSE(reader.state().*w.part);
        const health& state = reader.state();
        const int good = state.header_ok + state.footer_a_ok + state.footer_b_ok + state.index_a_ok +
                         state.index_b_ok + state.size_ok + state.receipts_ok;
        CHECK(good == 6);
    }
}

TEST_CASE("damaged receipts are told, and cost no content", "[io][container]") {
    const sample made = make_sample();
    const container_footer footer = container_reader(in_memory(made.bytes)).footer();
    CHECK(footer.receipts_bytes == 16 * made.index.contents.size());
    for (const std::uint64_t at : {footer.payload_end(), footer.copy_a_offset - 1}) {
        byte_buffer bytes = made.bytes;
        bytes[at] ^= 4;
        const container_reader reader(in_memory(bytes));
        CHECK(reader.index().receipts_lost);
        CHECK_FALSE(reader.state().receipts_ok);
        CHECK_FALSE(reader.state().all_ok());
        CHECK(reader.index() == without_receipts(made.index));
        memory_sink out;
        container_writer writer(out);
        CHECK(thrown_by([&] { writer.finish(reader.index()); }).code() == errc::invalid_argument);
    }
}

TEST_CASE("the first copy takes over when the whole second one is lost", "[io][container]") {
    const sample made = make_sample();
    const container_footer footer = container_reader(in_memory(made.bytes)).footer();
    const std::size_t a_end = footer.copy_a_offset + footer.stored_bytes + container_footer_bytes;
    const container_reader cut(in_memory(prefix_of(made.bytes, a_end)));
    CHECK(cut.index() == made.index);
    CHECK(cut.state().footer_a_ok);
    CHECK_FALSE(cut.state().index_b_ok);
    CHECK_FALSE(cut.state().size_ok);
    byte_buffer more = made.bytes;
    more.resize(more.size() + 1'000'000);
    const container_reader longer(in_memory(more));
    CHECK(longer.index() == made.index);
    CHECK_FALSE(longer.state().size_ok);
    CHECK(longer.state().footer_b_ok);
    const error e = refused(prefix_of(made.bytes, a_end - 1));
    CHECK(e.code() == errc::truncated);
    CHECK(contains(e.what(), "cut short or damaged"));
}

TEST_CASE("the first copy is found far from the end, across the pieces of the search", "[io][container]") {
    // Incompressible hashes make the index larger than what is read at once.
    container_index index;
    for (std::uint32_t i = 0; i < 20'000; ++i) {
        member_entry member{member_kind::file, std::to_string(i), 0, {}, {}, {}};
        const byte_buffer random = noise(32, i);
        std::copy(random.begin(), random.end(), member.sha256.begin());
        index.members.push_back(member);
    }
    memory_sink out;
    container_writer(out).finish(index);
    byte_buffer bytes = out.take();
    REQUIRE(bytes.size() > 1'200'000);
    CHECK(container_reader(in_memory(bytes)).state().all_ok());
    for (const std::size_t extra : {std::size_t{0}, std::size_t{300'000}, std::size_t{1'500'000}}) {
        byte_buffer changed = bytes;
        std::fill(changed.end() - 96, changed.end(), std::uint8_t{0});
        changed.resize(changed.size() + extra);
        CHECK(container_reader(in_memory(changed)).index() == index);
    }
}

TEST_CASE("a container that is carried inside another is not mistaken for it", "[io][container]") {
    const sample inner = make_sample();
    memory_sink out;
    container_writer writer(out);
    container_index index;
    index.contents.push_back(append_content(writer, inner.bytes, 1 << 20));
    index.members.push_back(
        {member_kind::file, "inner.bs", inner.bytes.size(), {}, {}, {{extent_kind::file, 0}}});
    writer.finish(index);
    byte_buffer bytes = out.take();
    std::fill(bytes.end() - 96, bytes.end(), std::uint8_t{0});
    CHECK(container_reader(in_memory(bytes)).index() == index);
    // With both of its own footers gone, only the inner ones are left, and they do not count.
    bytes.resize(64 + inner.bytes.size());
    CHECK(refused(bytes).code() == errc::truncated);
}

TEST_CASE("other formats are refused by name", "[io][container]") {
    const error original = refused(to_bytes(std::string("BGSM\x01\x00\x10\x00", 8) + std::string(5000, '{')));
    CHECK(original.code() == errc::unsupported);
    CHECK(contains(original.what(), "a container of the original Python BigSmall"));
    CHECK(original.file() == "test.bs");
    CHECK(refused(to_bytes("BGSM")).code() == errc::unsupported);
    const error safetensors = refused(file_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1));
    CHECK(safetensors.code() == errc::unsupported);
    CHECK(contains(safetensors.what(), "not a bigsmall container; it looks like a safetensors file"));
    CHECK(contains(refused(to_bytes("GGUF\x03" + std::string(500, 'x'))).what(), "GGUF"));
    CHECK(contains(refused(to_bytes("PK\x03\x04" + std::string(500, 'x'))).what(), "zip"));
    CHECK(contains(refused({}).what(), "it is empty"));
    CHECK(contains(refused(noise(100'000, 8)).what(), "not a bigsmall container"));
    CHECK(refused(to_bytes(container_magic)).code() == errc::truncated);
}

TEST_CASE("a newer container is refused by what it needs", "[io][container]") {
    const sample made = make_sample();
    const auto with = [&](std::uint16_t major, std::uint16_t minor, std::uint64_t features) {
        byte_buffer bytes = made.bytes;
        container_footer footer = container_reader(in_memory(made.bytes)).footer();
        footer.major = major;
        footer.minor = minor;
        footer.required_features = features;
        const auto encoded = encode_footer(footer);
        std::copy(encoded.begin(), encoded.end(), bytes.end() - 96);
        return bytes;
    };
    CHECK(container_reader(in_memory(with(1, 7, feature_lean_index))).index() == made.index);
    const error major = refused(with(2, 0, feature_lean_index));
    CHECK(major.code() == errc::unsupported);
    CHECK(contains(major.what(), "written by a newer bigsmall: its format version is 2"));
    const error feature = refused(with(1, 0, 8));
    CHECK(feature.code() == errc::unsupported);
    CHECK(contains(feature.what(), "written by a newer bigsmall: it needs features (bits 8)"));
    // A later version may have other footers; the header says so.
    byte_buffer later = prefix_of(made.bytes, made.payload_end);
    const auto header = encode_header({3, 0, 0});
    std::copy(header.begin(), header.end(), later.begin());
    CHECK(contains(refused(later).what(), "format version is 3"));
}

TEST_CASE("fixed records survive their round trip and nothing else", "[io][container]") {
    const container_header header{1, 4, 0x8000'0000'0000'0001u};
    const auto bytes = encode_header(header);
    CHECK(parse_header(bytes) == header);
    container_footer footer = make_footer(1000, 77, 5000, 0x1234567890abcdefu);
    footer.required_features = 6;
    CHECK(footer.copy_b_offset == 1000 + 77 + 96);
    CHECK(footer.file_bytes == 1000 + 2 * (77 + 96));
    const auto coded = encode_footer(footer);
    CHECK(parse_footer(coded) == footer);
    CHECK_FALSE(parse_footer(bytes_view(coded).first(95)));
    for (std::size_t at = 0; at < coded.size(); ++at) {
        auto changed = coded;
        changed[at] ^= 1;
        CHECK_FALSE(parse_footer(changed));
    }
    container_footer with_receipts = make_footer(1000, 77, 5000, 1, feature_lean_index);
    with_receipts.receipts_bytes = 1000 - 64;
    with_receipts.receipts_checksum = 5;
    CHECK(parse_footer(encode_footer(with_receipts)) == with_receipts);
    CHECK(with_receipts.payload_end() == 64);
    with_receipts.receipts_bytes += 1;
    CHECK_FALSE(parse_footer(encode_footer(with_receipts)));
    with_receipts.receipts_bytes = 0; // and a checksum of nothing
    CHECK_FALSE(parse_footer(encode_footer(with_receipts)));
    with_receipts.receipts_bytes = 16;
    with_receipts.required_features = 0;
    CHECK_FALSE(parse_footer(encode_footer(with_receipts)));
    for (const auto& impossible : {make_footer(63, 1, 1, 1), make_footer(~std::uint64_t{0} - 5, 1, 1, 1),
                                   make_footer(64, max_stored_index_bytes + 1, 1, 1)})
        CHECK_FALSE(parse_footer(encode_footer(impossible)));
    footer.file_bytes += 1;
    CHECK_FALSE(parse_footer(encode_footer(footer)));
}

TEST_CASE("header and footer are the bytes of the format page", "[io][container]") {
    // docs/format/container.md, "An example".
    container_header lean;
    lean.required_features = feature_lean_index;
    const auto header = encode_header(lean);
    CHECK(to_bytes(as_string_view(bytes_view(header).first(16))) ==
          byte_buffer{0x89, 'B', 'S', 'M', 13, 10, 26, 10, 1, 0, 0, 0, 64, 0, 0, 0});
    CHECK(load_le<std::uint64_t>(header.data() + 56) == 0xc638e462a9be38f1u);
    const auto footer = encode_footer(make_footer(64, 25, 16, 0x05e7cae6bf624c0bu, feature_lean_index));
    CHECK(load_le<std::uint64_t>(footer.data() + 24) == 0xb9u);
    CHECK(load_le<std::uint64_t>(footer.data() + 56) == 306u);
    CHECK(load_le<std::uint64_t>(footer.data() + 88) == 0x0154904c67f2a8fdu);
}

TEST_CASE("an index that announces too much is refused before it is unpacked", "[io][container]") {
    memory_sink out;
    out.write(encode_header({}));
    const byte_buffer stored = zstd_compress(byte_buffer(1000, 0), 9);
    const auto footer =
        encode_footer(make_footer(64, stored.size(), std::uint64_t{1} << 50, checksum(stored)));
    for (int copy = 0; copy < 2; ++copy) {
        out.write(stored);
        out.write(footer);
    }
    const error e = refused(out.take());
    CHECK(e.code() == errc::corrupt);
    CHECK(contains(e.what(), "far more than"));
}

TEST_CASE("every prefix of a container is refused or gives the same index", "[io][container]") {
    const sample made = make_sample();
    for (std::size_t n = 0; n <= made.bytes.size(); ++n)
        if (!safe_to_open(prefix_of(made.bytes, n), made.index)) FAIL("the first " << n << " bytes");
    SUCCEED();
}

TEST_CASE("every changed byte of a container is refused or gives the same index", "[io][container]") {
    const sample made = make_sample();
    std::vector<unsigned> changes{0x01, 0x80, 0xff};
    for (unsigned bit = 1; bit < 7; ++bit)
        changes.push_back(1u << bit);
    for (std::size_t at = 0; at < made.bytes.size(); ++at)
        for (const unsigned change : changes) {
            byte_buffer bytes = made.bytes;
            bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ change);
            if (!safe_to_open(std::move(bytes), made.index)) FAIL("byte " << at << " changed by " << change);
        }
    SUCCEED();
}

TEST_CASE("the same index makes the same bytes", "[io][container]") {
    CHECK(make_sample(5000, 700).bytes == make_sample(5000, 700).bytes);
}

TEST_CASE("a writer refuses to finish with an index that is not about its payload", "[io][container]") {
    const auto finish = [](auto&& change) {
        memory_sink out;
        container_writer writer(out);
        container_index index;
        index.contents.push_back(append_content(writer, byte_buffer(100, 1), 64));
        index.contents.push_back(append_content(writer, byte_buffer(100, 2), 64));
        change(index);
        return thrown_by([&] { writer.finish(index); });
    };
    const error behind = finish([](container_index& i) { i.contents[1].offset += 1; });
    CHECK(behind.code() == errc::invalid_argument);
    CHECK(contains(behind.what(), "behind the payload"));
    CHECK(contains(finish([](container_index& i) { i.contents[1].offset -= 1; }).what(), "share bytes"));
    CHECK(contains(finish([](container_index& i) { i.contents[0].home = 1; }).what(), "sibling file 1"));
}
