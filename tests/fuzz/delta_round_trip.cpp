// SPDX-License-Identifier: BSL-1.0
// Any bytes as differences to a fixed base, taken as words of any element type: they come back, and every kernel table
// writes the same bytes. Input: one byte that picks the element type, one that says how bytes change the base, then
// bytes.
#include <cstdlib>
#include <optional>

#include <bigsmall/archive/default_codec.hpp>

#include "fuzz/delta_base.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const bigsmall::dtype& type = bigsmall::detail::dtypes[data[0] % bigsmall::detail::dtypes.size()];
    const std::size_t bytes = size - 2, repeats = data[1] / 64u + 1;
    const bigsmall::byte_buffer base = fuzz::delta_base(bytes * repeats);
    bigsmall::byte_buffer raw = base;
    const auto mask = static_cast<std::uint8_t>(data[1] % 64 == 0 ? 255 : data[1] % 64);
    for (std::size_t i = 0; i < raw.size(); ++i)
        raw[i] = static_cast<std::uint8_t>(base[i] + (data[2 + i % bytes] & mask));
    const bigsmall::delta_ref codec = bigsmall::archive::default_delta();
    std::optional<bigsmall::byte_buffer> expected;
    for (const bigsmall::kernel::table* table : bigsmall::kernel::runnable()) {
        bigsmall::scratch memory(*table);
        bigsmall::byte_buffer coded(codec.bound(raw.size()));
        const auto block = codec.encode(type, raw, base, raw.size() + 16, coded, memory);
        coded.resize(block ? block->bytes : 0);
        if (expected && coded != *expected) std::abort();
        expected = coded;
        bigsmall::byte_buffer back(raw.size());
        if (!block) continue;
        if (codec.decode(coded, base, back, memory) != bigsmall::status::ok || back != raw) std::abort();
    }
    return 0;
}
