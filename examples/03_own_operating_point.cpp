// SPDX-License-Identifier: BSL-1.0
// An operating point of your own: the storage point without classes, its wavelet trees replaced by plain rANS, and a
// reader that knows both this codec and the library's.
#include <cmath>
#include <cstdio>
#include <cstring>

#include <bigsmall/codec.hpp>

// Presets are structs: inherit one, replace an axis, keep the rest.
struct without_classes : bigsmall::storage_policies {
    using entropy = bigsmall::one_of<bigsmall::entropy::stored, bigsmall::entropy::constant, bigsmall::entropy::rans>;
    static constexpr bool tries_second = false;
};
using mine = bigsmall::basic_codec<without_classes>;
using storage = bigsmall::basic_codec<bigsmall::storage_policies>;
using reader = bigsmall::known_policies; // a policy_set: everything that any of its points writes

// Rows of a matrix whose scales differ.
static bigsmall::byte_buffer make_weights(std::size_t rows, std::size_t columns) {
    bigsmall::byte_buffer weights;
    std::uint32_t noise = 1;
    for (std::size_t i = 0; i < rows * columns; ++i) {
        float sum = 0; // of twelve uniform numbers: close to normal
        for (int k = 0; k < 12; ++k)
            sum += static_cast<float>((noise = noise * 1664525u + 1013904223u) >> 8) / 16777216.0f - 0.5f;
        const float value = sum * (i / columns % 2 == 0 ? 0.02f : 0.16f);
        std::uint32_t bits;
        std::memcpy(&bits, &value, 4);
        weights.push_back(static_cast<std::uint8_t>(bits >> 16));
        weights.push_back(static_cast<std::uint8_t>(bits >> 24));
    }
    return weights;
}

template <class Codec>
static std::size_t code(const char* name, const bigsmall::block_info& info, bigsmall::bytes_view weights) {
    bigsmall::scratch memory;
    bigsmall::byte_buffer coded(Codec::bound(weights.size())), restored(weights.size());
    const bigsmall::encoded_block block = Codec::encode(info, weights, coded, memory);
    coded.resize(block.bytes);
    const bigsmall::status answer = reader::decode(coded, restored, memory);
    const bool same = answer == bigsmall::status::ok && std::equal(weights.begin(), weights.end(), restored.begin());
    std::printf("%-8s %zu -> %zu bytes, %s, %s\n", name, weights.size(), coded.size(),
                reader::name_of(block.label).c_str(), same ? "restored" : "NOT RESTORED");
    return same ? coded.size() : 0;
}

int main() {
    const std::size_t rows = 64, columns = 1024;
    const bigsmall::byte_buffer weights = make_weights(rows, columns);
    // What the encoder is told of rows is never needed for decoding.
    bigsmall::block_info info(*bigsmall::find_dtype("BF16"), columns);
    const std::size_t with = code<storage>("storage", info, weights), without = code<mine>("mine", info, weights);
    return with != 0 && without != 0 && with < without ? 0 : 1;
}
