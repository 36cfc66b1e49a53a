// SPDX-License-Identifier: BSL-1.0
#include <cstdint>

#include "console/json.hpp"
#include "console/progress.hpp"
#include "support/catch.hpp"

using namespace bigsmall;
using namespace bigsmall::app;

namespace {

constexpr std::uint64_t mega = 1000000;

} // namespace

TEST_CASE("a progress line says share, speed, ratio, time left and tensor", "[apps]") {
    const parallel::progress_event event{"model.layers.3.mlp.up_proj.weight", 450 * mega, 1000 * mega,
                                         300 * mega};
    CHECK(progress_line("compress", event, 3.0, show_ratio::yes, 200) ==
          "compress  45%  150.0 MB/s  ratio 66.67%  ETA 0:04  model.layers.3.mlp.up_proj.weight");
    CHECK(progress_line("verify", event, 3.0, show_ratio::no, 200) ==
          "verify  45%  150.0 MB/s  ETA 0:04  model.layers.3.mlp.up_proj.weight");
}

TEST_CASE("the tensor's name is cut to fit, and left out where there is no room", "[apps]") {
    const parallel::progress_event event{"model.layers.3.mlp.up_proj.weight", 450 * mega, 1000 * mega,
                                         300 * mega};
    for (std::size_t width = 4; width < 100; ++width)
        CHECK(character_count(progress_line("compress", event, 3.0, show_ratio::yes, width)) <= width);
    CHECK(progress_line("compress", event, 3.0, show_ratio::yes, 64) ==
          "compress  45%  150.0 MB/s  ratio 66.67%  ETA 0:04  model.laye...");
}

TEST_CASE("a run is not done before it is done", "[apps]") {
    CHECK(progress_line("verify", {"", 999, 1000, 0}, 1.0, show_ratio::no, 80).substr(0, 11) ==
          "verify  99%");
    CHECK(progress_line("verify", {"", 1000, 1000, 0}, 1.0, show_ratio::no, 80).substr(0, 11) ==
          "verify 100%");
    CHECK(progress_line("verify", {"", 0, 1000, 0}, 0.0, show_ratio::yes, 80) == "verify   0%  - MB/s");
    CHECK(progress_line("verify", {"", 0, 0, 0}, 0.0, show_ratio::yes, 80) ==
          "verify 100%  - MB/s  ETA 0:00");
    CHECK(progress_line("verify", {"a\x1b[2J", 1, 2, 0}, 1.0, show_ratio::no, 80).find('\x1b') ==
          std::string::npos);
}

TEST_CASE("sizes that no file has do not fit into smaller numbers, and are not cast to them", "[apps]") {
    constexpr std::uint64_t most = ~std::uint64_t{0};
    CHECK(progress_line("verify", {"", most, 1, 0}, 1.0, show_ratio::no, 200).find("verify 100%") == 0);
    CHECK(progress_line("verify", {"", 1, most, 0}, 1e6, show_ratio::no, 200).find("ETA 277777:46:40") !=
          std::string::npos);
    CHECK(percent_json(most, 1).get<double>() > 1.8e21);
    CHECK(percent_json(1, 3).get<double>() == 33.33);
    CHECK(seconds_json(1e300).get<double>() > 9e299);
}
