// SPDX-License-Identifier: BSL-1.0
// What a stream looks like: the numbers from which policies estimate their size without encoding. Integers only,
// because a choice that hangs on a library's rounding of log2 would make files differ between machines.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/kernel/table.hpp>

namespace bigsmall {

/// Byte histogram of one stream. `lowest` and `highest` are the extreme byte values that occur (0, 0 if empty).
struct stream_statistics {
    std::size_t size_bytes = 0;
    std::array<std::uint32_t, 256> counts{};
    std::size_t distinct = 0;
    std::uint8_t lowest = 0;
    std::uint8_t highest = 0;
};

inline stream_statistics statistics_of(bytes_view stream, const kernel::table& kernels) noexcept {
    stream_statistics s;
    s.size_bytes = stream.size();
    kernels.histogram(stream.data(), stream.size(), s.counts.data());
    for (std::size_t v = 0; v < 256; ++v) {
        if (s.counts[v] == 0) continue;
        if (s.distinct++ == 0) s.lowest = static_cast<std::uint8_t>(v);
        s.highest = static_cast<std::uint8_t>(v);
    }
    return s;
}

/// The least and the greatest of some bytes; a least above the greatest means none.
struct byte_range {
    std::uint8_t lowest = 255, highest = 0;
};

/// `shift` is added to each byte first, modulo 256. A loop that compilers turn into vectors.
inline byte_range range_of(bytes_view bytes, std::uint8_t shift = 0) noexcept {
    byte_range range;
    for (const std::uint8_t each : bytes) {
        const auto byte = static_cast<std::uint8_t>(each + shift);
        range.lowest = byte < range.lowest ? byte : range.lowest;
        range.highest = byte > range.highest ? byte : range.highest;
    }
    return range;
}

/// The same from one stretch of 256 bytes in `Part`, scaled up, when that leaves 16384 bytes to count. Every value
/// between the lowest and the highest that occur counts at least once, so that a code made from these numbers has a
/// word for all of them.
template <std::size_t Part>
stream_statistics sampled_statistics_of(bytes_view stream, const kernel::table& kernels) noexcept {
    constexpr std::size_t stretch = 256, batch = 64;
    if (Part == 1 || stream.size() < Part * stretch * batch) return statistics_of(stream, kernels);
    stream_statistics s;
    s.size_bytes = stream.size();
    std::array<std::uint8_t, stretch * batch> together;
    std::size_t held = 0;
    for (std::size_t at = 0; at + stretch <= stream.size(); at += stretch * Part) {
        std::memcpy(together.data() + held, stream.data() + at, stretch);
        held += stretch;
        if (held != together.size()) continue;
        kernels.histogram(together.data(), held, s.counts.data());
        held = 0;
    }
    kernels.histogram(together.data(), held, s.counts.data());
    const byte_range range = range_of(stream);
    s.lowest = range.lowest;
    s.highest = range.highest;
    s.distinct = std::size_t{s.highest} - s.lowest + 1;
    for (std::size_t v = s.lowest; v <= s.highest; ++v)
        s.counts[v] = s.counts[v] == 0 ? 1 : s.counts[v] * static_cast<std::uint32_t>(Part);
    return s;
}

/// log2(value) in units of 1/4096 bit, rounded down; value > 0.
/// Squaring a number in [1, 2) doubles its logarithm, and whether the square reaches 2 is the next bit of it.
constexpr std::uint32_t log2_in_4096ths(std::uint32_t value) noexcept {
    const auto whole = static_cast<std::uint32_t>(std::bit_width(value)) - 1;
    std::uint64_t mantissa = (std::uint64_t{value} << 31) >> whole; // value / 2^whole in [1, 2), 31 fraction bits
    std::uint32_t fraction = 0;
    for (int bit = 0; bit < 12; ++bit) {
        mantissa = (mantissa * mantissa) >> 31;
        const auto carry = static_cast<std::uint32_t>(mantissa >> 32);
        mantissa >>= carry;
        fraction = fraction << 1 | carry;
    }
    return whole << 12 | fraction;
}

/// Order-0 entropy of the stream in bytes, rounded up: what an ideal coder with a free table would need.
inline std::size_t entropy_bytes(const stream_statistics& s) noexcept {
    if (s.distinct < 2) return 0;
    const std::uint64_t log_total = log2_in_4096ths(static_cast<std::uint32_t>(s.size_bytes));
    std::uint64_t sum = 0; // in 4096ths of a bit
    for (const std::uint32_t count : s.counts)
        if (count != 0) sum += count * (log_total - log2_in_4096ths(count));
    return static_cast<std::size_t>((sum + 8 * 4096 - 1) / (8 * 4096));
}

/// Fills `to` with so many stretches of equal size, evenly spread, at multiples of 64 bytes so that no word is cut.
inline void copy_stretches(bytes_view from, std::size_t stretches, bytes_span to) noexcept {
    const std::size_t stretch = to.size() / stretches;
    const std::size_t step = (from.size() - stretch) / (stretches - 1) / 64 * 64;
    for (std::size_t s = 0; s < stretches; ++s)
        std::memcpy(to.data() + s * stretch, from.data() + s * step, stretch);
}

/// The top bits of all words of 2, 4 or 8 bytes in a 64-bit word; none of words of one byte.
constexpr std::uint64_t top_bits_of_words(std::size_t width) noexcept {
    std::uint64_t bits = 0;
    for (std::size_t word = 1; width > 1 && word <= 8 / width; ++word)
        bits |= std::uint64_t{1} << (8 * width * word - 1);
    return bits;
}

/// How many of 256 sampled positions repeat an earlier string: a cheap sign that an LZ coder would find something.
/// Strings have eight bytes of words, and 16 of single bytes: eight exponents have 21 bits and come again by chance.
/// The sample is taken by content (a string is looked at when its hash says so), so that a repeat is seen at any
/// distance, however thin the sample. `step_bytes` is the width of the words; `mask` leaves bits out, signs for
/// example. Looks at `enough_bytes` from the middle.
inline unsigned repeats_in_256(bytes_view stream, std::size_t enough_bytes, std::size_t step_bytes = 1,
                               std::uint64_t mask = ~std::uint64_t{0}) noexcept {
    if (stream.size() > enough_bytes)
        stream = stream.subspan((stream.size() - enough_bytes) / 2 / step_bytes * step_bytes, enough_bytes);
    if (stream.size() < 32) return 0;
    constexpr std::size_t slots = 8192;
    std::array<std::uint32_t, slots> seen{}; // position + 1 of the last string with that hash
    const auto eight_at = [&](std::size_t at) { return load_le<std::uint64_t>(stream.data() + at) & mask; };
    const auto hash_of = [](std::uint64_t text) { return text * 0x9e3779b97f4a7c15ull; };
    unsigned sampled = 0, repeated = 0;
    // One string in eight is looked at, by chance: a branch would be mispredicted for each of them. So the places are
    // listed first, each written and the list lengthened or not.
    constexpr std::size_t listed = 1024;
    std::array<std::uint32_t, listed> places;
    const std::size_t last_place = stream.size() - 16;
    for (std::size_t i = 0; i <= last_place;) {
        std::size_t found = 0;
        for (std::size_t k = 0; k < listed && i <= last_place; ++k, i += step_bytes) {
            places[found] = static_cast<std::uint32_t>(i);
            found += (hash_of(eight_at(i)) >> 32 & 7) == 0;
        }
        for (const std::size_t place : std::span(places).first(found)) {
            const std::uint64_t text = eight_at(place);
            std::uint32_t& last = seen[static_cast<std::size_t>(hash_of(text) >> 51)];
            const bool again = last != 0 && eight_at(last - 1) == text;
            if (again && (step_bytes > 1 || eight_at(last + 7) == eight_at(place + 8))) ++repeated;
            last = static_cast<std::uint32_t>(place + 1);
        }
        sampled += static_cast<unsigned>(found);
    }
    return sampled == 0 ? 0 : repeated * 256 / sampled;
}

/// How many of 256 strings of four bytes, at words of `step_bytes`, are seen again nearby: palettes and few levels,
/// which an LZ coder takes a word or two at a time. `mask` leaves bits out; zeros are no repeats, they have groupings
/// of their own. Looks at four places.
inline unsigned near_repeats_in_256(bytes_view stream, std::size_t step_bytes, std::uint32_t mask) noexcept {
    constexpr std::size_t places = 4, steps = 256;
    const std::size_t place_bytes = steps * step_bytes + 4;
    if (stream.size() < place_bytes) return 0;
    std::array<std::uint32_t, 1024> last_with{};
    const std::size_t stride = (stream.size() - place_bytes) / (places - 1) / 64 * 64;
    unsigned seen = 0, again = 0;
    for (std::size_t place = 0; place < (stride == 0 ? 1 : places); ++place) {
        for (std::size_t i = 0; i < steps; ++i) {
            const std::uint32_t text = load_le<std::uint32_t>(stream.data() + place * stride + i * step_bytes) & mask;
            std::uint32_t& last = last_with[text * 0x9e3779b1u >> 22];
            seen += text != 0;
            again += text != 0 && last == text;
            last = text;
        }
    }
    return seen == 0 ? 0 : again * 256 / seen;
}

} // namespace bigsmall
