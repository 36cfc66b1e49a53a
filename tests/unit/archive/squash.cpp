// SPDX-License-Identifier: BSL-1.0
// Chains of patches made into one, without their base and with it.
#include <functional>
#include <numeric>

#include <bigsmall/archive/inspect.hpp>
#include <bigsmall/archive/reshard.hpp>
#include <bigsmall/archive/squash.hpp>

#include "support/catch.hpp"
#include "unit/archive/patch_runs.hpp"

using namespace support;

namespace {

struct tensor {
    std::string dtype_name;
    std::vector<std::uint64_t> shape;
    byte_buffer bytes;
};
using tensors = std::map<std::string, tensor>;

tensor bf16(std::vector<std::uint64_t> shape, std::uint64_t seed) {
    const auto elems = std::accumulate(shape.begin(), shape.end(), std::uint64_t{1}, std::multiplies<>());
    return {"BF16", std::move(shape), gaussian_bf16(static_cast<std::size_t>(elems), seed)};
}

void write(const fs::path& path, const tensors& all, const std::string& note = "") {
    safetensors_builder file;
    if (!note.empty()) file.metadata("note", note);
    for (const auto& [name, one] : all)
        file.add(name, one.dtype_name, one.shape, one.bytes);
    write_file(path, file.build());
}

tensors model_of_layers() {
    tensors all;
    for (int layer = 0; layer < 4; ++layer) {
        const std::string name = "layers." + std::to_string(layer);
        const auto seed = static_cast<std::uint64_t>(10 * layer);
        all[name + ".q.weight"] = bf16({64, 64}, seed + 1);
        all[name + ".k.weight"] = bf16({64, 64}, seed + 2);
        all[name + ".up.weight"] = bf16({128, 64}, seed + 3);
        all[name + ".norm.weight"] = bf16({64}, seed + 4);
        all[name + ".norm.bias"] = bf16({64}, seed + 5);
    }
    all["embed.weight"] = bf16({300, 64}, 100);
    return all;
}

/// The same numbers as BF16 has.
byte_buffer in_f32(const byte_buffer& narrow) {
    byte_buffer wide;
    for (std::size_t i = 0; i < narrow.size(); i += 2)
        wide.insert(wide.end(), {0, 0, narrow[i], narrow[i + 1]});
    return wide;
}

void train(tensors& all, const std::string& name, std::uint64_t seed) {
    all.at(name).bytes = trained(all.at(name).bytes, seed);
}

/// Files step-0, step-1..., each a patch against the one before: step-1.bs and so on.
class chain {
public:
    explicit chain(const tensors& base) { write(file(0), base, "0"); }

    void add(const tensors& next) {
        ++steps_;
        write(file(steps_), next, std::to_string(steps_));
        pack(file(steps_), patch(steps_), against(file(steps_ - 1)));
    }

    fs::path file(int step) const { return dir_ / ("step-" + std::to_string(step) + ".safetensors"); }
    fs::path patch(int step) const { return dir_ / ("step-" + std::to_string(step) + ".bs"); }
    std::vector<fs::path> patches() const {
        std::vector<fs::path> all;
        for (int step = 1; step <= steps_; ++step)
            all.push_back(patch(step));
        return all;
    }
    const temporary_directory& dir() const { return dir_; }

    archive::pack_result squash(const archive::pack_options& options = small_blocks()) const {
        parallel::serial_executor e;
        return archive::squash(patches(), dir_ / "squashed.bs", options, e);
    }

    /// Squashes without the base, and looks at what comes back; the bytes of the patch.
    std::uint64_t squashed_bytes() const {
        const archive::pack_result made = squash();
        CHECK(made.source_bytes == fs::file_size(file(steps_)));
        const fs::path squashed = dir_ / "squashed.bs";
        CHECK(made.compressed_bytes == fs::file_size(squashed));
        apply(file(0), squashed, dir_ / "back.safetensors");
        CHECK(read_file(dir_ / "back.safetensors") == read_file(file(steps_)));
        fs::remove(dir_ / "back.safetensors");
        CHECK(verify_with(squashed, file(0)).ok);
        fs::remove(squashed);
        return made.compressed_bytes;
    }

    /// What it must be near to: the patch that is made of the files.
    std::uint64_t direct_bytes() const {
        const archive::pack_result made = pack(file(steps_), dir_ / "direct.bs", against(file(0)));
        fs::remove(dir_ / "direct.bs");
        return made.compressed_bytes;
    }

private:
    temporary_directory dir_;
    int steps_ = 0;
};

} // namespace

TEST_CASE("patches of different tensors are squashed without their base", "[archive][patch]") {
    tensors now = model_of_layers();
    chain steps(now);
    train(now, "layers.0.q.weight", 1);
    train(now, "layers.0.norm.weight", 2);
    now["new.weight"] = bf16({40, 64}, 200);
    now["new.bias"] = bf16({64}, 201); // small ones lie in bundles
    now["new.scale"] = bf16({64}, 202);
    steps.add(now);
    train(now, "layers.1.q.weight", 3);
    train(now, "embed.weight", 4);
    now.erase("layers.3.up.weight");
    now["copy.weight"] = now.at("layers.1.q.weight");
    steps.add(now);
    train(now, "layers.2.up.weight", 5);
    now["renamed.weight"] = now.at("layers.0.q.weight"); // which the first patch has changed
    now.erase("layers.0.q.weight");
    now["layers.2.norm.bias"].bytes = noise(128, 6);
    steps.add(now);
    CHECK(steps.squashed_bytes() <= steps.direct_bytes() + steps.direct_bytes() / 20);
}

TEST_CASE("a squashed patch is one link of a longer chain", "[archive][patch]") {
    tensors now = model_of_layers();
    chain steps(now);
    for (int layer = 0; layer < 3; ++layer) {
        train(now, "layers." + std::to_string(layer) + ".up.weight", static_cast<std::uint64_t>(layer));
        steps.add(now);
    }
    const temporary_directory dir;
    parallel::serial_executor e;
    archive::squash({steps.patch(1), steps.patch(2)}, dir / "two.bs", small_blocks(), e);
    archive::squash({dir / "two.bs", steps.patch(3)}, dir / "three.bs", small_blocks(), e);
    apply(steps.file(0), dir / "three.bs", dir / "back.safetensors");
    CHECK(read_file(dir / "back.safetensors") == read_file(steps.file(3)));
    archive::squash({steps.patch(1)}, dir / "one.bs", small_blocks(), e);
    apply(steps.file(0), dir / "one.bs", dir / "first.safetensors");
    CHECK(read_file(dir / "first.safetensors") == read_file(steps.file(1)));
    // The chain is known by the files of the base, whatever is left of it.
    CHECK(io::container_reader(std::make_shared<const io::file_source>(dir / "three.bs")).index().base_files ==
          io::container_reader(std::make_shared<const io::file_source>(steps.patch(1))).index().base_files);
}

TEST_CASE("rows, fused tensors and other types are traced back to the first base", "[archive][patch]") {
    tensors now = model_of_layers();
    for (const char* name : {"layers.0.up.weight", "layers.3.up.weight"})
        now[name] = {"F32", {128, 64}, in_f32(now.at(name).bytes)};
    chain steps(now);

    // Fused, grown, rounded: images of several parts, with zeros and conversions.
    const auto fuse = [](const tensor& a, const tensor& b) {
        tensor both = a;
        both.shape[0] += b.shape[0];
        both.bytes.insert(both.bytes.end(), b.bytes.begin(), b.bytes.end());
        return both;
    };
    now["layers.1.qk.weight"] = fuse(now.at("layers.1.q.weight"), now.at("layers.1.k.weight"));
    now.erase("layers.1.q.weight");
    now.erase("layers.1.k.weight");
    now["embed.weight"] = fuse(now.at("embed.weight"), {"BF16", {8, 64}, byte_buffer(8 * 128)});
    now["layers.0.up.weight"] = model_of_layers().at("layers.0.up.weight");
    steps.add(now);

    // Trained on, and cut: rows from the front, from the middle and from the end.
    train(now, "layers.1.qk.weight", 1);
    const auto cut = [&](const std::string& name, std::ptrdiff_t first, std::ptrdiff_t last) {
        tensor& one = now.at(name);
        one.shape[0] -= static_cast<std::uint64_t>(last - first);
        one.bytes.erase(one.bytes.begin() + 128 * first, one.bytes.begin() + 128 * last);
    };
    cut("layers.0.up.weight", 0, 28);
    cut("embed.weight", 304, 308);
    cut("embed.weight", 100, 150);
    cut("layers.2.up.weight", 10, 20);
    now["layers.3.up.weight"] = model_of_layers().at("layers.3.up.weight");
    cut("layers.3.up.weight", 0, 28);
    steps.add(now);
    const archive::pack_result second = pack(steps.file(2), steps.dir() / "again.bs", against(steps.file(1)));
    REQUIRE(second.patch->matched_tensors == now.size());
    CHECK(steps.squashed_bytes() <= steps.direct_bytes() + steps.direct_bytes() / 10);
}

TEST_CASE("a tensor that two patches change needs the base", "[archive][patch]") {
    tensors now = model_of_layers();
    chain steps(now);
    train(now, "layers.0.q.weight", 1);
    train(now, "layers.1.q.weight", 2);
    steps.add(now);
    train(now, "layers.1.q.weight", 3);
    steps.add(now);
    const error failure = thrown_by([&] { steps.squash(); });
    CHECK(failure.code() == errc::invalid_argument);
    CHECK(failure.hint().find("--base") != std::string::npos);
    CHECK(std::string(failure.what()).find("layers.1.q.weight") != std::string::npos);
    CHECK_FALSE(fs::exists(steps.dir() / "squashed.bs"));
    CHECK(steps.squash(against(steps.file(0))).compressed_bytes > 0);
    apply(steps.file(0), steps.dir() / "squashed.bs", steps.dir() / "back.safetensors");
    CHECK(read_file(steps.dir() / "back.safetensors") == read_file(steps.file(2)));

    // Not when nothing of it is left, or it is gone in the end.
    now["layers.1.q.weight"].bytes = noise(64 * 128, 5);
    steps.add(now);
    fs::remove(steps.dir() / "squashed.bs");
    fs::remove(steps.dir() / "back.safetensors");
    steps.squashed_bytes();
    now.erase("layers.1.q.weight");
    steps.add(now);
    steps.squashed_bytes();
}

TEST_CASE("a part of a tensor that was changed needs the base, too", "[archive][patch]") {
    tensors now = model_of_layers();
    chain steps(now);
    train(now, "embed.weight", 1);
    steps.add(now);
    now.at("embed.weight").shape[0] = 200;
    now.at("embed.weight").bytes.resize(200 * 128);
    steps.add(now);
    const error failure = thrown_by([&] { steps.squash(); });
    CHECK(failure.code() == errc::invalid_argument);
    CHECK(std::string(failure.what()).find("embed.weight") != std::string::npos);
}

TEST_CASE("tensors that were converted in two ways cannot be parts of one image", "[archive][patch]") {
    tensors now = model_of_layers();
    const byte_buffer narrow = now.at("layers.0.q.weight").bytes;
    now["layers.0.q.weight"] = {"F32", {64, 64}, in_f32(narrow)};
    chain steps(now);
    now["layers.0.q.weight"] = {"BF16", {64, 64}, narrow};
    steps.add(now);
    const std::uint64_t one_conversion = steps.squashed_bytes();
    CHECK(one_conversion <= steps.direct_bytes() + 200);
    const byte_buffer& other = now.at("layers.0.k.weight").bytes;
    byte_buffer both = narrow;
    both.insert(both.end(), other.begin(), other.end());
    now["layers.0.qk.weight"] = {"BF16", {128, 64}, both};
    now.erase("layers.0.q.weight");
    now.erase("layers.0.k.weight");
    steps.add(now);
    const error failure = thrown_by([&] { steps.squash(); });
    CHECK(failure.code() == errc::invalid_argument);
    CHECK(std::string(failure.what()).find("layers.0.qk.weight") != std::string::npos);
    train(now, "layers.0.qk.weight", 1); // nor is that an image of the base
    steps.add(now);
    CHECK(thrown_by([&] { steps.squash(); }).code() == errc::invalid_argument);
}

TEST_CASE("what takes nothing from the base any more is a patch all the same", "[archive][patch]") {
    tensors now{{"a.weight", bf16({64, 64}, 1)}};
    chain steps(now);
    train(now, "a.weight", 2);
    steps.add(now);
    steps.add({{"b.weight", bf16({64, 32}, 3)}});
    steps.squashed_bytes();
}

TEST_CASE("directories are squashed with the files beside the model", "[archive][patch]") {
    const temporary_directory dir;
    for (const int step : {0, 1, 2}) {
        const fs::path folder = dir / std::to_string(step);
        tensors now = model_of_layers();
        if (step >= 1) train(now, "layers.0.q.weight", 1);
        if (step >= 2) train(now, "layers.1.q.weight", 2);
        tensors head{{"head.weight", bf16({64, 64}, 50)}};
        write(folder / "model.safetensors", now);
        write(folder / "head.safetensors", head);
        write_file(folder / "config.json", "{\"step\": " + std::to_string(step) + "}\n");
        write_file(folder / "notes" / "same.txt", std::string(9000, 'x'));
    }
    pack(dir / "1", dir / "1.bs", against(dir / "0"));
    pack(dir / "2", dir / "2.bs", against(dir / "1"));
    parallel::serial_executor e;
    archive::squash({dir / "1.bs", dir / "2.bs"}, dir / "both.bs", small_blocks(), e);
    apply(dir / "0", dir / "both.bs", dir / "back");
    CHECK(read_tree(dir / "back") == read_tree(dir / "2"));
}

TEST_CASE("a type of the same width is another tensor", "[archive][patch]") {
    tensors now = model_of_layers();
    byte_buffer f16, bf16_bytes;
    for (std::size_t i = 0; i < 4096; ++i) { // 1 and -1 in both types
        const bool negative = noise(4096, 3)[i] % 2 == 1;
        f16.insert(f16.end(), {0x00, static_cast<std::uint8_t>(negative ? 0xbc : 0x3c)});
        bf16_bytes.insert(bf16_bytes.end(), {0x80, static_cast<std::uint8_t>(negative ? 0xbf : 0x3f)});
    }
    now["w"] = {"F16", {64, 64}, f16};
    chain steps(now);
    train(now, "layers.0.q.weight", 1);
    steps.add(now);
    now["w"] = {"BF16", {64, 64}, bf16_bytes};
    steps.add(now);
    steps.squashed_bytes();
}

TEST_CASE("patches of several files need the base", "[archive][patch]") {
    const temporary_directory dir;
    for (const int step : {0, 1, 2}) {
        const fs::path folder = dir / std::to_string(step);
        tensors now = model_of_layers();
        if (step >= 1) train(now, "layers.0.q.weight", 1);
        if (step >= 2) train(now, "layers.1.q.weight", 2);
        write(folder / "model.safetensors", now);
        write_file(folder / "config.json", "{\"step\": " + std::to_string(step) + "}\n");
    }
    parallel::serial_executor e;
    for (const int step : {1, 2}) {
        const std::string name = std::to_string(step), before = std::to_string(step - 1);
        pack(dir / name, dir / (name + ".bs"), against(dir / before));
        for (const unsigned shards : {1u, 2u}) {
            archive::reshard_options options;
            options.layout.shards = shards;
            options.base = model(dir / before);
            archive::reshard({dir / (name + ".bs")}, dir / (name + "-" + std::to_string(shards)), options, e);
        }
    }
    for (const char* shards : {"-1", "-2"}) {
        INFO(shards);
        const std::vector<fs::path> patches{dir / ("1" + std::string(shards)), dir / ("2" + std::string(shards))};
        const error failure = thrown_by([&] { archive::squash(patches, dir / "both.bs", small_blocks(), e); });
        CHECK(failure.code() == errc::invalid_argument);
        CHECK(failure.hint().find("--base") != std::string::npos);
        CHECK_FALSE(fs::exists(dir / "both.bs"));
        archive::squash(patches, dir / "both.bs", against(dir / "0"), e);
        apply(dir / "0", dir / "both.bs", dir / "back");
        archive::unpack_options chain;
        chain.base = model(patches[0], model(dir / "0"));
        unpack(patches[1], dir / "chain", chain);
        CHECK(read_tree(dir / "back") == read_tree(dir / "chain"));
        fs::remove_all(dir / "back");
        fs::remove_all(dir / "chain");
        fs::remove(dir / "both.bs");
    }
}

TEST_CASE("patches of another writer: images of plain blocks, base tensors whose MD5 is not known",
          "[archive][patch]") {
    const temporary_directory dir;
    const auto file_of = [](const byte_buffer& raw) { return safetensors_builder().add("x", "U8", raw).build(); };
    // A patch whose one tensor is a plain block, with an image or without.
    enum class image { none, known, md5_unknown };
    const auto put = [&](const std::string& name, const byte_buffer& raw, const byte_buffer& base, image how) {
        const byte_buffer file = file_of(raw), base_file = file_of(base);
        const archive::hash_methods methods;
        const auto md5_of = [&](bytes_view bytes) {
            archive::md5_hasher hash;
            hash.start(methods.md5());
            hash.update(bytes);
            return hash.finish();
        };
        const auto sha256_of = [&](bytes_view bytes) {
            archive::sha256_hasher hash;
            hash.start(methods.sha256());
            hash.update(bytes);
            return hash.finish();
        };
        scratch memory;
        byte_buffer stored(archive::default_codec().bound(raw.size()));
        const encoded_block coded = archive::default_codec().encode({*find_dtype("U8")}, raw, stored, memory);
        stored.resize(coded.bytes);
        io::container_index index;
        index.contents.push_back({raw.size(),
                                  md5_of(raw),
                                  1 << 20,
                                  64,
                                  0,
                                  io::no_bundle,
                                  {{stored.size(), io::checksum(stored), coded.label.grouping, coded.label.entropy}}});
        index.base_files = {{"base", base_file.size(), sha256_of(base_file)}};
        if (how != image::none) {
            index.contents[0].image = 0;
            index.images = {{io::base_conversion::none, {{0, 0, raw.size()}}}};
            index.base_tensors = {{0, "x", base.size(), how == image::known ? md5_of(base) : io::md5_digest{}}};
        }
        const byte_buffer header(file.begin(), file.end() - static_cast<std::ptrdiff_t>(raw.size()));
        index.members.push_back({io::member_kind::safetensors,
                                 "m.safetensors",
                                 file.size(),
                                 sha256_of(file),
                                 header,
                                 {{io::extent_kind::tensor, 0}}});
        io::atomic_file out(dir / name, io::if_exists::refuse);
        io::container_writer writer(out, io::required_features(index));
        index.contents[0].offset = writer.append_block(stored);
        writer.finish(index);
        out.commit();
    };
    const std::vector<byte_buffer> versions{noise(5000, 1), noise(5000, 2), noise(5000, 3), noise(5000, 4)};
    write_file(dir / "base.safetensors", file_of(versions[0]));
    put("1.bs", versions[1], versions[0], image::none);
    put("2.bs", versions[2], versions[1], image::known);
    put("2-unknown.bs", versions[2], versions[1], image::md5_unknown);
    put("3-same.bs", versions[2], versions[2], image::none);
    put("3.bs", versions[3], versions[2], image::none);
    put("other.bs", versions[2], versions[3], image::md5_unknown);
    parallel::serial_executor e;
    const auto check = [&](const std::vector<const char*>& names, std::size_t version) {
        std::vector<fs::path> patches;
        for (const char* name : names)
            patches.push_back(dir / name);
        archive::squash(patches, dir / "out.bs", small_blocks(), e);
        apply(dir / "base.safetensors", dir / "out.bs", dir / "back");
        CHECK(read_file(dir / "back") == file_of(versions[version]));
        fs::remove(dir / "out.bs");
        fs::remove(dir / "back");
    };
    check({"1.bs", "2.bs", "3-same.bs"}, 2);
    check({"1.bs", "2-unknown.bs", "3.bs"}, 3);
    CHECK(thrown_by([&] { check({"1.bs", "other.bs", "3.bs"}, 3); }).code() == errc::mismatch);
    CHECK(thrown_by([&] { check({"1.bs", "2.bs"}, 2); }).code() == errc::invalid_argument);
}

TEST_CASE("what is no chain of patches is not squashed", "[archive][patch]") {
    tensors now = model_of_layers();
    chain steps(now);
    train(now, "layers.0.q.weight", 1);
    steps.add(now);
    train(now, "layers.1.q.weight", 2);
    steps.add(now);
    const auto squash = [&](const std::vector<fs::path>& patches, const fs::path& output) {
        parallel::serial_executor e;
        archive::pack_options options = small_blocks();
        options.existing = io::if_exists::replace;
        return thrown_by([&] { archive::squash(patches, output, options, e); }).code();
    };
    const fs::path out = steps.dir() / "out.bs", alone = steps.dir() / "alone.bs";
    pack(steps.file(0), alone);
    CHECK(squash({}, out) == errc::invalid_argument);
    CHECK(squash({steps.patch(2), steps.patch(1)}, out) == errc::mismatch);
    CHECK(squash({steps.patch(1), steps.patch(1)}, out) == errc::mismatch);
    CHECK(squash({alone, steps.patch(1)}, out) == errc::invalid_argument);
    CHECK(squash({steps.patch(1), alone}, out) == errc::invalid_argument);
    CHECK(squash({steps.patch(1), steps.patch(2)}, steps.patch(1)) == errc::invalid_argument);
    CHECK(squash({steps.patch(1), steps.dir() / "none.bs"}, out) == errc::missing);
    write_file(steps.dir() / "step-1.bs.ecc", "parity");
    CHECK(squash({steps.patch(1), steps.patch(2)}, steps.dir() / "step-1.bs.ecc") == errc::invalid_argument);
    CHECK_FALSE(fs::exists(out));
    // Damaged receipts can only be made anew with the base.
    const byte_buffer sound = read_file(steps.patch(1));
    damage_byte(steps.patch(1),
                io::container_reader(std::make_shared<const io::file_source>(steps.patch(1))).footer().payload_end());
    parallel::serial_executor e;
    const error receipts = thrown_by([&] { archive::squash(steps.patches(), out, small_blocks(), e); });
    CHECK(receipts.code() == errc::corrupt);
    CHECK(receipts.hint().find("--base") != std::string::npos);
    archive::squash(steps.patches(), out, against(steps.file(0)), e);
    fs::remove(out);
    write_file(steps.patch(1), sound);
    // A damaged block is found as it is copied, and nothing is left.
    damage_byte(steps.patch(1), 64);
    CHECK(squash({steps.patch(1), steps.patch(2)}, out) == errc::corrupt);
    CHECK_FALSE(fs::exists(out));
    CHECK(fs::exists(steps.patch(1)));
}
