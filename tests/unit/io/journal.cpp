// SPDX-License-Identifier: BSL-1.0
// The journal of a change in place: what is written comes back, and nothing else is believed.
#include <algorithm>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <bigsmall/io/journal.hpp>
#include <bigsmall/io/journal_reader.hpp>
#include <bigsmall/io/partial_file.hpp>

#include "io_fixtures.hpp"
#include "support/catch.hpp"
#include "support/peak_memory.hpp"

using namespace io_test;

namespace {

struct owned_run {
    std::uint64_t offset = 0;
    byte_buffer before, after;
    bool operator==(const owned_run&) const = default;
};

sha256_digest digest_of(std::uint8_t value) {
    sha256_digest digest;
    digest.fill(value);
    return digest;
}

byte_buffer written(const std::vector<owned_run>& runs, std::uint64_t file_bytes,
                    const std::string& label = "a patch") {
    memory_sink out;
    journal_writer writer(out, file_bytes, label);
    for (const owned_run& run : runs)
        writer.add({run.offset, run.before, run.after});
    writer.finish(digest_of(1), digest_of(2));
    return out.take();
}

std::vector<owned_run> read_runs(journal_reader& reader) {
    std::vector<owned_run> runs;
    for (journal_run run; reader.next(run);)
        runs.push_back({run.offset, {run.before.begin(), run.before.end()}, {run.after.begin(), run.after.end()}});
    return runs;
}

std::vector<owned_run> read_runs(const byte_buffer& bytes) {
    journal_reader reader(in_memory(bytes));
    return read_runs(reader);
}

owned_run some_run(std::uint64_t offset, std::size_t bytes, std::uint32_t seed = 1) {
    return {offset, noise(bytes, seed), noise(bytes, seed + 1)};
}

/// A journal with right checksums, whatever else is wrong with it.
class forged_journal {
public:
    explicit forged_journal(std::uint64_t file_bytes, std::uint16_t version = 1, std::uint16_t reserved = 0,
                            std::uint32_t label = 0) {
        io::detail::append_le(bytes_, io::detail::journal_magic);
        io::detail::append_le(bytes_, version);
        io::detail::append_le(bytes_, reserved);
        io::detail::append_le(bytes_, label);
        io::detail::append_le(bytes_, file_bytes);
        io::detail::append_le(bytes_, checksum(bytes_));
    }
    forged_journal& run(std::uint64_t offset, std::uint32_t length, std::uint32_t contents,
                        std::uint32_t reserved = 0) {
        const std::size_t begin = bytes_.size();
        io::detail::append_le(bytes_, offset);
        io::detail::append_le(bytes_, length);
        io::detail::append_le(bytes_, reserved);
        bytes_.resize(bytes_.size() + 2 * std::size_t{contents});
        io::detail::append_le(bytes_, checksum(bytes_view(bytes_).subspan(begin)));
        ++runs_;
        changed_ += contents;
        return *this;
    }
    byte_buffer end(std::uint64_t more_runs = 0, std::uint64_t more_changed = 0, std::uint64_t more_bytes = 0) const {
        byte_buffer trailer;
        io::detail::append_le(trailer, io::detail::journal_end_magic);
        io::detail::append_le(trailer, runs_ + more_runs);
        io::detail::append_le(trailer, changed_ + more_changed);
        trailer.resize(88);
        io::detail::append_le(trailer, bytes_.size() + 112 + more_bytes);
        io::detail::append_le(trailer, checksum(bytes_));
        io::detail::append_le(trailer, checksum(trailer));
        byte_buffer all = bytes_;
        io::detail::append(all, trailer);
        return all;
    }

private:
    byte_buffer bytes_;
    std::uint64_t runs_ = 0, changed_ = 0;
};

errc refused(const byte_buffer& bytes) {
    return thrown_by([&] { read_runs(bytes); }).code();
}

} // namespace

TEST_CASE("a journal gives back what was written", "[io][journal]") {
    const std::vector<owned_run> runs = {some_run(0, 1), some_run(1, 70), some_run(5000, max_run_bytes),
                                         some_run(3'000'000, 9), some_run((std::uint64_t{1} << 40) - 3, 3)};
    const byte_buffer bytes = written(runs, std::uint64_t{1} << 40);
    journal_reader reader(in_memory(bytes));
    CHECK(reader.info() ==
          journal_info{std::uint64_t{1} << 40, "a patch", digest_of(1), digest_of(2), 5, max_run_bytes + 83});
    CHECK(read_runs(reader) == runs);
    reader.rewind();
    CHECK(read_runs(reader) == runs);
    reader.rewind();
    journal_run run;
    CHECK(reader.next(run));
    reader.rewind(); // in the middle
    CHECK(read_runs(reader) == runs);
    CHECK(read_runs(written({}, 0, "")).empty());
    CHECK(journal_reader(in_memory(written({}, 7, std::string(5000, 'x')))).info().label == std::string(4096, 'x'));
}

TEST_CASE("a journal of many runs is read in windows", "[io][journal]") {
    std::vector<owned_run> runs;
    std::mt19937 random(5);
    std::uint64_t at = 0;
    for (std::uint32_t i = 0; i < 60; ++i) {
        at += random() % 3;
        runs.push_back(some_run(at, i % 7 == 0 ? max_run_bytes - random() % 50 : 1 + random() % 100'000, i));
        at += runs.back().before.size();
    }
    CHECK(read_runs(written(runs, at)) == runs);
}

TEST_CASE("the bytes of a journal are those of docs/format/journal.md", "[io][journal]") {
    const byte_buffer bytes = written({{3, {0xaa, 0xbb}, {0xcc, 0xdd}}}, 9, "hi");
    REQUIRE(bytes.size() == 24 + 2 + 8 + 16 + 4 + 8 + 112);
    const auto part = [&](std::size_t at, std::size_t count) {
        return byte_buffer(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                           bytes.begin() + static_cast<std::ptrdiff_t>(at + count));
    };
    const auto number = [&](std::size_t at) { return load_le<std::uint64_t>(bytes.data() + at); };
    CHECK(part(0, 26) == byte_buffer{0x89, 'B', 'S', 'J', 0x0d, 0x0a, 0x1a, 0x0a, 1, 0, 0, 0,   2,
                                     0,    0,   0,   9,   0,    0,    0,    0,    0, 0, 0, 'h', 'i'});
    CHECK(number(26) == checksum(part(0, 26)));
    CHECK(part(34, 20) == byte_buffer{3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0xaa, 0xbb, 0xcc, 0xdd});
    CHECK(number(54) == checksum(part(34, 20)));
    CHECK(part(62, 8) == to_bytes("BSJend\r\n"));
    CHECK(number(70) == 1);
    CHECK(number(78) == 2);
    CHECK(part(86, 32) == byte_buffer(32, 1));
    CHECK(part(118, 32) == byte_buffer(32, 2));
    CHECK(number(150) == bytes.size());
    CHECK(number(158) == checksum(part(0, 62)));
    CHECK(number(166) == checksum(part(62, 104)));
}

TEST_CASE("no changed bit and no missing byte of a journal goes unseen", "[io][journal]") {
    const byte_buffer bytes = written({some_run(2, 5), some_run(9, 30)}, 50);
    for (std::size_t i = 0; i < bytes.size(); ++i)
        for (int bit = 0; bit < 8; ++bit) {
            CAPTURE(i, bit);
            byte_buffer changed = bytes;
            changed[i] ^= static_cast<std::uint8_t>(1 << bit);
            const errc code = refused(changed);
            REQUIRE((code == errc::corrupt || (code == errc::unsupported && (i == 8 || i == 9))));
        }
    for (std::size_t n = 0; n < bytes.size(); ++n) {
        CAPTURE(n);
        const errc code = refused(byte_buffer(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n)));
        REQUIRE((code == errc::corrupt || code == errc::truncated));
    }
    byte_buffer longer = bytes;
    longer.push_back(0);
    CHECK(refused(longer) == errc::corrupt);
    // All of it, but twice.
    longer = bytes;
    longer.insert(longer.end(), bytes.begin(), bytes.end());
    CHECK(refused(longer) == errc::corrupt);
}

TEST_CASE("a journal that lies with right checksums is refused", "[io][journal]") {
    CHECK(read_runs(forged_journal(100).run(0, 10, 10).run(10, 90, 90).end()).size() == 2);
    const auto lie = [](const forged_journal& journal) { return refused(journal.end()); };
    CHECK(lie(forged_journal(100).run(0, 0, 0)) == errc::corrupt);
    CHECK(lie(forged_journal(100).run(0, 10, 10, 1)) == errc::corrupt);
    CHECK(lie(forged_journal(100).run(50, 10, 10).run(59, 10, 10)) == errc::corrupt);
    CHECK(lie(forged_journal(100).run(50, 10, 10).run(20, 10, 10)) == errc::corrupt);
    CHECK(lie(forged_journal(100).run(91, 10, 10)) == errc::corrupt);
    CHECK(lie(forged_journal(100).run(101, 1, 1)) == errc::corrupt);
    CHECK(lie(forged_journal(100).run(std::numeric_limits<std::uint64_t>::max(), 10, 10)) == errc::corrupt);
    const std::uint64_t large = std::uint64_t{1} << 40;
    CHECK(read_runs(forged_journal(large).run(0, max_run_bytes, max_run_bytes).end()).size() == 1);
    CHECK(lie(forged_journal(large).run(0, max_run_bytes + 1, max_run_bytes + 1)) == errc::corrupt);
    CHECK(lie(forged_journal(large).run(0, 11, 10)) == errc::corrupt); // goes on into the trailer
    CHECK(lie(forged_journal(large).run(0, max_run_bytes, 10)) == errc::corrupt);
    CHECK(lie(forged_journal(large).run(0, 0xffff'ffff, 10)) == errc::corrupt);
    CHECK(lie(forged_journal(large).run(0, 9, 10)) == errc::corrupt);
    CHECK(lie(forged_journal(large, 2)) == errc::unsupported);
    CHECK(lie(forged_journal(large, 1, 1)) == errc::corrupt);
    CHECK(lie(forged_journal(large, 1, 0, 1)) == errc::corrupt);
    CHECK(lie(forged_journal(large, 1, 0, 0xffff'ffff)) == errc::corrupt);
    const forged_journal right = forged_journal(100).run(0, 10, 10);
    CHECK(refused(right.end(1)) == errc::corrupt);
    CHECK(refused(right.end(0, 1)) == errc::corrupt);
    CHECK(refused(right.end(0, 0, 1)) == errc::corrupt);
    CHECK(contains(thrown_by([&] { read_runs(right.end(1)); }).what(), "not as many runs"));
    CHECK(thrown_by([&] { read_runs(right.end(1)); }).file() == "test.bs");
}

TEST_CASE("a journal is never read as a whole", "[io][journal]") {
    if (!support::memory_is_measurable) SKIP("a sanitizer would be measured");
    scratch_directory dir;
    {
        atomic_file out(dir / "journal", if_exists::refuse);
        journal_writer writer(out, 64 * MiB, "");
        const byte_buffer run(max_run_bytes, 7);
        for (std::uint64_t at = 0; at < 40 * MiB; at += max_run_bytes)
            writer.add({at, run, run});
        writer.finish({}, {});
        out.commit();
    }
    std::uint64_t runs = 0;
    const auto read_all = [&] {
        journal_reader reader(std::make_shared<const file_source>(dir / "journal"));
        for (journal_run run; reader.next(run);)
            ++runs;
    };
    CHECK(support::memory_of(read_all) < 8 * MiB);
    read_all();
    CHECK(runs == 40);
}

TEST_CASE("only runs that can be read are written", "[io][journal]") {
    memory_sink out;
    journal_writer writer(out, 5 * MiB, "");
    const byte_buffer bytes(max_run_bytes + 1);
    const auto refuses = [&](std::uint64_t offset, std::size_t before, std::size_t after) {
        const auto add = [&] { writer.add({offset, bytes_view(bytes).first(before), bytes_view(bytes).first(after)}); };
        CHECK(thrown_by(add).code() == errc::invalid_argument);
    };
    writer.add({100, bytes_view(bytes).first(10), bytes_view(bytes).first(10)});
    refuses(109, 1, 1);
    refuses(110, 0, 0);
    refuses(110, 2, 1);
    refuses(110, max_run_bytes + 1, max_run_bytes + 1);
    refuses(5 * MiB - 1, 2, 2);
    refuses(std::numeric_limits<std::uint64_t>::max(), 1, 1);
    CHECK(writer.info().runs == 1);
    writer.finish({}, {});
    CHECK(read_runs(out.bytes()).size() == 1);
}

TEST_CASE("a journal lies beside its file whatever the name is", "[io][journal]") {
    CHECK(journal_path("models/m.safetensors") == "models/m.safetensors.bigsmall-journal");
    CHECK(journal_path("m") == "m.bigsmall-journal");
    CHECK(partial_journal_path("/a/m") == "/a/.m.bigsmall-journal.partial");
    CHECK(partial_rewrite_path("/a/m") == "/a/.m.bigsmall-rewrite.partial");
    for (const std::size_t bytes : {229u, 230u, 255u}) {
        const std::string a = std::string(bytes - 1, 'x') + "a", b = std::string(bytes - 1, 'x') + "b";
        for (const auto path_of : {journal_path, partial_journal_path, partial_rewrite_path}) {
            CHECK(path_of(a).native().size() <= 255);
            CHECK(path_of(a) != path_of(b));
        }
    }
    // Letters of two bytes are not cut in halves.
    for (const std::string prefix : {"", "x"}) {
        std::string name = prefix;
        while (name.size() < 250)
            name += "\xc3\xa9";
        const std::string made = journal_path(name).native();
        const std::size_t dash = made.find('-');
        REQUIRE(dash != std::string::npos);
        CHECK((dash - prefix.size()) % 2 == 0);
    }
}

TEST_CASE("a partial file replaces a leftover and is gone unless it is committed", "[io][journal]") {
    scratch_directory dir;
    file_operations operations;
    struct stat rights {};
    rights.st_uid = ::getuid();
    rights.st_gid = ::getgid();
    rights.st_mode = S_IFREG | 0604;
    const byte_buffer bytes = noise(700'000, 1);
    write_file(dir / ".x.partial", noise(1'000'000, 2));
    {
        partial_file file(dir / ".x.partial", rights, "x", operations);
        CHECK(std::filesystem::file_size(dir / ".x.partial") == 0);
        file.write(bytes);
    }
    CHECK(dir.entries() == 0);
    for (const bool over : {false, true}) {
        partial_file file(dir / ".x.partial", rights, "x", operations);
        for (std::size_t at = 0; at < bytes.size(); at += 70'000)
            file.write(bytes_view(bytes).subspan(at, 70'000));
        file.write(bytes);
        CHECK(file.position() == 1'400'000);
        if (over)
            file.commit_over(dir / "x");
        else
            file.commit_new(dir / "x");
        byte_buffer twice = bytes;
        io::detail::append(twice, bytes);
        CHECK(read_file(dir / "x") == twice);
        CHECK(dir.entries() == 1);
        struct stat facts {};
        REQUIRE(::stat((dir / "x").c_str(), &facts) == 0);
        CHECK((facts.st_mode & 0777) == 0604);
    }
    partial_file file(dir / ".x.partial", rights, "x", operations);
    CHECK(thrown_by([&] { file.commit_new(dir / "x"); }).code() == errc::exists);
}
