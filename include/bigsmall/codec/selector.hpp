// SPDX-License-Identifier: BSL-1.0
// Which candidate wins a stream.
#pragma once

#include <bigsmall/codec/policies.hpp>

namespace bigsmall::selector {

/// Bytes and nothing else.
struct smallest {
    static constexpr std::size_t cost(wire_id, std::size_t coded_bytes, std::size_t) noexcept { return coded_bytes; }
};

namespace detail {

/// Bytes, with a price on decoding: a coder that works for every symbol must save at least 1 / Price of the stream, and
/// each noisy bit of an element that it works for must save as much of what is coded. Few coded bytes mean few bits to
/// decode, and signs that are no noise.
template <std::size_t Price>
struct priced {
    static constexpr std::size_t noise_price(std::size_t noisy_bits, std::size_t coded_bytes) noexcept {
        return noisy_bits * (coded_bytes / Price);
    }
    static constexpr std::size_t cost(wire_id entropy, std::size_t coded_bytes, std::size_t raw_bytes) noexcept {
        constexpr wire_id stored_id = 0, constant_id = 1;
        return entropy == stored_id || entropy == constant_id ? coded_bytes : coded_bytes + raw_bytes / Price;
    }
};

} // namespace detail

/// Half a per cent of a stream: below 0.3 points of a file.
struct balanced : detail::priced<200> {};

/// Three per cent: planes that are nearly noise stay as they are.
struct fastest : detail::priced<32> {};

} // namespace bigsmall::selector
