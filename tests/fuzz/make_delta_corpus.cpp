// SPDX-License-Identifier: BSL-1.0
// Writes the seed corpora of the fuzz targets of differences: `make_delta_corpus DIRECTORY`. The files are committed;
// this program is here so that anybody can see what they are and make them again.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include <bigsmall/codec.hpp>

#include "fuzz/delta_base.hpp"

namespace {

using namespace bigsmall;

bool save(const std::filesystem::path& path, bytes_view bytes) {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return file.good();
}

// The base, of which one byte in `one_in` of every part but the first is raised by less than `most`.
byte_buffer changed(std::size_t size_bytes, std::size_t one_in, std::size_t most) {
    byte_buffer raw = fuzz::delta_base(size_bytes);
    laws::fixed_random random(size_bytes + most);
    for (std::size_t i = size_bytes / 5; i < size_bytes; ++i)
        if (random.below(one_in) == 0) raw[i] = static_cast<std::uint8_t>(raw[i] + random.below(most));
    return raw;
}

bool save_block(const std::filesystem::path& directory, const std::string& name, const char* type, bytes_view raw) {
    scratch memory;
    byte_buffer out(delta_codec::bound(raw.size()) + 2);
    const byte_buffer base = fuzz::delta_base(raw.size());
    const auto block =
        delta_codec::encode(*find_dtype(type), raw, base, raw.size() + 16, bytes_span(out).subspan(2), memory);
    if (!block) return false;
    store_le<std::uint16_t>(out.data(), static_cast<std::uint16_t>(raw.size()));
    return save(directory / "delta_block" / name, bytes_view(out).first(2 + block->bytes));
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fputs("usage: make_delta_corpus DIRECTORY\n", stderr);
        return 2;
    }
    const std::filesystem::path directory = argv[1];
    bool good = save_block(directory, "unchanged", "BF16", fuzz::delta_base(3000));
    for (const char* type : {"BF16", "F32", "F64", "I16", "U8"}) {
        good = good && save_block(directory, std::string(type) + "_all", type, changed(3001, 1, 9));
        good = good && save_block(directory, std::string(type) + "_some", type, changed(8001, 3, 80));
        good = good && save_block(directory, std::string(type) + "_few", type, changed(16001, 90, 200));
    }
    for (std::uint8_t type = 0; type < 23; type = static_cast<std::uint8_t>(type + 3)) {
        byte_buffer input{type, static_cast<std::uint8_t>(type * 11)};
        for (std::size_t i = 0; i < 700; ++i)
            input.push_back(static_cast<std::uint8_t>(i * i / 50));
        good = good && save(directory / "delta_round_trip" / ("type_" + std::to_string(type)), input);
    }
    return good ? 0 : 1;
}
