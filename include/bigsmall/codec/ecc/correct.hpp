// SPDX-License-Identifier: BSL-1.0
// One damaged word, put right: errors at places that nobody knows, and erasures.
//
// The classical decoder. S_j, the sum of c_x * x^j over all symbols, is zero for j = 0 to 31 in a word of the code
// (reed_solomon.hpp). With errors e_x it is the sum of e_x * x^j: a linear recurrence, whose shortest form Berlekamp
// and Massey find. Its polynomial is the locator, the product of 1 - x z over all wrong points x; erasures are in it
// from the beginning. Forney's formula gives the errors.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <bigsmall/codec/ecc/reed_solomon.hpp>
#include <bigsmall/kernel/galois_field.hpp>

namespace bigsmall::ecc {

namespace detail {

using kernel::galois::product;
using kernel::galois::quotient;

/// Coefficients, lowest first. Degrees stay below 33.
using small_polynomial = std::array<std::uint8_t, parity_symbols + 1>;
using syndromes = std::array<std::uint8_t, parity_symbols>;

inline syndromes syndromes_of(std::span<const std::uint8_t, word_symbols> word) noexcept {
    syndromes sums{};
    for (std::size_t row = 0; row < word_symbols; ++row) {
        if (word[row] == 0) continue;
        const std::size_t step = kernel::galois::base_two.log[row + 1];
        std::size_t log = kernel::galois::base_two.log[word[row]];
        for (std::uint8_t& sum : sums) {
            sum ^= kernel::galois::base_two.power[log];
            log += step;
            if (log >= kernel::galois::order) log -= kernel::galois::order;
        }
    }
    return sums;
}

constexpr bool all_zero(const syndromes& sums) noexcept {
    return std::all_of(sums.begin(), sums.end(), [](std::uint8_t sum) { return sum == 0; });
}

inline std::uint8_t value_at(std::span<const std::uint8_t> polynomial, std::uint8_t z) noexcept {
    std::uint8_t value = 0;
    for (std::size_t i = polynomial.size(); i-- > 0;)
        value = static_cast<std::uint8_t>(product(value, z) ^ polynomial[i]);
    return value;
}

/// The product of 1 - x z over the points x of all erased rows.
inline small_polynomial erasure_locator(std::span<const std::uint8_t> erasures) noexcept {
    small_polynomial locator{1};
    for (const std::uint8_t row : erasures)
        for (std::size_t i = parity_symbols; i > 0; --i)
            locator[i] ^= product(locator[i - 1], static_cast<std::uint8_t>(row + 1));
    return locator;
}

/// Berlekamp and Massey, from the locator of the erasures on. Returns the length of the recurrence.
inline std::size_t extend_locator(const syndromes& sums, std::size_t erased, small_polynomial& locator) noexcept {
    small_polynomial previous = locator;
    std::size_t length = erased;
    for (std::size_t n = erased; n < parity_symbols; ++n) {
        std::uint8_t discrepancy = 0;
        for (std::size_t i = 0; i <= n; ++i)
            discrepancy ^= product(locator[i], sums[n - i]);
        std::copy_backward(previous.begin(), previous.end() - 1, previous.end());
        previous[0] = 0;
        if (discrepancy == 0) continue;
        const small_polynomial before = locator;
        for (std::size_t i = 0; i < locator.size(); ++i)
            locator[i] ^= product(discrepancy, previous[i]);
        if (2 * length > n + erased) continue;
        length = n + 1 + erased - length;
        for (std::size_t i = 0; i < previous.size(); ++i)
            previous[i] = quotient(before[i], discrepancy);
    }
    return length;
}

/// Adds the error at each zero of the locator; whether that gives a word of the code is another question.
inline void add_errors(const syndromes& sums, const small_polynomial& locator,
                       std::span<std::uint8_t, word_symbols> word) noexcept {
    syndromes evaluator{}; // sums times locator, below z^32
    for (std::size_t n = 0; n < parity_symbols; ++n)
        for (std::size_t i = 0; i <= n; ++i)
            evaluator[n] ^= product(locator[i], sums[n - i]);
    small_polynomial derivative{}; // of odd powers only
    for (std::size_t i = 1; i < locator.size(); i += 2)
        derivative[i - 1] = locator[i];
    for (std::size_t row = 0; row < word_symbols; ++row) {
        const auto x = static_cast<std::uint8_t>(row + 1);
        const std::uint8_t z = quotient(1, x);
        if (value_at(locator, z) != 0) continue;
        const std::uint8_t slope = value_at(derivative, z);
        if (slope == 0) continue; // twice the same zero: no errors explain the sums
        word[row] ^= product(x, quotient(value_at(evaluator, z), slope));
    }
}

} // namespace detail

/// Corrects one word, data first, then parity, in place: e errors anywhere and f erasures (numbers of different rows)
/// as long as 2 e + f is at most 32. Returns how many symbols were changed. Beyond that nothing is changed and there is
/// no number, as far as can be told: without erasures, about one word of 10^13 with more errors looks like another with
/// up to 16. Every two erasures take a check from the word; with 32 of them none is left, and further errors go unseen.
inline std::optional<unsigned> correct(std::span<std::uint8_t, word_symbols> word,
                                       std::span<const std::uint8_t> erasures = {}) noexcept {
    if (erasures.size() > parity_symbols) return std::nullopt;
    std::array<bool, word_symbols> is_erased{};
    for (const std::uint8_t row : erasures) {
        if (row >= word_symbols || is_erased[row]) return std::nullopt;
        is_erased[row] = true;
    }
    const detail::syndromes sums = detail::syndromes_of(word);
    if (detail::all_zero(sums)) return 0;
    detail::small_polynomial locator = detail::erasure_locator(erasures);
    const std::size_t length = detail::extend_locator(sums, erasures.size(), locator);
    if (2 * length > parity_symbols + erasures.size()) return std::nullopt;
    std::array<std::uint8_t, word_symbols> corrected;
    std::copy(word.begin(), word.end(), corrected.begin());
    detail::add_errors(sums, locator, corrected);
    if (!detail::all_zero(detail::syndromes_of(corrected))) return std::nullopt;
    unsigned changed = 0;
    for (std::size_t row = 0; row < word_symbols; ++row)
        changed += word[row] != corrected[row];
    std::copy(corrected.begin(), corrected.end(), word.begin());
    return changed;
}

} // namespace bigsmall::ecc
