// SPDX-License-Identifier: BSL-1.0
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include <bigsmall/codec.hpp>
#include <bigsmall/codec/laws.hpp>

#include "support/catch.hpp"

using namespace bigsmall;

namespace {

byte_buffer encode(const dtype& type, bytes_view raw, scratch& memory, coding_label* label = nullptr) {
    byte_buffer out(codec::bound(raw.size()));
    const encoded_block block = codec::encode(type, raw, out, memory);
    out.resize(block.bytes);
    if (label != nullptr) *label = block.label;
    return out;
}

// Sums of uniform bits are close enough to a normal distribution and the same on every machine.
byte_buffer bell_shaped_bf16(std::size_t count) {
    laws::fixed_random random(3);
    byte_buffer raw(2 * count);
    for (std::size_t i = 0; i < count; ++i) {
        int sum = 0;
        for (int k = 0; k < 4; ++k)
            sum += static_cast<int>(random() >> 40) - (1 << 23);
        const float value = static_cast<float>(sum) * (0.02f / (1 << 24));
        std::uint32_t bits;
        std::memcpy(&bits, &value, 4);
        store_le<std::uint16_t>(raw.data() + 2 * i, static_cast<std::uint16_t>(bits >> 16));
    }
    return raw;
}

void check_round_trip(const dtype& type, bytes_view raw) {
    scratch memory;
    const byte_buffer coded = encode(type, raw, memory);
    CHECK(coded.size() <= codec::bound(raw.size()));
    byte_buffer back(raw.size(), 0xa5);
    REQUIRE(codec::decode(coded, back, memory) == status::ok);
    CHECK(std::equal(back.begin(), back.end(), raw.begin(), raw.end()));
}

} // namespace

TEST_CASE("every dtype and sample round-trips", "[codec]") {
    for (const dtype& type : detail::dtypes)
        for (const byte_buffer& sample : laws::sample_streams())
            if (!sample.empty()) check_round_trip(type, sample);
}

TEST_CASE("normal BF16 weights come close to the entropy of their exponents", "[codec]") {
    const byte_buffer raw = bell_shaped_bf16(1 << 17);
    scratch memory;
    coding_label label;
    const byte_buffer coded = encode(*find_dtype("BF16"), raw, memory, &label);
    std::array<std::size_t, 256> counts{};
    for (std::size_t i = 0; i < raw.size(); i += 2)
        ++counts[load_le<std::uint16_t>(raw.data() + i) >> 7 & 0xff];
    double bits = 0;
    for (const std::size_t c : counts)
        if (c != 0)
            bits -= static_cast<double>(c) * std::log2(static_cast<double>(c) * 2 / static_cast<double>(raw.size()));
    const double floor_bytes = bits / 8 + static_cast<double>(raw.size()) / 2;
    // Mantissas say something too: the exponents' entropy is not the floor, two tenths of a point below it are.
    CHECK(static_cast<double>(coded.size()) <= floor_bytes - 0.002 * static_cast<double>(raw.size()));
    CHECK(label.grouping == grouping::joint_fields<2>::id);
}

TEST_CASE("noise is stored and costs a few bytes", "[codec]") {
    laws::fixed_random random(5);
    byte_buffer raw(100000);
    for (std::uint8_t& byte : raw)
        byte = static_cast<std::uint8_t>(random() >> 20);
    scratch memory;
    for (const char* name : {"U8", "BF16", "F32", "I64"}) {
        coding_label label;
        const byte_buffer coded = encode(*find_dtype(name), raw, memory, &label);
        CHECK(coded.size() <= raw.size() + 64);
    }
}

TEST_CASE("constants and sparse blocks nearly vanish", "[codec]") {
    scratch memory;
    const byte_buffer zeros(1 << 18);
    CHECK(encode(*find_dtype("F32"), zeros, memory).size() < 64);
    byte_buffer sparse(1 << 18);
    laws::fixed_random random(9);
    for (int i = 0; i < 1000; ++i)
        store_le<std::uint16_t>(sparse.data() + 2 * random.below(1 << 17), 0x3c21);
    coding_label label;
    CHECK(encode(*find_dtype("BF16"), sparse, memory, &label).size() < 3000);
    CHECK(label.grouping == grouping::zero_runs<2>::id);
}

TEST_CASE("every kernel table writes and reads the same bytes", "[codec][kernel]") {
    std::vector<std::pair<const char*, byte_buffer>> inputs;
    inputs.emplace_back("BF16", bell_shaped_bf16(70001));
    for (const byte_buffer& sample : laws::sample_streams())
        if (!sample.empty())
            for (const char* name : {"BF16", "F32", "I16", "U32", "F64", "U8"})
                inputs.emplace_back(name, sample);
    scratch portable(*kernel::find("scalar"));
    for (const auto& [name, raw] : inputs) {
        const byte_buffer expected = encode(*find_dtype(name), raw, portable);
        for (const kernel::table* table : kernel::runnable()) {
            scratch memory(*table);
            REQUIRE(encode(*find_dtype(name), raw, memory) == expected);
            byte_buffer back(raw.size());
            REQUIRE(codec::decode(expected, back, memory) == status::ok);
            REQUIRE(back == raw);
        }
    }
}

TEST_CASE("every prefix and every flipped byte of a coded block is survived", "[codec][corrupt]") {
    scratch memory;
    for (const char* name : {"BF16", "I32", "U8"}) {
        byte_buffer raw = bell_shaped_bf16(800);
        if (*name == 'I') std::fill(raw.begin(), raw.begin() + 900, std::uint8_t{0});
        const byte_buffer coded = encode(*find_dtype(name), raw, memory);
        byte_buffer back(raw.size());
        for (std::size_t n = 0; n < coded.size(); ++n) {
            const byte_buffer prefix(coded.begin(), coded.begin() + static_cast<std::ptrdiff_t>(n));
            CHECK(codec::decode(prefix, back, memory) != status::ok);
        }
        for (std::size_t i = 0; i < coded.size(); ++i) {
            byte_buffer damaged = coded;
            damaged[i] ^= static_cast<std::uint8_t>(1u << (i % 8));
            (void)codec::decode(damaged, back, memory); // an error or other bytes: the sanitizer watches
        }
    }
}

TEST_CASE("an unknown wire id is unsupported, not corrupt", "[codec]") {
    scratch memory;
    byte_buffer back(4);
    const byte_buffer unknown_entropy{0, 1, 0x85, 0x80, 0x02, 4, 4, 1, 2, 3, 4};
    CHECK(codec::decode(unknown_entropy, back, memory) == status::unsupported);
    const byte_buffer unknown_grouping{99, 1, 0, 4, 4, 1, 2, 3, 4};
    CHECK(codec::decode(unknown_grouping, back, memory) == status::unsupported);
    const byte_buffer stored{0, 1, 0, 4, 4, 1, 2, 3, 4};
    CHECK(codec::decode(stored, back, memory) == status::ok);
    CHECK(codec::readers::name_of({4, 5}) == "field_planes<2>+wavelet");
    CHECK(codec::readers::name_of({0x9000, 5}) == "unknown(36864)+wavelet");
}

TEST_CASE("a hostile header cannot ask for memory", "[codec][corrupt]") {
    byte_buffer coded{0, 1, 1};
    std::array<std::uint8_t, max_varint_bytes> huge;
    const std::size_t n = store_varint(huge.data(), std::uint64_t{1} << 60);
    coded.insert(coded.end(), huge.begin(), huge.begin() + static_cast<std::ptrdiff_t>(n));
    coded.push_back(1);
    coded.push_back(7);
    scratch memory;
    byte_buffer back(16);
    CHECK(codec::decode(coded, back, memory) == status::corrupt);
}
