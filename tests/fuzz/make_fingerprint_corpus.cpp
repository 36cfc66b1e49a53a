// SPDX-License-Identifier: BSL-1.0
// Writes the seed corpus of the fuzz target fingerprint_cache: `make_fingerprint_corpus DIRECTORY`. The files are
// committed.
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <iostream>
#include <string_view>
#include <utility>
#include <vector>

#include <bigsmall/archive/fingerprint_cache.hpp>

#include "support/model_files.hpp"

namespace {

using namespace support;

/// Of tensors of some types and sizes, all sampled; every name is there twice.
archive::model_fingerprint print_of(std::initializer_list<std::pair<std::string_view, std::uint64_t>> tensors) {
    archive::model_fingerprint print;
    std::vector<std::size_t> sampled;
    for (const auto& [dtype, bytes] : tensors) {
        archive::tensor_fingerprint tensor;
        tensor.name = print.tensors.size() / 2;
        tensor.role = static_cast<std::uint32_t>(print.tensors.size() / 4);
        tensor.dtype = archive::detail::dtype_number(dtype);
        tensor.bytes = bytes;
        tensor.rows = 4;
        print.bytes += bytes;
        if (bytes > 0) sampled.push_back(print.tensors.size());
        print.tensors.push_back(tensor);
    }
    archive::detail::place_words(print, sampled);
    print.words = noise(print.words.size(), 1);
    return print;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: make_fingerprint_corpus DIRECTORY\n";
        return 2;
    }
    const std::filesystem::path to = std::filesystem::path(argv[1]) / "fingerprint_cache";
    const byte_buffer floats = archive::encode_fingerprint(print_of({{"BF16", 400}, {"F16", 400}, {"F32", 800}}));
    const byte_buffer others =
        archive::encode_fingerprint(print_of({{"I8", 300}, {"C64", 64}, {"F64", 8}, {"F4", 7}, {"?", 5}, {"U8", 0}}));
    write_file(to / "floats", floats);
    write_file(to / "others", others);
    write_file(to / "no_tensors", archive::encode_fingerprint({}));
    write_file(to / "cache", archive::encode_fingerprint_cache({{".", 1, floats}, {"a/b.safetensors", 2, others}}));
    write_file(to / "empty_cache", archive::encode_fingerprint_cache({}));
    return 0;
}
