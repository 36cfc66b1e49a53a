// SPDX-License-Identifier: BSL-1.0
// Comparing models: what became of each tensor, whatever the models lie in.
#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include <bigsmall/archive/diff.hpp>
#include <bigsmall/parallel/tbb.hpp>

#include "support/archive_runs.hpp"
#include "support/catch.hpp"
#include "support/thread_pipelines.hpp"

using namespace support;
using archive::difference_kind;
using archive::model_reader;
using archive::tensor_difference;

namespace {

archive::diff_result compared(const model_reader& a, const model_reader& b) {
    parallel::serial_executor e;
    return archive::diff(a, b, {}, e);
}

archive::diff_result compared(const fs::path& a, const fs::path& b) {
    return compared(model_reader(a), model_reader(b));
}

/// The same weights after some training: a quarter of the BF16 numbers moves by up to four steps.
byte_buffer trained(byte_buffer weights, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (std::size_t i = 0; i + 2 <= weights.size(); i += 2) {
        const std::uint64_t draw = random();
        const auto step = static_cast<std::uint16_t>(draw % 4 == 0 ? draw / 4 % 4 + 1 : 0);
        store_le(weights.data() + i, static_cast<std::uint16_t>(load_le<std::uint16_t>(weights.data() + i) + step));
    }
    return weights;
}

byte_buffer joined(std::initializer_list<byte_buffer> parts) {
    byte_buffer all;
    for (const byte_buffer& part : parts)
        all.insert(all.end(), part.begin(), part.end());
    return all;
}

byte_buffer as_f32(const byte_buffer& bf16) {
    byte_buffer wide(bf16.size() * 2);
    archive::convert_floats(io::base_conversion::bf16_to_f32, bf16, wide);
    return wide;
}

/// Differing words of two tensors of BF16.
std::uint64_t differing(const byte_buffer& a, const byte_buffer& b) {
    std::uint64_t count = 0;
    for (std::size_t i = 0; i + 2 <= a.size(); i += 2)
        count += a[i] != b[i] || a[i + 1] != b[i + 1] ? 1u : 0u;
    return count;
}

struct two_models {
    temporary_directory dir;
    safetensors_builder a, b;

    void write() const {
        write_file(dir / "a.safetensors", a.build());
        write_file(dir / "b.safetensors", b.build());
    }
    archive::diff_result diff() const {
        write();
        return compared(dir / "a.safetensors", dir / "b.safetensors");
    }
};

bool is_all_equal(const archive::diff_result& found) {
    return found.equal() && found.total.different == 0 && found.count(difference_kind::equal) == found.tensors.size();
}

} // namespace

TEST_CASE("the same weights in other files, shards and codecs are equal", "[archive]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    pack(dir / "model", dir / "one.bs");
    pack(dir / "model", dir / "other.bs", archive::pack_options().tune(archive::operating_point::storage));
    pack_per_shard(dir / "model", dir / "shards");
    safetensors_builder merged; // in another order
    const model_reader plain(dir / "model");
    for (std::size_t i = plain.tensors().size(); i-- > 0;) {
        const archive::model_tensor& tensor = plain.tensors()[i];
        byte_buffer bytes(static_cast<std::size_t>(tensor.bytes));
        plain.read(i, 0, bytes);
        merged.add(tensor.name, tensor.dtype_name, tensor.shape, bytes);
    }
    write_file(dir / "merged.safetensors", merged.metadata("format", "pt").build());
    for (const char* a : {"model", "one.bs", "other.bs", "shards", "merged.safetensors"})
        for (const char* b : {"model", "one.bs", "other.bs", "shards", "merged.safetensors"}) {
            const archive::diff_result found = compared(dir / a, dir / b);
            CHECK(is_all_equal(found));
            CHECK(found.tensors.size() == 7);
            CHECK(found.total.update.words == plain.tensors()[0].bytes + 2 * (4096 + 8192) + 64);
            CHECK(found.total.update.changed_words == 0);
            CHECK(found.total.update.steps.empty());
            CHECK(found.metadata.empty());
        }
}

TEST_CASE("archives that have the same receipts are not decoded", "[archive]") {
    const temporary_directory dir;
    const byte_buffer w = noise(50'000, 1); // is stored as it is
    write_file(dir / "m.safetensors", safetensors_builder().add("w", "U8", w).build());
    pack(dir / "m.safetensors", dir / "a.bs");
    pack(dir / "m.safetensors", dir / "b.bs");
    damage_byte(dir / "b.bs", 10'000); // in a block
    byte_buffer part(w.size());
    CHECK(thrown_by([&] { model_reader(dir / "b.bs").read(0, 0, part); }).code() == errc::corrupt);
    CHECK(is_all_equal(compared(dir / "a.bs", dir / "b.bs")));
    CHECK(thrown_by([&] { compared(dir / "m.safetensors", dir / "b.bs"); }).code() == errc::corrupt);
}

TEST_CASE("changed tensors have their figures, and layers and roles their sums", "[archive]") {
    two_models models;
    const auto bf16 = [](std::vector<std::uint16_t> words) {
        byte_buffer bytes(words.size() * 2);
        for (std::size_t i = 0; i < words.size(); ++i)
            store_le(bytes.data() + i * 2, words[i]);
        return bytes;
    };
    const std::string q = "self_attn.q_proj.weight";
    models.a.add("model.layers.0." + q, "BF16", bf16({0x3f80, 0x4000, 0x4040, 0})); // 1 2 3 0
    models.b.add("model.layers.0." + q, "BF16", bf16({0x3f80, 0x4001, 0x4040, 0})); // 2 + 2^-6
    models.a.add("model.layers.1." + q, "BF16", bf16({0x4080, 0x4000}));            // 4 2
    models.b.add("model.layers.1." + q, "BF16", bf16({0x4100, 0x4000}));            // 8 2
    models.a.add("model.layers.1.input_layernorm.weight", "BF16", bf16({0x3f80}));
    models.b.add("model.layers.1.input_layernorm.weight", "BF16", bf16({0x3f80}));
    models.a.add("model.embed_tokens.weight", "U8", {1, 2, 3}).add("gone", "U8", {3}, {7, 7, 7});
    models.b.add("model.embed_tokens.weight", "U8", {1, 2, 3});
    const archive::diff_result found = models.diff();
    REQUIRE(found.tensors.size() == 5);
    CHECK_FALSE(found.equal());
    CHECK(found.count(difference_kind::changed) == 2);
    CHECK(found.count(difference_kind::equal) == 2);
    const tensor_difference &first = found.tensors[0], &second = found.tensors[1], &gone = found.tensors[4];
    CHECK(first.kind == difference_kind::changed);
    CHECK(first.a == std::vector<std::size_t>{0});
    CHECK(first.b == 0u);
    CHECK(first.update.words == 4);
    CHECK(first.update.changed_words == 1);
    CHECK(first.update.squared_a == 14);
    CHECK(first.update.max_update == 1.0 / 64);
    CHECK(first.update.steps == std::vector<std::uint64_t>{3, 1});
    CHECK(second.update.relative_l2() == 4 / std::sqrt(20.0));
    CHECK(second.update.steps == std::vector<std::uint64_t>{1, 0, 0, 0, 0, 0, 0, 0, 1}); // 128
    CHECK(gone.kind == difference_kind::removed);
    CHECK(gone.a == std::vector<std::size_t>{4});
    CHECK_FALSE(gone.b);

    REQUIRE(found.layers.size() == 3);
    CHECK(found.layers[0].layer == 0u);
    CHECK(found.layers[0].different == 1);
    CHECK(found.layers[0].update == first.update);
    CHECK(found.layers[1].layer == 1u);
    CHECK(found.layers[1].tensors == 2);
    CHECK(found.layers[1].different == 1);
    CHECK(found.layers[1].update.words == 3);
    CHECK(found.layers[1].update.squared_a == 20); // without the norm, which is equal
    CHECK_FALSE(found.layers[2].layer);
    CHECK(found.layers[2].tensors == 2);
    CHECK(found.layers[2].different == 1);
    std::map<std::string, const archive::difference_group*> roles;
    for (const archive::difference_group& role : found.roles)
        roles[role.name] = &role;
    REQUIRE(roles.size() == 4);
    CHECK(roles.at("attn_qkv")->tensors == 2);
    CHECK(roles.at("attn_qkv")->update.changed_words == 2);
    CHECK(roles.at("attn_qkv")->update.squared_update == 16 + 1.0 / 4096);
    CHECK(roles.at("norm")->different == 0);
    CHECK(roles.at("embedding")->update.words == 3);
    CHECK(roles.at("other")->different == 1);
    CHECK(found.total.tensors == 5);
    CHECK(found.total.different == 3);
    CHECK(found.total.update.words == 10);
    CHECK(found.total.update.changed_words == 2);
    CHECK(found.total.update.max_update == 4);
}

TEST_CASE("tensors of another form are told from what they were", "[archive]") {
    two_models models;
    const byte_buffer w[] = {gaussian_bf16(4096, 1), gaussian_bf16(4096, 2), gaussian_bf16(4096, 3),
                             gaussian_bf16(4096, 4), gaussian_bf16(2048, 5), gaussian_bf16(3072, 6)};
    const byte_buffer rows = gaussian_bf16(300 * 48, 7), more = gaussian_bf16(40 * 48, 8);
    models.a.add("old", "BF16", {64, 64}, w[0]).add("stays", "BF16", {64, 64}, w[1]).add("flat", "BF16", w[2]);
    models.a.add("vocabulary", "BF16", {300, 48}, rows).add("wide", "F32", {64, 64}, as_f32(w[3]));
    models.a.add("h.q", "BF16", {32, 64}, w[4]).add("h.k", "BF16", {48, 64}, w[5]);
    models.a.add("other", "I32", {4}, noise(16, 1)).add("gone", "I64", {2}, noise(16, 2)).add("none", "F32", {0}, {});
    const byte_buffer new_rows = trained(rows, 1);
    models.b.add("new", "BF16", {64, 64}, trained(w[0], 2)).add("stays", "BF16", {64, 64}, w[1]);
    models.b.add("twin", "BF16", {64, 64}, w[1]).add("flat", "BF16", {64, 64}, w[2]);
    models.b.add("vocabulary", "BF16", {340, 48}, joined({new_rows, more})).add("wide", "BF16", {64, 64}, w[3]);
    models.b.add("h.qk", "BF16", {80, 64}, joined({w[4], w[5]})).add("other", "I16", {4}, noise(8, 3));
    models.b.add("more", "U8", {9}, noise(9, 4)).add("none", "F32", {0, 4}, {});
    archive::diff_result found = models.diff();
    using enum difference_kind;
    const std::vector<difference_kind> kinds{renamed, equal,    copied, reshaped, resized, converted,
                                             fused,   replaced, added,  replaced, removed};
    REQUIRE(found.tensors.size() == kinds.size());
    for (std::size_t i = 0; i < kinds.size(); ++i)
        CHECK(name_of(found.tensors[i].kind) == std::string(name_of(kinds[i])));
    CHECK(found.tensors[0].a == std::vector<std::size_t>{0});
    CHECK(found.tensors[0].update.changed_words == differing(w[0], trained(w[0], 2)));
    CHECK(found.tensors[0].update.steps.size() == 4);
    CHECK(found.tensors[2].a == std::vector<std::size_t>{1});
    CHECK_FALSE(found.tensors[2].has_changed_words());
    CHECK(found.tensors[2].update.words == 4096);
    CHECK_FALSE(found.tensors[3].has_changed_words());
    CHECK(found.tensors[4].update.words == 300 * 48); // not those of new rows
    CHECK(found.tensors[4].update.changed_words == differing(rows, new_rows));
    CHECK(found.tensors[4].rows_added == 40);
    CHECK(found.tensors[4].rows_removed == 0);
    CHECK_FALSE(found.tensors[5].has_changed_words());
    CHECK(found.tensors[6].a == std::vector<std::size_t>{5, 6});
    CHECK(found.tensors[6].update.words == 80 * 64);
    CHECK(found.tensors[7].a == std::vector<std::size_t>{7});
    CHECK(found.tensors[7].update.words == 0);
    CHECK(found.tensors[8].a.empty());
    CHECK(found.total.different == 10);

    found = compared(models.dir / "b.safetensors", models.dir / "a.safetensors");
    CHECK(found.count(split) == 2);
    CHECK(found.tensors[3].rows_removed == 40);
    CHECK(found.tensors[3].rows_added == 0);
}

TEST_CASE("a word in any place is found, and the result is that of one thread", "[archive]") {
    two_models models;
    const std::size_t words = 5 * MiB / 2 + 77; // ten MiB and some words of F32: three pieces
    byte_buffer a = as_f32(gaussian_bf16(words, 1));
    byte_buffer b = a, c = a;
    b[b.size() - 4] ^= 1;
    for (std::size_t i = 0; i < words; i += 3)
        c[4 * i + 1] ^= static_cast<std::uint8_t>(i);
    models.a.add("one", "F32", a).add("many", "F32", a);
    models.b.add("one", "F32", b).add("many", "F32", c);
    models.write();
    const model_reader of_a(models.dir / "a.safetensors"), of_b(models.dir / "b.safetensors");
    const archive::diff_result expected = compared(of_a, of_b);
    CHECK(expected.tensors[0].update.words == words);
    CHECK(expected.tensors[0].update.changed_words == 1);
    CHECK(expected.tensors[0].update.steps == std::vector<std::uint64_t>{words - 1, 1});
    std::uint64_t changed = 0;
    for (std::size_t i = 0; i < words; i += 3)
        changed += static_cast<std::uint8_t>(i) != 0 ? 1u : 0u;
    CHECK(expected.tensors[1].update.changed_words == changed);
    const auto check_same = [&](auto&& e) {
        const archive::diff_result found = archive::diff(of_a, of_b, {}, e);
        CHECK(found.tensors[0].update == expected.tensors[0].update);
        CHECK(found.tensors[1].update == expected.tensors[1].update);
        CHECK(found.total.update == expected.total.update);
    };
    check_same(thread_executor(3));
    check_same(parallel::tbb_executor(4));
    pack(models.dir / "a.safetensors", models.dir / "a.bs");
    pack(models.dir / "b.safetensors", models.dir / "b.bs", archive::pack_options());
    CHECK(compared(models.dir / "a.bs", models.dir / "b.bs").total.update == expected.total.update);
    CHECK(compared(models.dir / "a.bs", models.dir / "b.safetensors").total.update == expected.total.update);
}

TEST_CASE("files may have tensors of one name", "[archive]") {
    const temporary_directory dir;
    const byte_buffer w = gaussian_bf16(500, 1);
    const byte_buffer file = safetensors_builder().add("w", "BF16", w).build();
    write_file(dir / "a" / "1.safetensors", file);
    write_file(dir / "a" / "2.safetensors", file);
    write_file(dir / "b" / "x.safetensors", file);
    write_file(dir / "b" / "y.safetensors", file);
    write_file(dir / "c" / "1.safetensors", file);
    pack(dir / "a", dir / "a.bs");
    pack(dir / "b", dir / "b.bs");
    CHECK(is_all_equal(compared(dir / "a", dir / "b")));
    CHECK(is_all_equal(compared(dir / "a.bs", dir / "b.bs")));
    const archive::diff_result less = compared(dir / "a", dir / "c"), more = compared(dir / "c", dir / "a");
    CHECK(less.count(difference_kind::removed) == 1);
    CHECK(less.total.different == 1);
    CHECK(more.count(difference_kind::copied) == 1);
    CHECK(more.total.different == 1);
}

TEST_CASE("metadata is told and does not matter", "[archive]") {
    two_models models;
    models.a.metadata("format", "pt").metadata("step", "1").metadata("old", "x").add("w", "U8", {1, 2});
    models.b.metadata("format", "pt").metadata("step", "2").metadata("new", "x").add("w", "U8", {1, 2});
    archive::diff_result found = models.diff();
    CHECK(found.equal());
    CHECK(found.metadata == std::vector<std::string>{"new", "old", "step"});
    pack(models.dir / "a.safetensors", models.dir / "a.bs");
    found = compared(models.dir / "a.bs", models.dir / "b.safetensors");
    CHECK(found.metadata == std::vector<std::string>{"new", "old", "step"});
    CHECK(compared(models.dir / "a.bs", models.dir / "a.safetensors").metadata.empty());
}

TEST_CASE("progress is told, and a run can be stopped", "[archive]") {
    struct listener final : parallel::progress_listener {
        void on_progress(const parallel::progress_event& event) override {
            done = event.done_bytes;
            total = event.total_bytes;
            item = std::string(event.item);
            if (stop != nullptr) stop->request();
        }
        std::uint64_t done = 0, total = 0;
        std::string item;
        parallel::cancel_token* stop = nullptr;
    };
    two_models models;
    const byte_buffer w = gaussian_bf16(8 * MiB, 1);
    models.a.add("w", "BF16", w);
    models.b.add("w", "BF16", trained(w, 1));
    models.write();
    const model_reader a(models.dir / "a.safetensors"), b(models.dir / "b.safetensors");
    listener told;
    parallel::cancel_token token;
    archive::run_options options;
    options.progress = &told;
    options.cancel = &token;
    parallel::serial_executor e;
    archive::diff(a, b, options, e);
    CHECK(told.done == 16 * MiB);
    CHECK(told.total == 16 * MiB);
    CHECK(told.item == "w");
    told.stop = &token;
    CHECK(thrown_by([&] { archive::diff(a, b, options, e); }).code() == errc::cancelled);
    CHECK(told.done == 8 * MiB);

    // What differs where samples do not see it is read twice, and that is told.
    byte_buffer almost = w;
    almost[12 * MiB + 1000] ^= 1;
    write_file(models.dir / "c.safetensors", safetensors_builder().add("w", "BF16", almost).build());
    listener twice;
    options = {};
    options.progress = &twice;
    archive::diff(a, model_reader(models.dir / "c.safetensors"), options, e);
    CHECK(twice.done == 32 * MiB);
    CHECK(twice.total == 32 * MiB);
}
