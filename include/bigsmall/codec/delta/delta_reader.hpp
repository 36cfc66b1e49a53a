// SPDX-License-Identifier: BSL-1.0
// Reads what delta_writer.hpp writes. Total: any coded bytes give ok or an error.
#pragma once

#include <algorithm>
#include <array>
#include <span>

#include <bigsmall/codec/delta/delta_front.hpp>
#include <bigsmall/codec/delta/escapes.hpp>
#include <bigsmall/codec/delta/side_stream.hpp>
#include <bigsmall/codec/delta/word_form.hpp>
#include <bigsmall/codec/entropy/wavelet_code.hpp>
#include <bigsmall/codec/entropy/wavelet_reader.hpp>
#include <bigsmall/codec/scratch.hpp>

namespace bigsmall::delta {

class delta_reader {
public:
    explicit delta_reader(scratch& memory) noexcept : memory_(memory) {}

    status read(bytes_view coded, bytes_view base, bytes_span raw) {
        if (raw.size() != base.size()) return status::corrupt;
        byte_cursor cursor(coded);
        if (const status s = delta_front::load(cursor, front_); s != status::ok) return s;
        if (front_.run_classes == 0) {
            std::copy(base.begin(), base.end(), raw.begin());
            return cursor.left() == 0 ? status::ok : status::corrupt;
        }
        words_ = raw.size() >> front_.form.width_log2;
        base_ = base;
        if (const status s = read_sides(cursor, raw); s != status::ok) return s;
        if (const status s = read_symbols(cursor); s != status::ok) return s;
        return restore(raw);
    }

private:
    static constexpr std::size_t slack = 64;
    static constexpr std::size_t most_run_words = std::size_t{1} << delta_front::most_run_log2;

    std::size_t run_size(std::size_t run) const noexcept {
        return std::min(front_.run_words(), words_ - (run << front_.run_log2));
    }

    /// Everything in front of the symbols.
    status read_sides(byte_cursor& cursor, bytes_span raw) {
        of_run_ = memory_.memory(scratch::purpose::grouping, front_.runs_of(words_));
        if (const status s = side_stream::load(cursor, of_run_, memory_); s != status::ok) return s;
        std::uint64_t low_bytes = 0;
        for (std::size_t run = 0; run < of_run_.size(); ++run) {
            if (of_run_[run] > front_.run_classes) return status::corrupt;
            if (of_run_[run] != 0) low_bytes += (run_size(run) * front_.classes[of_run_[run] - 1u].low_bits + 7) / 8;
        }
        const bytes_view tail = cursor.take(raw.size() - (words_ << front_.form.width_log2));
        std::copy(tail.begin(), tail.end(), raw.end() - static_cast<std::ptrdiff_t>(tail.size()));
        low_ = cursor.take(low_bytes);
        escapes_ = cursor.read_varint();
        if (!cursor.ok()) return status::truncated;
        if (escapes_ > words_) return status::corrupt;
        return escapes_ == 0 ? status::ok : read_escapes(cursor);
    }

    status read_escapes(byte_cursor& cursor) {
        planes_ = cursor.read<std::uint8_t>();
        if (!cursor.ok()) return status::truncated;
        if (planes_ > front_.form.width()) return status::corrupt;
        rests_ = memory_.memory(scratch::purpose::planes, escapes_ * planes_);
        for (std::size_t p = 0; p < planes_; ++p) {
            const bytes_span plane = rests_.subspan(p * escapes_, escapes_);
            if (const status s = side_stream::load(cursor, plane, memory_); s != status::ok) return s;
        }
        return status::ok;
    }

    /// The contexts of all words that changed, and how many symbols each class has.
    void find_contexts() {
        const kernel::difference_functions& kernels = memory_.kernels().differences;
        const kernel::context_rule rule = front_.rule.kernel_rule();
        const bool needed = front_.needs_contexts();
        contexts_ = memory_.memory(scratch::purpose::lead, needed ? words_ : 0);
        for (std::size_t c = 1; c < front_.run_classes; ++c)
            first_class_[c] = first_class_[c - 1] + front_.classes[c - 1].contexts.classes;
        for (std::size_t run = 0; run < of_run_.size(); ++run) {
            if (of_run_[run] == 0) continue;
            const std::size_t c = of_run_[run] - 1u, first = run << front_.run_log2, count = run_size(run);
            const kernel::context_classes& classes = front_.classes[c].contexts;
            if (classes.classes == 1) {
                sizes_[first_class_[c]] += count;
                continue;
            }
            const unsigned width_log2 = front_.form.width_log2;
            kernels.contexts[width_log2](base_.data() + (first << width_log2), count, rule, contexts_.data() + first);
            kernels.count_classes(contexts_.data() + first, count, classes, sizes_.data() + first_class_[c]);
        }
    }

    status read_symbols(byte_cursor& cursor) {
        find_contexts();
        const unsigned piece_log2 = cursor.read<std::uint8_t>();
        if (!cursor.ok()) return status::truncated;
        if (piece_log2 < 10 || piece_log2 > 18) return status::corrupt;
        const std::size_t classes = front_.symbol_classes();
        std::array<bigsmall::entropy::wavelet_code, kernel::context_classes::most> codes;
        for (std::size_t c = 0; c < classes; ++c)
            if (const status s = bigsmall::entropy::wavelet_code::load(cursor, codes[c]); s != status::ok) return s;
        bigsmall::entropy::wavelet_reader reader(std::size_t{1} << piece_log2, memory_);
        if (const status s = reader.open(cursor); s != status::ok) return s;
        const bytes_span symbols = memory_.memory(scratch::purpose::classes, words_ + slack);
        std::size_t at = 0;
        for (std::size_t c = 0; c < classes; ++c) {
            next_[c] = symbols.data() + at;
            if (const status s = reader.read(codes[c], symbols.subspan(at, sizes_[c])); s != status::ok) return s;
            at += sizes_[c];
        }
        return reader.close();
    }

    status restore(bytes_span raw) {
        const unsigned width_log2 = front_.form.width_log2;
        std::size_t rest = 0;
        for (std::size_t run = 0; run < of_run_.size(); ++run) {
            const std::size_t begin = run << front_.run_log2 << width_log2, count = run_size(run);
            const bytes_span to = raw.subspan(begin, count << width_log2);
            const bytes_view from = base_.subspan(begin, count << width_log2);
            if (of_run_[run] == 0)
                std::copy(from.begin(), from.end(), to.begin());
            else if (const status s = restore_run(run, count, from, to, rest); s != status::ok)
                return s;
        }
        return rest == escapes_ ? status::ok : status::corrupt;
    }

    status restore_run(std::size_t run, std::size_t count, bytes_view base, bytes_span to, std::size_t& rest) {
        const kernel::difference_functions& kernels = memory_.kernels().differences;
        const unsigned width_log2 = front_.form.width_log2;
        const std::size_t c = of_run_[run] - 1u;
        const run_class& how = front_.classes[c];
        alignas(64) std::array<std::uint8_t, most_run_words> unsorted;
        alignas(64) std::array<std::uint8_t, 8 * most_run_words> zigzags;
        const std::uint8_t** const next = next_.data() + first_class_[c];
        const std::uint8_t* symbols = unsorted.data();
        if (how.contexts.classes == 1) {
            symbols = *next;
            *next += count;
        } else {
            kernels.unsort_classes(contexts_.data() + (run << front_.run_log2), count, how.contexts, next,
                                   unsorted.data());
        }
        std::array<std::uint8_t, 7 * most_run_words + slack> last; // where nothing is left behind the bits
        const std::size_t low_bytes = (count * how.low_bits + 7) / 8;
        const std::uint8_t* low = low_.data();
        if (low_.size() < low_bytes + slack) {
            std::copy_n(low, low_bytes, last.data());
            std::fill_n(last.data() + low_bytes, slack, std::uint8_t{0});
            low = last.data();
        }
        low_ = low_.subspan(low_bytes);
        kernels.join_symbols[width_log2](symbols, low, count, how.low_bits, zigzags.data());
        if (width_log2 > 0 && !add_rests({symbols, count}, how.low_bits, zigzags.data(), rest)) return status::corrupt;
        (front_.form.floats ? kernels.restore_floats
                            : kernels.restore_integers)[width_log2](zigzags.data(), base.data(), count, to.data());
        return status::ok;
    }

    /// False when there are more escapes than rests.
    bool add_rests(bytes_view symbols, unsigned low_bits, std::uint8_t* zigzags, std::size_t& rest) const noexcept {
        bool enough = true;
        for_each_escape(symbols, [&](std::size_t i) {
            enough = enough && rest < escapes_;
            if (!enough) return;
            std::uint64_t more = 0;
            for (std::size_t p = 0; p < planes_; ++p)
                more |= std::uint64_t{rests_[p * escapes_ + rest]} << (8 * p);
            ++rest;
            add_to_word(zigzags, i, more << low_bits);
        });
        return enough;
    }

    void add_to_word(std::uint8_t* words, std::size_t i, std::uint64_t more) const noexcept {
        const std::uint64_t sum = load_word(words, i, front_.form) + more;
        std::uint8_t little[8];
        store_le<std::uint64_t>(little, sum);
        std::copy_n(little, front_.form.width(), words + (i << front_.form.width_log2));
    }

    scratch& memory_;
    delta_front front_;
    std::size_t words_ = 0;
    bytes_view base_;
    bytes_span of_run_, contexts_, rests_;
    bytes_view low_;
    std::size_t escapes_ = 0, planes_ = 0;
    std::array<std::size_t, kernel::context_classes::most> sizes_{}, first_class_{};
    std::array<const std::uint8_t*, kernel::context_classes::most> next_{};
};

} // namespace bigsmall::delta
