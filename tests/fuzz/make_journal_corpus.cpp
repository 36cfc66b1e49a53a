// SPDX-License-Identifier: BSL-1.0
// Writes the seed corpus of the fuzz target journal: `make_journal_corpus DIRECTORY`. The files are committed.
#include <filesystem>
#include <initializer_list>
#include <iostream>
#include <string>
#include <utility>

#include <bigsmall/io/journal.hpp>

#include "unit/io/io_fixtures.hpp"

namespace {

using namespace io_test;

byte_buffer journal_of(std::initializer_list<std::pair<std::uint64_t, std::size_t>> runs, std::uint64_t file_bytes,
                       const std::string& label) {
    memory_sink out;
    journal_writer writer(out, file_bytes, label);
    for (const auto& [offset, bytes] : runs)
        writer.add({offset, noise(bytes, 1), noise(bytes, 2)});
    writer.finish({1, 2, 3}, {4, 5, 6});
    return out.take();
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: make_journal_corpus DIRECTORY\n";
        return 2;
    }
    const std::filesystem::path to = std::filesystem::path(argv[1]) / "journal";
    std::filesystem::create_directories(to);
    const byte_buffer runs = journal_of({{0, 1}, {70, 30}, {500, 3}}, 503, "patch.bs");
    write_file(to / "runs", runs);
    write_file(to / "no_runs", journal_of({}, 0, ""));
    write_file(to / "one_run", journal_of({{8, 64}}, std::uint64_t{1} << 40, "p"));
    write_file(to / "adjacent_runs", journal_of({{8, 64}, {72, 8}}, 80, "p"));
    write_file(to / "cut", bytes_view(runs).first(runs.size() - 40));
    write_file(to / "header_only", bytes_view(runs).first(40));
    byte_buffer damaged = runs;
    damaged[44] = 0xff; // the length of the first run
    damaged[46] = 0xff;
    write_file(to / "long_run", damaged);
    return 0;
}
