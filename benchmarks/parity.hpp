// SPDX-License-Identifier: BSL-1.0
// The measurement of parity: rows of random bytes, coded and reconstructed in memory with each table of kernels, as
// multiples of memcpy of all data rows just before and just after. What comes back is compared.
#pragma once

#include <array>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include <bigsmall/codec/ecc/reconstruct.hpp>
#include <bigsmall/codec/laws.hpp>

#include "harness.hpp"

namespace benchmark {

struct parity_measurement {
    std::string kernels;
    double encode_over_memcpy = 0;                   ///< medians
    std::array<double, 3> reconstruct_over_memcpy{}; ///< with so many lost rows as below
    double encode_mb_per_second = 0;                 ///< of data
};
inline constexpr std::array<std::size_t, 3> lost_rows{1, 16, 32};

/// Stripes of 255 rows, as a sidecar has them: 64 KiB and a cache line apart.
class parity_stripes {
public:
    explicit parity_stripes(std::size_t data_bytes)
        : count_(std::max<std::size_t>(1, data_bytes / (bigsmall::ecc::data_symbols * width))),
          bytes_(count_ * bigsmall::ecc::word_symbols * distance + 64) {
        bigsmall::laws::fixed_random random(1);
        for (std::size_t i = 0; i + 8 <= bytes_.size(); i += 8)
            bigsmall::store_le<std::uint64_t>(bytes_.data() + i, random());
    }

    std::size_t data_bytes() const { return count_ * bigsmall::ecc::data_symbols * width; }
    const bigsmall::byte_buffer& bytes() const { return bytes_; }

    void encode(const bigsmall::kernel::table& kernels) {
        for (std::size_t stripe = 0; stripe < count_; ++stripe) {
            const auto rows = rows_of(stripe);
            const std::span all(rows);
            std::array<const std::uint8_t*, bigsmall::ecc::data_symbols> data;
            std::copy_n(rows.begin(), data.size(), data.begin());
            bigsmall::ecc::encode(data, width, all.last<bigsmall::ecc::parity_symbols>(), kernels);
        }
    }
    void reconstruct(const std::vector<std::uint8_t>& lost, const bigsmall::kernel::table& kernels) {
        for (std::size_t stripe = 0; stripe < count_; ++stripe)
            bigsmall::ecc::reconstruct(rows_of(stripe), width, lost, kernels);
    }
    void lose(const std::vector<std::uint8_t>& lost) {
        for (std::size_t stripe = 0; stripe < count_; ++stripe)
            for (const std::uint8_t row : lost)
                std::fill_n(rows_of(stripe)[row], width, std::uint8_t{0});
    }

private:
    static constexpr std::size_t width = std::size_t{64} << 10, distance = width + 64;

    std::array<std::uint8_t*, bigsmall::ecc::word_symbols> rows_of(std::size_t stripe) {
        std::uint8_t* first = bytes_.data() + stripe * bigsmall::ecc::word_symbols * distance;
        first += (64 - reinterpret_cast<std::uintptr_t>(first) % 64) % 64;
        std::array<std::uint8_t*, bigsmall::ecc::word_symbols> rows;
        for (std::size_t row = 0; row < rows.size(); ++row)
            rows[row] = first + row * distance;
        return rows;
    }

    std::size_t count_;
    bigsmall::byte_buffer bytes_;
};

/// Seconds of a memcpy of as many bytes as the data has, over those of the work between two of them.
inline double over_memcpy(const parity_stripes& stripes, bigsmall::byte_buffer& copy, double& seconds, auto&& work) {
    const auto copied = [&] {
        return seconds_of([&] { std::copy_n(stripes.bytes().begin(), copy.size(), copy.begin()); });
    };
    const double before = copied();
    seconds = seconds_of(work);
    return (before + copied()) / 2 / seconds;
}

/// Rows at one distance, in data and parity alike.
inline std::vector<std::uint8_t> rows_to_lose(std::size_t count) {
    std::vector<std::uint8_t> rows;
    for (std::size_t i = 0; i < count; ++i)
        rows.push_back(static_cast<std::uint8_t>(i * 253 / count));
    return rows;
}

inline parity_measurement measure_parity(parity_stripes& stripes, const bigsmall::kernel::table& kernels, int rounds) {
    bigsmall::byte_buffer copy(stripes.data_bytes());
    std::vector<double> encode_ratio, encode_speed;
    std::array<std::vector<double>, lost_rows.size()> reconstruct_ratio;
    for (int round = 0; round <= rounds; ++round) {
        double seconds = 0;
        const double encoding = over_memcpy(stripes, copy, seconds, [&] { stripes.encode(kernels); });
        if (round > 0) encode_ratio.push_back(encoding);
        if (round > 0) encode_speed.push_back(static_cast<double>(stripes.data_bytes()) / seconds / 1e6);
        const bigsmall::byte_buffer expected = stripes.bytes();
        for (std::size_t i = 0; i < lost_rows.size(); ++i) {
            const std::vector<std::uint8_t> lost = rows_to_lose(lost_rows[i]);
            stripes.lose(lost);
            const double ratio = over_memcpy(stripes, copy, seconds, [&] { stripes.reconstruct(lost, kernels); });
            if (stripes.bytes() != expected) throw std::runtime_error("lost rows do not come back");
            if (round > 0) reconstruct_ratio[i].push_back(ratio);
        }
    }
    parity_measurement result{std::string(kernels.name), median(encode_ratio), {}, median(encode_speed)};
    for (std::size_t i = 0; i < lost_rows.size(); ++i)
        result.reconstruct_over_memcpy[i] = median(reconstruct_ratio[i]);
    return result;
}

/// All tables, as a table to read.
inline void print_parity(std::size_t data_bytes, int rounds) {
    parity_stripes stripes(data_bytes);
    std::printf("parity of %zu bytes, x memcpy\n  %-10s %8s %12s", stripes.data_bytes(), "kernels", "encode",
                "(data MB/s)");
    for (const std::size_t lost : lost_rows)
        std::printf(" %8zu lost", lost);
    std::printf("\n");
    for (const bigsmall::kernel::table* table : bigsmall::kernel::runnable()) {
        const parity_measurement m = measure_parity(stripes, *table, rounds);
        std::printf("  %-10s %8.3f %12.0f", m.kernels.c_str(), m.encode_over_memcpy, m.encode_mb_per_second);
        for (const double ratio : m.reconstruct_over_memcpy)
            std::printf(" %13.3f", ratio);
        std::printf("\n");
    }
}

} // namespace benchmark
