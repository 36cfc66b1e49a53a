// SPDX-License-Identifier: BSL-1.0
// Files and directories go in, the same come out; nothing is left behind when something is wrong.
#include <filesystem>
#include <string>
#include <vector>

#include <bigsmall/archive/pack.hpp>
#include <bigsmall/archive/unpack.hpp>
#include <bigsmall/io/sink.hpp>
#include <bigsmall/parallel/cancel.hpp>
#include <bigsmall/parallel/tbb.hpp>

#include "support/archive_runs.hpp"
#include "support/catch.hpp"

using namespace support;
using Catch::Matchers::ContainsSubstring;

namespace {

byte_buffer odd_file() {
    safetensors_builder file;
    file.metadata("note", "odd").padding(3).reversed_header().gap(noise(5, 1));
    file.add("weights", "BF16", {100, 70}, gaussian_bf16(7000, 2)).add("none", "F32", {0, 4}, {});
    file.gap(noise(9000, 3)).add("scalar", "F64", {}, noise(8, 4)).add("flags", "BOOL", {3}, {1, 0, 1});
    file.add("future", "Q7_X", {5, 5}, noise(77, 5)).add("same", "BF16", {7000}, gaussian_bf16(7000, 2));
    return file.gap(noise(1, 6)).build();
}

/// Tells how far a run has come, and stops it after a while.
struct listener final : parallel::progress_listener {
    std::vector<parallel::progress_event> events;
    parallel::cancel_token* stop = nullptr;
    void on_progress(const parallel::progress_event& event) override {
        events.push_back(event);
        if (stop != nullptr) stop->request();
    }
};

} // namespace

TEST_CASE("a file comes back as it was", "[archive]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", odd_file());
    const auto packed = pack(dir / "m.safetensors", dir / "m.bs");
    CHECK(packed.source_bytes == odd_file().size());
    CHECK(packed.compressed_bytes == fs::file_size(dir / "m.bs"));
    CHECK(packed.tensors == 6);
    CHECK(packed.duplicate_tensors == 1);
    REQUIRE(packed.files.size() == 1);
    CHECK(packed.files[0].path == dir / "m.bs");

    const auto restored = unpack(dir / "m.bs", dir / "back.safetensors");
    CHECK(restored.restored_bytes == odd_file().size());
    CHECK(restored.compressed_bytes == packed.compressed_bytes);
    CHECK(read_file(dir / "back.safetensors") == odd_file());
}

TEST_CASE("a directory comes back as it was, links as the files they lead to", "[archive]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    write_file(dir / "blobs" / "abc", "tokens");
    fs::create_symlink("../blobs/abc", dir / "model" / "tokenizer.json");
    pack(dir / "model", dir / "model.bs");
    const auto restored = unpack(dir / "model.bs", dir / "back");
    CHECK(restored.files.size() == 6);
    CHECK(read_tree(dir / "back") == read_tree(dir / "model"));
    CHECK_FALSE(fs::is_symlink(dir / "back" / "tokenizer.json"));
}

TEST_CASE("a directory of nothing and a directory without tensors come back", "[archive]") {
    const temporary_directory dir;
    fs::create_directories(dir / "empty");
    pack(dir / "empty", dir / "empty.bs");
    unpack(dir / "empty.bs", dir / "empty-back");
    CHECK(fs::is_empty(dir / "empty-back"));

    write_file(dir / "plain" / "a.txt", "one file in a directory");
    pack(dir / "plain", dir / "plain.bs");
    unpack(dir / "plain.bs", dir / "plain-back");
    CHECK(read_tree(dir / "plain-back") == read_tree(dir / "plain"));
}

TEST_CASE("the container does not depend on executor or number of threads", "[archive]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    write_file(dir / "model" / "big.safetensors",
               safetensors_builder().add("w", "BF16", gaussian_bf16(6000000, 9)).build());
    pack(dir / "model", dir / "serial.bs");
    for (const std::size_t threads : {1u, 2u, 5u}) {
        parallel::tbb_executor e(threads);
        archive::pack_options options = small_blocks();
        options.existing = io::if_exists::replace;
        archive::pack(dir / "model", dir / "tbb.bs", options, e);
        CHECK(read_file(dir / "tbb.bs") == read_file(dir / "serial.bs"));
        archive::unpack(dir / "tbb.bs", dir / ("back" + std::to_string(threads)), {}, e);
        CHECK(read_tree(dir / ("back" + std::to_string(threads))) == read_tree(dir / "model"));
    }
}

TEST_CASE("any block size works, and what cannot be a block size is refused", "[archive]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", odd_file());
    archive::pack_options options;
    options.existing = io::if_exists::replace;
    for (const std::uint64_t bytes : {std::uint64_t{1}, std::uint64_t{7}, 64 * KiB, 16 * MiB}) {
        options.block_bytes = bytes;
        pack(dir / "m.safetensors", dir / "m.bs", options);
        archive::unpack_options replace;
        replace.existing = io::if_exists::replace;
        unpack(dir / "m.bs", dir / "back", replace);
        CHECK(read_file(dir / "back") == odd_file());
    }
    for (const std::uint64_t bytes : {std::uint64_t{0}, 16 * MiB + 1}) {
        options.block_bytes = bytes;
        CHECK(thrown_by([&] { pack(dir / "m.safetensors", dir / "m.bs", options); }).code() == errc::invalid_argument);
    }
}

TEST_CASE("outputs that are there are refused unless they may be replaced", "[archive]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", odd_file());
    write_file(dir / "m.bs", "precious");
    CHECK(thrown_by([&] { pack(dir / "m.safetensors", dir / "m.bs"); }).code() == errc::exists);
    CHECK(read_file(dir / "m.bs").size() == 8);
    archive::pack_options replace = small_blocks();
    replace.existing = io::if_exists::replace;
    pack(dir / "m.safetensors", dir / "m.bs", replace);

    write_file(dir / "back", "precious");
    CHECK(thrown_by([&] { unpack(dir / "m.bs", dir / "back"); }).code() == errc::exists);
    CHECK(read_file(dir / "back").size() == 8);
}

TEST_CASE("an existing directory is filled when empty and keeps its other files when replacing", "[archive]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    pack(dir / "model", dir / "model.bs");
    fs::create_directories(dir / "empty");
    unpack(dir / "model.bs", dir / "empty");
    CHECK(read_tree(dir / "empty") == read_tree(dir / "model"));

    CHECK(thrown_by([&] { unpack(dir / "model.bs", dir / "empty"); }).code() == errc::exists);
    write_file(dir / "empty" / "config.json", "another");
    write_file(dir / "empty" / "mine.txt", "stays");
    archive::unpack_options replace;
    replace.existing = io::if_exists::replace;
    unpack(dir / "model.bs", dir / "empty", replace);
    auto expected = read_tree(dir / "model");
    expected["mine.txt"] = read_file(dir / "empty" / "mine.txt");
    CHECK(read_tree(dir / "empty") == expected);

    // A directory in the place of a file: nothing is moved at all.
    fs::remove(dir / "empty" / "config.json");
    fs::create_directories(dir / "empty" / "config.json");
    fs::remove(dir / "empty" / "empty.txt");
    CHECK(thrown_by([&] { unpack(dir / "model.bs", dir / "empty", replace); }).code() == errc::invalid_argument);
    CHECK_FALSE(fs::exists(dir / "empty" / "empty.txt"));
}

TEST_CASE("the source is never written to", "[archive]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    const auto before = read_tree(dir / "model");
    archive::pack_options replace = small_blocks();
    replace.existing = io::if_exists::replace;
    for (const char* inside : {"model/x.bs", "model/onnx/x.bs", "model/config.json"})
        CHECK(thrown_by([&] { pack(dir / "model", dir / inside, replace); }).code() == errc::invalid_argument);
    const fs::path shard = dir / "model" / "model-00001-of-00002.safetensors";
    CHECK(thrown_by([&] { pack(shard, shard, replace); }).code() == errc::invalid_argument);
    CHECK(read_tree(dir / "model") == before);

    pack(shard, dir / "one.bs");
    archive::unpack_options force;
    force.existing = io::if_exists::replace;
    CHECK(thrown_by([&] { unpack(dir / "one.bs", dir / "one.bs", force); }).code() == errc::invalid_argument);
}

TEST_CASE("sources that cannot be packed are named, and nothing is written", "[archive]") {
    const temporary_directory dir;
    const auto refuse = [&](const fs::path& source, errc code, const char* part) {
        const error e = thrown_by([&] { pack(source, dir / "out.bs"); });
        CHECK(e.code() == code);
        CHECK_THAT(e.what(), ContainsSubstring(part));
        CHECK_FALSE(fs::exists(dir / "out.bs"));
    };
    refuse(dir / "none.safetensors", errc::missing, "none.safetensors");
    write_file(dir / "text.txt", "this is not a model");
    refuse(dir / "text.txt", errc::invalid_input, "not a safetensors file");
    write_file(dir / "bad" / "m.safetensors", "short");
    refuse(dir / "bad", errc::truncated, "m.safetensors");
    byte_buffer cut = odd_file();
    cut.resize(cut.size() - 9001);
    write_file(dir / "cut" / "m.safetensors", cut);
    refuse(dir / "cut", errc::truncated, "tensor");
    write_sharded_model(dir / "linked");
    fs::create_directory_symlink("../bad", dir / "linked" / "other");
    refuse(dir / "linked", errc::invalid_input, "other");
    fs::remove(dir / "linked" / "other");
    fs::create_symlink("nowhere", dir / "linked" / "dangling");
    refuse(dir / "linked", errc::missing, "dangling");
    std::size_t left = 0;
    for (const auto& entry : fs::directory_iterator(dir.path()))
        left += entry.path().extension() == ".partial" ? 1 : 0;
    CHECK(left == 0);
}

TEST_CASE("a source that changes during the run is an error", "[archive]") {
    const temporary_directory dir;
    const fs::path path = dir / "model" / "a.bin";
    write_file(path, noise(100, 1));
    archive::source_tree tree = archive::find_files(dir / "model");
    archive::require_unchanged(tree.files[0]);
    write_file(path, noise(101, 1));
    const error e = thrown_by([&] { archive::require_unchanged(tree.files[0]); });
    CHECK(e.code() == errc::io);
    CHECK_THAT(e.what(), ContainsSubstring("changed"));
}

TEST_CASE("a run can be watched and stopped", "[archive]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", safetensors_builder().add("w", "BF16", gaussian_bf16(10000000, 1)).build());
    listener watching;
    archive::pack_options options;
    options.progress = &watching;
    pack(dir / "m.safetensors", dir / "m.bs", options);
    REQUIRE(watching.events.size() >= 2);
    CHECK(watching.events.back().done_bytes == watching.events.back().total_bytes);
    CHECK(watching.events.back().total_bytes == fs::file_size(dir / "m.safetensors"));
    CHECK(watching.events.back().out_bytes <= fs::file_size(dir / "m.bs"));

    parallel::cancel_token stop;
    watching.stop = &stop;
    archive::unpack_options reading;
    reading.progress = &watching;
    reading.cancel = &stop;
    CHECK(thrown_by([&] { unpack(dir / "m.bs", dir / "back", reading); }).code() == errc::cancelled);
    CHECK_FALSE(fs::exists(dir / "back"));
    options.cancel = &stop;
    CHECK(thrown_by([&] { pack(dir / "m.safetensors", dir / "n.bs", options); }).code() == errc::cancelled);
    CHECK_FALSE(fs::exists(dir / "n.bs"));
}

TEST_CASE("containers go to sinks and files come from them", "[archive]") {
    const temporary_directory dir;
    parallel::tbb_executor e(2);
    write_file(dir / "m.safetensors", odd_file());
    pack(dir / "m.safetensors", dir / "m.bs");
    io::memory_sink stream;
    archive::pack_to(dir / "m.safetensors", stream, small_blocks(), e);
    CHECK(stream.bytes() == read_file(dir / "m.bs"));
    io::memory_sink back;
    archive::unpack_to(dir / "m.bs", back, {}, e);
    CHECK(back.bytes() == odd_file());

    write_sharded_model(dir / "model");
    pack(dir / "model", dir / "model.bs");
    CHECK(thrown_by([&] { archive::unpack_to(dir / "model.bs", back, {}, e); }).code() == errc::invalid_argument);
}
