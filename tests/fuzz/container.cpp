// SPDX-License-Identifier: BSL-1.0
// Any bytes as a container and as a raw index. The checksums of a container keep most changed files from
// reaching the index decoder, so that it is fed directly, too.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <utility>

#include <bigsmall/io/container/reader.hpp>

namespace {

using namespace bigsmall;

bool blames_the_file(errc code) {
    return code == errc::corrupt || code == errc::truncated || code == errc::unsupported;
}

void open_container(byte_buffer bytes) {
    try {
        const io::container_reader reader(std::make_shared<io::memory_source>(std::move(bytes)));
        static_cast<void>(reader.state());
        byte_buffer stored;
        for (const io::content_entry& content : reader.index().contents)
            for (std::size_t i = 0; content.home == 0 && i < content.blocks.size(); ++i) {
                try {
                    reader.read_block(content, i, stored);
                } catch (const error& e) {
                    if (!blames_the_file(e.code())) std::abort();
                }
            }
    } catch (const error& e) {
        if (!blames_the_file(e.code())) std::abort();
    }
}

// What is accepted keeps the rules, so that it can be written and read again.
void decode_raw_index(bytes_view raw, std::uint64_t features, bytes_view receipts) {
    try {
        const io::container_index index = io::decode_index(raw, features, receipts);
        io::container_index again =
            io::decode_index(io::encode_index(index), io::required_features(index), io::encode_receipts(index));
        // In the older form bundles had hashes, too.
        for (std::size_t i = index.first_bundle(); i < index.contents.size(); ++i)
            again.contents[i].md5 = index.contents[i].md5;
        if (again != index) std::abort();
    } catch (const error& e) {
        if (e.code() != errc::corrupt) std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    open_container(byte_buffer(data, data + size));
    const bytes_view raw(data, size);
    decode_raw_index(raw, 0, {});
    // The first byte says how many receipts there are.
    const byte_buffer receipts(size > 0 ? 16 * std::size_t{data[0]} : 0, 0x5a);
    decode_raw_index(raw.subspan(size > 0 ? 1 : 0), io::feature_lean_index, receipts);
    decode_raw_index(raw.subspan(size > 0 ? 1 : 0), io::feature_lean_index | io::feature_patch, receipts);
    return 0;
}
