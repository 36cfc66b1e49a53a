// SPDX-License-Identifier: BSL-1.0
// MD5 side by side gives what OpenSSL gives, however the messages are cut and whichever lanes are in use.
#include <random>
#include <vector>

#include <bigsmall/archive/md5_lanes.hpp>

#include "support/catch.hpp"
#include "support/model_files.hpp"

using namespace bigsmall;

namespace {

using blocks_function = kernel::md5_blocks_function;

/// That of this processor, and none: what OpenSSL does instead.
std::vector<blocks_function> all_functions() {
    std::vector<blocks_function> all = {nullptr};
    if (archive::best_md5_blocks() != nullptr) all.push_back(archive::best_md5_blocks());
    return all;
}

io::md5_digest md5_of(bytes_view bytes) {
    const archive::hash_methods methods;
    archive::md5_hasher hash;
    hash.start(methods.md5());
    hash.update(bytes);
    return hash.finish();
}

/// Hashes the messages in as many lanes as there are, each cut into pieces of up to `most` bytes. The lane of a message
/// that ends takes the next one.
std::vector<io::md5_digest> hash_all(const std::vector<byte_buffer>& messages, std::size_t most, std::size_t lanes,
                                     blocks_function function) {
    archive::md5_lanes md5(function);
    archive::md5_lanes::pieces pieces{};
    std::vector<io::md5_digest> digests(messages.size());
    std::vector<std::size_t> message(lanes, messages.size()), at(lanes);
    std::mt19937 random(1);
    for (std::size_t next = 0, done = 0; done < messages.size();) {
        for (std::size_t lane = 0; lane < lanes; ++lane) {
            if (!pieces[lane].empty()) continue;
            if (message[lane] < messages.size() && at[lane] == messages[message[lane]].size()) {
                digests[message[lane]] = md5.finish(lane);
                message[lane] = messages.size();
                ++done;
            }
            if (message[lane] == messages.size() && next < messages.size()) {
                message[lane] = next++;
                at[lane] = 0;
                md5.start(lane);
            }
            if (message[lane] == messages.size()) continue;
            const bytes_view left = bytes_view(messages[message[lane]]).subspan(at[lane]);
            pieces[lane] = left.first(std::min<std::size_t>(left.size(), 1 + random() % most));
            at[lane] += pieces[lane].size();
        }
        const archive::md5_lanes::pieces before = pieces;
        md5.take(pieces);
        bool used_up = false, any = false;
        for (std::size_t lane = 0; lane < lanes; ++lane) {
            any = any || !before[lane].empty();
            used_up = used_up || (!before[lane].empty() && pieces[lane].empty());
        }
        REQUIRE(used_up == any);
    }
    return digests;
}

} // namespace

TEST_CASE("MD5 side by side is MD5, whatever the lengths and the pieces", "[archive]") {
    std::vector<byte_buffer> messages;
    // Around the ends of blocks and of the padding, in no order; then some that are long.
    for (std::size_t i = 0; i < 200; ++i)
        messages.push_back(support::noise(i * 77 % 200, i));
    for (const std::size_t length : {100'000u, 3u, 64'000u, 65'536u, 0u, 1u << 20, 99'999u, 64u})
        messages.push_back(support::noise(length, length));
    std::vector<io::md5_digest> expected;
    for (const byte_buffer& message : messages)
        expected.push_back(md5_of(message));
    for (const blocks_function function : all_functions())
        for (const std::size_t lanes : {std::size_t{1}, std::size_t{3}, archive::md5_lanes::most})
            for (const std::size_t most : {70u, 5000u, 2u << 20})
                CHECK(hash_all(messages, most, lanes, function) == expected);
}

TEST_CASE("a lane that begins again forgets what it had", "[archive]") {
    const byte_buffer bytes = support::noise(1000, 1);
    for (const blocks_function function : all_functions()) {
        archive::md5_lanes md5(function);
        archive::md5_lanes::pieces pieces{};
        for (const std::size_t length : {130u, 1000u}) {
            md5.start(2);
            pieces[2] = bytes_view(bytes).first(length);
            md5.take(pieces);
        }
        CHECK(pieces[2].empty());
        CHECK(md5.finish(2) == md5_of(bytes));
    }
}
