// SPDX-License-Identifier: BSL-1.0
// Generated weights: rows of normal values whose standard deviation is log-normal from row to row (median 0.02,
// log-sigma 0.15), the exponent statistics of published dense language models, in any small float format.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/dtype.hpp>

namespace benchmark {

/// Buffers of one element type, coded one after another; a file gives one per tensor.
struct data_set {
    std::string name;
    struct piece {
        bigsmall::block_info info;
        bigsmall::byte_buffer bytes;
    };
    std::vector<piece> pieces;

    std::size_t size_bytes() const {
        std::size_t sum = 0;
        for (const piece& each : pieces)
            sum += each.bytes.size();
        return sum;
    }
};

/// Rounds to nearest even into a float of the given fields (IEEE layout, subnormals kept, overflow saturates at the
/// largest finite value). Returns the bits.
inline std::uint32_t round_to_float(double value, unsigned exponent_bits, unsigned mantissa_bits) {
    const std::uint32_t sign = std::signbit(value) ? 1u << (exponent_bits + mantissa_bits) : 0;
    const int bias = (1 << (exponent_bits - 1)) - 1;
    int exponent = 0;
    std::frexp(value, &exponent);
    const int lowest = 1 - bias;
    const int scale = std::max(exponent - 1, lowest) - static_cast<int>(mantissa_bits);
    const auto steps = static_cast<std::uint32_t>(std::nearbyint(std::ldexp(std::fabs(value), -scale)));
    // `steps` counts units in the last place above the start of the binade, so a carry moves into the exponent.
    const auto binade = static_cast<std::uint32_t>(scale + static_cast<int>(mantissa_bits) - lowest);
    std::uint32_t bits = steps + (binade << mantissa_bits);
    const std::uint32_t largest = (((1u << exponent_bits) - 1) << mantissa_bits) - 1;
    if (bits > largest) bits = largest;
    return sign | bits;
}

inline data_set generate(const std::string& dtype_name, std::size_t size_bytes) {
    const bigsmall::dtype type = *bigsmall::find_dtype(dtype_name);
    const std::size_t width = type.bits / 8u;
    const std::size_t columns = 4096;
    // FP8 checkpoints scale each tensor into the format's range; the others hold the weights as they are.
    const double gain = type.bits == 8 ? 16.0 : 1.0;
    std::mt19937_64 random(20260101);
    std::normal_distribution<double> normal;
    bigsmall::byte_buffer bytes(size_bytes / width * width);
    double sigma = 0.02;
    for (std::size_t i = 0; i < bytes.size() / width; ++i) {
        if (i % columns == 0) sigma = 0.02 * gain * std::exp(0.15 * normal(random));
        const double value = sigma * normal(random);
        std::uint32_t bits = type.bits == 32 ? std::bit_cast<std::uint32_t>(static_cast<float>(value))
                                             : round_to_float(value, type.exponent_bits, type.mantissa_bits);
        for (std::size_t b = 0; b < width; ++b, bits >>= 8)
            bytes[i * width + b] = static_cast<std::uint8_t>(bits);
    }
    return {"generated " + dtype_name, {{{type, columns, 0, {}, columns}, std::move(bytes)}}};
}

/// Order-0 entropy of the exponents plus everything else raw, summed over the pieces, in bytes; zero when a piece is
/// not a float of whole bytes.
inline double exponent_floor_bytes(const data_set& data) {
    double total = 0;
    for (const auto& [info, bytes] : data.pieces) {
        const bigsmall::dtype& type = info.type;
        const std::size_t width = type.bits / 8u;
        if (type.kind != bigsmall::number_kind::floating || type.bits % 8 != 0 || width > 4) return 0;
        std::vector<std::uint64_t> counts(std::size_t{1} << type.exponent_bits);
        const std::size_t count = bytes.size() / width;
        for (std::size_t i = 0; i < count; ++i) {
            std::uint32_t bits = 0;
            for (std::size_t b = width; b-- > 0;)
                bits = bits << 8 | bytes[i * width + b];
            ++counts[bits >> type.mantissa_bits & ((1u << type.exponent_bits) - 1)];
        }
        double entropy_bits = 0;
        for (const std::uint64_t c : counts)
            if (c != 0)
                entropy_bits -= static_cast<double>(c) * std::log2(static_cast<double>(c) / static_cast<double>(count));
        total += (entropy_bits + static_cast<double>(count * (type.mantissa_bits + 1u))) / 8;
    }
    return total;
}

} // namespace benchmark
