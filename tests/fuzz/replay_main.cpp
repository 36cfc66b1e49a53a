// SPDX-License-Identifier: BSL-1.0
// Runs a fuzz target once on every file of the given directories: `replay_NAME DIRECTORY...`. A directory
// that is missing or empty is a failure, or a test that checks nothing would pass.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_of(const fs::path& directory) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(directory))
        if (entry.is_regular_file()) files.push_back(entry.path());
    std::ranges::sort(files);
    return files;
}

void run(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> content{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    // An allocation of exactly this size, so that a sanitizer sees a read of one byte too many.
    const auto exact = std::make_unique<std::uint8_t[]>(content.size());
    std::ranges::transform(content, exact.get(), [](char byte) { return static_cast<std::uint8_t>(byte); });
    LLVMFuzzerTestOneInput(exact.get(), content.size());
}

} // namespace

int main(int count, char** arguments) try {
    if (count < 2) {
        std::fprintf(stderr, "usage: %s DIRECTORY...\n", arguments[0]);
        return 2;
    }
    std::size_t inputs = 0;
    for (int i = 1; i < count; ++i) {
        const std::vector<fs::path> files = files_of(arguments[i]);
        if (files.empty()) {
            std::fprintf(stderr, "no files in %s\n", arguments[i]);
            return 1;
        }
        for (const fs::path& path : files) {
            // Said beforehand and flushed: after a crash the last line names the input.
            std::printf("%s\n", path.c_str());
            std::fflush(stdout);
            run(path);
        }
        inputs += files.size();
    }
    std::printf("%zu inputs\n", inputs);
    return 0;
} catch (const std::exception& failure) {
    std::fprintf(stderr, "the target threw: %s\n", failure.what());
    return 1;
}
