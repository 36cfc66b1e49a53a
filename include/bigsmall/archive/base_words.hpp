// SPDX-License-Identifier: BSL-1.0
// How far words of a tensor are from those of another: the measure by which bases are found.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/dtype.hpp>

namespace bigsmall::archive::detail {

enum class word_order : std::uint8_t {
    plain,        ///< an integer
    sign_and_size ///< a float: negative numbers grow downwards
};

/// The words of a tensor: its elements, the halves of complex ones, or bytes where elements have no width of their own.
struct word_format {
    std::size_t bytes = 1;
    word_order order = word_order::plain;

    bool operator==(const word_format&) const = default;
};

constexpr word_format word_format_of(const dtype& type) noexcept {
    const std::size_t bytes = type.bits / 8u;
    switch (type.kind) {
    case number_kind::floating: return bytes == 0 ? word_format{} : word_format{bytes, word_order::sign_and_size};
    case number_kind::complex_float: return {bytes / 2, word_order::sign_and_size};
    case number_kind::integer: return {bytes, word_order::plain};
    case number_kind::opaque:
    case number_kind::boolean: break;
    }
    return {};
}

/// An integer that is in the order of the numbers that the words stand for.
template <class Word>
constexpr Word ordered(Word word, word_order order) noexcept {
    constexpr Word size = static_cast<Word>(std::numeric_limits<Word>::max() >> 1);
    const bool negative = word > size;
    return order == word_order::sign_and_size && negative ? static_cast<Word>(word ^ size) : word;
}

template <class Word>
std::uint64_t difference_bits_of(word_order order, bytes_view a, bytes_view b) noexcept {
    using signed_word = std::make_signed_t<Word>;
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i + sizeof(Word) <= a.size(); i += sizeof(Word)) {
        const Word from = ordered(load_le<Word>(b.data() + i), order), to = ordered(load_le<Word>(a.data() + i), order);
        const auto difference = static_cast<signed_word>(static_cast<Word>(to - from));
        // Zigzag: small differences of either sign are small numbers.
        const auto size = static_cast<Word>(difference < 0 ? ~difference : difference);
        sum += difference == 0 ? 0u : static_cast<unsigned>(std::bit_width(size)) + 1u;
    }
    return sum;
}

/// The sum of the bits of the differences between the words of `a` and `b`, which are as many.
inline std::uint64_t difference_bits(const word_format& format, bytes_view a, bytes_view b) noexcept {
    switch (format.bytes) {
    case 2: return difference_bits_of<std::uint16_t>(format.order, a, b);
    case 4: return difference_bits_of<std::uint32_t>(format.order, a, b);
    case 8: return difference_bits_of<std::uint64_t>(format.order, a, b);
    default: return difference_bits_of<std::uint8_t>(format.order, a, b);
    }
}

/// What samples say of two tensors.
struct relation {
    std::size_t words = 0;
    double changed_bits = 0; ///< mean bits of the differences
    double strange_bits = 0; ///< the same of words that have nothing to do with each other

    bool equal() const noexcept { return words > 0 && changed_bits == 0; }
    /// True when chance does not explain how near they are. Few words prove little: then only equal ones will do.
    bool related() const noexcept {
        if (equal()) return true;
        if (words < 8) return false;
        if (words < 32) return changed_bits <= 0.5 * strange_bits;
        const double gap = words < 64 ? 3 : 2;
        return changed_bits <= 0.7 * strange_bits || strange_bits - changed_bits >= gap;
    }
};

/// Compares samples of the same places. What strangers would differ by is told from the same words, compared out of
/// step.
inline relation relation_of(const word_format& format, bytes_view a, bytes_view b) noexcept {
    const std::size_t bytes = std::min(a.size(), b.size()), words = bytes / format.bytes;
    if (words == 0) return {};
    const std::size_t step = (words / 2 + 1) % words * format.bytes;
    const std::uint64_t changed = difference_bits(format, a.first(bytes), b.first(bytes));
    const std::uint64_t strange = difference_bits(format, a.first(bytes - step), b.subspan(step, bytes - step)) +
                                  difference_bits(format, a.subspan(bytes - step, step), b.first(step));
    return {words, static_cast<double>(changed) / static_cast<double>(words),
            static_cast<double>(strange) / static_cast<double>(words)};
}

/// A bit for each of up to 64 words in the middle of `words`: whether it is above their median. Tensors that are near
/// have nearly the same bits, strangers half of them, and comparing takes no time.
struct word_signature {
    std::uint64_t bits = 0;
    std::size_t words = 0;

    /// False when strangers would hardly have more bits in common.
    bool resembles(const word_signature& other) const noexcept {
        if (words != other.words) return true;
        return static_cast<std::size_t>(std::popcount(bits ^ other.bits)) <= words * 5 / 16;
    }
};

template <class Word>
word_signature signature_of_words(word_order order, bytes_view words) {
    // As signed numbers: the order of the floats, and one that is as good as any of integers.
    constexpr Word top = static_cast<Word>(Word{1} << (8 * sizeof(Word) - 1));
    std::vector<Word> numbers(words.size() / sizeof(Word));
    for (std::size_t i = 0; i < numbers.size(); ++i)
        numbers[i] = static_cast<Word>(ordered(load_le<Word>(words.data() + i * sizeof(Word)), order) ^ top);
    std::vector<Word> sorted = numbers;
    const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
    std::nth_element(sorted.begin(), middle, sorted.end());
    word_signature signature{0, std::min<std::size_t>(numbers.size(), 64)};
    for (std::size_t i = 0; i < signature.words; ++i)
        signature.bits |= std::uint64_t{numbers[(numbers.size() - signature.words) / 2 + i] > *middle ? 1u : 0u} << i;
    return signature;
}

/// Rounding to another float type keeps it.
inline word_signature signature_of(const word_format& format, bytes_view words) {
    if (words.size() < format.bytes) return {};
    switch (format.bytes) {
    case 2: return signature_of_words<std::uint16_t>(format.order, words);
    case 4: return signature_of_words<std::uint32_t>(format.order, words);
    case 8: return signature_of_words<std::uint64_t>(format.order, words);
    default: return signature_of_words<std::uint8_t>(format.order, words);
    }
}

} // namespace bigsmall::archive::detail
