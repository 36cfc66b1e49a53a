// SPDX-License-Identifier: BSL-1.0
// A small archive with every prefix of it, every byte flipped, and other injuries: an error or the right bytes,
// never anything else, and nothing left behind.
#include <map>
#include <string>

#include <bigsmall/archive.hpp>
#include <bigsmall/codec/laws.hpp>
#include <bigsmall/io/sink.hpp>

#include "support/archive_runs.hpp"
#include "support/catch.hpp"

using namespace support;

namespace {

byte_buffer small_file() {
    safetensors_builder file;
    file.metadata("format", "pt").add("w", "BF16", {40, 30}, gaussian_bf16(1200, 1));
    file.add("zeros", "F32", byte_buffer(2048)).gap(noise(30, 2)).add("i", "I8", noise(100, 3));
    file.add("again", "BF16", {1200}, gaussian_bf16(1200, 1)).add("none", "F64", {0}, {});
    return file.build();
}

/// An archive of that file in blocks of 1 KiB.
struct injured {
    temporary_directory dir;
    byte_buffer original = small_file(), intact;
    std::map<std::string, int> outcomes;

    injured() {
        write_file(dir / "m.safetensors", original);
        archive::pack_options options;
        options.block_bytes = 1024;
        pack(dir / "m.safetensors", dir / "m.bs", options);
        intact = read_file(dir / "m.bs");
    }

    /// True when unpacking gives the right bytes, or an error of a kind that says that the file is at fault.
    bool holds(const byte_buffer& bytes) {
        write_file(dir / "x.bs", bytes);
        parallel::serial_executor e;
        io::memory_sink out;
        bool right = false;
        try {
            archive::unpack_to(dir / "x.bs", out, {}, e);
            ++outcomes["restored"];
            right = out.bytes() == original;
        } catch (const error& failure) {
            ++outcomes[name_of(failure.code())];
            right = failure.code() == errc::corrupt || failure.code() == errc::truncated ||
                    failure.code() == errc::unsupported || failure.code() == errc::mismatch;
        }
        return right && (verify_agrees(out.bytes() == original));
    }

    // Verify says no to every damage, and that nothing is lost exactly when unpacking succeeds.
    bool verify_agrees(bool restored) {
        try {
            const archive::verify_report report = verify(dir / "x.bs");
            return (report.ok || report.only_redundant()) == restored;
        } catch (const error& failure) {
            return !restored && failure.code() == errc::unsupported;
        }
    }
};

} // namespace

TEST_CASE("every prefix of an archive is an error", "[corrupt]") {
    injured file;
    for (std::size_t length = 0; length < file.intact.size(); ++length) {
        const byte_buffer prefix(file.intact.begin(), file.intact.begin() + static_cast<std::ptrdiff_t>(length));
        if (!file.holds(prefix)) FAIL_CHECK("prefix of " << length << " bytes");
    }
    // Behind the first footer, the file is whole but for its second copy of the index.
    CHECK(file.outcomes["truncated"] + file.outcomes["corrupt"] + file.outcomes["unsupported"] > 0);
}

TEST_CASE("every flipped byte of an archive gives an error or the right bytes", "[corrupt]") {
    injured file;
    for (std::size_t at = 0; at < file.intact.size(); ++at)
        for (const int bits : {0x01, 0x80, 0xff}) {
            byte_buffer bytes = file.intact;
            bytes[at] = static_cast<std::uint8_t>(bytes[at] ^ bits);
            if (!file.holds(bytes)) FAIL_CHECK("byte " << at << " xor " << bits);
        }
    CHECK(file.outcomes["restored"] > 0); // header, padding and either copy of the index
    CHECK(file.outcomes["corrupt"] > 0);
}

TEST_CASE("pieces cut out, doubled and swapped give an error or the right bytes", "[corrupt]") {
    injured file;
    laws::fixed_random random(1);
    for (int round = 0; round < 400; ++round) {
        byte_buffer bytes = file.intact;
        const auto at = static_cast<std::ptrdiff_t>(random.below(bytes.size()));
        const auto count = static_cast<std::ptrdiff_t>(
            1 + random.below(std::min<std::uint64_t>(200, bytes.size() - static_cast<std::size_t>(at))));
        const byte_buffer piece(bytes.begin() + at,
                                bytes.begin() + std::min<std::ptrdiff_t>(at + count, std::ssize(bytes)));
        switch (round % 4) {
        case 0: bytes.erase(bytes.begin() + at, bytes.begin() + at + std::ssize(piece)); break;
        case 1: bytes.insert(bytes.begin() + at, piece.begin(), piece.end()); break;
        case 2: bytes.insert(bytes.end(), piece.begin(), piece.end()); break;
        default:
            std::copy(piece.begin(), piece.end(),
                      bytes.begin() + static_cast<std::ptrdiff_t>(random.below(bytes.size() - piece.size() + 1)));
        }
        if (!file.holds(bytes)) FAIL_CHECK("round " << round);
    }
}

TEST_CASE("a failed restore leaves nothing behind", "[corrupt]") {
    const temporary_directory dir;
    write_sharded_model(dir / "model");
    pack(dir / "model", dir / "model.bs");
    const byte_buffer intact = read_file(dir / "model.bs");
    for (std::size_t at = 64; at < intact.size(); at += 499) {
        byte_buffer bytes = intact;
        bytes[at] ^= 0x10;
        write_file(dir / "x.bs", bytes);
        try {
            unpack(dir / "x.bs", dir / "back");
            CHECK(read_tree(dir / "back") == read_tree(dir / "model"));
            fs::remove_all(dir / "back");
        } catch (const error&) {
            CHECK_FALSE(fs::exists(dir / "back"));
        }
        std::size_t entries = 0;
        for (const auto& entry : fs::directory_iterator(dir.path()))
            entries += entry.path() == dir / "back" ? 0 : 1;
        CHECK(entries == 3);
    }
}
