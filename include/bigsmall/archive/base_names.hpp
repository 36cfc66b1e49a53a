// SPDX-License-Identifier: BSL-1.0
// What names of tensors say of each other: "model.layers.3.mlp.up_proj.weight" and "layers.3.mlp.up_proj.weight" are
// likely to be the same, and "h.3.attn.q" to be a part of "h.3.attn.qkv".
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

namespace bigsmall::archive::detail {

/// Names have so many parts between dots that count, the last ones.
inline constexpr std::size_t most_name_parts = 12;

/// Calls f(suffix) for the name and for what is left behind each of its dots, the longest first.
template <class F>
void for_each_suffix(std::string_view name, F&& f) {
    std::array<std::size_t, most_name_parts> starts{};
    std::size_t count = 0;
    for (std::size_t at = name.size(); at > 0 && count + 1 < most_name_parts; --at)
        if (name[at - 1] == '.') starts[count++] = at;
    starts[count++] = 0;
    while (count > 0)
        f(name.substr(starts[--count]));
}

/// The first number between dots, the layer as a rule; empty when there is none.
inline std::string_view first_number(std::string_view name) noexcept {
    while (!name.empty()) {
        const std::string_view part = name.substr(0, name.find('.'));
        const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
        if (!part.empty() && std::all_of(part.begin(), part.end(), is_digit)) return part;
        name.remove_prefix(std::min(name.size(), part.size() + 1));
    }
    return {};
}

/// What is behind the last dot.
constexpr std::string_view last_part(std::string_view name) noexcept { return name.substr(name.rfind('.') + 1); }

/// How alike two names are, for choosing among what is equal otherwise: the layer first, then letters at both ends.
inline std::size_t name_likeness(std::string_view a, std::string_view b) noexcept {
    const auto front = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
    const auto end = std::mismatch(a.rbegin(), a.rend(), b.rbegin(), b.rend()).first - a.rbegin();
    const std::size_t layer = first_number(a) == first_number(b) ? 10'000 : 0;
    return layer + std::min<std::size_t>(static_cast<std::size_t>(front + end), 9'999);
}

/// Finds things by a hash of them; who asks compares.
class hash_index {
public:
    void add(std::string_view text, std::size_t number) { entries_.emplace_back(hash_of(text), number); }
    /// After the last add(), before the first look.
    void sort() { std::sort(entries_.begin(), entries_.end()); }

    /// Calls f(number) for what was added with that text, in the order of the numbers.
    template <class F>
    void for_each_of(std::string_view text, F&& f) const {
        const std::size_t hash = hash_of(text);
        const auto first = std::lower_bound(entries_.begin(), entries_.end(), std::pair(hash, std::size_t{0}));
        for (auto at = first; at != entries_.end() && at->first == hash; ++at)
            f(at->second);
    }

private:
    static std::size_t hash_of(std::string_view text) { return std::hash<std::string_view>()(text); }

    std::vector<std::pair<std::size_t, std::size_t>> entries_;
};

/// Finds tensors whose names end alike.
class suffix_index {
public:
    void add(std::string_view name, std::size_t number) {
        for_each_suffix(name, [&](std::string_view suffix) { index_.add(suffix, number); });
    }
    void sort() { index_.sort(); }

    /// Calls f(number) for those with a name that ends like `name`, the longest common end first, until f returns true.
    /// Ends that are common to many say nothing.
    template <class F>
    void find(std::string_view name, F&& f) const {
        bool done = false;
        for_each_suffix(name, [&](std::string_view suffix) {
            std::vector<std::size_t> named;
            index_.for_each_of(suffix, [&](std::size_t number) {
                if (!done && named.size() <= most_of_a_name) named.push_back(number);
            });
            if (named.size() > most_of_a_name) return;
            for (const std::size_t number : named)
                done = f(number) || done;
        });
    }

private:
    static constexpr std::size_t most_of_a_name = 16;

    hash_index index_;
};

} // namespace bigsmall::archive::detail
