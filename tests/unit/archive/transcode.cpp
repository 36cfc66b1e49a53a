// SPDX-License-Identifier: BSL-1.0
// Another operating point, the same files: blocks of all sizes are cut anew, receipts are compared on the way.
#include <string>

#include <bigsmall/archive/transcode.hpp>
#include <bigsmall/parallel/tbb.hpp>

#include "support/archive_runs.hpp"
#include "support/catch.hpp"

using namespace support;
using Catch::Matchers::ContainsSubstring;

namespace {

byte_buffer mixed_file() {
    safetensors_builder file;
    file.metadata("note", "odd").padding(3).reversed_header().gap(noise(5, 1));
    file.add("weights", "BF16", {100, 7000}, gaussian_bf16(700000, 2)).add("none", "F32", {0, 4}, {});
    file.gap(noise(9000, 3)).add("scalar", "F64", {}, noise(8, 4)).add("flags", "BOOL", {3}, {1, 0, 1});
    file.add("same", "BF16", {700000}, gaussian_bf16(700000, 2)).add("last", "F32", {250}, noise(1000, 5));
    return file.gap(noise(1, 6)).build();
}

archive::pack_options blocks_of(std::uint64_t bytes) {
    archive::pack_options options;
    options.block_bytes = bytes;
    return options;
}

archive::transcode_result transcode(const fs::path& from, const fs::path& to,
                                    const archive::transcode_options& options = {}) {
    parallel::serial_executor e;
    return archive::transcode(from, to, options, e);
}

} // namespace

TEST_CASE("blocks of any size become blocks of any other", "[archive][transcode]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", mixed_file());
    for (const std::uint64_t before : {1000u, 4096u, 65536u, 300001u, 2000000u})
        pack(dir / "m.safetensors", dir / (std::to_string(before) + ".bs"), blocks_of(before));
    for (const std::uint64_t after : {777u, 4096u, 262144u, 1000003u, 4194304u}) {
        archive::transcode_options options;
        options.block_bytes = after;
        options.existing = io::if_exists::replace;
        // The very file that packing with these blocks writes, with this codec.
        archive::pack_options direct = blocks_of(after);
        direct.codec = options.codec;
        direct.existing = io::if_exists::replace;
        pack(dir / "m.safetensors", dir / "direct.bs", direct);
        for (const std::uint64_t before : {1000u, 4096u, 65536u, 300001u, 2000000u}) {
            INFO(before << " to " << after);
            const auto done = transcode(dir / (std::to_string(before) + ".bs"), dir / "out.bsr", options);
            CHECK(done.tensors == 6);
            CHECK(done.reencoded_tensors == 5);
            CHECK(done.raw_bytes == mixed_file().size());
            CHECK(done.source_bytes == fs::file_size(dir / (std::to_string(before) + ".bs")));
            CHECK(done.written_bytes == fs::file_size(dir / "out.bsr"));
            CHECK(read_file(dir / "out.bsr") == read_file(dir / "direct.bs"));
        }
    }
    archive::unpack_options options;
    unpack(dir / "out.bsr", dir / "back.safetensors", options);
    CHECK(read_file(dir / "back.safetensors") == mixed_file());
}

TEST_CASE("transcoding to an operating point gives the file that packing for it gives", "[archive][transcode]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    pack(dir / "model", dir / "m.bs");
    for (const archive::operating_point point : archive::operating_points) {
        const std::string name(archive::recipe_of(point).name);
        archive::pack_options direct;
        direct.tune(point).group_streams = false; // transcoding keeps together what is, and groups nothing else
        pack(dir / "model", dir / (name + ".bs"), direct);
        archive::transcode_options options;
        transcode(dir / "m.bs", dir / (name + ".bsr"), options.tune(point));
        CHECK(read_file(dir / (name + ".bsr")) == read_file(dir / (name + ".bs")));
    }
}

TEST_CASE("the result of transcoding does not depend on the threads", "[archive][transcode]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", safetensors_builder().add("w", "BF16", gaussian_bf16(9000000, 9)).build());
    pack(dir / "m.safetensors", dir / "m.bs", blocks_of(3000000));
    transcode(dir / "m.bs", dir / "serial.bsr");
    for (const std::size_t threads : {1u, 3u}) {
        parallel::tbb_executor e(threads);
        archive::transcode_options options;
        options.existing = io::if_exists::replace;
        archive::transcode(dir / "m.bs", dir / "tbb.bsr", options, e);
        CHECK(read_file(dir / "tbb.bsr") == read_file(dir / "serial.bsr"));
    }
    CHECK(verify(dir / "serial.bsr").ok);
}

TEST_CASE("streams are the least number of blocks of a large tensor", "[archive][transcode]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", mixed_file());
    pack(dir / "m.safetensors", dir / "m.bs", blocks_of(4 * MiB));
    for (const std::uint64_t streams : {1u, 2u, 7u, 21u, 1024u}) {
        archive::transcode_options options;
        options.streams = streams;
        options.existing = io::if_exists::replace;
        options.block_bytes = 4 * MiB;
        transcode(dir / "m.bs", dir / "out.bsr", options);
        const archive::opened_archive opened(dir / "out.bsr");
        for (const io::content_entry& content : opened.containers()[0].index().contents) {
            CHECK((content.raw_bytes < streams * 65536 || content.blocks.size() >= streams));
            if (content.raw_bytes <= 65536) CHECK(content.blocks.size() <= 1);
        }
        CHECK(verify_against(dir / "out.bsr", dir / "m.safetensors").ok);
    }
}

TEST_CASE("a directory of shards stays one, with what its shards share", "[archive][transcode]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    pack_per_shard(dir / "model", dir / "shards");
    const auto done = transcode(dir / "shards", dir / "out");
    CHECK(done.tensors == 7);
    CHECK(done.reencoded_tensors == 6);
    CHECK(done.source_bytes == archive::opened_archive(dir / "shards").stored_bytes());
    CHECK(done.written_bytes == archive::opened_archive(dir / "out").stored_bytes());
    CHECK(done.files.size() == 6);
    CHECK(verify_against(dir / "out", dir / "model").ok);
    const archive::opened_archive opened(dir / "out");
    CHECK(opened.containers()[1].index().siblings.size() == 1);
    CHECK(opened.shards().shards[1].needs.size() == 1);
    CHECK(thrown_by([&] { transcode(dir / "shards", dir / "shards"); }).code() == errc::invalid_argument);
    CHECK(thrown_by([&] { transcode(dir / "shards", dir / "shards" / "inner"); }).code() == errc::invalid_argument);
    CHECK(thrown_by([&] { transcode(dir / "shards", dir / "out"); }).code() == errc::exists);

    // One shard alone stores what it borrowed.
    transcode(dir / "shards" / "model-00002-of-00002.bs", dir / "alone.bsr");
    unpack(dir / "alone.bsr", dir / "alone.safetensors");
    CHECK(read_file(dir / "alone.safetensors") == read_file(dir / "model" / "model-00002-of-00002.safetensors"));
    fs::remove(dir / "shards" / "model-00001-of-00002.bs");
    CHECK(thrown_by([&] { transcode(dir / "shards" / "model-00002-of-00002.bs", dir / "no.bsr"); }).code() ==
          errc::missing);
    CHECK_FALSE(fs::exists(dir / "no.bsr"));
}

TEST_CASE("damage ends transcoding with its place and without an output", "[archive][transcode]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", mixed_file());
    pack(dir / "m.safetensors", dir / "m.bs");
    damage_byte(dir / "m.bs", 100000);
    const error damaged = thrown_by([&] { transcode(dir / "m.bs", dir / "out.bsr"); });
    CHECK(damaged.code() == errc::corrupt);
    CHECK(damaged.tensor() == "weights");
    CHECK(damaged.file() == (dir / "m.bs").string());
    CHECK(read_tree(dir.path()).size() == 2);
}

TEST_CASE("a receipt that does not fit ends transcoding", "[archive][transcode]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", mixed_file());
    pack(dir / "m.safetensors", dir / "m.bs");
    const archive::opened_archive opened(dir / "m.bs");
    const auto with_index = [&](const io::container_index& index) {
        const byte_buffer whole = read_file(dir / "m.bs");
        const std::uint64_t payload_end = opened.containers()[0].reader->footer().payload_end();
        io::memory_sink sink;
        io::container_writer writer(sink, io::required_features(index));
        sink.write(bytes_view(whole).subspan(64, static_cast<std::size_t>(payload_end) - 64));
        writer.finish(index);
        write_file(dir / "lie.bs", sink.bytes());
        return thrown_by([&] { transcode(dir / "lie.bs", dir / "out.bsr"); });
    };
    io::container_index index = opened.containers()[0].index();
    index.members[0].sha256[5] ^= 1;
    const error file = with_index(index);
    CHECK(file.code() == errc::mismatch);
    CHECK_THAT(file.message(), ContainsSubstring("SHA-256"));
    index = opened.containers()[0].index();
    index.contents[1].md5[0] ^= 1;
    const error tensor = with_index(index);
    CHECK(tensor.code() == errc::mismatch);
    CHECK_THAT(tensor.message(), ContainsSubstring("MD5"));
    CHECK(tensor.tensor() == "weights");
    CHECK_FALSE(fs::exists(dir / "out.bsr"));
}

TEST_CASE("a codec that does not give back what it took writes nothing", "[archive][transcode]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", mixed_file());
    pack(dir / "m.safetensors", dir / "m.bs");
    archive::transcode_options options;
    options.codec.encode = [](const block_info& info, bytes_view raw, bytes_span out, scratch& memory) {
        byte_buffer other(raw.begin(), raw.end());
        if (other.size() > 2) other[2] ^= 1;
        return archive::default_codec().encode(info, other, out, memory);
    };
    const error wrong = thrown_by([&] { transcode(dir / "m.bs", dir / "out.bsr", options); });
    CHECK(wrong.code() == errc::mismatch);
    CHECK_FALSE(fs::exists(dir / "out.bsr"));
    CHECK(thrown_by([&] { transcode(dir / "m.bs", dir / "m.bs"); }).code() == errc::invalid_argument);
}
