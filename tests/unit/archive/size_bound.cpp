// SPDX-License-Identifier: BSL-1.0
// What does not compress grows by little: 0.1 % and 4 KiB.
#include "support/archive_runs.hpp"
#include "support/catch.hpp"

using namespace support;

namespace {

/// Bytes of the container of `parts` tensors of noise, and of its source.
std::pair<std::uint64_t, std::uint64_t> packed(int parts, std::size_t bytes, const char* dtype) {
    const temporary_directory dir;
    safetensors_builder file;
    for (int i = 0; i < parts; ++i)
        file.add("model.layers." + std::to_string(i) + ".weight", dtype, noise(bytes, std::uint64_t(i)));
    write_file(dir / "m.safetensors", file.build());
    pack(dir / "m.safetensors", dir / "m.bs", {});
    return {fs::file_size(dir / "m.bs"), fs::file_size(dir / "m.safetensors")};
}

} // namespace

TEST_CASE("a few large tensors of noise grow by 0.1 % and 4 KiB at most", "[archive]") {
    for (const char* dtype : {"U8", "BF16", "F32", "F64"})
        for (const auto& [parts, bytes] : {std::pair{1, std::size_t{16'000'000}}, std::pair{8, std::size_t{2'000'000}},
                                           std::pair{1, std::size_t{80}}}) {
            const auto [stored, raw] = packed(parts, bytes, dtype);
            INFO(dtype << ' ' << parts << " of " << bytes << ": " << stored << " of " << raw);
            CHECK(stored <= raw + raw / 1000 + 4096);
        }
}

TEST_CASE("a header that does not compress is not stored twice", "[archive]") {
    const temporary_directory dir;
    std::string text;
    for (const std::uint8_t byte : noise(60'000, 1))
        text += "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[byte & 63];
    const byte_buffer file = safetensors_builder().metadata("picture", text).add("w", "U8", noise(900'000, 2)).build();
    write_file(dir / "m.safetensors", file);
    pack(dir / "m.safetensors", dir / "m.bs", {});
    CHECK(fs::file_size(dir / "m.bs") <= file.size() + file.size() / 1000 + 4096);
    unpack(dir / "m.bs", dir / "back.safetensors");
    CHECK(read_file(dir / "back.safetensors") == file);
    const archive::verify_report report = verify(dir / "m.bs");
    CHECK(report.ok);
    CHECK(report.problems.empty());

    const io::container_reader reader(std::make_shared<io::file_source>(dir / "m.bs"));
    CHECK(reader.footer().copy_a_offset == reader.footer().copy_b_offset);
    damage_byte(dir / "m.bs", reader.footer().copy_a_offset + 30);
    const error damaged = thrown_by([&] { io::container_reader(std::make_shared<io::file_source>(dir / "m.bs")); });
    CHECK(damaged.code() == errc::corrupt);
    CHECK(std::string_view(damaged.what()).find("no second copy") != std::string_view::npos);
}

TEST_CASE("thousands of tiny tensors of noise do not grow by more", "[archive]") {
    constexpr int parts = 5000;
    const auto [stored, raw] = packed(parts, 64, "U8");
    INFO(stored << " of " << raw);
    CHECK(stored <= raw + raw / 1000 + 4096);
}
