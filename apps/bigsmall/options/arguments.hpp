// SPDX-License-Identifier: BSL-1.0
// A parsed command line: which options were given, with what values, and the positional arguments.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "command.hpp"

namespace bigsmall::app {

/// The command line is wrong: exit code 2. `hint` says what to do instead.
class usage_error : public std::runtime_error {
public:
    explicit usage_error(const std::string& message, std::string hint = {})
        : std::runtime_error(message), hint_(std::move(hint)) {}
    const std::string& hint() const noexcept { return hint_; }

private:
    std::string hint_;
};

class arguments {
public:
    explicit arguments(const command_spec& command) : command_(&command) {}

    const command_spec& command() const noexcept { return *command_; }

    bool has(std::string_view option) const { return values_.find(option) != values_.end(); }

    /// The value of an option, or nothing when it was not given.
    std::optional<std::string> value(std::string_view option) const {
        const auto found = values_.find(option);
        if (found == values_.end()) return std::nullopt;
        return found->second.back();
    }

    /// All values of a repeatable option, in their order.
    std::vector<std::string> all(std::string_view option) const {
        const auto found = values_.find(option);
        return found == values_.end() ? std::vector<std::string>{} : found->second;
    }

    std::size_t positional_count() const noexcept { return positionals_.size(); }
    const std::string& positional(std::size_t i) const { return positionals_.at(i); }

    /// Threads asked for by --threads, or by another option, 0 for one per processor. Throws usage_error.
    std::size_t threads(std::string_view option = "threads") const;
    /// The value of an option that is a whole number from `least` to `most`. Throws usage_error.
    std::optional<std::uint64_t> integer(std::string_view option, std::uint64_t least = 0,
                                         std::uint64_t most = std::numeric_limits<std::uint64_t>::max()) const;
    /// The value of an option that is a number above 0 and at most 1. Throws usage_error.
    std::optional<double> fraction(std::string_view option) const;

    /// Throws usage_error when both options were given.
    void exclude(std::string_view a, std::string_view b) const;

    void set(std::string_view option, std::string value) { values_[std::string(option)] = {std::move(value)}; }
    void add(std::string_view option, std::string value) {
        values_[std::string(option)].push_back(std::move(value));
    }
    void add_positional(std::string value) { positionals_.push_back(std::move(value)); }

private:
    const command_spec* command_;
    std::map<std::string, std::vector<std::string>, std::less<>> values_;
    std::vector<std::string> positionals_;
};

} // namespace bigsmall::app
