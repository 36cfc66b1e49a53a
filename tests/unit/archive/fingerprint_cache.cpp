// SPDX-License-Identifier: BSL-1.0
// Fingerprints of models, and the file in which a directory keeps them.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include <bigsmall/archive/fingerprint.hpp>
#include <bigsmall/archive/fingerprint_cache.hpp>

#include "support/archive_runs.hpp"
#include "support/catch.hpp"

using namespace support;
using archive::detail::places_of;
using archive::detail::sample_places;
using archive::detail::word_type;

namespace {

archive::model_fingerprint print_of(const fs::path& path) {
    return archive::fingerprint_of(archive::model_reader(path));
}

constexpr std::size_t elems_of_large = 150'000; // words begin in its middle

safetensors_builder& add_large(safetensors_builder& file) {
    return file.add("model.embed_tokens.weight", "BF16", {1500, 100}, gaussian_bf16(elems_of_large, 1));
}
safetensors_builder& add_small(safetensors_builder& file) {
    return file.add("model.layers.10.w", "F32", {25, 8}, noise(800, 2))
        .add("model.layers.9.w", "F32", {25, 8}, noise(800, 3))
        .add("scalar", "I64", {}, noise(8, 4))
        .add("complex", "C64", {70}, noise(560, 5))
        .add("half bytes", "F4", {7, 2}, noise(7, 6))
        .add("unheard", "Q3", {5}, noise(11, 7))
        .add("none", "BF16", {0, 4}, {});
}

fs::path write_small_model(const temporary_directory& dir) {
    safetensors_builder file;
    write_file(dir / "m.safetensors", add_small(file).build());
    return dir / "m.safetensors";
}

archive::tensor_fingerprint tensor_of(std::uint64_t name, std::uint64_t bytes) {
    archive::tensor_fingerprint tensor;
    tensor.name = name * 0x9e3779b97f4a7c15u;
    tensor.bytes = bytes;
    return tensor;
}

/// Bytes with a checksum that fits, as somebody who means harm would write them.
byte_buffer sealed(byte_buffer bytes) {
    byte_buffer sum(8);
    store_le(sum.data(), io::checksum(bytes));
    bytes.insert(bytes.end(), sum.begin(), sum.end());
    return bytes;
}

byte_buffer unsealed(const byte_buffer& bytes) { return {bytes.begin(), bytes.end() - 8}; }

const std::vector<archive::cached_fingerprint> some_entries{{"a.safetensors", 7, {1, 2, 3}}, {"b", 8, {}}};

} // namespace

TEST_CASE("sampled words lie in the tensor, within one window", "[archive]") {
    for (const std::uint8_t bytes : byte_buffer{1, 2, 4, 8}) {
        const word_type type{bytes, 0, 0};
        for (std::uint64_t words = 0; words < 300'000; words += words < 3000 ? 1 : 997) {
            const sample_places places = places_of(words, type);
            REQUIRE(places.begin + places.span() <= words);
            REQUIRE(places.words() * type.bytes <= archive::detail::max_sample_bytes);
            REQUIRE(places.words() == std::min<std::uint64_t>(words, bytes == 8 ? 48 : 96));
            REQUIRE((places.runs < 2 || places.run <= places.stride));
            const std::uint64_t window = archive::detail::sample_window_words;
            REQUIRE(places.begin % window == 0);
            REQUIRE(places.span() <= window);
        }
        const std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
        const sample_places last = places_of(most, type);
        CHECK(last.begin + last.span() <= most);
    }
    // A vocabulary that grew keeps its places.
    const word_type bf16{2, 8, 7};
    CHECK(archive::detail::common_words(places_of(32000 * 4096, bf16), places_of(32016 * 4096, bf16)) == 96);
    CHECK(archive::detail::common_words(places_of(1000, bf16), places_of(4000, bf16)) == 0);
    CHECK(archive::detail::common_words(places_of(20, bf16), places_of(30, bf16)) == 20);
}

TEST_CASE("words are compared as numbers", "[archive]") {
    using namespace archive::detail;
    const word_type bf16{2, 8, 7}, f16{2, 5, 10}, f32{4, 8, 23}, i8{1, 0, 0};
    CHECK(difference_of(0x3f81, 0x3f80, bf16) == 1);
    CHECK(difference_of(0x3f80, 0x3f81, bf16) == ~std::uint64_t{0});
    CHECK(difference_of(0x8001, 0x0001, bf16) == static_cast<std::uint64_t>(-2)); // -x and x: through zero
    CHECK(difference_of(0x01, 0xff, i8) == 2);                                    // integers go round
    CHECK(width_of(difference_of(0xff, 0x01, i8)) == 2);
    CHECK(zigzag(static_cast<std::uint64_t>(-1)) == 1);
    for (std::uint64_t word = 0; word < 0x7f80; ++word)
        REQUIRE(word_of(value_of(word, bf16), bf16) == word);
    for (std::uint64_t word = 0x8000; word < 0xfc00; ++word)
        REQUIRE(word_of(value_of(word, f16), f16) == word);
    CHECK(word_of(1.0, f32) == 0x3f800000);
    CHECK(word_of(value_of(0x3f80ffff, f32), bf16) == 0x3f81); // to the nearest
    CHECK(word_of(value_of(0x3fffffff, f32), bf16) == 0x4000); // and into the next exponent
    CHECK(word_of(1e30, f16) == 0x7c00);
}

TEST_CASE("a fingerprint does not depend on files", "[archive]") {
    const temporary_directory dir;
    safetensors_builder one, reversed, first, second;
    add_small(add_large(one));
    add_large(add_small(reversed.metadata("format", "pt"))).reversed_header();
    write_file(dir / "one.safetensors", one.build());
    write_file(dir / "reversed.safetensors", reversed.padding(77).build());
    write_file(dir / "shards" / "m-00001-of-00002.safetensors", add_small(first).build());
    write_file(dir / "shards" / "m-00002-of-00002.safetensors", add_large(second).build());
    write_file(dir / "shards" / "config.json", "{}");
    pack(dir / "one.safetensors", dir / "one.bs");
    pack(dir / "shards", dir / "whole.bs");
    pack_per_shard(dir / "shards", dir / "packed shards");

    const byte_buffer expected = archive::encode_fingerprint(print_of(dir / "one.safetensors"));
    for (const char* form : {"reversed.safetensors", "shards", "one.bs", "whole.bs", "packed shards"}) {
        INFO(form);
        CHECK(archive::encode_fingerprint(print_of(dir / form)) == expected);
    }
    // Directories remember these bytes: whoever changes them raises fingerprint_version.
    CHECK(archive::fingerprint_version == 1);
    CHECK(io::checksum(expected) == 0xd19ae9554f4ef069u);
}

TEST_CASE("a fingerprint tells what was read", "[archive]") {
    const temporary_directory dir;
    safetensors_builder file;
    write_file(dir / "m.safetensors", add_small(add_large(file)).build());
    const archive::model_fingerprint print = print_of(dir / "m.safetensors");
    REQUIRE(print.tensors.size() == 8);
    CHECK(print.bytes == 2 * elems_of_large + 800 + 800 + 8 + 560 + 7 + 11);
    std::size_t sampled = 0;
    for (const archive::tensor_fingerprint& tensor : print.tensors) {
        CHECK(tensor.sampled() == (tensor.bytes > 0));
        sampled += tensor.sampled() ? 1 : 0;
    }
    CHECK(sampled == 7);
    const auto large = std::find_if(print.tensors.begin(), print.tensors.end(),
                                    [](const auto& tensor) { return tensor.bytes == 2 * elems_of_large; });
    REQUIRE(large != print.tensors.end());
    CHECK(large->rows == 1500);
    const byte_buffer bytes = gaussian_bf16(elems_of_large, 1);
    for (std::size_t run = 0; run < 8; ++run)
        CHECK(std::equal(print.words.begin() + static_cast<std::ptrdiff_t>(large->words_at + run * 24),
                         print.words.begin() + static_cast<std::ptrdiff_t>(large->words_at + run * 24 + 24),
                         bytes.begin() + static_cast<std::ptrdiff_t>(2 * (65536 + run * 4096))));
}

TEST_CASE("names: wrappers do not count, numbers are numbers", "[archive]") {
    using archive::detail::natural_less;
    CHECK(archive::detail::plain_name("model.language_model.layers.0.w") == "layers.0.w");
    CHECK(archive::detail::plain_name("_orig_mod.module.w") == "w");
    CHECK(archive::detail::plain_name("model.") == "model.");
    CHECK(archive::detail::role_name("layers.12.experts.3.w1") == "layers.#.experts.#.w#");
    CHECK(natural_less("l.9.w", "l.10.w"));
    CHECK_FALSE(natural_less("l.10.w", "l.9.w"));
    CHECK(natural_less("l.10.a", "l.10.b"));
    CHECK(natural_less("l.1", "l.10"));
    CHECK(natural_less("l.1", "l.1.w"));
    CHECK_FALSE(natural_less("l.1", "l.1"));
    CHECK(natural_less("a1x", "a12"));
    CHECK(natural_less("a", "a0"));
}

TEST_CASE("what is sampled is bounded, and chosen by names and sizes", "[archive]") {
    std::vector<archive::tensor_fingerprint> tensors;
    for (std::uint64_t i = 0; i < 300; ++i)
        tensors.push_back(tensor_of(i + 1, (std::uint64_t{1} << 40) + i));
    for (std::uint64_t i = 0; i < 3000; ++i)
        tensors.push_back(tensor_of(i + 1000, 4096));
    const std::vector<std::size_t> chosen = archive::detail::choose_sampled(tensors);
    std::uint64_t cost = 0;
    for (const std::size_t i : chosen)
        cost += std::min<std::uint64_t>(tensors[i].bytes, 1 * MiB);
    CHECK(cost <= archive::max_sampled_bytes);
    CHECK(chosen.size() <= archive::max_sampled_tensors);
    CHECK(std::count_if(chosen.begin(), chosen.end(), [](std::size_t i) { return i < 300; }) == 64);

    // Another model with some more tensors reads nearly the same ones.
    std::vector<archive::tensor_fingerprint> more = tensors;
    for (std::uint64_t i = 0; i < 10; ++i)
        more.push_back(tensor_of(i + 9000, std::uint64_t{1} << 40));
    const std::vector<std::size_t> others = archive::detail::choose_sampled(more);
    const std::set<std::size_t> known(chosen.begin(), chosen.end());
    const auto shared =
        std::count_if(others.begin(), others.end(), [&](std::size_t i) { return i < 300 && known.count(i); });
    CHECK(shared >= 56);

    std::vector<archive::tensor_fingerprint> tiny(5000, tensor_of(3, 8));
    CHECK(archive::detail::choose_sampled(tiny).size() == archive::max_sampled_tensors);
}

TEST_CASE("fingerprints are read back, and nothing else is taken for one", "[archive]") {
    const temporary_directory dir;
    const archive::model_fingerprint print = print_of(write_small_model(dir));
    const byte_buffer bytes = archive::encode_fingerprint(print);
    CHECK(archive::decode_fingerprint(bytes) == print);
    CHECK(archive::decode_fingerprint(archive::encode_fingerprint({})) == archive::model_fingerprint());
    for (std::size_t n = 0; n < bytes.size(); ++n)
        REQUIRE_FALSE(archive::decode_fingerprint(bytes_view(bytes).first(n)));
    byte_buffer longer = bytes;
    longer.push_back(0);
    CHECK_FALSE(archive::decode_fingerprint(longer));
    for (std::size_t i = 0; i < bytes.size(); ++i)
        for (const std::uint8_t value : byte_buffer{0x00, 0x01, 0x7f, 0xff}) {
            byte_buffer other = bytes;
            other[i] = value;
            if (const auto read = archive::decode_fingerprint(other))
                REQUIRE(archive::encode_fingerprint(*read).size() > 0);
        }
    // A count, and sizes, beyond all reason.
    CHECK_FALSE(archive::decode_fingerprint(byte_buffer{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}));
    archive::model_fingerprint huge;
    for (const std::uint64_t name : {1u, 2u, 3u})
        huge.tensors.push_back(tensor_of(name, std::uint64_t{1} << 62));
    CHECK_FALSE(archive::decode_fingerprint(archive::encode_fingerprint(huge)));
    huge.tensors.pop_back();
    CHECK(archive::decode_fingerprint(archive::encode_fingerprint(huge)));
    huge.tensors[0].dtype = 200;
    CHECK_FALSE(archive::decode_fingerprint(archive::encode_fingerprint(huge)));
    huge.tensors[0].dtype = archive::detail::dtype_number("F32");
    huge.tensors[0].bytes = 5; // no whole words
    CHECK_FALSE(archive::decode_fingerprint(archive::encode_fingerprint(huge)));
}

TEST_CASE("a cache is read back only when every byte is right", "[archive]") {
    const byte_buffer bytes = archive::encode_fingerprint_cache(some_entries);
    CHECK(archive::decode_fingerprint_cache(bytes) == some_entries);
    CHECK(archive::decode_fingerprint_cache(archive::encode_fingerprint_cache({}))->empty());
    for (std::size_t n = 0; n < bytes.size(); ++n)
        REQUIRE_FALSE(archive::decode_fingerprint_cache(bytes_view(bytes).first(n)));
    for (std::size_t i = 0; i < bytes.size(); ++i)
        for (int bit = 0; bit < 8; ++bit) {
            byte_buffer other = bytes;
            other[i] = static_cast<std::uint8_t>(other[i] ^ (1 << bit));
            REQUIRE_FALSE(archive::decode_fingerprint_cache(other));
        }
}

TEST_CASE("a cache whose checksum is right may still be hostile", "[archive]") {
    const byte_buffer front = unsealed(archive::encode_fingerprint_cache({}));
    const auto with = [&](const byte_buffer& behind) {
        byte_buffer bytes = front;
        bytes.insert(bytes.end(), behind.begin(), behind.end());
        return archive::decode_fingerprint_cache(sealed(bytes));
    };
    CHECK(with({}));
    CHECK(with({1, 'a', 0, 0, 0, 0, 0, 0, 0, 0, 0}));
    CHECK_FALSE(with({1, 'a', 0, 0, 0, 0, 0, 0, 0, 0, 1}));
    CHECK_FALSE(with({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 'a'}));
    CHECK_FALSE(with({1, 'a', 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}));
    const byte_buffer entry{1, 'a', 0, 0, 0, 0, 0, 0, 0, 0, 0};
    byte_buffer twice = entry;
    twice.insert(twice.end(), entry.begin(), entry.end());
    CHECK_FALSE(with(twice));
    byte_buffer many; // each costs eleven bytes here, and far more in memory
    for (std::uint32_t i = 0; i <= archive::max_cached_fingerprints; ++i) {
        const byte_buffer one{3,
                              static_cast<std::uint8_t>(i >> 16),
                              static_cast<std::uint8_t>(i >> 8),
                              static_cast<std::uint8_t>(i),
                              0,
                              0,
                              0,
                              0,
                              0,
                              0,
                              0,
                              0,
                              0};
        many.insert(many.end(), one.begin(), one.end());
    }
    CHECK_FALSE(with(many));
    many.resize(many.size() - 13);
    CHECK(with(many));
    byte_buffer newer = front;
    newer[8] = 2;
    CHECK_FALSE(archive::decode_fingerprint_cache(sealed(newer)));
    byte_buffer other_types = front;
    other_types[12] ^= 1;
    CHECK_FALSE(archive::decode_fingerprint_cache(sealed(other_types)));
}

TEST_CASE("a directory remembers, or says why not", "[archive]") {
    const temporary_directory dir;
    CHECK(archive::fingerprint_cache::read_from(dir.path()).entries().empty());
    CHECK(archive::fingerprint_cache::read_from(dir / "nowhere").entries().empty());
    // In any order.
    CHECK_FALSE(archive::fingerprint_cache::write_to(dir.path(), {some_entries[1], some_entries[0]}));
    const archive::fingerprint_cache cache = archive::fingerprint_cache::read_from(dir.path());
    CHECK(cache.entries() == some_entries);
    REQUIRE(cache.find("a.safetensors", 7) != nullptr);
    CHECK(*cache.find("a.safetensors", 7) == byte_buffer{1, 2, 3});
    CHECK(cache.find("a.safetensors", 8) == nullptr);
    CHECK(cache.find("a", 7) == nullptr);
    CHECK(cache.find("c", 7) == nullptr);
    CHECK(archive::fingerprint_cache::write_to(dir / "nowhere", {}));
    write_file(dir / "in the way" / ".bigsmall-fingerprints" / "file", "");
    CHECK(archive::fingerprint_cache::write_to(dir / "in the way", {}));
    CHECK(archive::fingerprint_cache::read_from(dir / "in the way").entries().empty());
}
