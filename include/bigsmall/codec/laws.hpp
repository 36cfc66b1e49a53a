// SPDX-License-Identifier: BSL-1.0
// The laws that every policy must obey, as a test that users run on their own:
//   REQUIRE(bigsmall::laws::broken_by_entropy<my_entropy>() == "");
// Needs no test framework. The inputs are fixed, so a failure repeats.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <bigsmall/codec/basic_codec.hpp>

namespace bigsmall::laws {

/// A small generator with a fixed sequence (xorshift64*, G. Marsaglia 2003 / S. Vigna 2016).
class fixed_random {
public:
    explicit fixed_random(std::uint64_t seed) noexcept : state_(seed * 0x9e3779b97f4a7c15ull | 1) {}
    std::uint64_t operator()() noexcept {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545f4914f6cdd1dull;
    }
    std::uint64_t below(std::uint64_t limit) noexcept { return (*this)() % limit; }

private:
    std::uint64_t state_;
};

/// Streams that break coders: empty, single, constant, two-valued, skewed, flat, periodic, exponent-like, with rows of
/// two kinds; sizes around the powers of two and block boundaries that coders care about.
inline std::vector<byte_buffer> sample_streams() {
    std::vector<byte_buffer> samples;
    fixed_random random(1);
    for (const std::size_t size :
         {0u, 1u, 2u, 3u, 7u, 8u, 31u, 32u, 33u, 63u, 100u, 511u, 512u, 513u, 4096u, 8191u, 8192u, 8193u, 70000u}) {
        for (int kind = 0; kind < 8; ++kind) {
            byte_buffer sample(size);
            for (std::size_t i = 0; i < size; ++i) {
                const std::uint64_t r = random();
                const auto trailing = static_cast<std::uint8_t>(std::countr_zero(r | 1ull << 40));
                const std::uint64_t rows_apart = i / 48 % 2 * 20 + trailing % 20u;
                const std::array<std::uint64_t, 8> values{
                    42, r & 1, r >> 8, trailing, i, 120u - trailing % 20u, r % 5 == 0 ? r >> 8 : 0, rows_apart};
                sample[i] = static_cast<std::uint8_t>(values[static_cast<std::size_t>(kind)]);
            }
            samples.push_back(std::move(sample));
        }
    }
    return samples;
}

namespace detail {

inline std::string describe_case(const char* law, const byte_buffer& sample) {
    std::string text = std::string("law broken: ") + law + " (stream of " + std::to_string(sample.size()) + " bytes";
    for (std::size_t i = 0; i < std::min<std::size_t>(sample.size(), 8); ++i)
        text += (i == 0 ? ", starting " : " ") + std::to_string(sample[i]);
    return text + ")";
}

/// Bytes around the decoder's output that must stay as they are.
inline constexpr std::size_t guard_bytes = 64;

template <class E>
status decode_guarded(bytes_view coded, std::size_t raw_bytes, byte_buffer& raw, scratch& memory, bool& overran) {
    byte_buffer guarded(raw_bytes + 2 * guard_bytes, 0xa5);
    const byte_buffer exact(coded.begin(), coded.end()); // its own allocation, so that a sanitizer sees over-reads
    const status s =
        bigsmall::detail::decode_stream<E>(exact, bytes_span(guarded).subspan(guard_bytes, raw_bytes), memory);
    const auto untouched = [](std::uint8_t byte) { return byte == 0xa5; };
    overran = !std::all_of(guarded.begin(), guarded.begin() + guard_bytes, untouched) ||
              !std::all_of(guarded.end() - guard_bytes, guarded.end(), untouched);
    raw.assign(guarded.begin() + guard_bytes, guarded.end() - guard_bytes);
    return s;
}

/// Damages a coded stream in `tries` ways; the decoder may answer what it likes, within its output.
template <class E>
bool survives_damage(const byte_buffer& coded, std::size_t raw_bytes, scratch& memory, int tries) {
    fixed_random random(coded.size() + 7);
    byte_buffer raw;
    bool overran = false;
    for (int i = 0; i < tries; ++i) {
        byte_buffer damaged = coded;
        if (!damaged.empty()) damaged[random.below(damaged.size())] ^= static_cast<std::uint8_t>(1 + random.below(255));
        if (i % 3 == 1) damaged.resize(random.below(damaged.size() + 1));
        if (i % 3 == 2) damaged.push_back(static_cast<std::uint8_t>(random()));
        (void)decode_guarded<E>(damaged, raw_bytes, raw, memory, overran);
        if (overran) return false;
    }
    return true;
}

template <class E>
std::string check_entropy_sample(const byte_buffer& sample, const kernel::table& kernels, std::size_t row_symbols) {
    scratch memory(kernels);
    const stream_statistics statistics = statistics_of(sample, kernels);
    encode_context context{statistics, kernels, memory, row_symbols, row_symbols / 3};
    context.last_symbols = row_symbols / 4;
    context.many_parts = row_symbols == 1;
    byte_buffer coded(E::bound(sample.size()) + guard_bytes, 0x5a);
    const auto written =
        bigsmall::detail::encode_stream<E>(sample, bytes_span(coded).first(coded.size() - guard_bytes), context);
    if (!written) return "";
    if (*written > E::bound(sample.size())) return describe_case("encode wrote more than bound()", sample);
    if (!std::all_of(coded.end() - guard_bytes, coded.end(), [](std::uint8_t byte) { return byte == 0x5a; }))
        return describe_case("encode wrote behind its output", sample);
    coded.resize(*written);

    byte_buffer raw;
    bool overran = false;
    if (decode_guarded<E>(coded, sample.size(), raw, memory, overran) != status::ok || raw != sample)
        return describe_case("decode(encode(x)) is not x", sample);
    if (overran) return describe_case("decode wrote outside its output", sample);
    byte_buffer longer = coded;
    longer.push_back(0);
    if (decode_guarded<E>(longer, sample.size(), raw, memory, overran) == status::ok)
        return describe_case("decode accepted a byte too many", sample);
    if (!coded.empty()) {
        const byte_buffer shorter(coded.begin(), coded.end() - 1);
        if (decode_guarded<E>(shorter, sample.size(), raw, memory, overran) == status::ok && raw == sample)
            return describe_case("decode accepted a byte too few", sample);
    }
    if (!survives_damage<E>(coded, sample.size(), memory, 60))
        return describe_case("decode wrote outside its output on damaged bytes", sample);
    return "";
}

} // namespace detail

/// The first law that an entropy policy breaks, in words, or an empty string. Run it under a sanitizer as well:
/// reads outside the coded bytes show only there.
template <class E>
std::string broken_by_entropy() {
    static_assert(bigsmall::detail::require_entropy_policy<E>());
    for (const kernel::table* kernels : kernel::runnable()) {
        for (const byte_buffer& sample : sample_streams()) {
            for (const std::size_t row_symbols : {0u, 1u, 48u}) {
                std::string broken = detail::check_entropy_sample<E>(sample, *kernels, row_symbols);
                if (!broken.empty())
                    return std::string(E::name) + " with " + std::string(kernels->name) + ": " + broken;
            }
        }
    }
    return "";
}

namespace detail {

template <class G>
std::string check_grouping_sample(const dtype& type, const byte_buffer& sample, const kernel::table& kernels) {
    if (!G::applies(type, sample)) return "";
    scratch memory(kernels);
    std::array<std::size_t, G::streams> sizes{};
    bigsmall::detail::plan_block<G>(sample, sizes, memory);
    std::array<byte_buffer, G::streams> buffers;
    std::array<bytes_span, G::streams> outputs;
    std::array<bytes_view, G::streams> inputs;
    std::size_t total = 0;
    for (std::size_t s = 0; s < G::streams; ++s) {
        buffers[s].resize(sizes[s]);
        outputs[s] = buffers[s];
        inputs[s] = buffers[s];
        total += sizes[s];
    }
    if (total > 4 * sample.size() + 4096) return describe_case("streams add up to more than a reader accepts", sample);
    bigsmall::detail::split_block<G>(sample, outputs, memory);
    byte_buffer raw(sample.size(), 0xa5);
    if (G::merge(inputs, raw, kernels) != status::ok || raw != sample)
        return describe_case("merge(split(x)) is not x", sample);
    // Streams of a wrong size must be noticed.
    for (std::size_t s = 0; s < G::streams; ++s) {
        std::array<bytes_view, G::streams> wrong = inputs;
        byte_buffer longer = buffers[s];
        longer.push_back(1);
        wrong[s] = longer;
        if (G::merge(wrong, raw, kernels) == status::ok)
            return describe_case("merge accepted a stream too long", sample);
        if (inputs[s].empty()) continue;
        wrong[s] = inputs[s].first(inputs[s].size() - 1);
        if (G::merge(wrong, raw, kernels) == status::ok)
            return describe_case("merge accepted a stream too short", sample);
    }
    // Damaged contents may give anything but undefined behaviour.
    fixed_random random(sample.size());
    for (int i = 0; i < 60; ++i) {
        byte_buffer& buffer = buffers[random.below(G::streams)];
        if (!buffer.empty()) buffer[random.below(buffer.size())] = static_cast<std::uint8_t>(random());
        (void)G::merge(inputs, raw, kernels);
    }
    return "";
}

} // namespace detail

/// The first law that a grouping policy breaks on blocks of the given element type, or an empty string.
template <class G>
std::string broken_by_grouping(const dtype& type) {
    static_assert(bigsmall::detail::require_grouping_policy<G>());
    for (const kernel::table* kernels : kernel::runnable()) {
        for (const byte_buffer& sample : sample_streams()) {
            std::string broken = detail::check_grouping_sample<G>(type, sample, *kernels);
            if (!broken.empty()) return std::string(G::name) + " with " + std::string(kernels->name) + ": " + broken;
        }
    }
    return "";
}

} // namespace bigsmall::laws
