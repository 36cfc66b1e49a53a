// SPDX-License-Identifier: BSL-1.0
// Reads what delta_writer.hpp writes. Total: any coded bytes give ok or an error.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include <bigsmall/codec/delta/delta_front.hpp>
#include <bigsmall/codec/delta/escapes.hpp>
#include <bigsmall/codec/delta/side_stream.hpp>
#include <bigsmall/codec/delta/sparse_runs.hpp>
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
        std::size_t flags = 0;
        for (std::size_t run = 0; run < of_run_.size(); ++run) {
            if (of_run_[run] > front_.run_classes) return status::corrupt;
            if (of_run_[run] != 0 && how(run).sparse) flags += bitmap_bytes(run_size(run));
        }
        bitmaps_ = memory_.memory(scratch::purpose::trial, flags);
        if (front_.has_sparse_runs())
            if (const status s = side_stream::load(cursor, bitmaps_, memory_); s != status::ok) return s;
        std::uint64_t low_bytes = 0;
        if (!count_changes(low_bytes)) return status::corrupt;
        const bytes_view tail = cursor.take(raw.size() - (words_ << front_.form.width_log2));
        std::copy(tail.begin(), tail.end(), raw.end() - static_cast<std::ptrdiff_t>(tail.size()));
        low_ = cursor.take(low_bytes);
        escapes_ = static_cast<std::size_t>(cursor.read_varint());
        if (!cursor.ok()) return status::truncated;
        if (escapes_ > words_) return status::corrupt;
        return escapes_ == 0 ? status::ok : read_escapes(cursor);
    }

    const run_class& how(std::size_t run) const noexcept { return front_.classes[of_run_[run] - 1u]; }

    /// False when a bitmap has bits behind its run.
    bool count_changes(std::uint64_t& low_bytes) {
        changed_.assign(of_run_.size(), 0);
        std::size_t at = 0;
        for (std::size_t run = 0; run < of_run_.size(); ++run) {
            if (of_run_[run] == 0) continue;
            std::size_t changed = run_size(run);
            if (how(run).sparse) {
                const std::size_t whole = 8 * bitmap_bytes(changed);
                const std::uint8_t* const bits = bitmaps_.data() + at;
                const std::size_t ones = memory_.kernels().wavelet.count_ones(bits, changed);
                if (ones != memory_.kernels().wavelet.count_ones(bits, whole)) return false;
                at += whole / 8;
                changed = ones;
            }
            changed_[run] = static_cast<std::uint16_t>(changed);
            low_bytes += (changed * how(run).low_bits + 7) / 8;
        }
        return true;
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

    /// The contexts of all words that have symbols, and how many symbols each class has.
    void find_contexts() {
        contexts_ = memory_.memory(scratch::purpose::lead, front_.needs_contexts() ? words_ : 0);
        for (std::size_t c = 1; c < front_.run_classes; ++c)
            first_class_[c] = front_.first_symbol_class(c);
        const kernel::difference_functions& kernels = memory_.kernels().differences;
        const kernel::context_rule rule = front_.rule.kernel_rule();
        const unsigned width_log2 = front_.form.width_log2;
        alignas(64) std::array<std::uint8_t, 8 * most_run_words> together;
        std::size_t at = 0;
        for (std::size_t run = 0; run < of_run_.size(); ++run) {
            if (of_run_[run] == 0) continue;
            std::size_t* const sizes = sizes_.data() + first_class_[of_run_[run] - 1u];
            const std::size_t first = run << front_.run_log2;
            const bytes_view flags =
                bytes_view(bitmaps_).subspan(at, how(run).sparse ? bitmap_bytes(run_size(run)) : 0);
            at += flags.size();
            if (how(run).contexts.classes == 1) {
                *sizes += changed_[run];
                continue;
            }
            const std::uint8_t* base = base_.data() + (first << width_log2);
            if (how(run).sparse) {
                gather(flags, width_log2, base, together.data());
                base = together.data();
            }
            kernels.contexts[width_log2](base, changed_[run], rule, contexts_.data() + first);
            kernels.count_classes(contexts_.data() + first, changed_[run], how(run).contexts, sizes);
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
        const std::uint8_t* bits = bitmaps_.data();
        alignas(64) std::array<std::uint8_t, 8 * most_run_words> base, words;
        for (std::size_t run = 0; run < of_run_.size(); ++run) {
            const std::size_t begin = run << front_.run_log2 << width_log2, bytes = run_size(run) << width_log2;
            const std::uint8_t* const from = base_.data() + begin;
            std::uint8_t* const to = raw.data() + begin;
            const bool sparse = of_run_[run] != 0 && how(run).sparse;
            if (of_run_[run] == 0 || sparse) std::copy_n(from, bytes, to);
            if (of_run_[run] == 0) continue;
            const bytes_view flags(bits, sparse ? bitmap_bytes(run_size(run)) : 0);
            if (sparse) gather(flags, width_log2, from, base.data());
            if (!restore_run(run, sparse ? base.data() : from, sparse ? words.data() : to)) return status::corrupt;
            if (sparse) scatter(flags, width_log2, words.data(), to);
            bits += flags.size();
        }
        return rest_ == escapes_ ? status::ok : status::corrupt;
    }

    /// The words of a run that have symbols, from as many words of the base. False when escapes run out.
    bool restore_run(std::size_t run, const std::uint8_t* base, std::uint8_t* to) {
        const kernel::difference_functions& kernels = memory_.kernels().differences;
        const unsigned width_log2 = front_.form.width_log2, low_bits = how(run).low_bits;
        const std::size_t count = changed_[run];
        alignas(64) std::array<std::uint8_t, most_run_words> unsorted;
        alignas(64) std::array<std::uint8_t, 8 * most_run_words> zigzags;
        const std::uint8_t** const next = next_.data() + first_class_[of_run_[run] - 1u];
        const std::uint8_t* symbols = unsorted.data();
        if (how(run).contexts.classes == 1) {
            symbols = *next;
            *next += count;
        } else {
            kernels.unsort_classes(contexts_.data() + (run << front_.run_log2), count, how(run).contexts, next,
                                   unsorted.data());
        }
        std::array<std::uint8_t, 7 * most_run_words + slack> padded; // where nothing is left behind the bits
        const std::size_t low_bytes = (count * low_bits + 7) / 8;
        const std::uint8_t* low = low_.data();
        if (low_.size() < low_bytes + slack) {
            std::copy_n(low, low_bytes, padded.data());
            std::fill_n(padded.data() + low_bytes, slack, std::uint8_t{0});
            low = padded.data();
        }
        low_ = low_.subspan(low_bytes);
        kernels.join_symbols[width_log2](symbols, low, count, low_bits, zigzags.data());
        if (width_log2 > 0 && !add_rests({symbols, count}, low_bits, zigzags.data())) return false;
        (front_.form.floats ? kernels.restore_floats : kernels.restore_integers)[width_log2](zigzags.data(), base,
                                                                                             count, to);
        return true;
    }

    /// False when there are more escapes than rests.
    bool add_rests(bytes_view symbols, unsigned low_bits, std::uint8_t* zigzags) noexcept {
        bool enough = true;
        for_each_escape(symbols, [&](std::size_t i) {
            enough = enough && rest_ < escapes_;
            if (!enough) return;
            std::uint64_t more = 0;
            for (std::size_t p = 0; p < planes_; ++p)
                more |= std::uint64_t{rests_[p * escapes_ + rest_]} << (8 * p);
            ++rest_;
            const std::uint64_t sum = load_word(zigzags, i, front_.form) + (more << low_bits);
            keep_word(sum, zigzags, i, front_.form);
        });
        return enough;
    }

    scratch& memory_;
    delta_front front_;
    std::size_t words_ = 0;
    bytes_view base_;
    bytes_span of_run_, bitmaps_, contexts_, rests_;
    std::vector<std::uint16_t> changed_; ///< words of each run that have symbols
    bytes_view low_;
    std::size_t escapes_ = 0, planes_ = 0, rest_ = 0;
    std::array<std::size_t, kernel::context_classes::most> sizes_{}, first_class_{};
    std::array<const std::uint8_t*, kernel::context_classes::most> next_{};
};

} // namespace bigsmall::delta
