// SPDX-License-Identifier: BSL-1.0
// Writes the seed corpus of the fuzz target ecc: `make_ecc_corpus DIRECTORY`. The files are committed.
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <string>

#include <bigsmall/archive/protect.hpp>
#include <bigsmall/parallel/executor.hpp>

#include "support/model_files.hpp"

namespace {

using namespace bigsmall;

byte_buffer parity_of(const byte_buffer& file) {
    io::memory_sink out;
    parallel::serial_executor e;
    archive::protect_to(io::memory_source(file), out, {}, e);
    return out.take();
}

void write_seed(const std::filesystem::path& to, const byte_buffer& file, const byte_buffer& parity) {
    byte_buffer seed(2);
    store_le(seed.data(), static_cast<std::uint16_t>(file.size()));
    seed.insert(seed.end(), file.begin(), file.end());
    seed.insert(seed.end(), parity.begin(), parity.end());
    support::write_file(to, seed);
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: make_ecc_corpus DIRECTORY\n";
        return 2;
    }
    const std::filesystem::path to = std::filesystem::path(argv[1]) / "ecc";
    for (const std::size_t bytes : {0u, 1u, 40u, 223u, 500u})
        write_seed(to / ("whole_" + std::to_string(bytes)), support::noise(bytes, 1),
                   parity_of(support::noise(bytes, 1)));
    const byte_buffer file = support::noise(1000, 2), parity = parity_of(file);
    byte_buffer damaged = file;
    for (std::size_t at = 0; at < damaged.size(); at += 90)
        damaged[at] ^= 1;
    write_seed(to / "erasures", damaged, parity);
    for (std::size_t row = 0; row < 200; ++row)
        damaged[row * 5 + row / 40] ^= 255;
    write_seed(to / "errors", damaged, parity);
    byte_buffer unchecked = parity;
    unchecked[io::ecc_layout(file.size()).page_offset(0, 0) + 100] ^= 255;
    write_seed(to / "no_checksums", damaged, unchecked);
    write_seed(to / "cut_file", byte_buffer(file.begin(), file.begin() + 900), parity);
    write_seed(to / "cut_parity", damaged, byte_buffer(parity.begin(), parity.begin() + 300));
    write_seed(to / "lost", support::noise(1000, 3), parity);
    return 0;
}
