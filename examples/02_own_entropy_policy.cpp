// SPDX-License-Identifier: BSL-1.0
// A codec of your own: replace one axis, test it with one line, read its blocks with a policy_set.
#include <algorithm>
#include <cstdio>

#include <bigsmall/codec.hpp>
#include <bigsmall/codec/laws.hpp>

using bigsmall::bytes_span, bigsmall::bytes_view, bigsmall::status;

// [readme]
struct nibbles {                                    // two values below 16 in a byte
    static constexpr bigsmall::wire_id id = 0x8001; // 0x8000 and above are yours
    static constexpr std::string_view name = "nibbles";
    static std::size_t bound(std::size_t raw_bytes) { return raw_bytes / 2; }
    static std::optional<std::size_t> encode(bytes_view raw, bytes_span out) {
        if (raw.size() % 2 != 0 || std::ranges::any_of(raw, [](auto v) { return v > 15; })) return std::nullopt;
        for (std::size_t i = 0; i < raw.size(); ++i)
            out[i / 2] = std::uint8_t(out[i / 2] >> 4 | raw[i] << 4);
        return raw.size() / 2;
    }
    static status decode(bytes_view coded, bytes_span raw) {
        if (coded.size() * 2 != raw.size()) return status::corrupt;
        for (std::size_t i = 0; i < raw.size(); ++i)
            raw[i] = coded[i / 2] >> (i % 2 * 4) & 15;
        return status::ok;
    }
};
struct my_policies : bigsmall::default_policies {
    using entropy = nibbles;
};
using my_codec = bigsmall::basic_codec<my_policies>;
using my_reader = bigsmall::policy_set<nibbles, bigsmall::entropy::rans>; // reads what it lists
// [readme]

int main() {
    if (const std::string broken = bigsmall::laws::broken_by_entropy<nibbles>(); !broken.empty()) {
        std::puts(broken.c_str());
        return 1;
    }
    bigsmall::byte_buffer small_values(4096);
    for (std::size_t i = 0; i < small_values.size(); ++i)
        small_values[i] = static_cast<std::uint8_t>(i * i % 13);

    bigsmall::scratch memory;
    bigsmall::byte_buffer coded(my_codec::bound(small_values.size()));
    const auto block = my_codec::encode(*bigsmall::find_dtype("U8"), small_values, coded, memory);
    coded.resize(block.bytes);

    bigsmall::byte_buffer restored(small_values.size());
    const bool same = my_reader::decode(coded, restored, memory) == status::ok && restored == small_values;
    std::printf("%zu bytes -> %zu bytes with %s, restored: %s\n", small_values.size(), coded.size(),
                my_reader::name_of(block.label).c_str(), same ? "yes" : "no");
    return same && block.label.entropy == nibbles::id ? 0 : 1;
}
