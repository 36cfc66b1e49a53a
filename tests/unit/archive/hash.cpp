// SPDX-License-Identifier: BSL-1.0
// The hashes by the test vectors of their standards, and in the pieces in which they are taken.
#include <span>
#include <string>
#include <vector>

#include <bigsmall/archive/hash.hpp>
#include <bigsmall/archive/receipts.hpp>
#include <bigsmall/parallel/tbb.hpp>

#include "support/catch.hpp"
#include "support/model_files.hpp"

using namespace bigsmall;

namespace {

std::string md5_of(bytes_view bytes) {
    const archive::hash_methods methods;
    archive::md5_hasher hash;
    hash.start(methods.md5());
    hash.update(bytes);
    return archive::hex_of(hash.finish());
}

} // namespace

TEST_CASE("MD5 and SHA-256 are those of their standards", "[archive]") {
    // RFC 1321 A.5; FIPS 180-2 B.1.
    CHECK(md5_of({}) == "d41d8cd98f00b204e9800998ecf8427e");
    CHECK(md5_of(as_bytes_view("message digest")) == "f96b697d7cb7938d525a2f31aaf161d0");
    const archive::hash_methods methods;
    archive::sha256_hasher sha;
    for (int round = 0; round < 2; ++round) {
        sha.start(methods.sha256());
        sha.update(as_bytes_view("a"));
        sha.update({});
        sha.update(as_bytes_view("bc"));
        CHECK(archive::hex_of(sha.finish()) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}

TEST_CASE("parts are hashed over the borders of batches", "[archive]") {
    // Parts of 10, 0, 25 and 7 bytes, cut into batches of 4, 20 and 18 bytes; the third is not wanted.
    const byte_buffer bytes = support::noise(42, 1);
    const std::size_t ends[] = {10, 10, 35, 42}, cuts[] = {4, 24, 42};
    parallel::tbb_executor e(2);
    archive::detail::part_chain chain;
    std::vector<std::string> found;
    std::size_t part = 0, part_begin = 0, at = 0;
    for (const std::size_t cut : cuts) {
        const std::size_t batch_begin = at;
        std::vector<archive::detail::hashed_piece> pieces;
        while (part < 4 && (at < cut || ends[part] == at)) {
            archive::detail::hashed_piece piece;
            piece.at = at - batch_begin;
            piece.bytes = std::min(ends[part], cut) - at;
            piece.first = at == part_begin;
            piece.last = ends[part] <= cut;
            piece.wanted = part != 2;
            at += piece.bytes;
            pieces.push_back(piece);
            if (!piece.last) break;
            part_begin = ends[part++];
        }
        chain.add(bytes_view(bytes).subspan(batch_begin, at - batch_begin), std::span(pieces), e);
        for (const auto& piece : pieces)
            if (piece.last && piece.wanted) found.push_back(archive::hex_of(piece.md5));
    }
    const auto md5 = [&](std::size_t begin, std::size_t end) {
        return md5_of(bytes_view(bytes).subspan(begin, end - begin));
    };
    CHECK(found == std::vector<std::string>{md5(0, 10), md5(10, 10), md5(35, 42)});
}
