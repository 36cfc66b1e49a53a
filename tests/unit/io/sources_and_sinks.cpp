// SPDX-License-Identifier: BSL-1.0
#include <array>
#include <numeric>
#include <sstream>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io_fixtures.hpp"
#include "support/catch.hpp"

using namespace io_test;

namespace {

void check_reads(const source& from, const byte_buffer& expected) {
    REQUIRE(from.size() == expected.size());
    byte_buffer all(expected.size());
    from.read(0, all);
    CHECK(all == expected);
    byte_buffer part(3);
    from.read(2, part);
    CHECK(part == byte_buffer(expected.begin() + 2, expected.begin() + 5));
    from.read(expected.size(), bytes_span());
    const error e = thrown_by([&] { from.read(expected.size() - 2, part); });
    CHECK(e.code() == errc::truncated);
    CHECK(e.offset() == expected.size() - 2);
    CHECK(e.file() == from.name());
    CHECK(thrown_by([&] { from.read(~std::uint64_t{0}, part); }).code() == errc::truncated);
}

} // namespace

TEST_CASE("every source gives the bytes it has and refuses those it has not", "[io][source]") {
    scratch_directory dir;
    const byte_buffer bytes = noise(10'000, 5);
    write_file(dir / "data", bytes);
    check_reads(memory_source(bytes), bytes);
    check_reads(file_source(dir / "data"), bytes);
    check_reads(mapped_source(dir / "data"), bytes);
    const mapped_source mapped(dir / "data");
    CHECK(std::equal(bytes.begin(), bytes.end(), mapped.bytes().begin(), mapped.bytes().end()));
}

TEST_CASE("an empty file is a source of no bytes", "[io][source]") {
    scratch_directory dir;
    write_file(dir / "empty", {});
    CHECK(file_source(dir / "empty").size() == 0);
    const mapped_source mapped(dir / "empty");
    CHECK(mapped.size() == 0);
    CHECK(mapped.bytes().empty());
    mapped.read(0, {});
    std::uint8_t byte = 0;
    CHECK(thrown_by([&] { mapped.read(0, bytes_span(&byte, 1)); }).code() == errc::truncated);
}

TEST_CASE("what cannot be a source says why", "[io][source]") {
    scratch_directory dir;
    const error missing = thrown_by([&] { file_source(dir / "no such file"); });
    CHECK(missing.code() == errc::missing);
    CHECK(missing.file() == (dir / "no such file").string());
    CHECK(contains(missing.what(), "No such file"));
    const error directory = thrown_by([&] { file_source(dir.path()); });
    CHECK(directory.code() == errc::invalid_input);
    CHECK(contains(directory.what(), "this is a directory"));
    CHECK(thrown_by([&] { mapped_source(dir.path()); }).code() == errc::invalid_input);
    CHECK(thrown_by([&] { mapped_source(dir / "nothing"); }).code() == errc::missing);
    // A named pipe must be refused at once, not waited for.
    REQUIRE(::mkfifo((dir / "pipe").c_str(), 0600) == 0);
    CHECK(contains(thrown_by([&] { file_source(dir / "pipe"); }).what(), "not a regular file"));
}

TEST_CASE("a file that shrinks while it is read is truncated, not endless", "[io][source]") {
    scratch_directory dir;
    write_file(dir / "data", byte_buffer(100, 1));
    const file_source from(dir / "data");
    std::filesystem::resize_file(dir / "data", 10);
    byte_buffer all(100);
    const error e = thrown_by([&] { from.read(0, all); });
    CHECK(e.code() == errc::truncated);
    CHECK(e.offset() == 10u);
}

TEST_CASE("sinks append and count", "[io][sink]") {
    memory_sink memory;
    memory.write(to_bytes("ab"));
    memory.write({});
    memory.write(to_bytes("c"));
    CHECK(memory.position() == 3);
    CHECK(memory.take() == to_bytes("abc"));
    CHECK(memory.position() == 0);

    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    file_descriptor_sink to_pipe(ends[1], "a pipe");
    to_pipe.write(to_bytes("through"));
    CHECK(to_pipe.position() == 7);
    std::array<char, 16> got{};
    CHECK(::read(ends[0], got.data(), got.size()) == 7);
    CHECK(std::string(got.data()) == "through");
    ::close(ends[0]);
    ::close(ends[1]);
    const error e = thrown_by([] { file_descriptor_sink(-1, "nowhere").write(to_bytes("x")); });
    CHECK(e.code() == errc::io);
    CHECK(e.file() == "nowhere");
}

TEST_CASE("a full non-blocking pipe is waited for", "[io][sink]") {
    std::array<int, 2> ends{};
    REQUIRE(::pipe(ends.data()) == 0);
    REQUIRE(::fcntl(ends[1], F_SETFL, O_NONBLOCK) == 0);
    const byte_buffer sent = noise(400'000, 9);
    byte_buffer got;
    // The reading end is a child process, so that this test needs no thread.
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        ::close(ends[1]);
        std::array<std::uint8_t, 4096> piece{};
        std::size_t total = 0;
        for (ssize_t n = 0; (n = ::read(ends[0], piece.data(), piece.size())) > 0;)
            total += static_cast<std::size_t>(n);
        ::_exit(total == 400'000 ? 0 : 1);
    }
    ::close(ends[0]);
    file_descriptor_sink(ends[1]).write(sent);
    ::close(ends[1]);
    int status = 1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
}

TEST_CASE("an atomic file appears on commit and leaves nothing without", "[io][atomic_file]") {
    scratch_directory dir;
    {
        atomic_file file(dir / "out", if_exists::refuse);
        file.write(to_bytes("half"));
        CHECK_FALSE(std::filesystem::exists(dir / "out"));
        CHECK(dir.entries() == 1);
        CHECK(contains(file.temporary().filename().string(), ".out."));
        CHECK(file.temporary().extension() == ".partial");
    }
    CHECK(dir.entries() == 0);
    const byte_buffer large = noise(700'000, 3);
    {
        atomic_file file(dir / "out", if_exists::refuse);
        file.write(to_bytes("small"));
        file.write(large);
        file.write(to_bytes("end"));
        CHECK(file.position() == 700'008);
        file.commit();
    }
    CHECK(dir.entries() == 1);
    byte_buffer expected = to_bytes("small");
    expected.insert(expected.end(), large.begin(), large.end());
    for (const char c : {'e', 'n', 'd'})
        expected.push_back(static_cast<std::uint8_t>(c));
    CHECK(read_file(dir / "out") == expected);
}

TEST_CASE("an atomic file never overwrites unless asked", "[io][atomic_file]") {
    scratch_directory dir;
    write_file(dir / "out", to_bytes("old"));
    const error e = thrown_by([&] { atomic_file(dir / "out", if_exists::refuse); });
    CHECK(e.code() == errc::exists);
    CHECK(e.file() == (dir / "out").string());
    {
        atomic_file late(dir / "late", if_exists::refuse);
        late.write(to_bytes("mine"));
        write_file(dir / "late", to_bytes("theirs")); // somebody else was quicker
        CHECK(thrown_by([&] { late.commit(); }).code() == errc::exists);
    }
    CHECK(read_file(dir / "late") == to_bytes("theirs"));
    {
        atomic_file again(dir / "out", if_exists::replace);
        again.write(to_bytes("new"));
        CHECK(read_file(dir / "out") == to_bytes("old"));
        again.commit();
    }
    CHECK(read_file(dir / "out") == to_bytes("new"));
    CHECK(dir.entries() == 2);
}

TEST_CASE("an atomic file refuses places that are not files", "[io][atomic_file]") {
    scratch_directory dir;
    std::filesystem::create_directory(dir / "folder");
    CHECK(thrown_by([&] { atomic_file(dir / "folder", if_exists::refuse); }).code() == errc::exists);
    CHECK(thrown_by([&] { atomic_file(dir / "folder", if_exists::replace); }).code() ==
          errc::invalid_argument);
    CHECK(thrown_by([] { atomic_file("/dev/null", if_exists::replace); }).code() == errc::invalid_argument);
    CHECK(thrown_by([] { atomic_file("", if_exists::replace); }).code() == errc::invalid_argument);
    CHECK(thrown_by([&] { atomic_file(dir / "none/out", if_exists::refuse); }).code() == errc::missing);
    // A name that is as long as names may be still gets its temporary file.
    atomic_file file(dir / std::string(255, 'n'), if_exists::refuse);
    file.commit();
    CHECK(dir.entries() == 2);
}

TEST_CASE("an atomic file has the permissions of any new file", "[io][atomic_file]") {
    scratch_directory dir;
    const mode_t before = ::umask(027);
    atomic_file file(dir / "out", if_exists::refuse);
    file.commit();
    ::umask(before);
    struct stat facts {};
    REQUIRE(::stat((dir / "out").c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777u) == 0640u);
}

TEST_CASE("the fallback rename does not replace either", "[io][atomic_file]") {
    scratch_directory dir;
    write_file(dir / "a", to_bytes("a"));
    write_file(dir / "b", to_bytes("b"));
    CHECK(io::detail::rename_no_replace((dir / "a").c_str(), (dir / "b").c_str()) == EEXIST);
    CHECK(io::detail::rename_no_replace((dir / "none").c_str(), (dir / "c").c_str()) == ENOENT);
    CHECK(io::detail::rename_no_replace((dir / "a").c_str(), (dir / "c").c_str()) == 0);
    CHECK(read_file(dir / "c") == to_bytes("a"));
    CHECK(dir.entries() == 2);
}

TEST_CASE("a range of a source reads as a stream", "[io][tensor_stream]") {
    const auto from = std::make_shared<memory_source>(to_bytes("0123 456 789 xyz"));
    tensor_stream in(from, 5, 7); // "456 789"
    int first = 0, second = 0;
    REQUIRE((in >> first >> second));
    CHECK(first == 456);
    CHECK(second == 789);
    CHECK(in.eof());
    in.clear();
    in.seekg(-3, std::ios::end);
    std::string word;
    CHECK((in >> word));
    CHECK(word == "789");
    in.clear();
    in.seekg(1);
    CHECK(in.get() == '5');
    CHECK(in.tellg() == std::streampos(2));
    in.seekg(100);
    CHECK(in.fail());
}

TEST_CASE("a stream of a long range gives every byte, and of an empty one none", "[io][tensor_stream]") {
    const byte_buffer bytes = noise(100'000, 4);
    const auto from = std::make_shared<memory_source>(bytes);
    tensor_stream in(from, 1000, 98'000);
    std::ostringstream out;
    out << in.rdbuf();
    CHECK(out.str() == as_string_view(bytes_view(bytes).subspan(1000, 98'000)));
    tensor_stream empty(from, 100'000, 0);
    CHECK(empty.get() == std::char_traits<char>::eof());
    CHECK(thrown_by([&] { range_device(from, 99'999, 2); }).code() == errc::truncated);
}

TEST_CASE("XXH3-64 has the published values", "[io][checksum]") {
    // From the reference: XXH3 of no bytes with seed 0.
    CHECK(checksum({}) == 0x2d06800538d394c2u);
    CHECK(checksum(to_bytes("a")) == 0xe6c632b61e964e1fu);
}

TEST_CASE("zstd frames must be whole, single and of the announced size", "[io][zstd]") {
    const byte_buffer raw(10'000, 7);
    const byte_buffer stored = zstd_compress(raw, 9);
    CHECK(zstd_decompress(stored, raw.size()) == raw);
    CHECK(zstd_decompress(zstd_compress({}, 19), 0).empty());
    for (std::size_t cut = 0; cut < stored.size(); ++cut)
        CHECK(thrown_by([&] { zstd_decompress(bytes_view(stored).first(cut), raw.size()); }).code() ==
              errc::corrupt);
    CHECK(thrown_by([&] { zstd_decompress(stored, raw.size() + 1); }).code() == errc::corrupt);
    CHECK(thrown_by([&] { zstd_decompress(stored, ~std::uint64_t{0}); }).code() == errc::corrupt);
    byte_buffer twice = stored;
    twice.insert(twice.end(), stored.begin(), stored.end());
    CHECK(thrown_by([&] { zstd_decompress(twice, raw.size()); }).code() == errc::corrupt);
}

TEST_CASE("paths that leave their directory are refused", "[io][path_safety]") {
    for (const char* const safe : {"a", "a/b", "..a", "a..", "...", "a b/c.d", "-", "\\", "a/.hidden"})
        CHECK_FALSE(unsafe_path_reason(safe));
    for (const char* const unsafe :
         {"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/../b", "./a", "a/./b", "//"})
        CHECK(unsafe_path_reason(unsafe));
    CHECK(unsafe_path_reason(std::string_view("a\0b", 3)));
    CHECK_FALSE(unsafe_path_reason(std::string(4096, 'a')));
    CHECK(unsafe_path_reason(std::string(4097, 'a')));
}

TEST_CASE("paths that cannot be beside each other are found", "[io][path_safety]") {
    CHECK_FALSE(path_conflict({}));
    CHECK_FALSE(path_conflict({"b", "a", "a-b/c", "a.d", "c/a", "c/b/d"}));
    CHECK(path_conflict({"b", "a", "b"}));
    // "a-" sorts between "a" and "a/b" by bytes.
    CHECK(path_conflict({"a/b", "a-", "a"}));
    CHECK(path_conflict({"x/y/z", "x/y/z/w/v"}));
}

TEST_CASE("names from files are made fit for messages", "[io][printable]") {
    CHECK(printable("layers.0.weight") == "layers.0.weight");
    CHECK(printable("a\x1b[2Jb\n") == "a\\x1b[2Jb\\x0a");
    CHECK(printable("back\\slash") == "back\\\\slash");
    CHECK(printable("abcdef", 3) == "abc...");
    CHECK(printable("a\xc3\xa9z", 2) == "a...");
    CHECK(printable("a\xc3\xa9z", 3) == "a\xc3\xa9...");
    CHECK(in_quotes("x") == "\"x\"");
    CHECK(printable("caf\xe9.txt") == "caf\\xe9.txt");
    CHECK(printable("\xf0\x9f\x98\x80") == "\xf0\x9f\x98\x80");
}

TEST_CASE("UTF-8 is told from what only looks like it", "[io][printable]") {
    for (const char* good :
         {"", "a", "\xc2\x80", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"})
        CHECK(is_utf8(good));
    for (const char* bad : {"\x80", "a\xe9", "\xc0\x80", "\xc1\xbf", "\xc2", "\xc2y", "\xe0\x9f\xbf", "\xed\xa0\x80",
                            "\xe2\x82", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff"})
        CHECK_FALSE(is_utf8(bad));
}

TEST_CASE("formats given by mistake are recognised", "[io][foreign_format]") {
    CHECK(guess_format(to_bytes("GGUF....")) == "a GGUF file");
    CHECK(guess_format(to_bytes("BGSM\x01")) == "a container of the original Python BigSmall");
    CHECK(guess_format(file_of("{}", 8)) == "a safetensors file");
    CHECK_FALSE(guess_format({}));
    CHECK_FALSE(guess_format(byte_buffer(16, 0)));
}
