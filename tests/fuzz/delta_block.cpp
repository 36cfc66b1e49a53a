// SPDX-License-Identifier: BSL-1.0
// Any bytes as a block of differences to a fixed base: no undefined behaviour, and every kernel table gives the same
// answer. Input: two bytes of raw size, then the block.
#include <cstdlib>

#include <bigsmall/archive/default_codec.hpp>

#include "fuzz/delta_base.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::size_t raw_bytes = bigsmall::load_le<std::uint16_t>(data);
    const bigsmall::byte_buffer coded(data + 2, data + size), base = fuzz::delta_base(raw_bytes);
    bigsmall::byte_buffer expected(raw_bytes);
    bigsmall::scratch portable(*bigsmall::kernel::find("scalar"));
    const bigsmall::delta_ref codec = bigsmall::archive::default_delta();
    const bigsmall::status answer = codec.decode(coded, base, expected, portable);
    for (const bigsmall::kernel::table* table : bigsmall::kernel::runnable()) {
        bigsmall::scratch memory(*table);
        bigsmall::byte_buffer raw(raw_bytes);
        if (codec.decode(coded, base, raw, memory) != answer) std::abort();
        if (answer == bigsmall::status::ok && raw != expected) std::abort();
    }
    return 0;
}
