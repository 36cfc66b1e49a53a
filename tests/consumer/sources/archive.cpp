// SPDX-License-Identifier: BSL-1.0
// A user of whole checkpoints: packs and unpacks a file, which needs every package of the component linked.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <bigsmall/archive.hpp>
#include <bigsmall/parallel/tbb.hpp>

namespace {

namespace fs = std::filesystem;

std::string content_of(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// 64 zeros of BF16 behind a header of 64 bytes.
std::string checkpoint() {
    std::string header = R"({"w":{"dtype":"BF16","shape":[64],"data_offsets":[0,128]}})";
    header.resize(64, ' ');
    return std::string("\x40\0\0\0\0\0\0\0", 8) + header + std::string(128, '\0');
}

} // namespace

int main() {
    const fs::path directory = fs::current_path() / "packed";
    fs::remove_all(directory);
    fs::create_directory(directory);
    std::ofstream(directory / "model.safetensors", std::ios::binary) << checkpoint();

    bigsmall::parallel::tbb_executor threads;
    bigsmall::archive::pack(directory / "model.safetensors", directory / "model.bs", {}, threads);
    bigsmall::archive::unpack(directory / "model.bs", directory / "restored.safetensors", {}, threads);
    const bool same = content_of(directory / "restored.safetensors") == checkpoint();
    std::printf("bigsmall %s: %s\n", bigsmall::version_string, same ? "the same bytes" : "other bytes");
    return same ? 0 : 1;
}
