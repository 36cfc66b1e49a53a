// SPDX-License-Identifier: BSL-1.0
// A user's program that needs a compiler and nothing else.
#include <cstdio>

#include <bigsmall/codec.hpp>

int main() {
    const bigsmall::byte_buffer raw(1000, 7);
    bigsmall::byte_buffer coded(bigsmall::codec::bound(raw.size())), back(raw.size());
    bigsmall::scratch memory;
    coded.resize(bigsmall::codec::encode(*bigsmall::find_dtype("U8"), raw, coded, memory).bytes);
    const bool same = bigsmall::codec::decode(coded, back, memory) == bigsmall::status::ok && back == raw;
    std::printf("bigsmall %s: %s\n", bigsmall::version_string, same ? "restored" : "lost");
    return same ? 0 : 1;
}
