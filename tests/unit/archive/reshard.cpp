// SPDX-License-Identifier: BSL-1.0
// Shards are copies of blocks in other files: whatever the model is made of, it comes back, and so does the container.
#include <string>
#include <utility>
#include <vector>

#include <bigsmall/archive/open_model.hpp>
#include <bigsmall/archive/reader.hpp>
#include <bigsmall/archive/reshard.hpp>
#include <bigsmall/archive/unpack_shards.hpp>
#include <bigsmall/parallel/executor.hpp>

#include "support/archive_runs.hpp"
#include "support/catch.hpp"

using namespace support;
using Catch::Matchers::ContainsSubstring;

namespace {

archive::reshard_result reshard(const std::vector<fs::path>& from, const fs::path& to, std::uint64_t shards,
                                archive::reshard_options options = {}) {
    parallel::serial_executor e;
    options.layout.shards = shards;
    return archive::reshard(from, to, options, e);
}

byte_buffer repeated(const byte_buffer& part, int times) {
    byte_buffer all;
    for (int i = 0; i < times; ++i)
        all.insert(all.end(), part.begin(), part.end());
    return all;
}

/// Everything that a container can have: gaps, tied tensors, bundles that reach over layers, blocks that share bytes
/// inside a tensor and across layers, tensors without bytes, types of several widths and one that nobody knows,
/// padding, a header that names the tensors in another order.
byte_buffer full_model() {
    safetensors_builder file;
    file.metadata("format", "pt")
        .metadata("note", "odd \\\"quotes\\\"")
        .padding(5)
        .reversed_header()
        .gap(noise(777, 1));
    const byte_buffer tied = gaussian_bf16(9000, 2), fused = gaussian_bf16(3 * 8192, 3);
    file.add("lm_head.weight", "BF16", tied).add("empty", "F32", {0, 3}, {});
    for (int layer = 11; layer >= 0; --layer) {
        const std::string name = "model.layers." + std::to_string(layer) + ".";
        const auto seed = static_cast<std::uint64_t>(layer);
        file.add(name + "norm.weight", "F32", noise(256, 100 + seed));
        file.add(name + "bias", "U8", noise(3, 200 + seed));
        file.add(name + "mlp.up_proj.weight", "BF16", gaussian_bf16(10000 + 100 * seed, 300 + seed));
        if (layer == 3) file.add(name + "fused", "BF16", fused).gap(noise(5000, 4));
        if (layer == 7) file.add(name + "slice", "BF16", byte_buffer(fused.begin(), fused.begin() + 16384));
        if (layer == 5 || layer == 9) file.add(name + "shared.weight", "BF16", gaussian_bf16(7000, 5));
        if (layer == 6) file.add(name + "repeats", "BF16", repeated(gaussian_bf16(2048, 6), 5));
        if (layer == 8) file.add(name + "strange", "Q3_X", {7}, noise(9, 7)).add(name + "empty", "I64", {0}, {});
    }
    file.add("model.embed_tokens.weight", "BF16", tied).add("model.norm.weight", "F64", noise(64, 8));
    return file.gap(noise(1, 9)).build();
}

/// Name and bytes of every tensor of an archive.
std::map<std::string, byte_buffer> tensors_in(const fs::path& path) {
    const archive::archive_reader reader(path);
    std::map<std::string, byte_buffer> tensors;
    for (const archive::tensor_entry& tensor : reader.tensors())
        CHECK(tensors.emplace(tensor.name + " " + tensor.dtype_name, reader.read(tensor)).second);
    return tensors;
}

/// The blocks of a container, with another index of the same blocks.
void write_with_index(const archive::opened_container& from, const io::container_index& index, const fs::path& to) {
    io::memory_sink sink;
    io::container_writer writer(sink, io::required_features(index));
    byte_buffer stored;
    for (const std::uint32_t i : archive::detail::order_of_places(index))
        for (std::size_t b = 0; b < index.contents[i].blocks.size(); ++b) {
            if (index.contents[i].blocks[b].shared_at != 0) continue;
            from.reader->read_block(from.index().contents[i], b, stored);
            writer.append_block(stored);
        }
    writer.finish(index);
    write_file(to, sink.bytes());
}

} // namespace

TEST_CASE("a container that was divided is joined to the same bytes", "[archive][reshard]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", full_model());
    archive::pack_options grouped = small_blocks();
    grouped.group_streams = true;
    pack(dir / "m.safetensors", dir / "plain.bs");
    pack(dir / "m.safetensors", dir / "grouped.bs", grouped);
    for (const std::string name : {"plain", "grouped"}) {
        const fs::path packed = dir / (name + ".bs");
        const auto tensors = tensors_in(packed);
        for (const std::uint64_t shards : {2u, 3u, 7u, 13u}) {
            INFO(name << " in " << shards);
            const fs::path divided = dir / (name + std::to_string(shards)), joined = divided.string() + "-joined";
            const archive::reshard_result done = reshard({packed}, divided, shards);
            CHECK(done.shards.size() == shards);
            CHECK(done.tensors == tensors.size());
            CHECK(done.original);
            CHECK(tensors_in(divided) == tensors);
            CHECK(verify(divided).ok);
            CHECK(reshard({divided}, joined, 1).original);
            CHECK(read_file(joined / "model.bs") == read_file(packed));
            // What shards are made of does not matter.
            reshard({divided}, divided.string() + "-again", 3);
            reshard({packed}, divided.string() + "-direct", 3);
            CHECK(read_tree(divided.string() + "-again") == read_tree(divided.string() + "-direct"));
        }
    }
}

TEST_CASE("what is divided restores safetensors files that loaders find", "[archive][reshard]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", full_model());
    pack(dir / "m.safetensors", dir / "m.bs");
    reshard({dir / "m.bs"}, dir / "three", 3);
    std::size_t needed = 0;
    for (const archive::shard_record& shard : archive::read_shard_index(dir / "three").shards) {
        const io::container_reader reader(std::make_shared<io::file_source>(dir / "three" / shard.file));
        CHECK(shard.needs == reader.index().siblings);
        needed += shard.needs.size();
    }
    CHECK(needed > 0);
    unpack(dir / "three", dir / "restored");
    const auto map =
        nlohmann::json::parse(as_string_view(read_file(dir / "restored" / "model.safetensors.index.json")));
    std::uint64_t bytes = 0;
    std::map<std::string, std::string> layer_files;
    for (const std::string name : {"00001", "00002", "00003"}) {
        const std::string file = "model-" + name + "-of-00003.safetensors";
        const io::safetensors_layout layout = io::read_safetensors_layout(io::file_source(dir / "restored" / file));
        CHECK(layout.metadata.size() == 2);
        CHECK(layout.header_bytes % 8 == 0);
        for (const io::tensor_record& tensor : layout.tensors) {
            CHECK(map["weight_map"][tensor.name] == file);
            bytes += tensor.end - tensor.begin;
            const std::uint64_t bits = io::element_bits(tensor.dtype_name);
            CHECK((bits < 16 || tensor.begin % (bits / 8) == 0));
            if (const auto layer = archive::place_of(tensor.name).layer)
                CHECK(layer_files.try_emplace(std::to_string(*layer), file).first->second == file);
            else
                CHECK(name == "00001");
        }
    }
    CHECK(map["metadata"]["total_size"] == bytes);
    CHECK(map["weight_map"].size() == tensors_in(dir / "m.bs").size());
    // The same straight from the container, and of a patch or a directory as well.
    parallel::serial_executor e;
    archive::unpack_shards(dir / "m.bs", dir / "straight", {3, 0}, archive::unpack_options(), e);
    CHECK(fs::exists(dir / "straight" / "model-00003-of-00003.safetensors"));
    pack(dir / "straight", dir / "straight.bs");
    CHECK(tensors_in(dir / "straight.bs") == tensors_in(dir / "m.bs"));
    archive::unpack_shards(dir / "three", dir / "straight-2", {3, 0}, archive::unpack_options(), e);
    CHECK(read_tree(dir / "straight") == read_tree(dir / "straight-2"));
}

TEST_CASE("a directory of shards is divided and joined with all that lies in it", "[archive][reshard]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    write_file(dir / "model" / "model.safetensors.index.json", "{\"weight_map\": {}}");
    pack_per_shard(dir / "model", dir / "shards");
    pack(dir / "model", dir / "one.bs");
    for (const std::string name : {"shards", "one.bs"}) {
        INFO(name);
        const auto tensors = tensors_in(dir / name);
        reshard({dir / name}, dir / (name + "-3"), 3);
        reshard({dir / (name + "-3")}, dir / (name + "-1"), 1);
        const archive::reshard_result joined = reshard({dir / name}, dir / (name + "-direct"), 1);
        CHECK_FALSE(joined.original);
        CHECK(read_tree(dir / (name + "-1")) == read_tree(dir / (name + "-direct")));
        CHECK(tensors_in(dir / (name + "-1")) == tensors);
        for (const std::string& result : {name + "-3", name + "-1"}) {
            CHECK(verify(dir / result).ok);
            CHECK(read_file(dir / result / "config.json") == read_file(dir / "model" / "config.json"));
            CHECK(read_file(dir / result / "onnx/deep/notes.bin") == read_file(dir / "model" / "onnx/deep/notes.bin"));
        }
        CHECK(fs::exists(dir / (name + "-3") / "model.safetensors.index.json"));
        CHECK_FALSE(fs::exists(dir / (name + "-1") / "model.safetensors.index.json"));
    }
    // One by one, they are a model without the files beside it.
    reshard({dir / "shards" / "model-00001-of-00002.bs", dir / "shards" / "model-00002-of-00002.bs"}, dir / "named", 2);
    CHECK(tensors_in(dir / "named") == tensors_in(dir / "shards"));
    CHECK_FALSE(fs::exists(dir / "named" / "config.json"));
}

TEST_CASE("files of different models do not become one", "[archive][reshard]") {
    const temporary_directory dir;
    safetensors_builder a, same, b;
    a.add("model.norm.weight", "F32", noise(400, 1)).add("a", "U8", noise(100, 2));
    same.add("model.norm.weight", "F32", noise(400, 1)).add("b", "U8", noise(100, 3));
    b.add("model.norm.weight", "F32", noise(400, 4));
    for (const auto& [name, file] : {std::pair("a", &a), std::pair("same", &same), std::pair("b", &b)}) {
        write_file(dir / (std::string(name) + ".safetensors"), file->build());
        pack(dir / (std::string(name) + ".safetensors"), dir / (std::string(name) + ".bs"));
    }
    CHECK(reshard({dir / "a.bs", dir / "same.bs"}, dir / "ab", 1).tensors == 3);
    CHECK(verify(dir / "ab").ok);
    const error e = thrown_by([&] { reshard({dir / "a.bs", dir / "b.bs"}, dir / "x", 1); });
    CHECK(e.code() == errc::invalid_input);
    CHECK(e.tensor() == "model.norm.weight");
    // Models of several folders are several models.
    write_file(dir / "pipe" / "unet" / "m.safetensors", a.build());
    write_file(dir / "pipe" / "text" / "m.safetensors", same.build());
    pack_per_shard(dir / "pipe", dir / "pipe-bs");
    CHECK_THAT(thrown_by([&] { reshard({dir / "pipe-bs"}, dir / "x", 1); }).what(),
               ContainsSubstring("several folders"));
    CHECK_FALSE(fs::exists(dir / "x"));
}

TEST_CASE("some of the shards are not the model", "[archive][reshard]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", full_model());
    pack(dir / "m.safetensors", dir / "m.bs");
    const std::vector<archive::resharded_file> shards = reshard({dir / "m.bs"}, dir / "shards", 3).shards;
    const std::vector<fs::path> two{shards[0].path, shards[2].path};
    const error thrown = thrown_by([&] { reshard(two, dir / "out", 2); });
    CHECK(thrown.code() == errc::invalid_input);
    CHECK_THAT(thrown.what(), ContainsSubstring(shards[1].path.filename().string()));
    CHECK_FALSE(fs::exists(dir / "out"));
    CHECK(reshard({two[0], two[1], shards[1].path}, dir / "all", 2).original);
}

TEST_CASE("damage is named and leaves nothing", "[archive][reshard]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", full_model());
    pack(dir / "m.safetensors", dir / "m.bs");
    const archive::opened_archive opened(dir / "m.bs");
    const io::container_index& index = opened.containers()[0].index();
    const auto names = archive::extent_names(index.members[0]);
    std::size_t tried = 0;
    for (std::size_t x = 0; x < names.size(); x += 5) {
        const io::content_entry& content = index.contents[index.members[0].extents[x].content];
        if (names[x].empty() || content.blocks.empty() || content.blocks[0].shared_at != 0) continue;
        INFO(names[x]);
        fs::copy_file(dir / "m.bs", dir / "bad.bs", fs::copy_options::overwrite_existing);
        damage_byte(dir / "bad.bs", content.offset + content.blocks[0].stored_bytes / 2);
        for (const std::uint64_t shards : {1u, 3u}) {
            const error e = thrown_by([&] { reshard({dir / "bad.bs"}, dir / "out", shards); });
            CHECK(e.code() == errc::corrupt);
            CHECK_FALSE(e.tensor().empty());
        }
        ++tried;
    }
    CHECK(tried > 5);
    std::size_t files = 0;
    for ([[maybe_unused]] const auto& entry : fs::directory_iterator(dir.path()))
        ++files;
    CHECK(files == 3);
}

TEST_CASE("a part that does not decode to the bytes of its receipt is not copied", "[archive][reshard]") {
    const temporary_directory dir;
    for (const std::string name : {"model.embed.weight", ""}) {
        INFO("tensor \"" << name << "\"");
        safetensors_builder file;
        file.add(name, "BF16", gaussian_bf16(5000, 1));
        for (const std::string layer : {"0", "1"})
            file.add("model.layers." + layer + ".weight", "BF16", gaussian_bf16(9000, 2));
        write_file(dir / "m.safetensors", file.build());
        const fs::path packed = dir / (name + "m.bs"), wrong = dir / (name + "wrong.bs");
        pack(dir / "m.safetensors", packed);
        const archive::opened_archive opened(packed);
        io::container_index index = opened.containers()[0].index();
        index.contents[index.members[0].extents[0].content].md5[0] ^= 1;
        write_with_index(opened.containers()[0], index, wrong);
        reshard({packed}, dir / (name + "sound"), 2);
        CHECK(thrown_by([&] { reshard({wrong}, dir / "x", 2); }).code() == errc::mismatch);
        CHECK_FALSE(fs::exists(dir / "x"));
    }
}

TEST_CASE("a shard whose notes of the joined container are wrong is still what it is", "[archive][reshard]") {
    const temporary_directory dir;
    write_file(dir / "m.safetensors", full_model());
    pack(dir / "m.safetensors", dir / "m.bs");
    const archive::opened_archive opened(dir / "m.bs");
    const io::container_index index = opened.containers()[0].index();
    const auto joined_of = [&](auto&& change) {
        io::container_index changed = index;
        change(changed);
        return archive::detail::encode_joined(changed);
    };
    const auto write_with = [&](byte_buffer joined, const fs::path& to) {
        io::container_index with = index;
        with.joined = std::move(joined);
        write_with_index(opened.containers()[0], with, to);
    };
    // Another order of the tensors, a tensor that is not there: the container is taken as it is.
    write_with(joined_of([](io::container_index& changed) { changed.contents[0].md5[0] ^= 1; }), dir / "other.bs");
    CHECK(reshard({dir / "other.bs"}, dir / "other", 1).original);
    CHECK(read_file(dir / "other" / "model.bs") == read_file(dir / "m.bs"));
    // A file that does not have the SHA-256 that is promised.
    write_with(joined_of([](io::container_index& changed) { changed.members[0].sha256[0] ^= 1; }), dir / "hash.bs");
    CHECK(thrown_by([&] { reshard({dir / "hash.bs"}, dir / "x", 1); }).code() == errc::mismatch);
    // No index at all.
    for (const byte_buffer& joined :
         {byte_buffer{1}, byte_buffer{2, 0, 1, 2, 3}, byte_buffer{0xff, 0xff}, noise(300, 1)}) {
        write_with(joined, dir / "broken.bs");
        const errc code = thrown_by([&] { reshard({dir / "broken.bs"}, dir / "x", 1); }).code();
        CHECK((code == errc::corrupt || code == errc::unsupported));
    }
    CHECK_FALSE(fs::exists(dir / "x"));
}

TEST_CASE("patches are divided and joined with their base", "[archive][reshard]") {
    const temporary_directory dir;
    parallel::serial_executor e;
    safetensors_builder before, after;
    for (int layer = 0; layer < 6; ++layer) {
        const std::string name = "model.layers." + std::to_string(layer) + ".";
        const auto seed = static_cast<std::uint64_t>(layer);
        byte_buffer weights = gaussian_bf16(12000, seed);
        before.add(name + "w", "BF16", weights).add(name + "norm", "F32", noise(64, 50 + seed));
        if (layer % 2 == 1)
            for (std::size_t i = 0; i < weights.size(); i += 64)
                weights[i] ^= 1;
        after.add(name + "w", "BF16", weights).add(name + "norm", "F32", noise(64, 50 + seed));
        after.add(name + "new", "BF16", gaussian_bf16(3000, 20 + seed % 2));
    }
    write_file(dir / "base.safetensors", before.build());
    write_file(dir / "tuned.safetensors", after.build());
    const auto base = archive::open_model(dir / "base.safetensors", nullptr, archive::run_options(), e);
    archive::pack_options packing = small_blocks();
    packing.base = base;
    pack(dir / "tuned.safetensors", dir / "patch.bs", packing);
    archive::reshard_options with_base;
    with_base.base = base;
    CHECK(thrown_by([&] { reshard({dir / "patch.bs"}, dir / "x", 3); }).code() == errc::invalid_argument);
    reshard({dir / "patch.bs"}, dir / "three", 3, with_base);
    reshard({dir / "three"}, dir / "one", 1, with_base);
    CHECK(read_file(dir / "one" / "model.bs") == read_file(dir / "patch.bs"));
    archive::unpack_options unpacking;
    unpacking.base = base;
    unpack(dir / "three", dir / "restored", unpacking);
    pack(dir / "restored", dir / "restored.bs");
    pack(dir / "tuned.safetensors", dir / "tuned.bs");
    CHECK(tensors_in(dir / "restored.bs") == tensors_in(dir / "tuned.bs"));
    // Each shard names what it needs of the base, and no more.
    const archive::opened_archive whole(dir / "patch.bs"), three(dir / "three");
    for (const archive::opened_container& shard : three.containers())
        CHECK(shard.index().base_tensors.size() < whole.containers()[0].index().base_tensors.size());
    archive::unpack_shards(dir / "patch.bs", dir / "straight", {3, 0}, unpacking, e);
    pack(dir / "straight", dir / "straight.bs");
    CHECK(tensors_in(dir / "straight.bs") == tensors_in(dir / "tuned.bs"));
}

TEST_CASE("outputs and sources of resharding stay apart", "[archive][reshard]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    pack_per_shard(dir / "model", dir / "shards");
    const auto before = read_tree(dir / "shards");
    archive::reshard_options replace;
    replace.existing = io::if_exists::replace;
    for (const fs::path& output : {dir / "shards", dir / "shards" / "x", dir.path()})
        CHECK(thrown_by([&] { reshard({dir / "shards"}, output, 2, replace); }).code() == errc::invalid_argument);
    CHECK(read_tree(dir / "shards") == before);
    reshard({dir / "shards"}, dir / "out", 3);
    CHECK(thrown_by([&] { reshard({dir / "shards"}, dir / "out", 2); }).code() == errc::exists);
    CHECK(reshard({dir / "shards"}, dir / "out", 2, replace).removed_files.size() == 3);
    CHECK(verify(dir / "out").ok);
}
