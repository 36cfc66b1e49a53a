// SPDX-License-Identifier: BSL-1.0
// Small parts that lie together in bundles.
#include <string>

#include <bigsmall/archive/inspect.hpp>

#include "support/archive_runs.hpp"
#include "support/catch.hpp"
#include "support/thread_pipelines.hpp"

using namespace support;

namespace {

/// Norms and biases of many layers, a few of them equal, between matrices that are no small parts.
byte_buffer many_small(std::size_t layers, std::uint64_t seed) {
    safetensors_builder file;
    for (std::size_t i = 0; i < layers; ++i) {
        const std::string layer = "model.layers." + std::to_string(i);
        file.add(layer + ".norm.weight", "BF16", gaussian_bf16(100, seed + 3 * i));
        file.add(layer + ".bias", "F32", noise(64, seed + 3 * i + 1));
        file.add(layer + ".scale", "BF16", gaussian_bf16(1, seed + i % 3));
        if (i % 8 == 0) file.add(layer + ".proj.weight", "BF16", {64, 64}, gaussian_bf16(64 * 64, seed + 3 * i + 2));
    }
    return file.build();
}

archive::pack_options balanced() {
    archive::pack_options options;
    return options.tune(archive::operating_point::balanced);
}

io::container_index index_of(const fs::path& path) {
    return io::container_reader(std::make_shared<io::file_source>(path)).index();
}

std::size_t slices_of(const io::container_index& index) {
    return static_cast<std::size_t>(std::count_if(index.contents.begin(), index.contents.end(),
                                                  [](const io::content_entry& c) { return c.is_slice(); }));
}

std::uint64_t offset_of_bundle(const fs::path& path, std::size_t number) {
    const io::container_index index = index_of(path);
    return index.contents.at(index.first_bundle() + number).offset;
}

} // namespace

TEST_CASE("small tensors lie in bundles and come back", "[archive]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", many_small(40, 1));
    pack(dir / "m.safetensors", dir / "m.bs", balanced());
    const io::container_index index = index_of(dir / "m.bs");
    CHECK(index.bundles >= 1);
    CHECK(slices_of(index) >= 80);
    unpack(dir / "m.bs", dir / "back.safetensors");
    CHECK(read_file(dir / "back.safetensors") == read_file(dir / "m.safetensors"));
    const archive::verify_report report = verify(dir / "m.bs");
    CHECK(report.ok);
    CHECK(report.tensors_checked == report.tensors_total);
    CHECK(report.blocks_checked == report.blocks_total);
}

TEST_CASE("a small tensor costs less than 48 bytes beyond its content and its name", "[archive]") {
    const temporary_directory dir;
    safetensors_builder file;
    byte_buffer content;
    std::string names;
    for (std::size_t i = 0; i < 2000; ++i) {
        const std::string name = "block." + std::to_string(i) + ".gain";
        const byte_buffer bytes = noise(4, i);
        file.add(name, "F32", bytes);
        content.insert(content.end(), bytes.begin(), bytes.end());
        names += name;
    }
    write_file(dir / "m.safetensors", file.build());
    pack(dir / "m.safetensors", dir / "m.bs", balanced());
    CHECK(fs::file_size(dir / "m.bs") < content.size() + names.size() + 2000 * 48);
}

TEST_CASE("a small part alone has no bundle", "[archive]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", safetensors_builder().add("a", "BF16", gaussian_bf16(100, 1)).build());
    pack(dir / "m.safetensors", dir / "m.bs", balanced());
    CHECK(index_of(dir / "m.bs").bundles == 0); // one part has no other to lie beside
}

TEST_CASE("parts are not bundled where that is larger", "[archive]") {
    const temporary_directory dir;
    // Each exponent of one is none of the other: together, every element pays a bit to say whose it is.
    byte_buffer far = gaussian_bf16(2000, 2);
    for (std::size_t i = 1; i < far.size(); i += 2)
        far[i] ^= 0x20;
    write_file(dir / "m.safetensors",
               safetensors_builder().add("a", "BF16", gaussian_bf16(2000, 1)).add("b", "BF16", far).build());
    pack(dir / "m.safetensors", dir / "m.bs", balanced());
    CHECK(index_of(dir / "m.bs").bundles == 0);
}

TEST_CASE("roles that lie side by side share a bundle where that is smaller", "[archive]") {
    const temporary_directory dir;
    // Each alone in its role, of more bytes than a small part has, and all of one distribution.
    safetensors_builder file;
    std::uint64_t seed = 1;
    for (const char* name : {"gate", "norm", "bias"})
        file.add(name, "BF16", gaussian_bf16(3000, seed++));
    byte_buffer far = gaussian_bf16(3000, 9);
    for (std::size_t i = 1; i < far.size(); i += 2)
        far[i] ^= 0x20;
    file.add("other_exponents", "BF16", far).add("other_type", "I16", gaussian_bf16(3000, 10));
    write_file(dir / "m.safetensors", file.build());
    archive::pack_options options = balanced();
    pack(dir / "m.safetensors", dir / "apart.bs", options);
    CHECK(index_of(dir / "apart.bs").bundles == 0);
    options.group_streams = true;
    pack(dir / "m.safetensors", dir / "m.bs", options);
    const io::container_index index = index_of(dir / "m.bs");
    CHECK(index.bundles == 1);
    CHECK(slices_of(index) == 3);
    CHECK(fs::file_size(dir / "m.bs") < fs::file_size(dir / "apart.bs"));
    unpack(dir / "m.bs", dir / "back.safetensors");
    CHECK(read_file(dir / "back.safetensors") == read_file(dir / "m.safetensors"));
}

TEST_CASE("files and tensors do not share a bundle", "[archive]") {
    const temporary_directory dir;
    write_file(dir / "model" / "m.safetensors", many_small(10, 1));
    safetensors_builder strange; // of a type that nobody knows: bytes, as files are
    for (std::size_t i = 0; i < 10; ++i)
        strange.add(std::to_string(i), "X8", noise(40, i));
    write_file(dir / "model" / "strange.safetensors", strange.build());
    for (int i = 0; i < 10; ++i)
        write_file(dir / "model" / ("config" + std::to_string(i) + ".json"),
                   "{\"model_type\": \"llama\", \"n\": " + std::to_string(i) + "}\n");
    write_file(dir / "model" / "config.json", "{\"model_type\": \"llama\"}\n");
    pack(dir / "model", dir / "m.bs", balanced());
    unpack(dir / "m.bs", dir / "back");
    CHECK(read_tree(dir / "back") == read_tree(dir / "model"));
    CHECK(archive::inspect(dir / "m.bs").model_type == "llama");
    const io::container_index index = index_of(dir / "m.bs");
    std::vector<int> kinds(index.contents.size(), -1);
    for (const io::member_entry& member : index.members)
        for (const io::extent_entry& extent : member.extents) {
            const io::content_entry& content = index.contents[extent.content];
            if (!content.is_slice()) continue;
            int& kind = kinds[content.bundle];
            CHECK((kind == -1 || kind == static_cast<int>(extent.kind)));
            kind = static_cast<int>(extent.kind);
        }
    CHECK(std::count(kinds.begin(), kinds.end(), static_cast<int>(io::extent_kind::file)) == 1);
}

TEST_CASE("grouped streams hold larger tensors of one role and are never larger", "[archive]") {
    const temporary_directory dir;
    safetensors_builder file;
    for (std::size_t i = 0; i < 12; ++i)
        file.add("layers." + std::to_string(i) + ".k_proj.weight", "BF16", {40, 100}, gaussian_bf16(4000, i));
    write_file(dir / "m.safetensors", file.build());
    pack(dir / "m.safetensors", dir / "plain.bs", balanced());
    archive::pack_options grouping = balanced();
    grouping.group_streams = true;
    pack(dir / "m.safetensors", dir / "grouped.bs", grouping);
    CHECK(slices_of(index_of(dir / "plain.bs")) == 0); // 8,000 bytes are not small
    CHECK(slices_of(index_of(dir / "grouped.bs")) == 12);
    CHECK(fs::file_size(dir / "grouped.bs") < fs::file_size(dir / "plain.bs"));
    unpack(dir / "grouped.bs", dir / "back.safetensors");
    CHECK(read_file(dir / "back.safetensors") == read_file(dir / "m.safetensors"));
}

TEST_CASE("a tensor of 64 KiB is grouped, a larger one is not", "[archive]") {
    const temporary_directory dir;
    safetensors_builder file;
    for (std::size_t i = 0; i < 4; ++i) {
        const std::string layer = "layers." + std::to_string(i);
        file.add(layer + ".a", "BF16", {128, 256}, gaussian_bf16(128 * 256, i));
        file.add(layer + ".b", "BF16", {129, 256}, gaussian_bf16(129 * 256, 10 + i));
    }
    write_file(dir / "m.safetensors", file.build());
    archive::pack_options grouping = balanced();
    grouping.group_streams = true;
    pack(dir / "m.safetensors", dir / "m.bs", grouping);
    CHECK(slices_of(index_of(dir / "m.bs")) == 4);
}

TEST_CASE("the bytes of bundles do not depend on the number of threads", "[archive]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", many_small(300, 5));
    pack(dir / "m.safetensors", dir / "one.bs", balanced());
    thread_executor four(4);
    archive::pack(dir / "m.safetensors", dir / "four.bs", balanced(), four);
    CHECK(read_file(dir / "one.bs") == read_file(dir / "four.bs"));
    archive::unpack(dir / "four.bs", dir / "back.safetensors", {}, four);
    CHECK(read_file(dir / "back.safetensors") == read_file(dir / "m.safetensors"));
}

TEST_CASE("a reader gives slices and parts of them", "[archive]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", many_small(40, 1));
    pack(dir / "m.safetensors", dir / "m.bs", balanced());
    const archive::archive_reader reader(dir / "m.bs");
    const byte_buffer wanted = gaussian_bf16(100, 1 + 3 * 7);
    const archive::tensor_entry& tensor = reader.at("model.layers.7.norm.weight");
    CHECK(reader.read(tensor) == wanted);
    CHECK(reader.block_bytes(tensor) == 200);
    byte_buffer middle(50);
    reader.read_range(tensor, 70, middle);
    CHECK(middle == byte_buffer(wanted.begin() + 70, wanted.begin() + 120));
    CHECK(thrown_by([&] { reader.read_range(tensor, 151, middle); }).code() == errc::invalid_argument);
}

TEST_CASE("a damaged bundle costs its slices and no others", "[archive]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", many_small(20, 1));
    pack(dir / "m.safetensors", dir / "m.bs", balanced());
    const io::container_index index = index_of(dir / "m.bs");
    const std::size_t bundled = slices_of(index);
    damage_byte(dir / "m.bs", offset_of_bundle(dir / "m.bs", 0) + 3);
    const archive::verify_report report = verify(dir / "m.bs");
    CHECK(!report.ok);
    CHECK(report.problems.size() >= 20);
    CHECK(report.problems.size() <= bundled + 20); // some slices are the bytes of several tensors
    CHECK(report.tensors_checked >= 3);            // the matrices at least
    CHECK(report.tensors_checked + report.problems.size() == report.tensors_total);
    for (const archive::damage& problem : report.problems) {
        CHECK(!problem.tensor.empty());
        CHECK(problem.offset == offset_of_bundle(dir / "m.bs", 0));
    }
    const archive::archive_reader reader(dir / "m.bs");
    CHECK(reader.read("model.layers.8.proj.weight") == gaussian_bf16(64 * 64, 1 + 3 * 8 + 2));
    parallel::serial_executor e;
    const archive::verify_report sample = archive::verify_sample(dir / "m.bs", 1.0, 1, {}, e);
    CHECK(sample.problems.size() == 1);
    CHECK(!sample.problems.at(0).tensor.empty());
    CHECK(sample.tensors_checked == report.tensors_checked);
}

TEST_CASE("shards do not refer to slices of each other", "[archive]") {
    const temporary_directory dir;
    write_file(dir / "model" / "a.safetensors", many_small(10, 1));
    write_file(dir / "model" / "b.safetensors", many_small(10, 1));
    archive::pack_options options = balanced();
    options.per_shard = true;
    pack(dir / "model", dir / "shards", options);
    CHECK(index_of(dir / "shards" / "a.bs").bundles > 0);
    const io::container_index second = index_of(dir / "shards" / "b.bs");
    CHECK(second.bundles > 0);
    CHECK(second.siblings == std::vector<std::string>{"a.bs"}); // of the matrices
    CHECK(verify(dir / "shards").ok);
    unpack(dir / "shards", dir / "back");
    CHECK(read_tree(dir / "back") == read_tree(dir / "model"));
}

TEST_CASE("transcoding keeps bundles", "[archive]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", many_small(40, 1));
    pack(dir / "m.safetensors", dir / "m.bs", balanced());
    parallel::serial_executor e;
    archive::transcode_options options;
    options.tune(archive::operating_point::inference);
    archive::transcode(dir / "m.bs", dir / "fast.bs", options, e);
    const io::container_index before = index_of(dir / "m.bs"), after = index_of(dir / "fast.bs");
    CHECK(after.bundles == before.bundles);
    CHECK(slices_of(after) == slices_of(before));
    CHECK(verify(dir / "fast.bs").ok);
    unpack(dir / "fast.bs", dir / "back.safetensors");
    CHECK(read_file(dir / "back.safetensors") == read_file(dir / "m.safetensors"));

    damage_byte(dir / "m.bs", offset_of_bundle(dir / "m.bs", 0) + 3);
    const error damaged = thrown_by([&] { archive::transcode(dir / "m.bs", dir / "not.bs", options, e); });
    CHECK(damaged.code() == errc::corrupt);
    CHECK(damaged.tensor().starts_with("model.layers.0."));
    CHECK(!fs::exists(dir / "not.bs"));
}

TEST_CASE("a bundle may have slices that no file uses", "[archive]") {
    const temporary_directory dir;
    write_file(dir / "model" / "a.safetensors", many_small(10, 1));
    write_file(dir / "model" / "b.safetensors", many_small(10, 500));
    pack(dir / "model", dir / "m.bs", balanced());
    // The same container without its first file: the first slices of its bundles are nobody's.
    const byte_buffer whole = read_file(dir / "m.bs");
    io::container_index index = index_of(dir / "m.bs");
    const io::container_reader reader(std::make_shared<io::file_source>(dir / "m.bs"));
    io::memory_sink sink;
    io::container_writer writer(sink, io::required_features(index));
    sink.write(bytes_view(whole).subspan(64, static_cast<std::size_t>(reader.footer().payload_end()) - 64));
    index.members.erase(index.members.begin());
    writer.finish(index);
    write_file(dir / "less.bs", sink.bytes());

    const archive::verify_report report = verify(dir / "less.bs");
    CHECK(report.ok);
    CHECK(report.tensors_checked == report.tensors_total);
    CHECK(report.blocks_checked > 0);
    unpack(dir / "less.bs", dir / "less");
    CHECK(read_file(dir / "less" / "b.safetensors") == read_file(dir / "model" / "b.safetensors"));
    parallel::serial_executor e;
    archive::transcode_options options;
    options.tune(archive::operating_point::balanced);
    archive::transcode(dir / "less.bs", dir / "again.bs", options, e);
    CHECK(fs::file_size(dir / "again.bs") < fs::file_size(dir / "less.bs"));
    unpack(dir / "again.bs", dir / "again");
    CHECK(read_file(dir / "again" / "b.safetensors") == read_file(dir / "model" / "b.safetensors"));
}

TEST_CASE("a bundle is coded for what its first slice was at first", "[archive]") {
    const temporary_directory dir;
    safetensors_builder file;
    for (std::size_t i = 0; i < 40; ++i)
        file.add("norm." + std::to_string(i), "BF16", gaussian_bf16(90, i));
    file.add("the same bytes", "U8", gaussian_bf16(90, 0));
    write_file(dir / "m.safetensors", file.build());
    pack(dir / "m.safetensors", dir / "m.bs", balanced());
    parallel::serial_executor e;
    archive::transcode_options options;
    options.tune(archive::operating_point::balanced);
    archive::transcode(dir / "m.bs", dir / "again.bs", options, e);
    CHECK(index_of(dir / "again.bs").contents.back().blocks == index_of(dir / "m.bs").contents.back().blocks);
}

TEST_CASE("the summary shares the stored bytes of a bundle among its slices", "[archive]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", many_small(40, 1));
    pack(dir / "m.safetensors", dir / "m.bs", balanced());
    const archive::archive_summary summary = archive::inspect(dir / "m.bs");
    std::uint64_t stored = 0, in_blocks = 0;
    for (const archive::tensor_summary& tensor : summary.tensors)
        stored += tensor.stored_bytes;
    for (const io::content_entry& content : index_of(dir / "m.bs").contents)
        for (const io::block_entry& block : content.blocks)
            in_blocks += block.stored_bytes;
    CHECK(stored == in_blocks);
    // Scales of three values: the first three are stored, the others equal one of them.
    CHECK(summary.duplicate_tensors == 37);
    CHECK(summary.tensors.back().name == "model.layers.39.scale");
    CHECK(summary.tensors.back().duplicate_of == "model.layers.0.scale");
}
