// SPDX-License-Identifier: BSL-1.0
#include <array>
#include <bit>
#include <cstring>
#include <vector>

#include <bigsmall/codec.hpp>
#include <bigsmall/codec/laws.hpp>

#include "support/catch.hpp"

using namespace bigsmall;

namespace {

struct pair_of_blocks {
    dtype type;
    byte_buffer base, raw;
};

dtype type_named(std::string_view name) { return *find_dtype(name); }

// Sums of uniform bits are close enough to a normal distribution and the same on every machine.
struct bell {
    laws::fixed_random random;
    explicit bell(std::size_t seed) : random(seed) {}
    float operator()() {
        int sum = 0;
        for (int k = 0; k < 12; ++k)
            sum += static_cast<int>(random() >> 40 & 0xffff) - 0x8000;
        return static_cast<float>(sum) / 65536.0f;
    }
};

std::uint32_t to_bits(float value, unsigned width) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    return width == 4 ? bits : (bits + 0x7fffu + (bits >> 16 & 1)) >> 16;
}

void append_word(byte_buffer& to, std::uint64_t word, std::size_t width) {
    for (std::size_t b = 0; b < width; ++b)
        to.push_back(static_cast<std::uint8_t>(word >> (8 * b)));
}

enum class update { relative, additive };

// Weights, and the same weights after steps in proportion to each, or of one size.
pair_of_blocks updated(std::size_t count, float size, update kind, unsigned width = 2) {
    bell normal(count);
    pair_of_blocks made{type_named(width == 2 ? "BF16" : "F32"), {}, {}};
    for (std::size_t i = 0; i < count; ++i) {
        const float weight = 0.02f * normal();
        const float step = size * (kind == update::relative ? weight : 0.02f) * normal();
        append_word(made.base, to_bits(weight, width), width);
        append_word(made.raw, to_bits(weight + step, width), width);
    }
    return made;
}

// Every word but some as it was.
pair_of_blocks sparse(std::size_t count, std::size_t one_in) {
    pair_of_blocks made = updated(count, 0.5f, update::relative);
    laws::fixed_random random(5);
    for (std::size_t i = 0; i < count; ++i)
        if (random.below(one_in) != 0) std::memcpy(made.raw.data() + 2 * i, made.base.data() + 2 * i, 2);
    return made;
}

byte_buffer noise(std::size_t size, std::size_t seed) {
    laws::fixed_random random(seed);
    byte_buffer bytes(size);
    for (std::uint8_t& byte : bytes)
        byte = static_cast<std::uint8_t>(random() >> 23);
    return bytes;
}

constexpr std::size_t any_size = static_cast<std::size_t>(-1);

std::optional<byte_buffer> encode(const pair_of_blocks& blocks, scratch& memory, std::size_t less_than = any_size) {
    byte_buffer out(delta_codec::bound(blocks.raw.size()), 0xa5);
    const auto block = delta_codec::encode(blocks.type, blocks.raw, blocks.base, less_than, out, memory);
    if (!block) return std::nullopt;
    CHECK(block->bytes < less_than);
    CHECK(block->label.grouping == delta_codec::id);
    out.resize(block->bytes);
    CHECK(delta_codec::is_delta(out));
    return out;
}

// Coded size, or nothing where the pair is not coded; by every table alike.
std::optional<std::size_t> round_trip(const pair_of_blocks& blocks) {
    scratch portable(kernel::scalar::functions);
    const auto coded = encode(blocks, portable);
    for (const kernel::table* table : kernel::runnable()) {
        INFO(table->name << ", " << blocks.type.name << ", " << blocks.raw.size() << " bytes");
        scratch memory(*table);
        REQUIRE(encode(blocks, memory) == coded);
        if (!coded) continue;
        byte_buffer back(blocks.raw.size(), 0xa5);
        REQUIRE(delta_codec::decode(*coded, blocks.base, back, memory) == status::ok);
        REQUIRE(back == blocks.raw);
    }
    if (!coded) return std::nullopt;
    return coded->size();
}

double percent(const pair_of_blocks& blocks) {
    return 100.0 * static_cast<double>(round_trip(blocks).value()) / static_cast<double>(blocks.raw.size());
}

} // namespace

TEST_CASE("every dtype and size comes back from its differences", "[delta]") {
    for (const dtype& type : detail::dtypes)
        for (const std::size_t size : {0u, 1u, 2u, 7u, 16u, 511u, 1001u, 4096u, 20003u}) {
            pair_of_blocks blocks{type, noise(size, 1), noise(size, 1)};
            round_trip(blocks); // equal
            for (std::size_t i = size / 3; i < size; i += 97)
                blocks.raw[i] = static_cast<std::uint8_t>(blocks.raw[i] + i % 5);
            round_trip(blocks); // a few bytes
            for (std::uint8_t& byte : blocks.raw)
                byte ^= 1;
            round_trip(blocks); // all bytes, a little
            blocks.raw = noise(size, 2);
            round_trip(blocks); // unrelated
        }
}

TEST_CASE("an unchanged block takes a few bytes, whatever it holds", "[delta]") {
    for (const char* name : {"BF16", "F32", "U8", "F4", "C64", "BOOL"})
        for (const std::size_t size : {0u, 1u, 4097u, 4u << 20}) {
            const pair_of_blocks blocks{type_named(name), noise(size, 3), noise(size, 3)};
            CHECK(round_trip(blocks).value() <= 8);
        }
}

TEST_CASE("relative updates of BF16 come close to their entropy", "[delta]") {
    constexpr std::size_t count = 1 << 20;
    CHECK(percent(updated(count, 3e-4f, update::relative)) < 2.0);
    CHECK(percent(updated(count, 1e-3f, update::relative)) < 4.8);
    CHECK(percent(updated(count, 3e-3f, update::relative)) < 9.6);
    CHECK(percent(updated(count, 1e-2f, update::relative)) < 18.8);
    CHECK(percent(updated(count, 0.1f, update::relative)) < 39.7);
}

TEST_CASE("updates of one size for all weights come close to their entropy", "[delta]") {
    constexpr std::size_t count = 1 << 20;
    CHECK(percent(updated(count, 3e-4f, update::additive)) < 4.4);
    CHECK(percent(updated(count, 1e-3f, update::additive)) < 8.7);
    CHECK(percent(updated(count, 3e-3f, update::additive)) < 15.1);
    CHECK(percent(updated(count, 1e-2f, update::additive)) < 24.8);
    CHECK(percent(updated(count, 0.1f, update::additive)) < 46.2);
}

TEST_CASE("updates of F32 come close to their entropy", "[delta]") {
    constexpr std::size_t count = 1 << 19;
    CHECK(percent(updated(count, 1e-3f, update::relative, 4)) < 49.3);
    CHECK(percent(updated(count, 1e-2f, update::additive, 4)) < 62.8);
}

TEST_CASE("four MiB come back", "[delta]") { round_trip(updated(2 << 20, 1e-3f, update::relative)); }

TEST_CASE("scattered changes take about their entropy", "[delta]") {
    constexpr std::size_t count = 1 << 20;
    // One word in a hundred: 0.081 bits for each word to say which, and seven or eight for the update.
    const auto coded = round_trip(sparse(count, 100));
    CHECK(coded.value() < count * 20 / 100 / 8);
    CHECK(round_trip(sparse(count, 10000)).value() < count / 8 / 200);
}

TEST_CASE("frozen parts are free and slow parts are apart", "[delta]") {
    constexpr std::size_t part = 1 << 19;
    const pair_of_blocks slow = updated(part, 1e-3f, update::relative), fast = updated(part, 0.1f, update::relative);
    pair_of_blocks all = slow;
    all.base.insert(all.base.end(), fast.base.begin(), fast.base.end());
    all.raw.insert(all.raw.end(), fast.raw.begin(), fast.raw.end());
    const std::size_t apart = round_trip(slow).value() + round_trip(fast).value();
    CHECK(round_trip(all).value() < apart + apart / 500);
    all.base.insert(all.base.end(), fast.base.begin(), fast.base.end());
    all.raw.insert(all.raw.end(), fast.base.begin(), fast.base.end());
    CHECK(round_trip(all).value() < apart + apart / 300);
}

TEST_CASE("numbers that are no numbers come back, too", "[delta]") {
    for (const char* name : {"BF16", "F16", "F32", "F64", "F8_E4M3", "F8_E5M2", "C64"}) {
        const dtype type = type_named(name);
        const std::size_t width = (type.kind == number_kind::complex_float ? type.bits / 2u : type.bits) / 8u;
        const std::uint64_t top = std::uint64_t{1} << (8 * width - 1),
                            infinity = (top - 1) >> type.mantissa_bits << type.mantissa_bits;
        const std::array<std::uint64_t, 12> specials{
            0, top, infinity, top | infinity, infinity + 1, top - 1, top | (top - 1), 1, top | 1, 2, top | 2, top >> 1};
        pair_of_blocks blocks{type, {}, {}};
        laws::fixed_random random(9);
        for (std::size_t i = 0; i < 40000; ++i) {
            const std::uint64_t special = specials[random.below(specials.size())];
            append_word(blocks.base, i % 7 == 0 ? special : top >> 2, width);
            append_word(blocks.raw, i % 11 == 0 ? specials[random.below(specials.size())] : top >> 2, width);
        }
        CHECK(round_trip(blocks).has_value());
    }
}

TEST_CASE("what does not win is not coded", "[delta]") {
    scratch memory;
    for (const char* name : {"BF16", "F32", "I64", "U8"}) {
        const pair_of_blocks blocks{type_named(name), noise(1 << 18, 3), noise(1 << 18, 4)};
        CHECK_FALSE(encode(blocks, memory, blocks.raw.size()).has_value());
    }
    const pair_of_blocks blocks = updated(100000, 1e-2f, update::relative);
    const std::size_t size = encode(blocks, memory).value().size();
    CHECK_FALSE(encode(blocks, memory, size).has_value());
    CHECK(encode(blocks, memory, size + 1).has_value());
    const pair_of_blocks equal{type_named("BF16"), blocks.base, blocks.base};
    CHECK_FALSE(encode(equal, memory, 2).has_value());
}

TEST_CASE("runs that are coded alike are taken together", "[delta]") {
    delta::delta_front front;
    front.run_classes = 3;
    front.classes[0].contexts.classes = 4;
    front.classes[1].sparse = true;
    front.classes[2].contexts.classes = 2;
    laws::fixed_random random(12);
    for (unsigned log2 = delta::delta_front::least_run_log2; log2 <= delta::delta_front::most_run_log2; ++log2) {
        front.run_log2 = log2;
        front.form.width_log2 = log2 % 4;
        const std::size_t size = front.run_words();
        for (std::size_t words = 1; words < 40 * size; words += size / 2 + 1) {
            std::vector<std::uint8_t> of_run(front.runs_of(words));
            for (std::size_t run = 0; run < of_run.size(); ++run)
                of_run[run] =
                    static_cast<std::uint8_t>(run > 0 && random.below(4) != 0 ? of_run[run - 1] : random.below(4));
            std::size_t next = 0, stretches = 0;
            std::uint8_t before = 0;
            std::size_t before_words = 0;
            delta::for_each_stretch(front, of_run, words, [&](const delta::stretch& each) {
                REQUIRE(each.first == next);
                REQUIRE(each.count > 0);
                REQUIRE(each.count <= delta::stretch::most_words);
                next += each.count;
                const std::uint8_t number = of_run[each.first >> log2];
                REQUIRE(each.how == (number == 0 ? nullptr : &front.classes[number - 1u]));
                if (number != 0) REQUIRE(each.first_symbols == front.first_symbol_class(number - 1u));
                for (std::size_t run = each.first >> log2; run << log2 < next; ++run)
                    REQUIRE(of_run[run] == number);
                if (number == 0 || number == 2) REQUIRE(each.count <= size);
                // Nothing is left apart that could be together.
                if (stretches != 0 && number == before && number != 0 && number != 2)
                    REQUIRE((before_words + size) << front.form.width_log2 > delta::stretch::joined_bytes);
                before = number;
                before_words = each.count;
                ++stretches;
            });
            REQUIRE(next == words);
        }
    }
}

TEST_CASE("as many rests are stored as there are escapes", "[delta]") {
    pair_of_blocks blocks = updated(5000, 1e-3f, update::relative);
    for (std::size_t i = 0; i < 5000; i += 30) // these differences do not fit a symbol
        blocks.raw[2 * i + 1] ^= 0x11;
    scratch memory;
    const byte_buffer coded = encode(blocks, memory).value();
    delta::delta_front front;
    byte_cursor cursor(coded);
    REQUIRE(delta::delta_front::load(cursor, front) == status::ok);
    byte_buffer of_run(front.runs_of(5000));
    REQUIRE(delta::side_stream::load(cursor, of_run, memory) == status::ok);
    REQUIRE_FALSE(front.has_sparse_runs());
    REQUIRE(front.run_classes == 1);
    cursor.take((5000 * front.classes[0].low_bits + 7) / 8);
    const std::size_t at = cursor.position();
    const std::uint64_t escapes = cursor.read_varint();
    REQUIRE(escapes >= 128);
    REQUIRE(cursor.position() == at + 2);
    REQUIRE(coded[at + 2] <= 2); // planes
    byte_buffer back(blocks.raw.size());
    // One rest too few or too many, for planes that are stored as they are or not at all: no other part is damaged.
    byte_buffer without(coded.begin(), coded.begin() + static_cast<std::ptrdiff_t>(at));
    const auto with_escapes = [&](std::size_t count) {
        byte_buffer made = without;
        std::array<std::uint8_t, max_varint_bytes> varint;
        made.insert(made.end(), varint.begin(),
                    varint.begin() + static_cast<std::ptrdiff_t>(store_varint(varint.data(), count)));
        made.push_back(0);
        byte_cursor planes(coded);
        planes.take(at + 3);
        for (std::size_t p = 0; p < coded[at + 2]; ++p) {
            byte_buffer plane(static_cast<std::size_t>(escapes));
            REQUIRE(delta::side_stream::load(planes, plane, memory) == status::ok);
        }
        made.insert(made.end(), coded.begin() + static_cast<std::ptrdiff_t>(planes.position()), coded.end());
        return made;
    };
    const auto count = static_cast<std::size_t>(escapes);
    CHECK(delta_codec::decode(with_escapes(count), blocks.base, back, memory) == status::ok);
    CHECK(back != blocks.raw); // their rests are missing
    CHECK(delta_codec::decode(with_escapes(count - 1), blocks.base, back, memory) == status::corrupt);
    CHECK(delta_codec::decode(with_escapes(count + 1), blocks.base, back, memory) == status::corrupt);
}

TEST_CASE("damaged differences give an answer", "[delta]") {
    std::vector<pair_of_blocks> cases{updated(3000, 1e-2f, update::additive), updated(2000, 0.3f, update::relative, 4),
                                      sparse(6000, 20), updated(700, 1e-3f, update::additive)};
    cases.push_back({type_named("I8"), noise(3000, 2), noise(3000, 2)});
    for (std::size_t i = 0; i < 3000; ++i)
        cases.back().raw[i] = static_cast<std::uint8_t>(cases.back().raw[i] + i % 7 * (i % 3));
    cases.push_back({type_named("I64"), noise(4003, 1), noise(4003, 1)});
    for (std::size_t i = 0; i < 4003; i += 8)
        cases.back().raw[i] ^= 0x55;
    for (const pair_of_blocks& blocks : cases) {
        scratch portable(kernel::scalar::functions);
        const byte_buffer coded = encode(blocks, portable).value();
        byte_buffer back(blocks.raw.size()), expected(blocks.raw.size());
        // Exactly as long as they are, so that a sanitizer sees what reads behind them.
        for (std::size_t size = 0; size < coded.size(); ++size)
            REQUIRE(delta_codec::decode(byte_buffer(coded.begin(), coded.begin() + static_cast<std::ptrdiff_t>(size)),
                                        blocks.base, back, portable) != status::ok);
        laws::fixed_random random(1);
        for (std::size_t i = 0; i < 1500; ++i) {
            byte_buffer damaged = coded;
            // The front decides most: every bit of it, then any.
            const std::size_t bit = i < 800 ? i : random.below(8 * damaged.size());
            if (bit >= 8 * damaged.size()) continue;
            damaged[bit / 8] = static_cast<std::uint8_t>(damaged[bit / 8] ^ 1u << bit % 8);
            const status answer = delta_codec::decode(damaged, blocks.base, expected, portable);
            for (const kernel::table* table : kernel::runnable()) {
                scratch memory(*table);
                REQUIRE(delta_codec::decode(damaged, blocks.base, back, memory) == answer);
                if (answer == status::ok) REQUIRE(back == expected);
            }
        }
        byte_buffer longer = coded;
        longer.push_back(0);
        CHECK(delta_codec::decode(longer, blocks.base, back, portable) != status::ok);
        CHECK(delta_codec::decode(coded, bytes_view(blocks.base).subspan(1), back, portable) != status::ok);
    }
}

TEST_CASE("a coded block says whether it needs a base", "[delta]") {
    CHECK(delta_codec::is_delta(std::array<std::uint8_t, 2>{32, 0}));
    CHECK_FALSE(delta_codec::is_delta(std::array<std::uint8_t, 2>{0xa0, 0x80}));
    CHECK_FALSE(delta_codec::is_delta({}));
    for (const dtype& type : detail::dtypes) {
        scratch memory;
        const byte_buffer raw = noise(1000, 1);
        byte_buffer out(codec::bound(raw.size()));
        codec::encode(type, raw, out, memory);
        CHECK_FALSE(delta_codec::is_delta(out));
    }
}
