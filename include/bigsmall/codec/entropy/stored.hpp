// SPDX-License-Identifier: BSL-1.0
// Entropy policies that need no model: the bytes themselves, and one byte for a stream that repeats it.
#pragma once

#include <algorithm>
#include <optional>

#include <bigsmall/codec/policies.hpp>

namespace bigsmall::entropy {

/// Wire id 0: the stream as it is.
struct stored {
    static constexpr wire_id id = 0;
    static constexpr std::string_view name = "stored";

    static constexpr std::size_t bound(std::size_t raw_bytes) noexcept { return raw_bytes; }
    static constexpr std::size_t estimate(const encode_context& context) noexcept {
        return context.statistics.size_bytes;
    }
    static std::optional<std::size_t> encode(bytes_view raw, bytes_span out, const encode_context&) noexcept {
        std::copy(raw.begin(), raw.end(), out.begin());
        return raw.size();
    }
    static status decode(bytes_view coded, bytes_span raw) noexcept {
        if (coded.size() != raw.size()) return coded.size() < raw.size() ? status::truncated : status::corrupt;
        std::copy(coded.begin(), coded.end(), raw.begin());
        return status::ok;
    }
};

/// Wire id 1: one byte value, repeated. Declines every other stream.
struct constant {
    static constexpr wire_id id = 1;
    static constexpr std::string_view name = "constant";

    static constexpr std::size_t bound(std::size_t) noexcept { return 1; }
    static constexpr std::size_t estimate(const encode_context& context) noexcept {
        return context.statistics.distinct == 1 ? 1 : static_cast<std::size_t>(-1);
    }
    static std::optional<std::size_t> encode(bytes_view raw, bytes_span out, const encode_context& context) noexcept {
        if (context.statistics.distinct != 1) return std::nullopt;
        out[0] = raw[0];
        return 1;
    }
    static status decode(bytes_view coded, bytes_span raw) noexcept {
        if (coded.size() != 1) return coded.empty() ? status::truncated : status::corrupt;
        std::fill(raw.begin(), raw.end(), coded[0]);
        return status::ok;
    }
};

} // namespace bigsmall::entropy
