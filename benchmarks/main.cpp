// SPDX-License-Identifier: BSL-1.0
// bigsmall_benchmark [--json] [--rounds N] [--size-mib N] [--slow] [--svg FOLDER] [FILE.safetensors ...]
// bigsmall_benchmark --ecc [--rounds N] [--size-mib N]
// Without files: generated BF16, F16, F32 and both FP8 formats. See README.md beside this file for the method.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string_view>

#include <nlohmann/json.hpp>

#include <bigsmall/archive.hpp>

#include "chart.hpp"
#include "harness.hpp"
#include "parity.hpp"

namespace {

struct options {
    bool json = false;
    bool slow = false;
    bool ecc = false; ///< parity instead
    int rounds = 5;
    std::size_t size_mib = 64;
    std::string svg_folder; ///< where charts go; empty: none
    std::vector<std::string> files;
};

options parse(int argc, char** argv) {
    options chosen;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        const auto number = [&] {
            const long value = i + 1 < argc ? std::strtol(argv[++i], nullptr, 10) : 0;
            if (value < 1 || value > 65536)
                throw std::runtime_error(std::string(word) + " needs a number from 1 to 65536");
            return value;
        };
        if (word == "--json")
            chosen.json = true;
        else if (word == "--slow")
            chosen.slow = true;
        else if (word == "--ecc")
            chosen.ecc = true;
        else if (word == "--rounds")
            chosen.rounds = static_cast<int>(number());
        else if (word == "--size-mib")
            chosen.size_mib = static_cast<std::size_t>(number());
        else if (word == "--svg") {
            if (i + 1 == argc) throw std::runtime_error("--svg needs a folder");
            chosen.svg_folder = argv[++i];
        } else if (word.starts_with("-"))
            throw std::runtime_error("unknown option " + std::string(word));
        else
            chosen.files.emplace_back(word);
    }
    return chosen;
}

benchmark::data_set load(const std::string& path) {
    const bigsmall::io::file_source source(path);
    benchmark::data_set data{path, {}};
    for (const auto& tensor : bigsmall::io::read_safetensors_layout(source).tensors) {
        if (tensor.end == tensor.begin) continue;
        const auto type = bigsmall::find_dtype(tensor.dtype_name);
        benchmark::data_set::piece& piece = data.pieces.emplace_back();
        piece.info.type = type ? *type : bigsmall::dtype{"?"};
        piece.info.row_elems = bigsmall::archive::row_elems_of(tensor.shape);
        piece.info.last_elems = bigsmall::archive::last_elems_of(tensor.shape);
        piece.bytes.resize(static_cast<std::size_t>(tensor.end - tensor.begin));
        source.read(tensor.begin, piece.bytes);
    }
    return data;
}

std::vector<std::unique_ptr<benchmark::adapter>> coders(bool slow) {
    std::vector<std::unique_ptr<benchmark::adapter>> all;
    all.push_back(std::make_unique<benchmark::memcpy_adapter>());
    using point = bigsmall::archive::operating_point;
    for (const point each : {point::storage, point::balanced, point::inference})
        for (const bigsmall::kernel::table* table : bigsmall::kernel::runnable())
            all.push_back(std::make_unique<benchmark::bigsmall_adapter>(each, *table));
    all.push_back(std::make_unique<benchmark::zstd_adapter>(1));
    all.push_back(std::make_unique<benchmark::zstd_planes_adapter>(1));
    all.push_back(std::make_unique<benchmark::zlib_adapter>(1));
    if (slow) {
        all.push_back(std::make_unique<benchmark::zstd_adapter>(19));
        all.push_back(std::make_unique<benchmark::zstd_planes_adapter>(19));
        all.push_back(std::make_unique<benchmark::zlib_adapter>(9));
    }
    return all;
}

void write_chart(const std::string& folder, const benchmark::data_set& data,
                 const std::vector<benchmark::measurement>& results) {
    std::string name = data.name;
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c == ' ' || c == '/'; }, '-');
    const std::string path = folder + "/" + name + ".svg";
    std::ofstream file(path);
    file << benchmark::chart(data, results);
    if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

nlohmann::ordered_json as_json(const benchmark::data_set& data, const std::vector<benchmark::measurement>& results) {
    nlohmann::ordered_json entry;
    entry["data"] = data.name;
    entry["raw_bytes"] = data.size_bytes();
    entry["exponent_floor_bytes"] = static_cast<std::uint64_t>(benchmark::exponent_floor_bytes(data));
    for (const benchmark::measurement& m : results)
        entry["coders"].push_back({{"name", m.coder},
                                   {"coded_bytes", m.coded_bytes},
                                   {"encode_seconds", m.encode_seconds},
                                   {"decode_seconds", m.decode_seconds},
                                   {"encode_over_memcpy", m.encode_over_memcpy},
                                   {"decode_over_memcpy", m.decode_over_memcpy},
                                   {"cached_decode_over_memcpy", m.cached_over_memcpy}});
    return entry;
}

void print(const benchmark::data_set& data, const std::vector<benchmark::measurement>& results) {
    const auto raw = static_cast<double>(data.size_bytes());
    std::printf("%s: %zu bytes", data.name.c_str(), data.size_bytes());
    if (const double floor = benchmark::exponent_floor_bytes(data); floor > 0)
        std::printf(", exponents at their order-0 entropy and the rest raw: %.2f %%", 100 * floor / raw);
    std::printf("\n  %-22s %9s %16s %16s %16s %12s\n", "coder", "ratio %", "encode x memcpy", "decode x memcpy",
                "in cache x memcpy", "decode MB/s");
    for (const benchmark::measurement& m : results)
        std::printf("  %-22s %9.2f %16.3f %16.3f %16.3f %12.0f\n", m.coder.c_str(),
                    100 * static_cast<double>(m.coded_bytes) / raw, m.encode_over_memcpy, m.decode_over_memcpy,
                    m.cached_over_memcpy, raw / m.decode_seconds / 1e6);
}

void run(const options& chosen) {
    if (chosen.ecc) return benchmark::print_parity(chosen.size_mib << 20, chosen.rounds);
    if (!chosen.svg_folder.empty() && !std::filesystem::is_directory(chosen.svg_folder))
        throw std::runtime_error("no such folder: " + chosen.svg_folder); // known before minutes of measuring
    std::vector<std::string> names = chosen.files;
    const bool generated = names.empty();
    if (generated) names = {"BF16", "F16", "F32", "F8_E4M3", "F8_E5M2"};
    nlohmann::ordered_json report = nlohmann::ordered_json::array();
    for (const std::string& name : names) {
        const benchmark::data_set data = generated ? benchmark::generate(name, chosen.size_mib << 20) : load(name);
        if (data.size_bytes() == 0) continue;
        const auto results = benchmark::measure(coders(chosen.slow), data, chosen.rounds);
        if (!chosen.svg_folder.empty()) write_chart(chosen.svg_folder, data, results);
        if (chosen.json)
            report.push_back(as_json(data, results));
        else
            print(data, results);
        std::fflush(stdout);
    }
    if (chosen.json) std::printf("%s\n", report.dump(2).c_str());
}

} // namespace

int main(int argc, char** argv) {
    try {
        run(parse(argc, argv));
        return 0;
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "bigsmall_benchmark: error: %s\n", problem.what());
        return 1;
    }
}
