// SPDX-License-Identifier: BSL-1.0
// Writes the seed corpus of the fuzz target progress_log: `make_progress_corpus DIRECTORY`. The files are committed.
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <iostream>

#include <bigsmall/io/progress_log.hpp>
#include <bigsmall/io/progress_record.hpp>

#include "unit/io/io_fixtures.hpp"

namespace {

using namespace io_test;

byte_buffer log_of(const progress_header& header, std::initializer_list<progress_batch> batches) {
    byte_buffer log = encode_progress_header(header);
    for (const progress_batch& batch : batches) {
        const byte_buffer record = encode_progress_record(encode_progress_batch(batch), progress_chain(log));
        log.insert(log.end(), record.begin(), record.end());
    }
    return log;
}

progress_batch batch_of(std::uint64_t begin, std::initializer_list<progress_block> blocks) {
    progress_batch batch;
    batch.begin = begin;
    batch.raw_bytes = 4096;
    batch.raw_checksum = 1;
    batch.first = true;
    batch.blocks = blocks;
    batch.end = io::detail::end_of_blocks(batch);
    return batch;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: make_progress_corpus DIRECTORY\n";
        return 2;
    }
    const std::filesystem::path to = std::filesystem::path(argv[1]) / "progress_log";
    std::filesystem::create_directories(to);
    progress_header header;
    header.job = "job";
    header.sources = {{"a", 5, 6, 7}, {"b", 1, -1, 0}};
    const progress_batch first = batch_of(64, {{false, true, 100, 1, 2, 3, 4}, {true, false, 0, 0, 0, 0, 0}});
    progress_batch last = batch_of(first.end, {{false, true, 5000, 1, 2, 3, 0}});
    last.first = false;
    last.last = true;
    last.md5.resize(2);
    last.open_content = 1;
    const byte_buffer whole = log_of(header, {first, last});
    write_file(to / "two_batches", whole);
    write_file(to / "no_batches", log_of(header, {}));
    write_file(to / "empty_header", log_of({}, {batch_of(0, {})}));
    write_file(to / "torn", bytes_view(whole).first(whole.size() - 20));
    write_file(to / "cut_header", bytes_view(whole).first(30));
    byte_buffer zeros = whole;
    zeros.resize(whole.size() + 40);
    write_file(to / "zeros_behind", zeros);
    byte_buffer damaged = whole;
    damaged[12] = 0xff; // the length of the header
    damaged[14] = 0xff;
    write_file(to / "long_header", damaged);
    return 0;
}
