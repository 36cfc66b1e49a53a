// SPDX-License-Identifier: BSL-1.0
// The log of an unfinished run: what is written comes back, up to the first byte that is not as it was written.
#include <cstddef>
#include <string>
#include <vector>

#include <bigsmall/io/progress_log.hpp>
#include <bigsmall/io/progress_record.hpp>

#include "io_fixtures.hpp"
#include "support/catch.hpp"

using namespace io_test;

namespace {

progress_header some_header() {
    progress_header header;
    header.plan.fill(7);
    header.job = "bigsmall, blocks of 5 bytes";
    header.sources = {{"a.safetensors", 1000, -5, 999'999'999}, {"b/\xff.json", 0, 1, 2}};
    return header;
}

struct written_log {
    byte_buffer bytes;
    std::vector<std::size_t> ends; ///< of the header, of each record
};

written_log log_of(const std::vector<byte_buffer>& records, const progress_header& header = some_header()) {
    written_log log{encode_progress_header(header), {}};
    std::uint64_t chain = progress_chain(log.bytes);
    log.ends.push_back(log.bytes.size());
    for (const byte_buffer& record : records) {
        const byte_buffer encoded = encode_progress_record(record, chain);
        chain = progress_chain(encoded);
        log.bytes.insert(log.bytes.end(), encoded.begin(), encoded.end());
        log.ends.push_back(log.bytes.size());
    }
    return log;
}

std::vector<byte_buffer> records_of(progress_log_reader& reader) {
    std::vector<byte_buffer> records;
    for (byte_buffer body; reader.next(body);)
        records.push_back(body);
    return records;
}

std::vector<byte_buffer> records_of(const byte_buffer& bytes) {
    progress_log_reader reader(in_memory(bytes));
    return records_of(reader);
}

std::vector<byte_buffer> some_records() { return {noise(30, 1), {}, noise(1, 2), noise(200, 3)}; }

errc refused(const byte_buffer& bytes) {
    return thrown_by([&] { records_of(bytes); }).code();
}

progress_batch some_batch() {
    progress_batch batch;
    batch.begin = 100;
    batch.raw_bytes = 12345;
    batch.raw_checksum = 0x0123456789abcdef;
    batch.member = 3;
    batch.last = true;
    batch.open_content = 8;
    batch.sha256.fill(9);
    batch.md5.resize(2);
    batch.md5[1].fill(4);
    batch.blocks = {{false, true, 10, 11, 12, 13, 14}, {true, false, 0, 0, 0, 0, 0}, {true, true, 5000, 1, 2, 3, 4}};
    batch.end = 128 + 5000; // the last block is aligned
    return batch;
}

} // namespace

TEST_CASE("a log of a run gives back what was written", "[io][progress]") {
    const written_log log = log_of(some_records());
    progress_log_reader reader(in_memory(log.bytes));
    CHECK(reader.header() == some_header());
    CHECK(reader.end() == log.ends.front());
    CHECK(records_of(reader) == some_records());
    CHECK(reader.end() == log.bytes.size());
    CHECK(reader.chain() == progress_chain(log.bytes));

    progress_header empty;
    CHECK(progress_log_reader(in_memory(log_of({}, empty).bytes)).header() == empty);
}

TEST_CASE("a log that is cut anywhere holds the records that are whole", "[io][progress]") {
    const written_log log = log_of(some_records());
    for (std::size_t size = 0; size < log.bytes.size(); ++size) {
        CAPTURE(size);
        const byte_buffer cut(log.bytes.begin(), log.bytes.begin() + static_cast<std::ptrdiff_t>(size));
        if (size < log.ends.front()) {
            REQUIRE(refused(cut) == errc::truncated);
            continue;
        }
        std::vector<byte_buffer> whole = some_records();
        while (log.ends[whole.size()] > size)
            whole.pop_back();
        REQUIRE(records_of(cut) == whole);
        // What a torn write leaves behind may also be zeros.
        byte_buffer padded = cut;
        padded.resize(log.bytes.size() + 100);
        REQUIRE(records_of(padded).size() == whole.size());
    }
}

TEST_CASE("a changed bit ends a log in front of it", "[io][progress]") {
    const written_log log = log_of(some_records());
    for (std::size_t bit = 0; bit < 8 * log.bytes.size(); ++bit) {
        byte_buffer changed = log.bytes;
        changed[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
        CAPTURE(bit);
        if (bit / 8 < log.ends.front()) {
            const errc code = refused(changed);
            REQUIRE((code == errc::corrupt || code == errc::unsupported || code == errc::truncated));
            continue;
        }
        std::vector<byte_buffer> whole = some_records();
        while (log.ends[whole.size()] > bit / 8)
            whole.pop_back();
        REQUIRE(records_of(changed) == whole);
    }
}

TEST_CASE("a record counts only behind those it was written behind", "[io][progress]") {
    const written_log log = log_of({noise(10, 1), noise(10, 2), noise(10, 3)});
    byte_buffer swapped = log.bytes;
    std::swap_ranges(swapped.begin() + static_cast<std::ptrdiff_t>(log.ends[0]),
                     swapped.begin() + static_cast<std::ptrdiff_t>(log.ends[1]),
                     swapped.begin() + static_cast<std::ptrdiff_t>(log.ends[1]));
    CHECK(records_of(swapped).empty());
    byte_buffer missing = log.bytes;
    missing.erase(missing.begin() + static_cast<std::ptrdiff_t>(log.ends[0]),
                  missing.begin() + static_cast<std::ptrdiff_t>(log.ends[1]));
    CHECK(records_of(missing).empty());
    // The records of another log, whose header is as long.
    progress_header other = some_header();
    other.plan.fill(8);
    byte_buffer mixed = log_of({}, other).bytes;
    mixed.insert(mixed.end(), log.bytes.begin() + static_cast<std::ptrdiff_t>(log.ends[0]), log.bytes.end());
    CHECK(records_of(mixed).empty());
}

TEST_CASE("what is no log of this version is refused", "[io][progress]") {
    const byte_buffer log = log_of(some_records()).bytes;
    CHECK(refused(noise(1000, 4)) == errc::corrupt);
    CHECK(refused(byte_buffer(1000)) == errc::corrupt);
    byte_buffer newer = log;
    store_le(newer.data() + 8, std::uint16_t{2});
    CHECK(refused(newer) == errc::unsupported);
    byte_buffer long_header = log;
    store_le(long_header.data() + 12, std::uint32_t{0xffffffff});
    CHECK(refused(long_header) == errc::corrupt);
    // A right checksum over a header that speaks of more sources than it has.
    byte_buffer forged(log.begin(), log.begin() + 16 + 32);
    forged.push_back(0);
    for (int i = 0; i < 8; ++i)
        forged.push_back(0xff);
    forged.push_back(0x7f);
    store_le(forged.data() + 12, static_cast<std::uint32_t>(forged.size() - 16));
    const std::uint64_t right = checksum(forged);
    forged.resize(forged.size() + 8);
    store_le(forged.data() + forged.size() - 8, right);
    CHECK(refused(forged) == errc::corrupt);
    CHECK(thrown_by([] { encode_progress_record(byte_buffer(max_progress_record_bytes + 1), 0); }).code() ==
          errc::limit);
}

TEST_CASE("a batch is written down in one way", "[io][progress]") {
    const progress_batch batch = some_batch();
    const byte_buffer body = encode_progress_batch(batch);
    CHECK(decode_progress_batch(body) == batch);
    progress_batch open = batch;
    open.last = false;
    open.first = true;
    open.sha256 = {};
    open.md5.clear();
    CHECK(decode_progress_batch(encode_progress_batch(open)) == open);

    for (std::size_t size = 0; size < body.size(); ++size)
        CHECK_FALSE(decode_progress_batch(bytes_view(body).first(size)));
    byte_buffer longer = body;
    longer.push_back(0);
    CHECK_FALSE(decode_progress_batch(longer));
    for (std::size_t bit = 0; bit < 8 * body.size(); ++bit) {
        byte_buffer changed = body;
        changed[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
        if (const auto other = decode_progress_batch(changed)) REQUIRE(encode_progress_batch(*other) == changed);
    }
}

TEST_CASE("a batch whose blocks do not fill their place is refused", "[io][progress]") {
    const auto refuses = [](auto&& change) {
        progress_batch batch = some_batch();
        change(batch);
        return !decode_progress_batch(encode_progress_batch(batch));
    };
    CHECK(refuses([](progress_batch& batch) { ++batch.end; }));
    CHECK(refuses([](progress_batch& batch) { batch.blocks[0].bytes += 100; }));
    CHECK(refuses([](progress_batch& batch) { batch.blocks[0].bytes = 0; }));
    CHECK(refuses([](progress_batch& batch) { batch.blocks[1].bytes = max_stored_block_bytes + 1; }));
    CHECK(refuses([](progress_batch& batch) { batch.begin = batch.end = ~std::uint64_t{0}; }));
}
