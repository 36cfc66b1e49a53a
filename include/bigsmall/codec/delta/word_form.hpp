// SPDX-License-Identifier: BSL-1.0
// What the words of a block are to the delta codec, and which bits of a base word say how far it may have moved.
#pragma once

#include <cstddef>
#include <cstdint>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/dtype.hpp>
#include <bigsmall/core/status.hpp>
#include <bigsmall/core/varint.hpp>
#include <bigsmall/kernel/table.hpp>

namespace bigsmall::delta {

/// Words of 1, 2, 4 or 8 bytes, integers or floats.
struct word_form {
    unsigned width_log2 = 0;
    bool floats = false;

    constexpr std::size_t width() const noexcept { return std::size_t{1} << width_log2; }
    constexpr unsigned bits() const noexcept { return 8u << width_log2; }
    constexpr unsigned most_low_bits() const noexcept { return bits() - 8; }

    friend constexpr bool operator==(const word_form&, const word_form&) = default;

    /// Elements that are no whole words are taken as bytes.
    static constexpr word_form of(const dtype& type) noexcept {
        const bool complex = type.kind == number_kind::complex_float;
        const unsigned bits = complex ? type.bits / 2u : type.bits;
        const bool floats = (complex || type.kind == number_kind::floating) && bits >= 8;
        const bool numbers = floats || type.kind == number_kind::integer;
        if (!numbers) return {};
        return {bits == 64 ? 3u : bits == 32 ? 2u : bits == 16 ? 1u : 0u, floats};
    }
};

inline std::uint64_t load_word(const std::uint8_t* words, std::size_t i, const word_form& form) noexcept {
    switch (form.width_log2) {
    case 0: return words[i];
    case 1: return load_le<std::uint16_t>(words + 2 * i);
    case 2: return load_le<std::uint32_t>(words + 4 * i);
    default: return load_le<std::uint64_t>(words + 8 * i);
    }
}

/// The stored form of a kernel::context_rule: the low `bits` of a word, shifted, less the offset.
struct rule_form {
    unsigned bits = 0; ///< 0: all contexts are 0
    unsigned shift = 0;
    std::uint64_t offset = 0;

    constexpr kernel::context_rule kernel_rule() const noexcept {
        return {bits >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1, shift, offset};
    }

    std::size_t store(std::uint8_t* to) const noexcept {
        to[0] = static_cast<std::uint8_t>(bits);
        to[1] = static_cast<std::uint8_t>(shift);
        return 2 + store_varint(to + 2, offset);
    }

    static status load(byte_cursor& cursor, const word_form& form, rule_form& rule) noexcept {
        rule.bits = cursor.read<std::uint8_t>();
        rule.shift = cursor.read<std::uint8_t>();
        rule.offset = cursor.read_varint();
        if (!cursor.ok()) return status::truncated;
        return rule.bits > form.bits() || rule.shift >= form.bits() ? status::corrupt : status::ok;
    }
};

/// The rules that an encoder may choose from: updates grow with the exponent of a weight (all weights take the same
/// steps), or with its mantissa (steps in proportion to the weight: a mantissa counts what the step is in).
struct rules_for {
    rule_form by_value;
    rule_form by_mantissa;        ///< the lowest contexts of by_value, of which it has `mantissas`
    std::size_t mantissas = 0;    ///< 0: there is no such rule
    std::size_t per_octave = 256; ///< contexts of by_value that are much alike

    /// Four contexts an octave: 2^-51 to 2^13 is all that weights are; what lies beyond shares a context.
    static constexpr rules_for type(const dtype& dtype) noexcept {
        const word_form form = word_form::of(dtype);
        if (form.width_log2 == 0) return {{form.floats ? 7u : 8u, 0, 0}, {}, 0, 1};
        if (!form.floats || dtype.mantissa_bits < 2) return {};
        const unsigned mantissa = dtype.mantissa_bits, shift = mantissa - 2;
        const bool small = dtype.exponent_bits < 7;
        const std::uint64_t offset = small ? 0 : 4 * ((std::uint64_t{1} << (dtype.exponent_bits - 1)) - 1 - 51);
        return {{form.bits() - 1, shift, offset}, {mantissa, shift, 0}, 4, 4};
    }
};

} // namespace bigsmall::delta
