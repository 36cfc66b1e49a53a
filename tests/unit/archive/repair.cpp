// SPDX-License-Identifier: BSL-1.0
// The promise of parity: what can be damaged and comes back, and what cannot and is told.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include <bigsmall/archive/repair.hpp>

#include "parity_files.hpp"
#include "support/catch.hpp"
#include "support/peak_memory.hpp"
#include "support/thread_executor.hpp"

using namespace parity_test;

namespace {

/// Spoils `count` bytes of the word in each column of the first stripe, in rows that differ from word to word, parity
/// included.
void spoil_words(protected_file& f, std::size_t count, std::uint64_t columns, std::uint32_t seed = 3) {
    std::mt19937 random(seed);
    std::vector<std::size_t> rows(io::ecc_rows);
    for (std::size_t i = 0; i < rows.size(); ++i)
        rows[i] = i;
    for (std::uint64_t column = 0; column < columns; ++column) {
        std::shuffle(rows.begin(), rows.end(), random);
        std::size_t spoiled = 0;
        for (const std::size_t row : rows) {
            if (spoiled == count) break;
            const bool data = row < io::ecc_data_rows;
            const std::uint64_t at = data ? f.layout.data_offset(0, row) + column
                                          : f.layout.parity_offset(0, row - io::ecc_data_rows) + column;
            if (data && at >= f.file.size()) continue;
            spoil(data ? f.file : f.parity, at);
            ++spoiled;
        }
    }
}

} // namespace

TEST_CASE("a sidecar has the size that its layout says, about 14.6 % of a large file") {
    for (const std::size_t bytes : {0u, 1u, 222u, 223u, 224u, 5000u, 1000000u}) {
        protected_file f(bytes);
        CHECK(f.parity.size() == f.layout.sidecar_bytes());
        CHECK(f.repair().file_whole());
        CHECK((read_file(f.output) == f.original));
    }
    const io::ecc_layout large(std::uint64_t{1} << 40);
    CHECK(static_cast<double>(large.sidecar_bytes()) / static_cast<double>(large.file_bytes()) < 0.1458);
    CHECK(large.row_bytes() <= MiB);
}

TEST_CASE("16 wrong bytes in every word come back, wherever they are") {
    for (const std::size_t bytes : {2000u, 40000u, 1500000u}) {
        protected_file f(bytes);
        spoil_words(f, 16, f.layout.row_bytes());
        const repair_report report = f.repair();
        CHECK(report.repairable());
        CHECK(report.damaged_cells > 32);
        CHECK(report.restored_cells == report.damaged_cells);
        CHECK((read_file(f.output) == f.original));
    }
}

TEST_CASE("one wrong byte in every cell, of which no checksum fits any more, comes back") {
    protected_file f(2000000);
    for (std::size_t row = 0; row < io::ecc_rows; ++row)
        for (std::size_t strip = 0; strip < f.layout.strips(); ++strip) {
            const std::uint64_t column = f.layout.first_column(strip) + (row / 16) % f.layout.columns(strip);
            if (row >= io::ecc_data_rows)
                spoil(f.parity, f.layout.parity_offset(0, row - io::ecc_data_rows) + column);
            else if (f.layout.data_offset(0, row) + column < f.file.size())
                spoil(f.file, f.layout.data_offset(0, row) + column);
        }
    const repair_report report = f.repair();
    CHECK(report.damaged_cells == report.cells);
    CHECK(report.repairable());
    CHECK((read_file(f.output) == f.original));
}

TEST_CASE("17 wrong bytes in a word of cells that are all damaged are told, and nothing is made up") {
    protected_file f(1500000);
    spoil_words(f, 17, f.layout.columns(0));
    const repair_report report = f.repair();
    CHECK_FALSE(report.repairable());
    CHECK(report.restored_cells == 0);
    CHECK(report.lost_cells() > 200);
    CHECK_FALSE(report.lost.empty());
    const byte_buffer out = read_file(f.output);
    CHECK((out == f.file)); // what is there
    std::uint64_t lost = 0;
    for (const archive::byte_range& range : report.lost)
        lost += range.bytes;
    for (std::size_t i = 0; i < out.size(); ++i)
        if (out[i] != f.original[i] &&
            std::none_of(report.lost.begin(), report.lost.end(),
                         [&](const archive::byte_range& r) { return i >= r.offset && i < r.offset + r.bytes; }))
            FAIL("byte " << i << " is lost and not listed");
    CHECK(lost < out.size());
}

TEST_CASE("32 lost cells of a strip come back, of 33 none is made up") {
    protected_file f(1500000);
    const auto lose = [&](std::size_t count) {
        for (std::size_t i = 0; i < count; ++i)
            spoil(f.file, f.layout.data_offset(0, 3 * i), f.layout.columns(0));
    };
    lose(32);
    CHECK(f.repair().damaged_cells == 32);
    CHECK((read_file(f.output) == f.original));
    f.file = f.original;
    lose(33);
    const repair_report report = f.repair();
    CHECK(report.lost_cells() == 33);
    CHECK((read_file(f.output) == f.file));
}

TEST_CASE("bursts come back: sectors, 32 rows of zeros, noise, from any place on") {
    protected_file f(3000000);
    const std::uint64_t most = 31 * f.layout.row_bytes();
    for (const std::uint64_t begin : {0u, 1u, 4095u, 1234567u}) {
        f.file = f.original;
        spoil(f.file, begin, 4096);
        CHECK(f.is_repaired());
        spoil(f.file, begin + 100000, 100);
        wipe(f.file, begin, most);
        CHECK(f.is_repaired());
        f.file = f.original;
        spoil(f.file, begin, most);
        CHECK(f.is_repaired());
    }
}

TEST_CASE("lost cells and scattered errors together come back") {
    protected_file f(1500000);
    // Eleven rows of zeros and, in each word, ten wrong bytes elsewhere: 11 + 2 * 10 is below 32.
    spoil_words(f, 10, f.layout.columns(0));
    for (std::size_t row = 40; row < 51; ++row)
        wipe(f.file, f.layout.data_offset(0, row), f.layout.columns(0));
    CHECK(f.is_repaired());
}

TEST_CASE("a tail that is missing comes back, bytes behind the end go away") {
    protected_file f(3000000);
    for (const std::uint64_t cut : {1u, 5000u, 300000u}) {
        f.file = byte_buffer(f.original.begin(), f.original.end() - static_cast<std::ptrdiff_t>(cut));
        const repair_report report = f.repair();
        CHECK_FALSE(report.file_whole());
        CHECK(report.found_bytes + cut == report.file_bytes);
        CHECK((read_file(f.output) == f.original));
    }
    f.file = f.original;
    f.file.resize(f.file.size() + 777, 9);
    const repair_report report = f.repair();
    CHECK(report.damaged_cells == 0);
    CHECK_FALSE(report.file_whole());
    CHECK((read_file(f.output) == f.original));
}

TEST_CASE("the sidecar may be damaged, too: headers, checksums, parity, its end") {
    protected_file f(2000000);
    const byte_buffer parity = f.parity;
    const auto damage_file = [&] {
        f.file = f.original;
        spoil(f.file, 5000, 9000);
        spoil(f.file, 1000000);
    };
    damage_file();
    spoil(f.parity, 20); // the first header
    CHECK_FALSE(f.repair().headers_ok);
    CHECK((read_file(f.output) == f.original));
    spoil(f.parity, f.layout.last_header_offset() + 20); // both
    CHECK(f.is_repaired());
    f.parity = parity;
    spoil(f.parity, f.layout.parity_offset(0, 3), 2 * f.layout.row_bytes());
    CHECK(f.repair().parity_damaged > 0);
    CHECK((read_file(f.output) == f.original));
    f.parity = parity;
    // All checksums: then the code has to do alone.
    f.file = f.original;
    spoil_words(f, 16, f.layout.row_bytes());
    spoil(f.parity, f.layout.page_offset(0, 0), f.layout.strips() * io::ecc_page_bytes);
    CHECK(f.repair().pages_damaged == f.layout.strips());
    CHECK((read_file(f.output) == f.original));
    f.parity = parity;
    damage_file();
    f.parity.resize(f.parity.size() - 10000); // the checksums and the last header
    CHECK(f.is_repaired());
}

TEST_CASE("without checksums, words with too many errors are told") {
    protected_file f(1500000);
    spoil(f.parity, f.layout.page_offset(0, 0) + 11);
    spoil_words(f, 17, f.layout.columns(0));
    const repair_report report = f.repair();
    CHECK_FALSE(report.repairable());
    CHECK((read_file(f.output) == f.file));
    f.reset();
    spoil(f.parity, f.layout.page_offset(0, 0) + 11);
    const repair_report healthy = f.repair();
    CHECK(healthy.file_whole());
    CHECK(healthy.pages_damaged == 1);
    CHECK_FALSE(healthy.sidecar_whole());
}

TEST_CASE("without checksums and with cells that are missing, nothing is made up") {
    // 24 rows are missing, and the checksums of their strip: of words with five wrong bytes more, one in some forty
    // looks like another word to a decoder that spends all parity. The first such word is the damage.
    protected_file f(1500000);
    constexpr std::size_t kept = io::ecc_data_rows - 24;
    std::vector<std::uint8_t> missing;
    for (std::size_t row = kept; row < io::ecc_data_rows; ++row)
        missing.push_back(static_cast<std::uint8_t>(row));
    const auto wrong_row = [&](std::uint64_t column, std::size_t i) {
        return static_cast<std::size_t>((column * 31 + i * (column % 40 + 1)) % kept); // other ones in each column
    };
    std::uint64_t column = 0;
    for (bool deceives = false; !deceives; ++column) {
        REQUIRE(column < f.layout.columns(0));
        std::array<std::uint8_t, io::ecc_rows> word{};
        for (std::size_t row = 0; row < io::ecc_rows; ++row)
            if (row < kept)
                word[row] = f.file[static_cast<std::size_t>(f.layout.data_offset(0, row) + column)];
            else if (row >= io::ecc_data_rows)
                word[row] =
                    f.parity[static_cast<std::size_t>(f.layout.parity_offset(0, row - io::ecc_data_rows) + column)];
        const std::array<std::uint8_t, io::ecc_rows> right = word;
        for (std::size_t i = 0; i < 5; ++i)
            word[wrong_row(column, i)] ^= 0x5a; // as spoil() does
        deceives = ecc::correct(word, missing) && !std::equal(right.begin(), right.begin() + kept, word.begin());
    }
    for (std::size_t i = 0; i < 5; ++i)
        spoil(f.file, f.layout.data_offset(0, wrong_row(column - 1, i)) + column - 1);
    spoil(f.parity, f.layout.page_offset(0, 0) + 11);
    f.file.resize(static_cast<std::size_t>(f.layout.data_offset(0, kept)));
    CHECK_FALSE(f.repair().repairable());
    byte_buffer out = read_file(f.output);
    out.resize(f.file.size());
    CHECK((out == f.file));
}

TEST_CASE("empty and tiny files come back") {
    for (const std::size_t bytes : {1u, 2u, 31u, 222u, 223u, 224u, 1000u}) {
        protected_file f(bytes);
        for (std::size_t at = 0; at < bytes; at += 40) {
            f.file = f.original;
            spoil(f.file, at);
            CHECK(f.is_repaired());
        }
        f.file.resize(bytes / 10);
        CHECK((f.is_repaired() || bytes > 31));
    }
    protected_file empty(0);
    empty.file = {1, 2, 3};
    CHECK(empty.is_repaired());
}

TEST_CASE("the parity of another file is refused") {
    protected_file f(500000);
    f.file = random_bytes(500000, 99);
    CHECK(failure_code([&] { f.repair(); }) == errc::mismatch);
    CHECK_FALSE(fs::exists(f.output));
    f.file = random_bytes(400000, 98);
    CHECK(failure_code([&] { f.repair(); }) == errc::mismatch);
}

TEST_CASE("what is no sidecar is refused, and what announces more than there is") {
    protected_file f(100000);
    const byte_buffer parity = f.parity;
    f.parity = random_bytes(5000);
    CHECK(failure_code([&] { f.repair(); }) == errc::unsupported);
    f.parity.clear();
    CHECK(failure_code([&] { f.repair(); }) == errc::unsupported);
    f.parity = f.original;
    CHECK(failure_code([&] { f.repair(); }) == errc::unsupported);
    const auto header_of = [](std::uint64_t bytes) {
        const io::ecc_header header = io::detail::ecc_header_of(io::ecc_layout(bytes), 0);
        return byte_buffer(header.begin(), header.end());
    };
    f.parity = header_of(std::uint64_t{1} << 50);
    CHECK(failure_code([&] { f.repair(); }) == errc::truncated);
    f.parity = parity;
    store_le(f.parity.data() + 16, std::uint64_t{1} << 60); // with the checksum of a header that contradicts itself
    store_le(f.parity.data() + 56, io::checksum(bytes_view(f.parity).first(56)));
    CHECK(failure_code([&] { f.repair(); }) == errc::limit);
    f.parity = parity;
    store_le(f.parity.data() + 24, std::uint64_t{1} << 40);
    store_le(f.parity.data() + 56, io::checksum(bytes_view(f.parity).first(56)));
    CHECK(failure_code([&] { f.repair(); }) == errc::corrupt);
    f.parity = parity;
    store_le(f.parity.data() + 8, std::uint16_t{2});
    store_le(f.parity.data() + 56, io::checksum(bytes_view(f.parity).first(56)));
    CHECK(failure_code([&] { f.repair(); }) == errc::unsupported);
}

TEST_CASE("a sidecar does not depend on threads, and is never written over the file or what is there") {
    protected_file f(3000000);
    thread_executor four(4);
    const fs::path other = f.directory / "four.ecc";
    protect(f.path, other, {}, four);
    CHECK((read_file(other) == f.parity));
    parallel::serial_executor e;
    CHECK(failure_code([&] { protect(f.path, f.path, {}, e); }) == errc::invalid_argument);
    CHECK(failure_code([&] { protect(f.path, f.sidecar, {}, e); }) == errc::exists);
    CHECK((read_file(f.path) == f.original));
    parallel::cancel_token stop;
    stop.request();
    repair_options options;
    options.cancel = &stop;
    CHECK(failure_code([&] { protect(f.path, f.directory / "new.ecc", options, e); }) == errc::cancelled);
    CHECK(failure_code([&] { check_parity(f.path, f.sidecar, options, e); }) == errc::cancelled);
    CHECK_FALSE(fs::exists(f.directory / "new.ecc"));
}

TEST_CASE("files of several stripes: a lost MiB, and as much as a stripe can bear in each") {
    if (!memory_is_measurable) SKIP("half a GiB takes very long under a sanitizer");
    const std::size_t bytes = 225 * MiB + 12345; // two stripes
    byte_buffer content(bytes);
    std::mt19937_64 random(5);
    for (std::size_t i = 0; i + 8 <= bytes; i += 8)
        store_le(content.data() + i, std::uint64_t{random()});
    protected_file f(std::move(content));
    REQUIRE(f.layout.stripes() == 2);
    spoil(f.file, 50 * MiB + 17, MiB);
    wipe(f.file, 130 * MiB + 5, 15 * MiB);
    thread_executor four(4);
    f.save();
    const repair_report report = repair_to(f.path, f.sidecar, f.output, {}, four);
    CHECK(report.repairable());
    CHECK((read_file(f.output) == f.original));
}
