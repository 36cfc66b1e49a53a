// SPDX-License-Identifier: BSL-1.0
// A committed container of version 1 restores its committed directory, forever.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include <bigsmall/archive.hpp>

#include "support/catch.hpp"

namespace {

namespace fs = std::filesystem;

std::string contents(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    REQUIRE(file.good());
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void check_restores(const std::string& name, std::size_t files_wanted) {
    const fs::path expected = fs::path(BIGSMALL_TEST_DATA_DIR) / name;
    const fs::path work = fs::temp_directory_path() / ("bigsmall_golden_" + name);
    fs::remove_all(work);
    fs::create_directories(work);
    bigsmall::parallel::serial_executor here;
    bigsmall::archive::unpack(fs::path(BIGSMALL_TEST_DATA_DIR) / (name + ".bs"), work / "back", {}, here);
    std::size_t files = 0;
    for (const auto& entry : fs::directory_iterator(expected)) {
        INFO(entry.path().filename().string());
        CHECK(contents(entry.path()) == contents(work / "back" / entry.path().filename()));
        ++files;
    }
    CHECK(files == files_wanted);
    fs::remove_all(work);
}

} // namespace

TEST_CASE("a container of version 1 restores its directory forever", "[golden]") {
    check_restores("container_v1", 4);
}

TEST_CASE("a container with bundles restores its directory forever", "[golden]") {
    check_restores("container_v1_bundles", 3);
}

TEST_CASE("a container with a lean index and shared blocks restores its directory forever", "[golden]") {
    check_restores("container_v1_lean", 2);
}

TEST_CASE("a container whose header names tensors in another order restores its directory forever", "[golden]") {
    check_restores("container_v1_order", 1);
}

TEST_CASE("the index of a patch is read forever, and written as the same bytes", "[golden]") {
    namespace io = bigsmall::io;
    const std::string whole = contents(fs::path(BIGSMALL_TEST_DATA_DIR) / "container_v1_patch_index.bs");
    const bigsmall::bytes_view bytes = bigsmall::as_bytes_view(whole);
    const io::container_reader reader(
        std::make_shared<io::memory_source>(bigsmall::byte_buffer(bytes.begin(), bytes.end())));
    const io::container_index& index = reader.index();
    const io::container_footer& footer = reader.footer();
    CHECK(footer.required_features == (io::feature_bundles | io::feature_lean_index | io::feature_patch));
    const auto stored = bytes.subspan(footer.copy_a_offset, footer.stored_bytes);
    const bigsmall::byte_buffer raw = io::zstd_decompress(stored, footer.raw_bytes);
    CHECK(io::encode_index(index) == raw);
    const auto receipts = bytes.subspan(footer.payload_end(), footer.receipts_bytes);
    CHECK(io::encode_receipts(index) == bigsmall::byte_buffer(receipts.begin(), receipts.end()));

    REQUIRE(index.base_files.size() == 2);
    CHECK(index.base_files[1].name == "base-2.safetensors");
    CHECK(index.base_files[1].bytes == 900);
    REQUIRE(index.contents.size() == 14);
    CHECK(index.contents[0].is_unchanged());
    CHECK(index.contents[12].is_slice());
    io::md5_digest receipt{}, own{};
    receipt.fill(1);
    own.fill(94);
    REQUIRE(index.base_tensors.size() == 10);
    CHECK(index.base_tensors[0] == io::base_tensor{0, "same", 40, receipt});
    CHECK(index.base_tensors[7] == io::base_tensor{1, "halved", 40, own});
    using enum io::base_conversion;
    REQUIRE(index.images.size() == 10);
    CHECK(index.images[6] == io::base_image{f32_to_bf16, {{7, 0, 20}}});
    CHECK(index.images[8] == io::base_image{none, {{9, 8, 16}, {io::no_base, 0, 8}, {9, 24, 40}}});
}
