// SPDX-License-Identifier: BSL-1.0
// A user's program on the archive component: a file there and back.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <bigsmall/archive.hpp>

namespace {

std::string contents(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

} // namespace

int main() {
    const std::string header = R"({"w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})";
    std::ofstream("in.safetensors", std::ios::binary)
        << static_cast<char>(header.size()) << std::string(7, '\0') << header << "abcd";
    std::filesystem::remove("out.bs");
    std::filesystem::remove("back.safetensors");
    bigsmall::parallel::tbb_executor threads(2);
    bigsmall::archive::pack("in.safetensors", "out.bs", {}, threads);
    bigsmall::archive::unpack("out.bs", "back.safetensors", {}, threads);
    const bool same = contents("in.safetensors") == contents("back.safetensors");
    std::printf("bigsmall %s: %s\n", bigsmall::version_string, same ? "restored" : "lost");
    return same ? 0 : 1;
}
