// SPDX-License-Identifier: BSL-1.0
// Chains of patches that need their base, that are none, and those of other writers.
#include <bigsmall/archive/reshard.hpp>

#include "unit/archive/patch_chains.hpp"

using namespace support;

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

    // Not when it is what it was again, nothing of it is left, or it is gone in the end.
    const byte_buffer changed = now.at("layers.1.q.weight").bytes;
    now["layers.1.q.weight"] = model_of_layers().at("layers.1.q.weight");
    steps.add(now);
    fs::remove(steps.dir() / "squashed.bs");
    fs::remove(steps.dir() / "back.safetensors");
    CHECK(steps.squashed_bytes() < steps.direct_bytes() + 200);
    now["layers.1.q.weight"].bytes = changed; // from there on it is the base's again
    steps.add(now);
    steps.squashed_bytes();
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
