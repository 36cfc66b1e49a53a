// SPDX-License-Identifier: BSL-1.0
// A user of the codec alone: a compiler and the headers must do.
#include <cstdio>

#include <bigsmall/codec.hpp>

int main() {
    const bigsmall::byte_buffer weights(4096, 63);
    const bigsmall::dtype type = *bigsmall::find_dtype("BF16");
    bigsmall::scratch memory;
    bigsmall::byte_buffer coded(bigsmall::codec::bound(weights.size()));
    coded.resize(bigsmall::codec::encode(type, weights, coded, memory).bytes);

    bigsmall::byte_buffer restored(weights.size());
    const bigsmall::status answer = bigsmall::codec::decode(coded, restored, memory);
    std::printf("bigsmall %s: %zu -> %zu bytes\n", bigsmall::version_string, weights.size(), coded.size());
    return answer == bigsmall::status::ok && restored == weights ? 0 : 1;
}
