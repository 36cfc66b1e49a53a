// SPDX-License-Identifier: BSL-1.0
// Writes a delta block under a plan, see docs/format/blocks.md.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include <bigsmall/codec/delta/escapes.hpp>
#include <bigsmall/codec/delta/side_stream.hpp>
#include <bigsmall/codec/delta/sparse_runs.hpp>
#include <bigsmall/codec/delta/stretches.hpp>
#include <bigsmall/codec/delta/update_plan.hpp>
#include <bigsmall/codec/entropy/wavelet_code.hpp>
#include <bigsmall/codec/entropy/wavelet_writer.hpp>
#include <bigsmall/codec/scratch.hpp>

namespace bigsmall::delta {

template <std::uint32_t LeastGain, unsigned PieceLog2>
class delta_writer {
public:
    delta_writer(const delta_words& words, const delta_front& front, const std::vector<std::uint8_t>& of_run,
                 scratch& memory)
        : words_(words), front_(front), of_run_(of_run), memory_(memory) {}

    /// The block, in scratch memory; `tail` are the bytes behind the last word.
    bytes_view write(bytes_view tail) {
        find_changes();
        sort_symbols();
        const bytes_span out = memory_.memory(scratch::purpose::coded, bound(tail.size()));
        std::size_t at = front_.store(out.data());
        const auto append = [&](bytes_view bytes) {
            std::copy(bytes.begin(), bytes.end(), out.begin() + static_cast<std::ptrdiff_t>(at));
            at += bytes.size();
        };
        at += side_stream::store(of_run_, out.subspan(at), memory_);
        if (front_.has_sparse_runs()) at += side_stream::store(bitmaps_, out.subspan(at), memory_);
        append(tail);
        append(low_);
        at += store_escapes(out.subspan(at));
        at += store_symbols(out.subspan(at));
        return out.first(at);
    }

private:
    using writer = bigsmall::entropy::wavelet_writer;
    using code = bigsmall::entropy::wavelet_code;
    static constexpr std::size_t slack = 64;

    std::size_t bound(std::size_t tail_bytes) const noexcept {
        const std::size_t padding = 2 * bigsmall::entropy::wavelet_tree::max_nodes;
        return delta_front::max_stored_bytes + side_stream::bound(of_run_.size()) +
               side_stream::bound(bitmaps_.size()) + tail_bytes + low_.size() + 2 * max_varint_bytes +
               escape_planes() * side_stream::bound(rests_.size()) +
               front_.symbol_classes() * (code::max_stored_bytes + padding) +
               writer::bound(words_.count, std::size_t{1} << PieceLog2);
    }

    /// Which words have symbols, their contexts, and the sizes of the classes.
    void find_changes() {
        contexts_ = memory_.memory(scratch::purpose::lead, front_.needs_contexts() ? words_.count : 0);
        bitmaps_ = memory_.memory(scratch::purpose::trial, bitmap_bytes(words_.count) + of_run_.size());
        std::size_t low_bytes = 0;
        std::uint8_t* bits = bitmaps_.data();
        alignas(64) std::array<std::uint8_t, 8 * stretch::most_words> together;
        for_each_stretch(front_, of_run_, words_.count, [&](const stretch& each) {
            if (each.how == nullptr) return;
            const std::uint8_t* base = words_.base.data() + (each.first << words_.form.width_log2);
            std::size_t changed = each.count;
            if (each.is_sparse()) {
                changed = find_changed(each, bits);
                const bytes_view flags(bits, bitmap_bytes(each.count));
                gather(flags, words_.form.width_log2, base, together.data());
                base = together.data();
                bits += flags.size();
            }
            low_bytes += (changed * each.how->low_bits + 7) / 8;
            find_contexts(each, base, changed);
        });
        bitmaps_ = bitmaps_.first(static_cast<std::size_t>(bits - bitmaps_.data()));
        low_ = memory_.memory(scratch::purpose::sample, low_bytes + slack).first(low_bytes);
    }

    std::size_t find_changed(const stretch& each, std::uint8_t* bits) const {
        const kernel::table& kernels = memory_.kernels();
        alignas(64) std::array<std::uint8_t, stretch::most_words> sizes;
        std::array<std::uint8_t, slack> none;
        const unsigned width_log2 = words_.form.width_log2;
        const std::uint8_t* const zigzags = words_.zigzags.data() + (each.first << width_log2);
        kernels.differences.part_symbols[width_log2](zigzags, each.count, 0, sizes.data(), none.data());
        return kernels.wavelet.part_bits(sizes.data(), each.count, 1, bits, nullptr, nullptr);
    }

    void find_contexts(const stretch& each, const std::uint8_t* base, std::size_t changed) {
        const kernel::context_classes& classes = each.how->contexts;
        if (classes.classes == 1) {
            sizes_[each.first_symbols] += changed;
            return;
        }
        const kernel::difference_functions& kernels = memory_.kernels().differences;
        std::uint8_t* const to = contexts_.data() + each.first;
        kernels.contexts[words_.form.width_log2](base, changed, front_.rule.kernel_rule(), to);
        kernels.count_classes(to, changed, classes, sizes_.data() + each.first_symbols);
    }

    /// The symbols of each class, one after another with some room between; low bits and escapes on the way.
    void sort_symbols() {
        const kernel::difference_functions& kernels = memory_.kernels().differences;
        const std::size_t classes = front_.symbol_classes();
        sorted_ = memory_.memory(scratch::purpose::classes, words_.count + classes * slack);
        std::array<std::uint8_t*, kernel::context_classes::most> next{};
        next[0] = sorted_.data();
        for (std::size_t c = 1; c < classes; ++c)
            next[c] = next[c - 1] + sizes_[c - 1] + slack;
        std::uint8_t* low = low_.data();
        const std::uint8_t* bits = bitmaps_.data();
        alignas(64) std::array<std::uint8_t, stretch::most_words> symbols;
        alignas(64) std::array<std::uint8_t, 8 * stretch::most_words> together;
        for_each_stretch(front_, of_run_, words_.count, [&](const stretch& each) {
            if (each.how == nullptr) return;
            const unsigned width_log2 = words_.form.width_log2, low_bits = each.how->low_bits;
            const std::uint8_t* zigzags = words_.zigzags.data() + (each.first << width_log2);
            std::size_t changed = each.count;
            if (each.is_sparse()) {
                const bytes_view flags(bits, bitmap_bytes(each.count));
                changed = memory_.kernels().wavelet.count_ones(bits, each.count);
                gather(flags, width_log2, zigzags, together.data());
                zigzags = together.data();
                bits += flags.size();
            }
            kernels.part_symbols[width_log2](zigzags, changed, low_bits, symbols.data(), low);
            low += (changed * low_bits + 7) / 8;
            if (width_log2 > 0) keep_rests(bytes_view(symbols).first(changed), zigzags, low_bits);
            std::uint8_t** const to = next.data() + each.first_symbols;
            if (each.how->contexts.classes == 1)
                *to = std::copy_n(symbols.data(), changed, *to);
            else
                kernels.sort_classes(contexts_.data() + each.first, symbols.data(), changed, each.how->contexts, to);
        });
    }

    void keep_rests(bytes_view symbols, const std::uint8_t* zigzags, unsigned low_bits) {
        for_each_escape(symbols, memory_.kernels(), [&](std::size_t i) {
            rests_.push_back((load_word(zigzags, i, words_.form) >> low_bits) - escape_symbol);
        });
    }

    std::size_t escape_planes() const noexcept {
        std::uint64_t any = 0;
        for (const std::uint64_t rest : rests_)
            any |= rest;
        return (static_cast<std::size_t>(std::bit_width(any)) + 7) / 8;
    }

    std::size_t store_escapes(bytes_span out) {
        std::size_t at = store_varint(out.data(), rests_.size());
        if (rests_.empty()) return at;
        const std::size_t planes = escape_planes();
        out[at++] = static_cast<std::uint8_t>(planes);
        byte_buffer plane(rests_.size());
        for (std::size_t p = 0; p < planes; ++p) {
            for (std::size_t i = 0; i < plane.size(); ++i)
                plane[i] = static_cast<std::uint8_t>(rests_[i] >> (8 * p));
            at += side_stream::store(plane, out.subspan(at), memory_);
        }
        return at;
    }

    std::size_t store_symbols(bytes_span out) {
        std::array<code, kernel::context_classes::most> codes;
        std::array<bytes_view, kernel::context_classes::most> symbols;
        const std::size_t classes = front_.symbol_classes();
        out[0] = PieceLog2;
        std::size_t at = 1, first = 0;
        for (std::size_t c = 0; c < classes; ++c) {
            std::uint64_t bits = 0;
            symbols[c] = sorted_.subspan(first, sizes_[c]);
            codes[c] = code::from(statistics_of(symbols[c], memory_.kernels()), LeastGain, bits);
            at += codes[c].store(out.data() + at);
            first += sizes_[c] + slack;
        }
        writer body(out.subspan(at), std::size_t{1} << PieceLog2, memory_);
        for (std::size_t c = 0; c < classes; ++c)
            body.add(codes[c], symbols[c]);
        return at + body.finish();
    }

    const delta_words& words_;
    const delta_front& front_;
    const std::vector<std::uint8_t>& of_run_;
    scratch& memory_;
    bytes_span contexts_, bitmaps_, low_, sorted_;
    std::vector<std::uint64_t> rests_;
    std::array<std::size_t, kernel::context_classes::most> sizes_{};
};

} // namespace bigsmall::delta
