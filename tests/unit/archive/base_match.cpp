// SPDX-License-Identifier: BSL-1.0
// Which bytes of a base each tensor of a model is near to: every kind of match, on small generated models.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <bigsmall/archive/base_match.hpp>
#include <bigsmall/archive/model_reader.hpp>
#include <bigsmall/archive/read_image.hpp>
#include <bigsmall/parallel/tbb.hpp>

#include "support/archive_runs.hpp"
#include "support/catch.hpp"

using namespace support;
using archive::match_kind;
using archive::model_reader;
using archive::tensor_match;

namespace {

/// The same weights after some training: each BF16 number moves by a few steps.
byte_buffer trained(byte_buffer weights, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for (std::size_t i = 0; i + 2 <= weights.size(); i += 2) {
        const std::uint64_t draw = random();
        const auto step = static_cast<std::uint16_t>(draw % 4 == 0 ? draw / 4 % 5 : 0);
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

byte_buffer range(const byte_buffer& bytes, std::size_t begin, std::size_t count) {
    const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(begin);
    return {from, from + static_cast<std::ptrdiff_t>(count)};
}

byte_buffer as_f32(const byte_buffer& bf16) {
    byte_buffer wide(bf16.size() * 2);
    archive::convert_floats(io::base_conversion::bf16_to_f32, bf16, wide);
    return wide;
}

/// The lower halves get something that rounding takes away again.
byte_buffer as_noisy_f32(const byte_buffer& bf16, std::uint64_t seed) {
    byte_buffer wide = as_f32(bf16);
    const byte_buffer low = noise(bf16.size() / 2, seed);
    for (std::size_t i = 0; i < low.size(); ++i)
        wide[4 * i] = low[i];
    return wide;
}

struct two_models {
    temporary_directory dir;
    safetensors_builder base, target;

    std::vector<tensor_match> match() {
        write_file(dir / "base.safetensors", base.build());
        write_file(dir / "target.safetensors", target.build());
        return match("target.safetensors", "base.safetensors");
    }
    std::vector<tensor_match> match(const std::string& of_target, const std::string& of_base) {
        const model_reader a(dir / of_target), b(dir / of_base);
        parallel::serial_executor e;
        return archive::match_tensors(a, b, {}, e);
    }
    byte_buffer image(const tensor_match& match) const {
        const model_reader model(dir / "base.safetensors"), of(dir / "target.safetensors");
        byte_buffer bytes(static_cast<std::size_t>(of.tensors()[match.target].bytes));
        read_image(model, match.image, 0, bytes);
        return bytes;
    }
};

} // namespace

TEST_CASE("tensors of the same name match however much they differ", "[archive]") {
    two_models models;
    const byte_buffer w = gaussian_bf16(64 * 64, 1);
    models.base.add("a", "BF16", {64, 64}, w).add("b", "BF16", {64, 64}, w).add("c", "BF16", {64, 64}, w);
    models.base.add("d", "BF16", {64, 64}, w).add("empty", "BF16", {0}, {}).add("one", "F32", {}, noise(4, 1));
    models.target.add("a", "BF16", {64, 64}, w).add("b", "BF16", {64, 64}, trained(w, 2));
    models.target.add("c", "BF16", {64, 64}, gaussian_bf16(64 * 64, 3)).add("d", "BF16", {4, 1024}, trained(w, 4));
    models.target.add("empty", "BF16", {0}, {}).add("one", "F32", {}, noise(4, 2)).add("new", "U8", {5}, noise(5, 5));
    const auto matches = models.match();
    REQUIRE(matches.size() == 5);
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(matches[i].target == i);
        CHECK(matches[i].image ==
              io::base_image{io::base_conversion::none, {{static_cast<std::uint32_t>(i), 0, 8192}}});
    }
    CHECK(matches[0].kind == match_kind::same);
    CHECK(matches[0].changed_bits == 0);
    CHECK(matches[1].kind == match_kind::same);
    CHECK(matches[1].changed_bits > 0.1);
    CHECK(matches[1].changed_bits < 1.5);
    CHECK(matches[2].changed_bits > 10);
    CHECK(matches[3].kind == match_kind::reshaped);
    CHECK(matches[4].target == 5);
    CHECK(matches[4].kind == match_kind::same);
}

TEST_CASE("among several tensors of a name, the nearest is the base", "[archive]") {
    const temporary_directory dir;
    const byte_buffer w = gaussian_bf16(4096, 1);
    byte_buffer almost = w; // the sample does not see it
    almost[2 * 100] ^= 1;
    write_file(dir / "base" / "1.safetensors", safetensors_builder().add("w", "BF16", gaussian_bf16(4096, 2)).build());
    write_file(dir / "base" / "2.safetensors", safetensors_builder().add("w", "BF16", almost).build());
    write_file(dir / "base" / "3.safetensors", safetensors_builder().add("w", "BF16", w).build());
    write_file(dir / "target" / "1.safetensors", safetensors_builder().add("w", "BF16", trained(w, 1)).build());
    write_file(dir / "target" / "2.safetensors", safetensors_builder().add("w", "BF16", w).build());
    write_file(dir / "target" / "3.safetensors", safetensors_builder().add("w", "BF16", trained(w, 1)).build());
    parallel::serial_executor e;
    const auto matches = archive::match_tensors(model_reader(dir / "target"), model_reader(dir / "base"), {}, e);
    REQUIRE(matches.size() == 3);
    CHECK(matches[0].image.parts[0].tensor == 1); // as near as 2, and first
    CHECK(matches[1].image.parts[0].tensor == 2); // the same bytes
    CHECK(matches[2].image.parts[0].tensor == 2); // as near as 1, and in the file of the same name
}

TEST_CASE("other float types are converted", "[archive]") {
    two_models models;
    const byte_buffer w = gaussian_bf16(64 * 64, 1);
    models.base.add("down", "F32", {64, 64}, as_noisy_f32(w, 1)).add("up", "BF16", {64, 64}, w);
    models.base.add("other", "F32", {64, 64}, as_f32(gaussian_bf16(64 * 64, 7))).add("not", "I32", {64}, noise(256, 1));
    models.target.add("down", "BF16", {64, 64}, trained(w, 2)).add("up", "F32", {64, 64}, as_noisy_f32(w, 3));
    models.target.add("other", "BF16", {64, 64}, gaussian_bf16(64 * 64, 8)).add("not", "I16", {64}, noise(128, 2));
    const auto matches = models.match();
    REQUIRE(matches.size() == 2);
    CHECK(matches[0].kind == match_kind::converted);
    CHECK(matches[0].image == io::base_image{io::base_conversion::f32_to_bf16, {{0, 0, 8192}}});
    CHECK(matches[0].changed_bits < 2);
    CHECK(models.image(matches[0]) == w);
    CHECK(matches[1].kind == match_kind::converted);
    CHECK(matches[1].image == io::base_image{io::base_conversion::bf16_to_f32, {{1, 0, 16384}}});
    CHECK(models.image(matches[1]) == as_f32(w));
}

TEST_CASE("rows that were added or removed are found", "[archive]") {
    const std::size_t row = 48 * 2;
    const byte_buffer w = gaussian_bf16(300 * 48, 1), more = gaussian_bf16(40 * 48, 2), near = trained(w, 3);
    const auto add = [&](two_models& models, const std::string& name, const byte_buffer& base,
                         const byte_buffer& target) {
        models.base.add(name, "BF16", {base.size() / row, 48}, base);
        models.target.add(name, "BF16", {target.size() / row, 48}, target);
    };
    two_models models;
    add(models, "grown", w, joined({near, more}));
    add(models, "cut", w, range(near, 0, 200 * row));
    add(models, "grown.front", w, joined({more, near}));
    add(models, "cut.front", w, range(near, 57 * row, 243 * row));
    add(models, "grown.middle", w, joined({range(near, 0, 123 * row), more, range(near, 123 * row, 177 * row)}));
    add(models, "cut.middle", w, joined({range(near, 0, 123 * row), range(near, 160 * row, 140 * row)}));
    add(models, "strange", w, gaussian_bf16(310 * 48, 9));
    models.base.add("bias", "BF16", {300}, range(w, 0, 600));
    models.target.add("bias", "BF16", {340}, joined({range(near, 0, 600), range(more, 0, 80)}));
    models.base.add("wide", "F32", {300, 48}, as_noisy_f32(w, 4));
    models.target.add("wide", "BF16", {340, 48}, joined({near, more}));
    models.base.add("columns", "BF16", {48, 300}, w);
    models.target.add("columns", "BF16", {50, 288}, w);
    const auto matches = models.match();
    const auto parts = [&](std::size_t target) {
        const auto at = std::find_if(matches.begin(), matches.end(), [&](auto& m) { return m.target == target; });
        return at == matches.end() ? io::base_image() : at->image;
    };
    for (const tensor_match& match : matches)
        CHECK(match.kind == (match.target == 9 ? match_kind::reshaped : match_kind::resized));
    const auto none = io::no_base;
    using parts_t = std::vector<io::base_part>;
    CHECK(parts(0).parts == parts_t{{0, 0, 300 * row}, {none, 0, 40 * row}});
    CHECK(parts(1).parts == parts_t{{1, 0, 200 * row}});
    CHECK(parts(2).parts == parts_t{{none, 0, 40 * row}, {2, 0, 300 * row}});
    CHECK(parts(3).parts == parts_t{{3, 57 * row, 243 * row}});
    CHECK(parts(4).parts == parts_t{{4, 0, 123 * row}, {none, 0, 40 * row}, {4, 123 * row, 177 * row}});
    CHECK(parts(5).parts == parts_t{{5, 0, 123 * row}, {5, 160 * row, 140 * row}});
    CHECK(parts(6).parts.empty());
    CHECK(parts(7).parts == parts_t{{7, 0, 600}, {none, 0, 80}});
    CHECK(parts(8) == io::base_image{io::base_conversion::f32_to_bf16, {{8, 0, 300 * row}, {none, 0, 40 * row}}});
}

TEST_CASE("rows that were added and removed in several places are found", "[archive]") {
    const std::size_t row = 48 * 2;
    const byte_buffer w = gaussian_bf16(600 * 48, 1), more = gaussian_bf16(400 * 48, 2), near = trained(w, 3);
    const auto rows = [&](std::size_t first, std::size_t count) { return range(near, first * row, count * row); };
    const auto fresh = [&](std::size_t count) { return range(more, 0, count * row); };
    std::vector<byte_buffer> targets{
        joined({rows(0, 50), rows(51, 249), rows(301, 299)}),                        // two rows less
        joined({fresh(3), near, range(more, 3 * row, 61 * row)}),                    // more on both sides
        joined({rows(7, 93), fresh(5), rows(100, 300), rows(420, 80), fresh(1)}),    // all of it
        joined({rows(0, 100), fresh(300), rows(100, 500)}),                          // many rows in one place
        joined({rows(0, 200), fresh(2), rows(202, 398), range(more, 9 * row, row)}), // two rewritten
    };
    byte_buffer thinned; // every third row is missing, and some more
    for (std::size_t r = 0; r < 600; ++r)
        if (r * 7 % 3 != 0 && r % 5 != 1) thinned.insert(thinned.end(), &near[r * row], &near[r * row] + row);
    targets.push_back(thinned);
    two_models models;
    for (std::size_t t = 0; t < targets.size(); ++t) {
        models.base.add("w" + std::to_string(t), "BF16", {600, 48}, w);
        models.target.add("w" + std::to_string(t), "BF16", {targets[t].size() / row, 48}, targets[t]);
    }
    const auto matches = models.match();
    REQUIRE(matches.size() == targets.size());
    using parts_t = std::vector<io::base_part>;
    const auto part = [&](std::uint32_t tensor, std::size_t first, std::size_t count) {
        return io::base_part{tensor, first * row, count * row};
    };
    const auto none = io::no_base;
    CHECK(matches[0].image.parts == parts_t{part(0, 0, 50), part(0, 51, 249), part(0, 301, 299)});
    CHECK(matches[1].image.parts == parts_t{part(none, 0, 3), part(1, 0, 600), part(none, 0, 61)});
    CHECK(matches[2].image.parts ==
          parts_t{part(2, 7, 93), part(none, 0, 5), part(2, 100, 300), part(2, 420, 80), part(none, 0, 1)});
    CHECK(matches[3].image.parts == parts_t{part(3, 0, 100), part(none, 0, 300), part(3, 100, 500)});
    CHECK(matches[4].image.parts == parts_t{part(4, 0, 600), part(none, 0, 1)});
    CHECK(std::none_of(matches[5].image.parts.begin(), matches[5].image.parts.end(),
                       [&](const io::base_part& one) { return one.tensor == none; }));
    CHECK(matches[5].image.parts.size() == 200);
}

TEST_CASE("renamed tensors are found by their bytes", "[archive]") {
    two_models models;
    constexpr std::size_t layers = 40;
    for (std::size_t i = 0; i < layers; ++i) {
        const byte_buffer w = gaussian_bf16(32 * 32, i), v = gaussian_bf16(32 * 32, 100 + i);
        const std::string layer = "layers." + std::to_string(i), other = "h." + std::to_string((i * 7 + 3) % layers);
        models.base.add("model." + layer + ".up.weight", "BF16", {32, 32}, w);
        models.base.add("model." + layer + ".down.weight", "BF16", {32, 32}, v);
        models.base.add("model." + layer + ".ones", "BF16", {32}, byte_buffer(64, 0x3f));
        models.target.add(layer + ".up.weight", "BF16", {32, 32}, trained(w, i)); // another prefix
        models.target.add(other + ".mlp.c", "BF16", {32, 32}, trained(v, i));     // another name altogether
        models.target.add(layer + ".ones", "BF16", {32}, byte_buffer(64, 0x3f));  // equal to many
        models.target.add("zeros." + layer, "BF16", {32}, byte_buffer(64, 0));    // like none
        models.target.add("new." + layer, "BF16", {32, 32}, gaussian_bf16(32 * 32, 200 + i));
    }
    models.base.add("count", "I64", {1}, byte_buffer(8, 0));
    models.target.add("steps", "I64", {1}, byte_buffer(8, 0)); // equal by chance
    models.base.add("master", "F32", {64, 32}, as_noisy_f32(gaussian_bf16(64 * 32, 5), 1));
    models.target.add("half", "BF16", {64, 32}, gaussian_bf16(64 * 32, 5));
    const auto matches = models.match();
    REQUIRE(matches.size() == layers * 3 + 1);
    for (std::size_t m = 0; m + 1 < matches.size(); ++m) {
        const std::size_t i = m / 3, kind = m % 3;
        CHECK(matches[m].kind == match_kind::renamed);
        CHECK(matches[m].target == i * 5 + kind);
        CHECK(matches[m].image.parts ==
              std::vector<io::base_part>{{static_cast<std::uint32_t>(i * 3 + kind), 0, kind == 2 ? 64u : 2048u}});
    }
    CHECK(matches.back().kind == match_kind::renamed);
    CHECK(matches.back().image.conversion == io::base_conversion::f32_to_bf16);
}

TEST_CASE("layers that moved are found although the names are there", "[archive]") {
    two_models models;
    for (std::size_t i = 0; i < 10; ++i)
        models.base.add("layers." + std::to_string(i) + ".w", "BF16", {32, 64}, gaussian_bf16(32 * 64, i));
    for (std::size_t i = 0; i < 8; ++i) // the layers 3 and 4 were taken out
        models.target.add("layers." + std::to_string(i) + ".w", "BF16", {32, 64},
                          trained(gaussian_bf16(32 * 64, i < 3 ? i : i + 2), i));
    const auto matches = models.match();
    REQUIRE(matches.size() == 8);
    for (std::size_t i = 0; i < 8; ++i) {
        CHECK(matches[i].kind == (i < 3 ? match_kind::same : match_kind::renamed));
        CHECK(matches[i].image.parts[0].tensor == (i < 3 ? i : i + 2));
    }
}

TEST_CASE("fused and split tensors are found", "[archive]") {
    two_models there, back;
    const auto w = [](std::size_t rows, std::size_t seed) { return gaussian_bf16(rows * 64, seed); };
    const std::vector<std::uint64_t> q_shape{64, 64}, k_shape{16, 64}, up_shape{128, 64};
    for (std::size_t i = 0; i < 4; ++i) {
        const std::string a = "model.layers." + std::to_string(i) + ".", b = "h." + std::to_string(i) + ".";
        const std::size_t seed = i * 10;
        const byte_buffer q = w(64, seed), k = w(16, seed + 1), v = w(16, seed + 2), gate = w(128, seed + 3),
                          up = w(128, seed + 4), q_bias = gaussian_bf16(64, seed + 5), k_bias(32, 0), v_bias(32, 0);
        for (two_models* models : {&there, &back}) {
            const bool forth = models == &there;
            safetensors_builder& parts = forth ? models->base : models->target;
            safetensors_builder& wholes = forth ? models->target : models->base;
            const auto now = [&](const byte_buffer& bytes) { return trained(bytes, seed); };
            parts.add(a + "q_proj.weight", "BF16", q_shape, q).add(a + "k_proj.weight", "BF16", k_shape, k);
            parts.add(a + "v_proj.weight", "BF16", k_shape, v).add(a + "mlp.gate_proj.weight", "BF16", up_shape, gate);
            parts.add(a + "mlp.up_proj.weight", "BF16", up_shape, up).add(a + "q_proj.bias", "BF16", q_bias);
            parts.add(a + "k_proj.bias", "BF16", k_bias).add(a + "v_proj.bias", "BF16", v_bias);
            wholes.add(b + "qkv.weight", "BF16", {96, 64}, now(joined({q, k, v})));
            wholes.add(b + "gate_up.weight", "BF16", {256, 64}, now(joined({gate, up})));
            wholes.add(b + "qkv.bias", "BF16", joined({q_bias, k_bias, v_bias}));
        }
    }
    const auto fused = there.match();
    REQUIRE(fused.size() == 12);
    for (std::uint32_t i = 0; i < 4; ++i) {
        const std::uint32_t at = i * 8;
        for (std::size_t m = 0; m < 3; ++m)
            CHECK(fused[i * 3 + m].kind == match_kind::fused);
        CHECK(fused[i * 3].image.parts ==
              std::vector<io::base_part>{{at, 0, 8192}, {at + 1, 0, 2048}, {at + 2, 0, 2048}});
        CHECK(fused[i * 3 + 1].image.parts == std::vector<io::base_part>{{at + 3, 0, 16384}, {at + 4, 0, 16384}});
        CHECK(fused[i * 3 + 2].image.parts ==
              std::vector<io::base_part>{{at + 5, 0, 128}, {at + 6, 0, 32}, {at + 7, 0, 32}});
        CHECK(fused[i * 3].changed_bits < 2);
    }
    const auto split = back.match();
    REQUIRE(split.size() == 32);
    for (std::uint32_t i = 0; i < 4; ++i) {
        const std::vector<std::pair<std::uint32_t, std::uint64_t>> places{{0, 0},     {0, 8192}, {0, 10240}, {1, 0},
                                                                          {1, 16384}, {2, 0},    {2, 128},   {2, 160}};
        for (std::size_t m = 0; m < 8; ++m) {
            const tensor_match& match = split[i * 8 + m];
            CHECK(match.kind == match_kind::split);
            REQUIRE(match.image.parts.size() == 1);
            CHECK(match.image.parts[0].tensor == i * 3 + places[m].first);
            CHECK(match.image.parts[0].begin == places[m].second);
        }
    }
}

TEST_CASE("experts become one tensor, rounded", "[archive]") {
    two_models models;
    byte_buffer all;
    for (std::size_t i = 0; i < 12; ++i) {
        const byte_buffer gate = gaussian_bf16(16 * 32, i), up = gaussian_bf16(16 * 32, 50 + i);
        models.base.add("l.0.experts." + std::to_string(i) + ".gate", "F32", {16, 32}, as_noisy_f32(gate, i));
        models.base.add("l.0.experts." + std::to_string(i) + ".up", "F32", {16, 32}, as_noisy_f32(up, i));
        all = joined({all, gate, up});
    }
    models.target.add("l.0.experts.gate_up", "BF16", {12, 32, 32}, trained(all, 1));
    const auto matches = models.match();
    REQUIRE(matches.size() == 1);
    CHECK(matches[0].kind == match_kind::fused);
    CHECK(matches[0].image.conversion == io::base_conversion::f32_to_bf16);
    REQUIRE(matches[0].image.parts.size() == 24);
    for (std::uint32_t i = 0; i < 24; ++i)
        CHECK(matches[0].image.parts[i] == io::base_part{i, 0, 1024});
    CHECK(models.image(matches[0]) == all);
}

TEST_CASE("archives match as the files do, with any number of threads", "[archive]") {
    const temporary_directory dir;
    write_sharded_model(dir / "base");
    for (const char* shard : {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"}) {
        byte_buffer bytes = read_file(dir / "base" / shard);
        for (std::size_t i = bytes.size() / 2; i < bytes.size(); i += 10)
            bytes[i] ^= 1;
        write_file(dir / "target" / shard, bytes);
    }
    for (const char* name : {"base", "target"}) {
        pack(dir / name, dir / (std::string(name) + ".bs"));
        pack_per_shard(dir / name, dir / (std::string(name) + "-shards"));
    }
    parallel::serial_executor one;
    parallel::tbb_executor many(4);
    const model_reader target(dir / "target"), base(dir / "base");
    const auto expected = archive::match_tensors(target, base, {}, one);
    CHECK(expected.size() == 7);
    CHECK(archive::match_tensors(target, base, {}, many) == expected);
    for (const char* end : {".bs", "-shards"}) {
        const model_reader packed_target(dir / (std::string("target") + end)),
            packed_base(dir / (std::string("base") + end));
        CHECK(archive::match_tensors(packed_target, base, {}, many) == expected);
        CHECK(archive::match_tensors(target, packed_base, {}, many) == expected);
    }
}

TEST_CASE("sub-byte types and types that nobody knows match by name", "[archive]") {
    two_models models;
    models.base.add("f4", "F4", {64}, noise(32, 1))
        .add("x", "X9", {64}, noise(100, 2))
        .add("c", "C64", {8}, noise(64, 3));
    models.target.add("f4", "F4", {64}, noise(32, 1))
        .add("x", "X9", {64}, noise(100, 4))
        .add("c", "C64", {8}, noise(64, 3));
    const auto matches = models.match();
    REQUIRE(matches.size() == 3);
    for (const tensor_match& match : matches)
        CHECK(match.kind == match_kind::same);
    CHECK(matches[0].changed_bits == 0);
    CHECK(matches[1].changed_bits > 3);
    CHECK(matches[2].changed_bits == 0);
}
