// SPDX-License-Identifier: BSL-1.0
#include <filesystem>

#include "commands/paths.hpp"
#include "support/catch.hpp"

using namespace bigsmall::app;
namespace fs = std::filesystem;

TEST_CASE("compress names its output after its source", "[apps]") {
    CHECK(default_archive("model.safetensors", false, false) == "model.bs");
    CHECK(default_archive("dir/model.safetensors", false, false) == "dir/model.bs");
    CHECK(default_archive("noextension", false, false) == "noextension.bs");
    CHECK(default_archive("llama", false, true) == "llama.bs");
    CHECK(default_archive("llama/", false, true) == "llama.bs");
    CHECK(default_archive("model-v1.5/", false, true) == "model-v1.5.bs"); // not an extension
    CHECK(default_archive("a/llama/", true, true) == "a/llama-bs");
}

TEST_CASE("a directory that is only dots gets its real name", "[apps]") {
    const fs::path here = fs::current_path();
    CHECK(default_archive(".", false, true) == here.parent_path() / (here.filename().string() + ".bs"));
    CHECK(default_archive("./", true, true) == here.parent_path() / (here.filename().string() + "-bs"));
    const fs::path parent = here.parent_path();
    CHECK(default_archive("..", false, true) == parent.parent_path() / (parent.filename().string() + ".bs"));
}

TEST_CASE("decompress names its output after its archive", "[apps]") {
    CHECK(default_safetensors("model.bs") == "model.safetensors");
    CHECK(default_safetensors("dir/model.bs") == "dir/model.safetensors");
    CHECK(default_safetensors("noextension") == "noextension.safetensors");
    CHECK(default_directory("llama.bs") == "llama");
    CHECK(default_directory("model-v1.5.bs") == "model-v1.5");
    CHECK(default_directory("a/llama-bs/") == "a/llama");
    CHECK(default_directory("other") == "other-restored");
    CHECK(default_directory("-bs") == "-bs-restored");
    CHECK(default_directory("a/llama.bsr") == "a/llama");
    CHECK(default_directory("llama-bsr/") == "llama");
    CHECK(default_directory("-bsr") == "-bsr-restored");
}

TEST_CASE("where transcode writes", "[apps]") {
    CHECK(default_transcoded("m.bs", false) == "m.bsr");
    CHECK(default_transcoded("a/m.v1.bs", false) == "a/m.v1.bsr");
    CHECK(default_transcoded("m", false) == "m.bsr");
    CHECK(default_transcoded("m-bs/", true) == "m-bsr");
    CHECK(default_transcoded("a/m", true) == "a/m-bsr");
    CHECK(default_transcoded("m.bsr", false) == "m.bsr"); // the caller refuses these
    CHECK(default_transcoded("m-bsr/", true) == "m-bsr");
}
