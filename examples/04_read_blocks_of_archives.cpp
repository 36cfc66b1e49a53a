// SPDX-License-Identifier: BSL-1.0
// Blocks of archives, read with a policy_set: the one that knows zstd as well. And a codec with one grouping of its own
// choice, which takes what it can split: planes for integers, here given floats.
#include <bit>
#include <cstdio>

#include <bigsmall/archive/default_codec.hpp>

struct integer_planes : bigsmall::storage_policies {
    using grouping = bigsmall::grouping::byte_planes<4>; // in a list with others it would leave floats to them
};

int main() {
    bigsmall::byte_buffer weights; // F32 integers times one scale: what a quantised tensor looks like to others
    for (unsigned i = 0; i < 65536; ++i) {
        const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(i * i % 255) * 0.0123f);
        for (unsigned shift = 0; shift < 32; shift += 8)
            weights.push_back(static_cast<std::uint8_t>(bits >> shift));
    }
    const bigsmall::dtype type = *bigsmall::find_dtype("F32");
    const bigsmall::codec_ref storage = bigsmall::archive::recipe_of(bigsmall::archive::operating_point::storage).codec;
    const bigsmall::codec_ref mine = bigsmall::ref_of<integer_planes, bigsmall::archive::readable_policies>();

    bigsmall::scratch memory;
    for (const bigsmall::codec_ref& codec : {storage, mine}) {
        bigsmall::byte_buffer coded(codec.bound(weights.size())), restored(weights.size());
        const bigsmall::encoded_block block = codec.encode(type, weights, coded, memory);
        coded.resize(block.bytes);
        using reader = bigsmall::archive::readable_policies; // whoever wrote the block
        const bigsmall::status answer = reader::decode(coded, restored, memory);
        std::printf("%zu -> %zu bytes, %s, %s\n", weights.size(), coded.size(), reader::name_of(block.label).c_str(),
                    bigsmall::describe(answer));
        if (answer != bigsmall::status::ok || restored != weights) return 1;
    }
}
