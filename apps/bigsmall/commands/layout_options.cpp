// SPDX-License-Identifier: BSL-1.0
#include "commands/layout_options.hpp"

#include <charconv>
#include <string>

#include "console/format.hpp"

namespace bigsmall::app {
namespace {

constexpr std::uint64_t most_shards = 16'383;
constexpr double most_gigabytes = 1e6;

std::uint64_t gigabytes(const std::string& text) {
    double value = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped, failed] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
    if (failed != std::errc() || stopped != end || !(value >= 1e-9 && value <= most_gigabytes))
        throw usage_error("--size-gb takes a number of GB (10^9 bytes) above 0, not '" + printable(text) + "'");
    return static_cast<std::uint64_t>(value * 1e9);
}

} // namespace

std::optional<archive::shard_layout> layout_of(const arguments& given) {
    archive::shard_layout layout;
    if (given.has("join"))
        layout.shards = 1;
    else if (const auto shards = given.integer("shards", 1, most_shards))
        layout.shards = *shards;
    else if (const auto size = given.value("size-gb"))
        layout.shard_bytes = gigabytes(*size);
    else
        return std::nullopt;
    return layout;
}

std::vector<option_spec> layout_options() {
    return {{.name = "size-gb",
             .value = "N",
             .help = "Fill shards up to N GB (10^9 bytes). A layer that is larger gets a shard of its own.",
             .fallback = "2.0"},
            {.name = "shards", .value = "N", .help = "Exactly N shards, of about one size. Goes before --size-gb."}};
}

} // namespace bigsmall::app
