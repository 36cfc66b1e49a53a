// SPDX-License-Identifier: BSL-1.0
// Any bytes as a journal of a change in place. Its checksums keep nearly all changed ones from being looked at, so
// that a second try has them made right.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>

#include <bigsmall/io/journal.hpp>
#include <bigsmall/io/journal_reader.hpp>

namespace {

using namespace bigsmall;
using namespace bigsmall::io::detail;

void put(byte_buffer& bytes, std::size_t at, std::uint64_t value) { store_le(bytes.data() + at, value); }

/// The checksums of everything that has its place, and the size.
void make_right(byte_buffer& bytes) {
    if (bytes.size() < journal_header_bytes + 8 + journal_trailer_bytes) return;
    const std::size_t end = bytes.size() - journal_trailer_bytes;
    const std::size_t label = load_le<std::uint32_t>(bytes.data() + 12);
    std::size_t at = journal_header_bytes + label;
    if (at > end - 8) return;
    put(bytes, at, io::checksum(bytes_view(bytes).first(at)));
    at += 8;
    while (end - at >= journal_run_header_bytes + 8) {
        const std::size_t contents = 2 * std::size_t{load_le<std::uint32_t>(bytes.data() + at + 8)};
        if (contents > end - at - journal_run_header_bytes - 8) break;
        const std::size_t checked = journal_run_header_bytes + contents;
        put(bytes, at + checked, io::checksum(bytes_view(bytes).subspan(at, checked)));
        at += checked + 8;
    }
    put(bytes, end + 88, bytes.size());
    put(bytes, end + 96, io::checksum(bytes_view(bytes).first(end)));
    put(bytes, end + 104, io::checksum(bytes_view(bytes).subspan(end, 104)));
}

/// What is accepted is the one journal that says so.
void read(const byte_buffer& bytes) {
    try {
        io::journal_reader reader(std::make_shared<io::memory_source>(bytes));
        io::memory_sink out;
        io::journal_writer writer(out, reader.info().file_bytes, reader.info().label);
        for (io::journal_run run; reader.next(run);)
            writer.add(run);
        writer.finish(reader.info().before, reader.info().after);
        if (writer.info() != reader.info() || out.bytes() != bytes) std::abort();
    } catch (const error& e) {
        if (e.code() != errc::corrupt && e.code() != errc::truncated && e.code() != errc::unsupported) std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    byte_buffer bytes(data, data + size);
    read(bytes);
    make_right(bytes);
    read(bytes);
    return 0;
}
