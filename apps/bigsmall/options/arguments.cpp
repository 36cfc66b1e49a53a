// SPDX-License-Identifier: BSL-1.0
#include "options/arguments.hpp"

#include <charconv>
#include <system_error>

namespace bigsmall::app {
namespace {

constexpr std::uint64_t most_threads = 1024;

std::string dashed(std::string_view option) { return "--" + std::string(option); }

} // namespace

std::optional<std::uint64_t> arguments::integer(std::string_view option, std::uint64_t least,
                                                std::uint64_t most) const {
    const auto text = value(option);
    if (!text) return std::nullopt;
    std::uint64_t number = 0;
    const char* const end = text->data() + text->size();
    const auto [stopped, failure] = std::from_chars(text->data(), end, number);
    const bool beyond = failure == std::errc::result_out_of_range; // of 64 bits, but a number
    if ((failure != std::errc() && !beyond) || stopped != end)
        throw usage_error(dashed(option) + " takes a whole number, not '" + *text + "'");
    if (beyond || number < least || number > most)
        throw usage_error(dashed(option) + " takes a number from " + std::to_string(least) + " to " +
                          std::to_string(most) + ", not '" + *text + "'");
    return number;
}

std::optional<double> arguments::fraction(std::string_view option) const {
    const auto text = value(option);
    if (!text) return std::nullopt;
    double number = 0;
    const char* const end = text->data() + text->size();
    const auto [stopped, failure] = std::from_chars(text->data(), end, number);
    if (failure != std::errc() || stopped != end || !(number > 0 && number <= 1))
        throw usage_error(dashed(option) + " takes a number above 0 and at most 1, not '" + *text + "'");
    return number;
}

std::size_t arguments::threads(std::string_view option) const {
    return static_cast<std::size_t>(integer(option, 1, most_threads).value_or(0));
}

void arguments::exclude(std::string_view a, std::string_view b) const {
    if (has(a) && has(b)) throw usage_error(dashed(a) + " and " + dashed(b) + " exclude each other");
}

} // namespace bigsmall::app
