// SPDX-License-Identifier: BSL-1.0
// Writes a delta block under a plan, see docs/format/blocks.md.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <vector>

#include <bigsmall/codec/delta/escapes.hpp>
#include <bigsmall/codec/delta/side_stream.hpp>
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
        const std::size_t classes = front_.symbol_classes();
        find_contexts(); // and the sizes of the classes
        const bytes_span sorted = sort_symbols();
        const std::size_t escape_planes = planes_of(rests_);
        const std::size_t room =
            delta_front::max_stored_bytes + side_stream::bound(of_run_.size()) + tail.size() + low_.size() +
            2 * max_varint_bytes + escape_planes * side_stream::bound(rests_.size()) + 1 +
            classes *
                (bigsmall::entropy::wavelet_code::max_stored_bytes + 2 * bigsmall::entropy::wavelet_tree::max_nodes) +
            writer::bound(words_.count, std::size_t{1} << PieceLog2);
        const bytes_span out = memory_.memory(scratch::purpose::coded, room);
        std::size_t at = front_.store(out.data());
        at += side_stream::store(of_run_, out.subspan(at), memory_);
        std::copy(tail.begin(), tail.end(), out.begin() + static_cast<std::ptrdiff_t>(at));
        at += tail.size();
        std::copy(low_.begin(), low_.end(), out.begin() + static_cast<std::ptrdiff_t>(at));
        at += low_.size();
        at += store_escapes(escape_planes, out.subspan(at));
        at += store_symbols(sorted, out.subspan(at));
        return out.first(at);
    }

private:
    using writer = bigsmall::entropy::wavelet_writer;
    static constexpr std::size_t slack = 64;

    /// What is to be done for each run that has changes.
    template <class Work>
    void for_each_run(const Work& work) {
        const std::size_t run_words = front_.run_words();
        for (std::size_t run = 0; run < of_run_.size(); ++run) {
            if (of_run_[run] == 0) continue;
            const std::size_t first = run * run_words;
            work(front_.classes[of_run_[run] - 1u], first_class(of_run_[run]), first,
                 std::min(run_words, words_.count - first));
        }
    }

    /// The number of the first symbol class of a run class.
    std::size_t first_class(std::size_t run_class) const noexcept {
        std::size_t sum = 0;
        for (std::size_t c = 1; c < run_class; ++c)
            sum += front_.classes[c - 1].contexts.classes;
        return sum;
    }

    void find_contexts() {
        const kernel::difference_functions& kernels = memory_.kernels().differences;
        const kernel::context_rule rule = front_.rule.kernel_rule();
        const unsigned width_log2 = words_.form.width_log2;
        contexts_ = memory_.memory(scratch::purpose::lead, words_.count);
        std::size_t low_bits = 0;
        for_each_run([&](const run_class& c, std::size_t symbols, std::size_t first, std::size_t count) {
            low_bits += (count * c.low_bits + 7) / 8 * 8;
            std::uint8_t* const here = contexts_.data() + first;
            kernels.contexts[width_log2](words_.base.data() + (first << width_log2), count, rule, here);
            kernels.count_classes(here, count, c.contexts, sizes_.data() + symbols);
        });
        low_ = memory_.memory(scratch::purpose::sample, low_bits / 8 + slack).first(low_bits / 8);
    }

    /// The symbols of each class, one after another with some room between; low bits and escapes on the way.
    bytes_span sort_symbols() {
        const kernel::difference_functions& kernels = memory_.kernels().differences;
        const std::size_t classes = front_.symbol_classes();
        const bytes_span sorted = memory_.memory(scratch::purpose::classes, words_.count + classes * slack);
        std::array<std::uint8_t*, kernel::context_classes::most> next{};
        std::uint8_t* at = sorted.data();
        for (std::size_t c = 0; c < classes; ++c) {
            next[c] = at;
            at += sizes_[c] + slack;
        }
        std::uint8_t* low = low_.data();
        std::array<std::uint8_t, std::size_t{1} << delta_front::most_run_log2> symbols;
        const unsigned width_log2 = words_.form.width_log2;
        for_each_run([&](const run_class& c, std::size_t first_symbols, std::size_t first, std::size_t count) {
            kernels.part_symbols[width_log2](words_.zigzags.data() + (first << width_log2), count, c.low_bits,
                                             symbols.data(), low);
            low += (count * c.low_bits + 7) / 8;
            if (width_log2 > 0)
                for_each_escape(bytes_view(symbols).first(count), [&](std::size_t i) {
                    const std::uint64_t z = load_word(words_.zigzags.data(), first + i, words_.form);
                    rests_.push_back((z >> c.low_bits) - escape_symbol);
                });
            kernels.sort_classes(contexts_.data() + first, symbols.data(), count, c.contexts,
                                 next.data() + first_symbols);
        });
        return sorted;
    }

    static std::size_t planes_of(const std::vector<std::uint64_t>& rests) noexcept {
        std::uint64_t any = 0;
        for (const std::uint64_t rest : rests)
            any |= rest;
        return (static_cast<std::size_t>(std::bit_width(any)) + 7) / 8;
    }

    std::size_t store_escapes(std::size_t planes, bytes_span out) {
        std::size_t at = store_varint(out.data(), rests_.size());
        if (rests_.empty()) return at;
        out[at++] = static_cast<std::uint8_t>(planes);
        byte_buffer plane(rests_.size());
        for (std::size_t p = 0; p < planes; ++p) {
            for (std::size_t i = 0; i < plane.size(); ++i)
                plane[i] = static_cast<std::uint8_t>(rests_[i] >> (8 * p));
            at += side_stream::store(plane, out.subspan(at), memory_);
        }
        return at;
    }

    std::size_t store_symbols(bytes_span sorted, bytes_span out) {
        std::array<bigsmall::entropy::wavelet_code, kernel::context_classes::most> codes;
        const std::size_t classes = front_.symbol_classes();
        out[0] = PieceLog2;
        std::size_t at = 1, first = 0;
        for (std::size_t c = 0; c < classes; ++c) {
            std::uint64_t bits = 0;
            const bytes_view symbols = sorted.subspan(first, sizes_[c]);
            codes[c] =
                bigsmall::entropy::wavelet_code::from(statistics_of(symbols, memory_.kernels()), LeastGain, bits);
            at += codes[c].store(out.data() + at);
            first += sizes_[c] + slack;
        }
        writer body(out.subspan(at), std::size_t{1} << PieceLog2, memory_);
        first = 0;
        for (std::size_t c = 0; c < classes; ++c) {
            body.add(codes[c], sorted.subspan(first, sizes_[c]));
            first += sizes_[c] + slack;
        }
        return at + body.finish();
    }

    const delta_words& words_;
    const delta_front& front_;
    const std::vector<std::uint8_t>& of_run_;
    scratch& memory_;
    bytes_span contexts_, low_;
    std::vector<std::uint64_t> rests_;
    std::array<std::size_t, kernel::context_classes::most> sizes_{};
};

} // namespace bigsmall::delta
