// SPDX-License-Identifier: BSL-1.0
// Every table against the scalar one: all small lengths, all alignments.
#include <array>
#include <vector>

#include <bigsmall/codec/laws.hpp>
#include <bigsmall/kernel.hpp>

#include "support/catch.hpp"

using namespace bigsmall;

namespace {

byte_buffer noise(std::size_t size) {
    laws::fixed_random random(11);
    byte_buffer bytes(size);
    for (std::uint8_t& byte : bytes)
        byte = static_cast<std::uint8_t>(random() >> 13);
    return bytes;
}

template <std::size_t Width>
void check_planes(kernel::split_function split, kernel::merge_function merge, kernel::split_function reference) {
    const byte_buffer source = noise(64 + 260 * Width);
    for (std::size_t count = 0; count <= 257; ++count) {
        for (const std::size_t shift : {0u, 1u, 3u, 32u}) {
            std::array<byte_buffer, Width> got, expected;
            std::array<std::uint8_t*, Width> got_at, expected_at;
            std::array<const std::uint8_t*, Width> merge_from;
            for (std::size_t p = 0; p < Width; ++p) {
                got[p].assign(count + shift + 1, 0xa5);
                expected[p].assign(count, 0);
                got_at[p] = got[p].data() + shift;
                merge_from[p] = got_at[p];
                expected_at[p] = expected[p].data();
            }
            split(source.data() + shift, count, got_at.data());
            reference(source.data() + shift, count, expected_at.data());
            for (std::size_t p = 0; p < Width; ++p) {
                REQUIRE(std::equal(expected[p].begin(), expected[p].end(), got_at[p]));
                REQUIRE(got[p].back() == 0xa5);
            }
            byte_buffer back(count * Width + shift + 1, 0xa5);
            merge(merge_from.data(), count, back.data() + shift);
            REQUIRE(std::equal(source.begin() + static_cast<std::ptrdiff_t>(shift),
                               source.begin() + static_cast<std::ptrdiff_t>(shift + count * Width),
                               back.begin() + static_cast<std::ptrdiff_t>(shift)));
            REQUIRE(back.back() == 0xa5);
        }
    }
}

} // namespace

TEST_CASE("planes: every table equals the scalar one", "[kernel]") {
    const kernel::table& reference = kernel::scalar::functions;
    for (const kernel::table* table : kernel::runnable()) {
        INFO(table->name);
        check_planes<2>(table->split[0], table->merge[0], reference.split[0]);
        check_planes<4>(table->split[1], table->merge[1], reference.split[1]);
        check_planes<8>(table->split[2], table->merge[2], reference.split[2]);
        check_planes<2>(table->split_rotated[0], table->merge_rotated[0], reference.split_rotated[0]);
        check_planes<4>(table->split_rotated[1], table->merge_rotated[1], reference.split_rotated[1]);
        check_planes<8>(table->split_rotated[2], table->merge_rotated[2], reference.split_rotated[2]);
        const kernel::table& streaming = kernel::streaming(*table);
        check_planes<2>(table->split_rotated[0], streaming.merge_rotated[0], reference.split_rotated[0]);
        check_planes<4>(table->split_rotated[1], streaming.merge_rotated[1], reference.split_rotated[1]);
    }
}

TEST_CASE("the scalar split is what it says", "[kernel]") {
    const std::array<std::uint8_t, 4> words{0x80, 0x3f, 0x01, 0xc0}; // BF16 1.0 and -2.0 with the lowest bit set
    std::array<std::uint8_t, 2> low{}, high{};
    std::array<std::uint8_t*, 2> planes{low.data(), high.data()};
    kernel::scalar::functions.split_rotated[0](words.data(), 2, planes.data());
    CHECK(high == std::array<std::uint8_t, 2>{127, 128});  // exponents
    CHECK(low == std::array<std::uint8_t, 2>{0x00, 0x03}); // mantissa << 1 | sign
}

TEST_CASE("histogram: every table counts every byte once", "[kernel]") {
    const auto check = [](const byte_buffer& bytes) {
        std::array<std::uint32_t, 256> expected{};
        for (const std::uint8_t byte : bytes)
            ++expected[byte];
        for (const kernel::table* table : kernel::runnable()) {
            INFO(table->name << ", " << bytes.size() << " bytes");
            std::array<std::uint32_t, 256> counts{};
            counts.fill(3); // what is there is added to
            table->histogram(bytes.data(), bytes.size(), counts.data());
            for (std::uint32_t& count : counts)
                count -= 3;
            CHECK(counts == expected);
        }
    };
    for (const std::size_t size : {0u, 1u, 7u, 8u, 9u, 100u, 1000u})
        check(noise(size));
    // Values that lie close together, at either end and in the middle, with and without others in between; up to more
    // bytes than a counter of one byte can count.
    for (const std::size_t size : {2047u, 2048u, 2081u, 8160u, 8161u, 20000u}) {
        const byte_buffer random = noise(size);
        for (const unsigned first : {0u, 100u, 224u, 225u, 250u}) {
            for (const std::size_t other_each : {0u, 7u, 31u, 100u}) {
                byte_buffer bytes(size);
                for (std::size_t i = 0; i < size; ++i)
                    bytes[i] = other_each != 0 && i % other_each == 0
                                   ? random[i]
                                   : static_cast<std::uint8_t>(std::min(first + random[i] % 32u, 255u));
                check(bytes);
            }
        }
        check(byte_buffer(size, 0));
        check(byte_buffer(size, 255));
        byte_buffer but_one(size, 7);
        but_one[size / 2] = 250;
        check(but_one);
    }
}

namespace {

// Buffers of their own for each call, so that a sanitizer sees every byte too many beyond the slack that is promised.
constexpr std::size_t slack = 64;

std::vector<std::uint8_t> bitmap_of(std::size_t count, unsigned ones_in_16) {
    laws::fixed_random random(count + ones_in_16);
    std::vector<std::uint8_t> bits((count + 7) / 8);
    for (std::size_t i = 0; i < count; ++i)
        if (random.below(16) < ones_in_16) bits[i / 8] = static_cast<std::uint8_t>(bits[i / 8] | 1u << (i % 8));
    return bits;
}

bool bit_of(const std::vector<std::uint8_t>& bits, std::size_t i) { return bits[i / 8] >> (i % 8) & 1; }

} // namespace

TEST_CASE("wavelet kernels weave and part alike in every table", "[kernel]") {
    for (const kernel::table* table : kernel::runnable()) {
        INFO(table->name);
        const kernel::wavelet_functions& wavelet = table->wavelet;
        for (std::size_t count = 0; count <= 300; ++count) {
            for (const unsigned density : {0u, 1u, 8u, 15u, 16u}) {
                const auto bits = bitmap_of(count, density);
                byte_buffer zeros, ones, woven, leaf, leaves;
                for (std::size_t i = 0; i < count; ++i) {
                    const bool bit = bit_of(bits, i);
                    // Ranks below 100 are zeros, the others ones, up to the highest byte.
                    const auto rank = static_cast<std::uint8_t>(bit ? 100 + i % 156 : i % 100);
                    (bit ? ones : zeros).push_back(rank);
                    woven.push_back(rank);
                    leaf.push_back(bit ? rank : 7);
                    leaves.push_back(bit ? 200 : 7);
                }
                REQUIRE(wavelet.count_ones(bits.data(), count) == ones.size());
                const std::size_t zeros_size = zeros.size(), ones_size = ones.size();
                zeros.resize(zeros_size + slack);
                ones.resize(ones_size + slack);
                byte_buffer out(count);
                REQUIRE(wavelet.weave(bits.data(), count, zeros.data(), ones.data(), out.data()) == ones_size);
                REQUIRE(out == woven);
                REQUIRE(wavelet.weave_leaf(bits.data(), count, 7, ones.data(), out.data()) == ones_size);
                REQUIRE(out == leaf);
                wavelet.weave_leaves(bits.data(), count, 7, 200, out.data());
                REQUIRE(out == leaves);

                for (int kept = 0; kept < 3; ++kept) {
                    std::vector<std::uint8_t> found_bits((count + 7) / 8);
                    byte_buffer found_zeros(zeros_size + slack), found_ones(ones_size + slack);
                    const kernel::part_function part = kept == 0   ? wavelet.part_bits
                                                       : kept == 1 ? wavelet.part_ones
                                                                   : wavelet.part_both;
                    const std::size_t taken =
                        part(woven.data(), count, 100, found_bits.data(), kept == 2 ? found_zeros.data() : nullptr,
                             kept >= 1 ? found_ones.data() : nullptr);
                    REQUIRE(taken == ones_size);
                    REQUIRE(found_bits == bits);
                    if (kept >= 1) REQUIRE(std::equal(ones.begin(), ones.end() - slack, found_ones.begin()));
                    if (kept == 2) REQUIRE(std::equal(zeros.begin(), zeros.end() - slack, found_zeros.begin()));
                }
            }
        }
    }
}

TEST_CASE("wavelet kernels part at every threshold", "[kernel]") {
    const byte_buffer symbols = noise(200);
    for (const kernel::table* table : kernel::runnable()) {
        for (unsigned first_one = 0; first_one < 256; ++first_one) {
            std::vector<std::uint8_t> bits(25), expected(25);
            for (std::size_t i = 0; i < symbols.size(); ++i)
                if (symbols[i] >= first_one)
                    expected[i / 8] = static_cast<std::uint8_t>(expected[i / 8] | 1u << (i % 8));
            table->wavelet.part_bits(symbols.data(), symbols.size(), static_cast<std::uint8_t>(first_one), bits.data(),
                                     nullptr, nullptr);
            REQUIRE(bits == expected);
        }
    }
}

TEST_CASE("remap looks up every byte in every table", "[kernel]") {
    byte_buffer map = noise(256), sparse(256, 0);
    std::copy_n(map.begin() + 5, 40, sparse.begin() + 5); // most codes have few symbols: the other rows are zeros
    sparse[255] = 9;
    for (const byte_buffer& each : {map, sparse, byte_buffer(256, 0)}) {
        for (const kernel::table* table : kernel::runnable()) {
            for (std::size_t count = 0; count <= 260; ++count) {
                const byte_buffer symbols = noise(count);
                byte_buffer out(count), expected(count);
                for (std::size_t i = 0; i < count; ++i)
                    expected[i] = each[symbols[i]];
                table->wavelet.remap(symbols.data(), count, each.data(), out.data());
                REQUIRE(out == expected);
            }
        }
    }
}

TEST_CASE("joint fields part and join alike in every table", "[kernel]") {
    const kernel::table& reference = kernel::scalar::functions;
    const byte_buffer random = noise(700);
    for (const kernel::table* table : kernel::runnable()) {
        INFO(table->name);
        for (std::size_t count = 0; count <= 300; ++count) {
            for (const unsigned first_exponent : {1u, 64u, 100u, 193u}) {
                const auto first = static_cast<std::uint8_t>(first_exponent);
                byte_buffer top(random.begin(), random.begin() + static_cast<std::ptrdiff_t>(count));
                const byte_buffer next(random.begin() + 300, random.begin() + static_cast<std::ptrdiff_t>(300 + count));
                for (std::size_t i = 0; i < count; i += 5)
                    top[i] = static_cast<std::uint8_t>(i % 2 == 0 ? 0 : first + i % 63);
                const std::size_t packed = (count * 6 + 7) / 8;
                byte_buffer lead(count), six(packed), expected_lead(count), expected_six(packed);
                table->part_fields(top.data(), next.data(), count, first, lead.data(), six.data());
                reference.part_fields(top.data(), next.data(), count, first, expected_lead.data(), expected_six.data());
                REQUIRE(lead == expected_lead);
                REQUIRE(six == expected_six);
                byte_buffer top_back(count), next_back(count);
                table->join_fields(lead.data(), six.data(), count, first, top_back.data(), next_back.data());
                for (std::size_t i = 0; i < count; ++i) {
                    if (lead[i] == kernel::scalar::escape_symbol) continue;
                    REQUIRE(top_back[i] == top[i]);
                    REQUIRE(next_back[i] == next[i]);
                }
            }
        }
    }
}

TEST_CASE("joining to words equals joining to planes and merging, past the caches as well", "[kernel]") {
    const byte_buffer lead = noise(400), six = noise(300);
    for (const kernel::table* each : kernel::runnable()) {
        for (const kernel::table* table : {each, &kernel::streaming(*each)}) {
            for (std::size_t count = 0; count <= 300; ++count) {
                byte_buffer top(count), next(count), expected(2 * count);
                kernel::scalar::join_fields(lead.data(), six.data(), count, 100, top.data(), next.data());
                const std::array<const std::uint8_t*, 2> planes{next.data(), top.data()};
                kernel::scalar::functions.merge_rotated[0](planes.data(), count, expected.data());
                for (const std::size_t shift : {0u, 1u, 32u, 64u}) {
                    alignas(64) std::array<std::uint8_t, 700> room;
                    room.fill(0xa5);
                    // Exactly as many packed bytes as belong to the values: a sanitizer sees what is read behind.
                    const byte_buffer exact(six.begin(),
                                            six.begin() + static_cast<std::ptrdiff_t>((count * 6 + 7) / 8));
                    table->join_words(lead.data(), exact.data(), count, 100, room.data() + shift);
                    REQUIRE(std::equal(expected.begin(), expected.end(),
                                       room.begin() + static_cast<std::ptrdiff_t>(shift)));
                    REQUIRE(room[shift + 2 * count] == 0xa5);
                }
            }
        }
    }
}

namespace {

struct parted_bytes {
    byte_buffer symbols, pairs, singles;
};

// As docs/format/blocks.md has it, bit by bit.
parted_bytes parted(bytes_view bytes, std::size_t rest_bits) {
    const std::size_t count = bytes.size();
    parted_bytes out{byte_buffer(count), byte_buffer((count + 3) / 4), byte_buffer((count + 7) / 8)};
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t group = i / 256 * 256, size = std::min<std::size_t>(256, count - group), k = i - group;
        const std::size_t quarter = (size + 3) / 4, eighth = (size + 7) / 8;
        const unsigned byte = bytes[i];
        out.symbols[i] = static_cast<std::uint8_t>((byte & 0x7f) >> (rest_bits - 1));
        out.pairs[group / 4 + k % quarter] |=
            static_cast<std::uint8_t>((byte >> 7 | (byte & 1) << 1) << 2 * (k / quarter));
        out.singles[group / 8 + k % eighth] |= static_cast<std::uint8_t>((byte >> 1 & 1) << k / eighth);
    }
    return out;
}

} // namespace

TEST_CASE("floats of one byte part and join in every table, past the caches as well", "[kernel]") {
    const byte_buffer random = noise(1100);
    for (const kernel::table* each : kernel::runnable()) {
        for (const kernel::table* table : {each, &kernel::streaming(*each)}) {
            INFO(table->name);
            for (std::size_t count = 0; count <= 800; count += count < 300 || count > 500 ? 1 : 41) {
                for (const std::size_t rest_bits : {2u, 3u}) {
                    const bytes_view bytes = bytes_view(random).subspan(count % 5, count);
                    const parted_bytes expected = parted(bytes, rest_bits);
                    parted_bytes got{byte_buffer(count), byte_buffer((count + 3) / 4, 0xa5),
                                     byte_buffer(rest_bits == 3 ? (count + 7) / 8 : 0, 0xa5)};
                    table->part_bytes[rest_bits - 2](bytes.data(), count, got.symbols.data(), got.pairs.data(),
                                                     rest_bits == 3 ? got.singles.data() : nullptr);
                    REQUIRE(got.symbols == expected.symbols);
                    REQUIRE(got.pairs == expected.pairs);
                    if (rest_bits == 3) REQUIRE(got.singles == expected.singles);
                    // Upper bits of symbols mean nothing.
                    for (std::size_t i = 0; i < count; i += 3)
                        got.symbols[i] |= static_cast<std::uint8_t>(0xff << (8 - rest_bits));
                    for (const std::size_t shift : {0u, 1u, 32u, 64u}) {
                        alignas(64) std::array<std::uint8_t, 900> room;
                        room.fill(0xa5);
                        table->join_bytes[rest_bits - 2](got.symbols.data(), got.pairs.data(),
                                                         rest_bits == 3 ? got.singles.data() : nullptr, count,
                                                         room.data() + shift);
                        REQUIRE(
                            std::equal(bytes.begin(), bytes.end(), room.begin() + static_cast<std::ptrdiff_t>(shift)));
                        REQUIRE(room[shift + count] == 0xa5);
                    }
                }
            }
        }
    }
}

TEST_CASE("tables are found by name, the portable one always", "[kernel]") {
    REQUIRE(kernel::find("scalar") == &kernel::scalar::functions);
    CHECK(kernel::find("no such table") == nullptr);
    CHECK(kernel::runnable().front()->name == "scalar");
    CHECK(&kernel::best() == kernel::runnable().back());
#if defined(__AARCH64EL__)
    CHECK(kernel::best().name == "neon"); // every such processor has it
#endif
}
