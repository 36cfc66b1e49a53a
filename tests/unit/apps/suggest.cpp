// SPDX-License-Identifier: BSL-1.0
#include <string_view>
#include <vector>

#include "options/suggest.hpp"
#include "support/catch.hpp"

using namespace bigsmall::app;

TEST_CASE("edit distance counts letters and swaps", "[apps]") {
    CHECK(edit_distance("", "") == 0);
    CHECK(edit_distance("", "abc") == 3);
    CHECK(edit_distance("abc", "") == 3);
    CHECK(edit_distance("verify", "verify") == 0);
    CHECK(edit_distance("verfiy", "verify") == 1); // a swap
    CHECK(edit_distance("compres", "compress") == 1);
    CHECK(edit_distance("inffo", "info") == 1);
    CHECK(edit_distance("kitten", "sitting") == 3);
}

TEST_CASE("the nearest word is offered, and none when none is near", "[apps]") {
    const std::vector<std::string_view> verbs{"compress", "decompress", "info", "verify", "stat", "help"};
    CHECK(nearest("comprss", verbs) == "compress");
    CHECK(nearest("decompres", verbs) == "decompress");
    CHECK(nearest("stats", verbs) == "stat");
    CHECK(nearest("ver", verbs) == "verify"); // unfinished
    CHECK(nearest("unpack", verbs).empty());
    CHECK(nearest("x", verbs).empty());
    CHECK(nearest("", verbs).empty());
    CHECK(nearest("anything", {}).empty());
}
