// SPDX-License-Identifier: BSL-1.0
// Writes the golden blocks and the golden patch that are not there yet: `write_golden tests/golden/data`. Never touches
// one that is: a wire id's encoding does not change, so a committed file is decoded forever.
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "support/golden_blocks.hpp"
#include "support/golden_deltas.hpp"
#include "unit/io/patch_fixtures.hpp"

namespace {

bool write_new(const std::filesystem::path& path, bigsmall::bytes_view bytes) {
    if (std::filesystem::exists(path)) return true;
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    std::printf("wrote %s\n", path.c_str());
    return file.good();
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fputs("usage: write_golden DIRECTORY\n", stderr);
        return 2;
    }
    const std::filesystem::path directory = argv[1];
    for (const golden::block_case& each : golden::block_cases())
        if (!write_new(directory / (each.name + ".raw"), each.raw) ||
            !write_new(directory / (each.name + ".block"), each.coded))
            return 1;
    return write_new(directory / "container_v1_patch_index.bs", io_test::sample_patch().bytes) ? 0 : 1;
}
