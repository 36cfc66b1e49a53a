// SPDX-License-Identifier: BSL-1.0
// The delta coder on generated pairs, measured: delta_pairs [MIB [ROUNDS [BLOCK_KIB]]]
//
// Weights are 0.02 N(0,1); a step is s times the weight, or s times 0.02, times N(0,1); "stored" is the latter from
// weights that are BF16 already, as a training that goes on from a checkpoint has them. Sizes in per cent of raw;
// beside them that of XOR with the base, byte planes and zstd -19 on the first blocks. Speeds are multiples of memcpy
// of the whole buffer, measured before and after each coder; the best of the rounds, as other work on the machine only
// slows.
//
//   c++ -std=c++20 -O2 -Iinclude benchmarks/study/delta_pairs.cpp -lzstd -o delta_pairs
#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include <zstd.h>

#include <bigsmall/codec.hpp>

namespace {

using namespace bigsmall;

std::uint64_t as_float_bits(double value, const dtype& type) {
    // To any float of 8, 16 or 32 bits, rounded to the nearest number, ties to even; small ones are subnormal.
    const int bias = (1 << (type.exponent_bits - 1)) - 1;
    if (type.bits == 64) return std::bit_cast<std::uint64_t>(value);
    const double magnitude = std::fabs(value);
    int exponent = magnitude == 0 ? 1 - bias : std::max(static_cast<int>(std::floor(std::log2(magnitude))), 1 - bias);
    double mantissa = std::nearbyint(std::ldexp(magnitude, type.mantissa_bits - exponent));
    if (mantissa >= std::ldexp(2.0, type.mantissa_bits)) mantissa /= 2, ++exponent;
    const auto digits = static_cast<std::uint64_t>(mantissa);
    const std::uint64_t one = std::uint64_t{1} << type.mantissa_bits;
    const std::uint64_t low =
        digits < one ? digits : digits - one + (static_cast<std::uint64_t>(exponent + bias) << type.mantissa_bits);
    return low | (std::signbit(value) ? std::uint64_t{1} << (type.bits - 1) : 0);
}

enum class update { relative, additive, stored, scattered };

struct pair_of_tensors {
    byte_buffer base, raw;
};

pair_of_tensors generate(const dtype& type, std::size_t size_bytes, update kind, double s) {
    std::mt19937_64 random(1);
    std::normal_distribution<double> normal;
    const std::size_t width = type.bits / 8u;
    const double scale = width == 1 ? 1.0 : 0.02;
    pair_of_tensors made{byte_buffer(size_bytes), byte_buffer(size_bytes)};
    for (std::size_t at = 0; at + width <= size_bytes; at += width) {
        const double weight = scale * normal(random);
        double step = s * normal(random) * (kind == update::relative ? weight : scale);
        if (kind == update::scattered)
            step = static_cast<double>(random() % 1000) < 1000 * s ? weight * 0.01 * normal(random) : 0;
        std::uint64_t before, after;
        if (type.kind == number_kind::integer) {
            before = static_cast<std::uint64_t>(std::llround(weight * 1e5));
            after = static_cast<std::uint64_t>(std::llround((weight + step) * 1e5));
        } else {
            before = as_float_bits(weight, type);
            const double from =
                kind == update::stored ? std::bit_cast<float>(static_cast<std::uint32_t>(before) << 16) : weight;
            after = as_float_bits(from + step, type);
        }
        std::memcpy(made.base.data() + at, &before, width);
        std::memcpy(made.raw.data() + at, &after, width);
    }
    return made;
}

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

template <class Work>
double seconds_of(const Work& work) {
    const double begin = now();
    work();
    return now() - begin;
}

double memcpy_seconds(const byte_buffer& from, byte_buffer& to) {
    return seconds_of([&] {
        std::memcpy(to.data(), from.data(), from.size());
        asm volatile("" : : "r"(to.data()) : "memory");
    });
}

double zstd_percent(const pair_of_tensors& pair, std::size_t width, std::size_t block_bytes) {
    std::size_t sum = 0;
    const std::size_t enough = std::min(pair.raw.size(), std::size_t{4} << 20); // it is slow
    for (std::size_t begin = 0; begin < enough; begin += block_bytes) {
        const std::size_t bytes = std::min(block_bytes, enough - begin), words = bytes / width;
        byte_buffer planes(bytes), coded(ZSTD_compressBound(bytes));
        for (std::size_t i = 0; i < bytes; ++i)
            planes[i % width * words + i / width] =
                static_cast<std::uint8_t>(pair.raw[begin + i] ^ pair.base[begin + i]);
        sum += ZSTD_compress(coded.data(), coded.size(), planes.data(), planes.size(), 19);
    }
    return 100 * static_cast<double>(sum) / static_cast<double>(enough);
}

struct measured {
    std::size_t coded_bytes = 0;
    double encode = 1e9, decode = 1e9, copy = 1e9; // seconds
};

measured measure(const dtype& type, const pair_of_tensors& pair, std::size_t block_bytes, int rounds,
                 const kernel::table& kernels) {
    scratch memory(kernels);
    const std::size_t size = pair.raw.size();
    byte_buffer coded(size + size / block_bytes * 64 + 64), back(size);
    measured best;
    std::vector<std::size_t> ends;
    const auto block = [&](bytes_view all, std::size_t begin) {
        return all.subspan(begin, std::min(block_bytes, all.size() - begin));
    };
    for (int round = 0; round < rounds; ++round) {
        best.copy = std::min(best.copy, memcpy_seconds(pair.raw, back));
        const double encode = seconds_of([&] {
            ends.clear();
            std::size_t at = 0;
            for (std::size_t begin = 0; begin < size; begin += block_bytes) {
                const bytes_view raw = block(pair.raw, begin);
                const auto made = delta_codec::encode(type, raw, block(pair.base, begin), raw.size() + 16,
                                                      bytes_span(coded).subspan(at), memory);
                if (!made) std::abort();
                ends.push_back(at += made->bytes);
            }
        });
        best.copy = std::min(best.copy, memcpy_seconds(pair.raw, back));
        std::fill(back.begin(), back.end(), std::uint8_t{0});
        const double decode = seconds_of([&] {
            std::size_t at = 0;
            for (std::size_t i = 0; i < ends.size(); ++i) {
                const bytes_span to =
                    bytes_span(back).subspan(i * block_bytes).first(block(back, i * block_bytes).size());
                const bytes_view from = bytes_view(coded).subspan(at, ends[i] - at);
                if (delta_codec::decode(from, block(pair.base, i * block_bytes), to, memory) != status::ok)
                    std::abort();
                at = ends[i];
            }
        });
        if (back != pair.raw) std::abort();
        best.copy = std::min(best.copy, memcpy_seconds(pair.raw, back));
        best.encode = std::min(best.encode, encode);
        best.decode = std::min(best.decode, decode);
        best.coded_bytes = ends.back();
    }
    return best;
}

struct wanted_case {
    const char* type;
    update kind;
    double s;
};

} // namespace

int main(int argc, char** argv) {
    const std::size_t size = static_cast<std::size_t>(argc > 1 ? std::atoi(argv[1]) : 32) << 20;
    const int rounds = argc > 2 ? std::atoi(argv[2]) : 7;
    const std::size_t block_bytes = static_cast<std::size_t>(argc > 3 ? std::atoi(argv[3]) : 1024) << 10;
    std::vector<wanted_case> cases;
    for (const double s : {3e-4, 1e-3, 3e-3, 1e-2, 0.1})
        for (const update kind : {update::relative, update::additive, update::stored})
            cases.push_back({"BF16", kind, s});
    for (const char* type : {"F32", "F16", "F8_E4M3", "F64", "I32"})
        for (const double s : {1e-3, 1e-2})
            for (const update kind : {update::relative, update::additive})
                cases.push_back({type, kind, s});
    for (const char* type : {"BF16", "F32"})
        for (const double s : {0.001, 0.01, 0.1})
            cases.push_back({type, update::scattered, s});
    std::printf("%-8s %-9s %6s %8s %8s", "type", "steps", "s", "delta %", "zstd %");
    for (const kernel::table* table : kernel::runnable())
        std::printf("   %6s enc / dec x memcpy", std::string(table->name).c_str());
    std::printf("   memcpy GB/s\n");
    for (const wanted_case& each : cases) {
        const dtype type = *find_dtype(each.type);
        const pair_of_tensors pair = generate(type, size, each.kind, each.s);
        const char* const kind = each.kind == update::relative   ? "relative"
                                 : each.kind == update::additive ? "additive"
                                 : each.kind == update::stored   ? "stored"
                                                                 : "scattered";
        const double raw = static_cast<double>(size);
        std::printf("%-8s %-9s %6g", each.type, kind, each.s);
        std::string speeds;
        measured best;
        for (const kernel::table* table : kernel::runnable()) {
            best = measure(type, pair, block_bytes, rounds, *table);
            char text[64];
            std::snprintf(text, sizeof text, "         %6.3f / %.3f       ", best.copy / best.encode,
                          best.copy / best.decode);
            speeds += text;
        }
        std::printf(" %8.2f %8.2f%s %8.1f\n", 100 * static_cast<double>(best.coded_bytes) / raw,
                    zstd_percent(pair, type.bits / 8u, block_bytes), speeds.c_str(), raw / best.copy * 1e-9);
        std::fflush(stdout);
    }
    return 0;
}
