// SPDX-License-Identifier: BSL-1.0
// Many short texts from a file in two blocks of memory: a std::string of its own for each would let a hostile header
// of a few bytes per key cost ten times its size.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bigsmall::io {

/// A list of texts of less than 4 GiB in all: a safetensors header has 100 MB. Costs their bytes and 8 for each, both
/// up to three times while a vector grows.
class text_list {
public:
    void push_back(std::string_view text) {
        places_.push_back({static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint32_t>(text.size())});
        bytes_ += text;
    }
    void clear() noexcept {
        places_.clear();
        bytes_.clear();
    }

    std::size_t size() const noexcept { return places_.size(); }
    bool empty() const noexcept { return places_.empty(); }
    std::string_view operator[](std::size_t i) const noexcept { return text_at(places_[i]); }

    /// A text that is there twice, or nothing. Sorts the list rather than hashing: a hash table can be made slow by
    /// whoever chooses the texts.
    std::optional<std::string_view> sort_and_find_twin() {
        std::sort(places_.begin(), places_.end(),
                  [&](const place& a, const place& b) { return text_at(a) < text_at(b); });
        const auto twin = std::adjacent_find(places_.begin(), places_.end(), [&](const place& a, const place& b) {
            return text_at(a) == text_at(b);
        });
        if (twin == places_.end()) return std::nullopt;
        return text_at(*twin);
    }

    bool operator==(const text_list& other) const noexcept {
        for (std::size_t i = 0; i < size() && size() == other.size(); ++i)
            if ((*this)[i] != other[i]) return false;
        return size() == other.size();
    }

private:
    struct place {
        std::uint32_t begin = 0, bytes = 0;
    };
    std::string_view text_at(const place& at) const noexcept { return {bytes_.data() + at.begin, at.bytes}; }

    std::string bytes_;
    std::vector<place> places_;
};

/// Keys and values, both texts, in the order in which they came.
class text_pairs {
public:
    void push_back(std::string_view key, std::string_view value) {
        list_.push_back(key);
        list_.push_back(value);
    }

    std::size_t size() const noexcept { return list_.size() / 2; }
    bool empty() const noexcept { return list_.empty(); }
    std::pair<std::string_view, std::string_view> operator[](std::size_t i) const noexcept {
        return {list_[2 * i], list_[2 * i + 1]};
    }

    bool operator==(const text_pairs&) const = default;

private:
    text_list list_;
};

} // namespace bigsmall::io
