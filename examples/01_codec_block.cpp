// SPDX-License-Identifier: BSL-1.0
// One block of weights through the codec: nothing to link, nothing allocated but what you see.
#include <cstdio>

#include <bigsmall/codec.hpp>

int main() {
    // Ten thousand BF16 values: small integers over 64, the kind of skew that exponents have.
    bigsmall::byte_buffer weights;
    for (unsigned i = 0; i < 10000; ++i) {
        const float value = static_cast<float>(i * 7919 % 201) / 64.0f - 1.5f;
        std::uint32_t bits;
        std::memcpy(&bits, &value, 4);
        weights.push_back(static_cast<std::uint8_t>(bits >> 16));
        weights.push_back(static_cast<std::uint8_t>(bits >> 24));
    }

    bigsmall::scratch memory; // one per thread, reused for every block
    const bigsmall::dtype type = *bigsmall::find_dtype("BF16");
    bigsmall::byte_buffer coded(bigsmall::codec::bound(weights.size()));
    const bigsmall::encoded_block block = bigsmall::codec::encode(type, weights, coded, memory);
    coded.resize(block.bytes);

    bigsmall::byte_buffer restored(weights.size());
    const bigsmall::status answer = bigsmall::codec::decode(coded, restored, memory);
    std::printf("%zu bytes -> %zu bytes (%s), restored: %s\n", weights.size(), coded.size(),
                bigsmall::codec::readers::name_of(block.label).c_str(), bigsmall::describe(answer));
    return answer == bigsmall::status::ok && restored == weights ? 0 : 1;
}
