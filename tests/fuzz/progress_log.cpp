// SPDX-License-Identifier: BSL-1.0
// Any bytes as the log of an unfinished run. Its checksums keep nearly all changed ones from being looked at, so that a
// second try has them made right.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>

#include <bigsmall/io/progress_log.hpp>
#include <bigsmall/io/progress_record.hpp>

namespace {

using namespace bigsmall;

void put(byte_buffer& bytes, std::size_t at, std::uint64_t value) { store_le(bytes.data() + at, value); }

/// The checksums of everything that has its place, and the second copies of lengths.
void make_right(byte_buffer& bytes) {
    constexpr std::size_t head = io::detail::progress_header_bytes;
    if (bytes.size() < head + 8) return;
    const std::size_t body = load_le<std::uint32_t>(bytes.data() + 12);
    if (body > bytes.size() - head - 8) return;
    std::size_t at = head + body;
    put(bytes, at, io::checksum(bytes_view(bytes).first(at)));
    at += 8;
    while (bytes.size() - at >= io::detail::record_head_bytes + 8) {
        const std::uint32_t length = load_le<std::uint32_t>(bytes.data() + at);
        if (length > bytes.size() - at - io::detail::record_head_bytes - 8) break;
        store_le(bytes.data() + at + 4, ~length);
        const std::size_t checked = io::detail::record_head_bytes + length;
        put(bytes, at + checked, io::checksum(bytes_view(bytes).subspan(at - 8, 8 + checked)));
        at += checked + 8;
    }
}

/// What is accepted is written in the same way again, but for what a torn write has left behind it; numbers of the
/// header may be written longer than they need be.
void read(const byte_buffer& bytes) {
    try {
        io::progress_log_reader reader(std::make_shared<io::memory_source>(bytes));
        if (io::encode_progress_header(reader.header()).size() > reader.end()) std::abort();
        byte_buffer body;
        for (std::uint64_t chain = reader.chain(), begin = reader.end(); reader.next(body);) {
            const byte_buffer again = io::encode_progress_record(body, chain);
            if (again.size() != reader.end() - begin || io::progress_chain(again) != reader.chain()) std::abort();
            chain = reader.chain();
            begin = reader.end();
            const auto batch = io::decode_progress_batch(body);
            if (batch && io::encode_progress_batch(*batch) != body) std::abort();
        }
        if (reader.end() > bytes.size()) std::abort();
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
