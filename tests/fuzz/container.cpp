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
void decode_raw_index(bytes_view raw) {
    try {
        const io::container_index index = io::decode_index(raw);
        if (io::decode_index(io::encode_index(index)) != index) std::abort();
    } catch (const error& e) {
        if (e.code() != errc::corrupt) std::abort();
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    open_container(byte_buffer(data, data + size));
    decode_raw_index(bytes_view(data, size));
    return 0;
}
