// SPDX-License-Identifier: BSL-1.0
// Whatever is packed comes back bit by bit: every type x shape x distribution x odd value, random file layouts,
// and the real checkpoints of the shared data.
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <bigsmall/archive.hpp>
#include <bigsmall/codec/laws.hpp>
#include <bigsmall/parallel/tbb.hpp>

#include "support/archive_runs.hpp"
#include "support/catch.hpp"
#include "support/sanitized.hpp"

using namespace support;
using laws::fixed_random;

namespace {

struct distribution {
    const char* name;
    byte_buffer (*make)(const dtype&, std::size_t bytes, fixed_random&);
};

// An element of up to 8 bytes as a float type would have it.
std::uint64_t float_bits(const dtype& type, double value) {
    const std::uint64_t bits = std::bit_cast<std::uint64_t>(value);
    if (type.mantissa_bits == 0) return bits;
    const std::uint64_t sign = bits >> 63, mantissa = bits & ((std::uint64_t{1} << 52) - 1);
    const std::int64_t bias = (std::int64_t{1} << (type.exponent_bits - 1)) - 1;
    const std::int64_t exponent = static_cast<std::int64_t>(bits >> 52 & 0x7ff) - 1023 + bias;
    const std::int64_t most = (std::int64_t{1} << type.exponent_bits) - 1;
    const auto kept = static_cast<std::uint64_t>(std::clamp<std::int64_t>(exponent, 0, most));
    return (sign << (type.exponent_bits + type.mantissa_bits)) | (kept << type.mantissa_bits) |
           (mantissa >> (52 - type.mantissa_bits));
}

// Fills with whole elements, floats of a complex number one by one; the bits of F4 and F6 run on.
byte_buffer fill(const dtype& type, std::size_t bytes, const std::function<std::uint64_t()>& element) {
    const std::size_t bits = type.kind == number_kind::complex_float ? type.bits / 2u : type.bits;
    byte_buffer out(bytes);
    if (bits % 8 != 0) {
        for (std::uint8_t& byte : out)
            byte = static_cast<std::uint8_t>(element() ^ element() << bits);
        return out;
    }
    for (std::size_t at = 0; at + bits / 8 <= bytes; at += bits / 8) {
        std::uint8_t word[8];
        store_le(word, element());
        std::memcpy(out.data() + at, word, bits / 8);
    }
    return out;
}

double gaussian(fixed_random& random) {
    double sum = -6;
    for (int i = 0; i < 12; ++i)
        sum += static_cast<double>(random() >> 11) / 9007199254740992.0;
    return sum;
}

const distribution distributions[] = {
    {"zeros", [](const dtype&, std::size_t n, fixed_random&) { return byte_buffer(n); }},
    {"noise", [](const dtype& t, std::size_t n, fixed_random& r) { return fill(t, n, [&] { return r(); }); }},
    {"gaussian", [](const dtype& t, std::size_t n,
                    fixed_random& r) { return fill(t, n, [&] { return float_bits(t, gaussian(r) * 0.02); }); }},
    {"sparse",
     [](const dtype& t, std::size_t n, fixed_random& r) {
         return fill(t, n, [&] { return r.below(20) == 0 ? float_bits(t, gaussian(r)) : 0; });
     }},
    {"small integers",
     [](const dtype& t, std::size_t n, fixed_random& r) { return fill(t, n, [&] { return r.below(7) - 3; }); }},
    {"rising",
     [](const dtype& t, std::size_t n, fixed_random&) {
         std::uint64_t next = 0;
         return fill(t, n, [&] { return next++; });
     }},
    {"odd values", // signed zeros, subnormals, infinities, NaNs of every payload, the extremes
     [](const dtype& t, std::size_t n, fixed_random& r) {
         const unsigned width = t.exponent_bits + t.mantissa_bits + (t.mantissa_bits ? 1u : 0u);
         const std::uint64_t sign = width ? std::uint64_t{1} << (width - 1) : 0x80;
         const std::uint64_t mantissa = (std::uint64_t{1} << t.mantissa_bits) - 1;
         const std::uint64_t exponent = width ? (sign - 1) & ~mantissa : 0x7f;
         return fill(t, n, [&, sign, mantissa, exponent]() -> std::uint64_t {
             switch (r.below(6)) {
             case 0: return sign;
             case 1: return r() & (mantissa | sign);
             case 2: return exponent | (r() & sign);
             case 3: return exponent | (r() & mantissa) | (r() & sign);
             case 4: return (exponent - mantissa - 1) | mantissa;
             default: return 0;
             }
         });
     }},
};

std::vector<std::vector<std::uint64_t>> shapes() {
    return {{}, {0}, {1}, {2}, {3, 0, 5}, {7}, {63}, {64}, {5, 13}, {16, 16, 2}, {1000}, {4099}};
}

/// Packs and unpacks one file in memory-sized steps and says whether the same came back.
bool comes_back(const temporary_directory& dir, const byte_buffer& file, std::uint64_t block_bytes,
                archive::operating_point point = archive::operating_point::balanced) {
    parallel::serial_executor e;
    write_file(dir / "in.safetensors", file);
    archive::pack_options options;
    options.tune(point);
    options.block_bytes = block_bytes;
    options.existing = io::if_exists::replace;
    const auto packed = archive::pack(dir / "in.safetensors", dir / "x.bs", options, e);
    // The promise on size; an entry in the index for every few bytes is not under it.
    if (block_bytes >= 64 * KiB) CHECK(packed.compressed_bytes <= file.size() + file.size() / 1000 + 4 * KiB);
    io::memory_sink back;
    archive::unpack_to(dir / "x.bs", back, {}, e);
    return back.bytes() == file;
}

std::uintmax_t bytes_below(const fs::path& directory) {
    std::uintmax_t bytes = 0;
    for (const auto& entry : fs::recursive_directory_iterator(directory))
        if (entry.is_regular_file()) bytes += entry.file_size();
    return bytes;
}

} // namespace

TEST_CASE("every type, shape and distribution comes back", "[property]") {
    const temporary_directory dir;
    fixed_random random(1);
    std::vector<dtype> types(detail::dtypes.begin(), detail::dtypes.end());
    types.push_back({"UNHEARD_OF_3", number_kind::opaque, 24});
    for (const dtype& type : types) {
        safetensors_builder file;
        int number = 0;
        for (const distribution& d : distributions)
            for (const auto& shape : shapes()) {
                const auto bytes = size_in_bytes(type, *element_count(shape));
                if (!bytes) continue; // F4 and F6 of that shape do not fill whole bytes
                file.add(std::string(d.name) + std::to_string(number++), std::string(type.name), shape,
                         d.make(type, static_cast<std::size_t>(*bytes), random));
            }
        INFO("type " << type.name);
        CHECK(comes_back(dir, file.build(), 512));
        CHECK(comes_back(dir, file.build(), 256 * KiB));
        CHECK(comes_back(dir, file.build(), 256 * KiB, archive::operating_point::storage));
        CHECK(comes_back(dir, file.build(), 256 * KiB, archive::operating_point::inference));
    }
}

TEST_CASE("matrices of every float type, large enough for classes and pieces, come back", "[property]") {
    const temporary_directory dir;
    fixed_random random(3);
    for (const char* name : {"BF16", "F16", "F32", "F64", "F8_E4M3", "I8"}) {
        const dtype type = *find_dtype(name);
        for (const std::uint64_t columns : {96u, 1000u}) {
            const std::uint64_t rows = 200000 / columns;
            // Rows and columns of several scales, a few outliers, zeros and NaNs.
            const auto element = [&, i = std::uint64_t{0}]() mutable {
                const double scale = 1 << (i / columns % 3 + i % columns % 5 * 2);
                ++i;
                const std::uint64_t rare = random.below(5000);
                if (rare == 0) return random();
                return rare == 1 ? 0 : float_bits(type, gaussian(random) * scale / 4096);
            };
            safetensors_builder file;
            file.add("matrix", name, {rows, columns}, fill(type, rows * columns * type.bits / 8, element));
            INFO(name << " of " << columns << " columns");
            for (const auto point : {archive::operating_point::storage, archive::operating_point::balanced,
                                     archive::operating_point::inference})
                CHECK(comes_back(dir, file.build(), archive::recipe_of(point).block_bytes, point));
        }
    }
}

TEST_CASE("random layouts come back", "[property]") {
    const temporary_directory dir;
    for (std::uint64_t seed = 1, last = is_sanitized ? 20 : 60; seed <= last; ++seed) {
        fixed_random random(seed);
        safetensors_builder file;
        std::vector<byte_buffer> used{byte_buffer(100, 1)};
        const std::uint64_t parts = random.below(40);
        for (std::uint64_t i = 0; i < parts; ++i) {
            const dtype& type = detail::dtypes[random.below(detail::dtypes.size())];
            const std::uint64_t elems = random.below(4) == 0 ? random.below(3000) * 8 : random.below(20) * 8;
            byte_buffer bytes = distributions[random.below(std::size(distributions))].make(
                type, static_cast<std::size_t>(*size_in_bytes(type, elems)), random);
            const std::string name = "t" + std::to_string(i);
            switch (random.below(4)) {
            case 0: file.gap(bytes); break;
            case 1: file.add(name, "U8", used[random.below(used.size())]); break;
            default: file.add(name, std::string(type.name), {elems}, bytes);
            }
            used.push_back(std::move(bytes));
        }
        if (random.below(2)) file.reversed_header();
        if (random.below(2)) file.metadata("k", "v" + std::to_string(seed));
        file.padding(random.below(9));
        INFO("seed " << seed);
        CHECK(comes_back(dir, file.build(), std::uint64_t{1} << (4 + random.below(16))));
    }
}

TEST_CASE("random directories come back in both layouts", "[property]") {
    for (std::uint64_t seed = 1, last = is_sanitized ? 4 : 12; seed <= last; ++seed) {
        fixed_random random(seed);
        const temporary_directory dir;
        fs::create_directories(dir / "m");
        for (std::uint64_t i = 0, files = random.below(12); i < files; ++i) {
            std::string name = random.below(3) == 0 ? "sub" + std::to_string(random.below(2)) + "/" : "";
            name += "f" + std::to_string(i);
            const byte_buffer bytes = noise(static_cast<std::size_t>(random.below(3) * 500), random.below(3));
            if (random.below(2))
                write_file(dir / "m" / name, bytes);
            else
                write_file(dir / "m" / (name + ".safetensors"), safetensors_builder().add("w", "U8", bytes).build());
        }
        INFO("seed " << seed);
        pack(dir / "m", dir / "m.bs");
        unpack(dir / "m.bs", dir / "a");
        CHECK(read_tree(dir / "a") == read_tree(dir / "m"));
        pack_per_shard(dir / "m", dir / "shards");
        unpack(dir / "shards", dir / "b");
        CHECK(read_tree(dir / "b") == read_tree(dir / "m"));
        CHECK(verify_against(dir / "shards", dir / "m").ok);
    }
}

TEST_CASE("the shared checkpoints come back", "[property]") {
    const auto data = shared_data();
    if (!data) SKIP("BIGSMALL_SHARED_DATA names no folder");
    parallel::tbb_executor e;
    for (const auto& entry : fs::directory_iterator(*data)) {
        if (!entry.is_directory()) continue;
        INFO(entry.path().filename().string());
        if (is_sanitized && bytes_below(entry.path()) > 4 * MiB) continue; // takes minutes there
        const temporary_directory dir;
        archive::pack(entry.path(), dir / "m.bs", {}, e);
        archive::unpack(dir / "m.bs", dir / "back", {}, e);
        CHECK(read_tree(dir / "back") == read_tree(entry.path()));
        CHECK(archive::verify_against(dir / "m.bs", entry.path(), {}, e).ok);
        archive::pack_options shards;
        shards.per_shard = true;
        archive::pack(entry.path(), dir / "shards", shards, e);
        archive::unpack(dir / "shards", dir / "again", {}, e);
        CHECK(read_tree(dir / "again") == read_tree(entry.path()));
    }
}
