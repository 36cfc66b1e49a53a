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

/// Bytes, with a price on decoding: a coder that works for every symbol must save at least 1 / Price of the stream. For
/// floats of one byte each noisy bit that it works for must save as much of what is coded: byte_fields<2> leaves one,
/// whole and zero_runs<1> two. Few coded bytes mean few bits to decode, and signs that are no noise.
template <std::size_t Price>
struct priced {
    static constexpr std::size_t grouping_price(wire_id grouping, const dtype& type, std::size_t coded_bytes) noexcept {
        constexpr wire_id whole_id = 0, zero_runs_id = 7, byte_fields_id = 17;
        if (type.kind != number_kind::floating || type.bits != 8) return 0;
        const std::size_t noisy_bits = grouping == whole_id || grouping == zero_runs_id ? 2
                                       : grouping == byte_fields_id                     ? 1
                                                                                        : 0;
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
