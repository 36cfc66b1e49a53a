// SPDX-License-Identifier: BSL-1.0
// Any bytes as a block of any element type: it comes back, and every kernel table writes the same bytes.
// Input: one byte that picks the element type, then the block.
#include <cstdlib>

#include <bigsmall/archive/default_codec.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const bigsmall::dtype& type = bigsmall::detail::dtypes[data[0] % bigsmall::detail::dtypes.size()];
    const bigsmall::byte_buffer raw(data + 1, data + size);
    // The element type also says which operating point, so that all meet all.
    const auto point = static_cast<bigsmall::archive::operating_point>(data[0] / 64 % 3);
    const bigsmall::codec_ref codec = bigsmall::archive::recipe_of(point).codec;
    bigsmall::byte_buffer expected;
    for (const bigsmall::kernel::table* table : bigsmall::kernel::runnable()) {
        bigsmall::scratch memory(*table);
        bigsmall::byte_buffer coded(codec.bound(raw.size()));
        coded.resize(codec.encode({type, raw.size() % 97 + 1, 0, {}, raw.size() % 13 + 1}, raw, coded, memory).bytes);
        if (!expected.empty() && coded != expected) std::abort();
        expected = coded;
        bigsmall::byte_buffer back(raw.size());
        if (codec.decode(coded, back, memory) != bigsmall::status::ok || back != raw) std::abort();
    }
    return 0;
}
