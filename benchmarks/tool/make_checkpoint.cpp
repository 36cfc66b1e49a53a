// SPDX-License-Identifier: BSL-1.0
// make_checkpoint OUT.safetensors LARGEST_MIB OTHERS: one BF16 tensor of LARGEST_MIB and OTHERS of 128 MiB, written as
// a stream, for measuring memory and speed on files larger than fit. Rows of 4096 values; a row is a window of one
// table of normal values, scaled by the row's own log-normal deviation.
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/units.hpp>

namespace {

constexpr std::size_t columns = 4096;

class row_maker {
public:
    row_maker() {
        std::normal_distribution<float> normal;
        for (float& value : table_)
            value = normal(random_);
    }
    void fill(std::vector<std::uint8_t>& row) {
        const float sigma = 0.02f * std::exp(0.15f * table_[random_() % table_.size()]);
        const float* const window = table_.data() + random_() % (table_.size() - columns);
        for (std::size_t i = 0; i < columns; ++i) {
            const auto bits = std::bit_cast<std::uint32_t>(window[i] * sigma);
            bigsmall::store_le<std::uint16_t>(&row[2 * i],
                                              static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16));
        }
    }

private:
    std::mt19937_64 random_{4};
    std::vector<float> table_ = std::vector<float>(1 << 22);
};

std::string header_of(const std::vector<std::uint64_t>& sizes) {
    std::string json = "{";
    std::uint64_t at = 0;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        json += (i == 0 ? "" : ",");
        json += "\"model.layers." + std::to_string(i) + ".mlp.up_proj.weight\":{\"dtype\":\"BF16\",\"shape\":[" +
                std::to_string(sizes[i] / (2 * columns)) + ",4096],\"data_offsets\":[" + std::to_string(at) + "," +
                std::to_string(at + sizes[i]) + "]}";
        at += sizes[i];
    }
    json += "}";
    json.resize((json.size() + 7) / 8 * 8, ' ');
    return json;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fputs("usage: make_checkpoint OUT.safetensors LARGEST_MIB OTHERS\n", stderr);
        return 2;
    }
    std::vector<std::uint64_t> sizes{std::strtoull(argv[2], nullptr, 10) * bigsmall::MiB};
    sizes.resize(1 + std::strtoull(argv[3], nullptr, 10), 128 * bigsmall::MiB);

    std::ofstream out(argv[1], std::ios::binary);
    const std::string json = header_of(sizes);
    std::uint8_t length[8];
    bigsmall::store_le<std::uint64_t>(length, json.size());
    out.write(reinterpret_cast<const char*>(length), sizeof length).write(json.data(), static_cast<long>(json.size()));
    row_maker rows;
    std::vector<std::uint8_t> row(2 * columns);
    for (const std::uint64_t size : sizes)
        for (std::uint64_t at = 0; at < size; at += row.size()) {
            rows.fill(row);
            out.write(reinterpret_cast<const char*>(row.data()), static_cast<long>(row.size()));
        }
    out.close();
    if (out.good()) return 0;
    std::perror(argv[1]);
    return 1;
}
