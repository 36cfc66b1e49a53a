// SPDX-License-Identifier: BSL-1.0
// A block as differences to a base of the same size: numbers in the order of their values, subtracted, coded with the
// size of the base word and the local size of the updates as contexts. See
// docs/decisions/0012-differences-to-a-base.md.
#pragma once

#include <algorithm>
#include <optional>
#include <string_view>

#include <bigsmall/codec/block.hpp>
#include <bigsmall/codec/delta/delta_reader.hpp>
#include <bigsmall/codec/delta/delta_writer.hpp>
#include <bigsmall/codec/scratch.hpp>

namespace bigsmall {

/// A bitmap of a code is coded when that saves at least 1 / LeastGain of its bits. Symbols per piece: 2^PieceLog2. Same
/// bytes for any kernel table and any thread; one reader reads them all.
template <std::uint32_t LeastGain, unsigned PieceLog2>
struct basic_delta_codec {
    static constexpr wire_id id = delta::delta_id;
    static constexpr std::string_view name = "delta";

    /// Whether a coded block needs a base.
    static bool is_delta(bytes_view coded) noexcept {
        byte_cursor cursor(coded);
        return cursor.read_varint() == id && cursor.ok();
    }

    /// encode() gives up beyond that.
    static constexpr std::size_t bound(std::size_t raw_bytes) noexcept { return raw_bytes + 16; }

    /// Codes `raw`, which has as many bytes as `base` and at most max_block_bytes, into `out`, which has room for
    /// bound(raw.size()). Nothing when the result would not be smaller than `less_than` bytes, which is often known
    /// before all is done. Throws only std::bad_alloc.
    static std::optional<encoded_block> encode(const dtype& type, bytes_view raw, bytes_view base,
                                               std::size_t less_than, bytes_span out, scratch& memory) {
        less_than = std::min(less_than, bound(raw.size()));
        delta::delta_words words;
        words.form = delta::word_form::of(type);
        words.count = raw.size() >> words.form.width_log2;
        words.base = base;
        const std::size_t words_bytes = words.count << words.form.width_log2;
        const bytes_span zigzags = memory.memory(scratch::purpose::planes, words_bytes);
        const kernel::difference_functions& kernels = memory.kernels().differences;
        const auto& differences = words.form.floats ? kernels.of_floats : kernels.of_integers;
        differences[words.form.width_log2](raw.data(), base.data(), words.count, zigzags.data());
        words.zigzags = zigzags;
        const delta::update_runs runs = delta::update_runs::find(zigzags, words.count, words.form);
        const bytes_view tail = raw.subspan(words_bytes), base_tail = base.subspan(words_bytes);
        if (runs.classes == 0 && std::equal(tail.begin(), tail.end(), base_tail.begin()))
            return unchanged(less_than, out);
        if (runs.classes == 0) // only bytes that are no whole word
            return encode(dtype{}, raw, base, less_than, out, memory);
        const delta::update_plan plan =
            delta::update_plan::make(words, runs, delta::rules_for::type(type), memory.kernels());
        if (plan.bits / 8 > less_than + less_than / 16) return std::nullopt;
        delta::delta_writer<LeastGain, PieceLog2> writer(words, plan.front, runs.of_run, memory);
        const bytes_view coded = writer.write(tail);
        if (coded.size() >= less_than) return std::nullopt;
        std::copy(coded.begin(), coded.end(), out.begin());
        return encoded_block{coded.size(), {id, bigsmall::entropy::wavelet::id}};
    }

    /// Total: any coded bytes give ok or an error. `base` has as many bytes as `raw`. Throws only std::bad_alloc.
    static status decode(bytes_view coded, bytes_view base, bytes_span raw, scratch& memory) {
        return delta::delta_reader(memory).read(coded, base, raw);
    }

private:
    static std::optional<encoded_block> unchanged(std::size_t less_than, bytes_span out) noexcept {
        const delta::delta_front front;
        std::array<std::uint8_t, delta::delta_front::max_stored_bytes> stored;
        const std::size_t bytes = front.store(stored.data());
        if (bytes >= less_than) return std::nullopt;
        std::copy_n(stored.begin(), bytes, out.begin());
        return encoded_block{bytes, {id, bigsmall::entropy::stored::id}};
    }
};

/// The delta codec behind function pointers: one indirect call per block.
struct delta_ref {
    std::size_t (*bound)(std::size_t raw_bytes) noexcept;
    std::optional<encoded_block> (*encode)(const dtype& type, bytes_view raw, bytes_view base, std::size_t less_than,
                                           bytes_span out, scratch& memory);
    status (*decode)(bytes_view coded, bytes_view base, bytes_span raw, scratch& memory);
};

template <class Codec = delta_codec>
constexpr delta_ref delta_ref_of() noexcept {
    return {&Codec::bound, &Codec::encode, &Codec::decode};
}

} // namespace bigsmall
