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
#include <bigsmall/codec/delta/stretches.hpp>
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
        restore(raw);
        return status::ok;
    }

private:
    static constexpr std::size_t slack = 64;

    template <class Work>
    void for_each_stretch(const Work& work) const {
        delta::for_each_stretch(front_, of_run_, words_, work);
    }

    /// The bitmap of a stretch, of which `bits` is the place; nothing when all its words have symbols.
    bytes_view next_flags(const stretch& each, const std::uint8_t*& bits) const noexcept {
        const bytes_view flags(bits, each.is_sparse() ? bitmap_bytes(each.count) : 0);
        bits += flags.size();
        return flags;
    }

    /// Words of a stretch that have symbols.
    std::size_t changed_in(const stretch& each) const noexcept {
        return each.is_sparse() ? changed_[each.first >> front_.run_log2] : each.count;
    }

    /// Everything in front of the symbols.
    status read_sides(byte_cursor& cursor, bytes_span raw) {
        of_run_ = memory_.memory(scratch::purpose::grouping, front_.runs_of(words_));
        if (const status s = side_stream::load(cursor, of_run_, memory_); s != status::ok) return s;
        if (std::any_of(of_run_.begin(), of_run_.end(), [&](std::uint8_t c) { return c > front_.run_classes; }))
            return status::corrupt;
        std::size_t flags = 0;
        for_each_stretch(
            [&](const stretch& each) { flags += each.is_sparse() ? bitmap_bytes(each.count) : std::size_t{0}; });
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

    /// False when a bitmap has bits behind its run.
    bool count_changes(std::uint64_t& low_bytes) {
        const kernel::count_ones_function count_ones = memory_.kernels().wavelet.count_ones;
        changed_.resize(front_.has_sparse_runs() ? of_run_.size() : 0);
        bool sound = true;
        const std::uint8_t* bits = bitmaps_.data();
        for_each_stretch([&](const stretch& each) {
            if (each.how == nullptr) return;
            if (each.is_sparse()) {
                const bytes_view flags = next_flags(each, bits);
                const std::size_t ones = count_ones(flags.data(), each.count);
                sound = sound && ones == count_ones(flags.data(), 8 * flags.size());
                changed_[each.first >> front_.run_log2] = static_cast<std::uint16_t>(ones);
            }
            low_bytes += (changed_in(each) * each.how->low_bits + 7) / 8;
        });
        return sound;
    }

    /// What escapes stand for besides themselves, as words from their planes; those that are not stored are zero.
    status read_escapes(byte_cursor& cursor) {
        const std::size_t planes = cursor.read<std::uint8_t>(), width = front_.form.width();
        if (!cursor.ok()) return status::truncated;
        if (planes > width || width == 1) return status::corrupt;
        const bytes_span stored = memory_.memory(scratch::purpose::planes, escapes_ * width);
        std::array<const std::uint8_t*, 8> from;
        for (std::size_t p = 0; p < width; ++p) {
            const bytes_span plane = stored.subspan(p * escapes_, escapes_);
            from[p] = plane.data();
            if (p >= planes)
                std::fill(plane.begin(), plane.end(), std::uint8_t{0});
            else if (const status s = side_stream::load(cursor, plane, memory_); s != status::ok)
                return s;
        }
        const bytes_span rests = memory_.memory(scratch::purpose::sample, escapes_ * width + slack);
        memory_.kernels().merge[kernel::width_index(width)](from.data(), escapes_, rests.data());
        rests_ = rests.data();
        return status::ok;
    }

    /// The contexts of all words that have symbols, and how many symbols each class has.
    void find_contexts() {
        contexts_ = memory_.memory(scratch::purpose::lead, front_.needs_contexts() ? words_ : 0);
        const kernel::difference_functions& kernels = memory_.kernels().differences;
        const kernel::context_rule rule = front_.rule.kernel_rule();
        const unsigned width_log2 = front_.form.width_log2;
        const std::uint8_t* bits = bitmaps_.data();
        alignas(64) std::array<std::uint8_t, 8 * stretch::most_words> together;
        for_each_stretch([&](const stretch& each) {
            if (each.how == nullptr) return;
            const bytes_view flags = next_flags(each, bits);
            const std::size_t changed = changed_in(each);
            std::size_t* const sizes = sizes_.data() + each.first_symbols;
            if (each.how->contexts.classes == 1) {
                *sizes += changed;
                return;
            }
            const std::uint8_t* base = base_.data() + (each.first << width_log2);
            if (each.is_sparse()) {
                gather(flags, width_log2, base, together.data());
                base = together.data();
            }
            kernels.contexts[width_log2](base, changed, rule, contexts_.data() + each.first);
            kernels.count_classes(contexts_.data() + each.first, changed, each.how->contexts, sizes);
        });
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
        if (count_escapes(symbols.first(at), memory_.kernels()) != escapes_ && front_.form.width_log2 > 0)
            return status::corrupt;
        return reader.close();
    }

    void restore(bytes_span raw) {
        const unsigned width_log2 = front_.form.width_log2;
        const std::uint8_t* bits = bitmaps_.data();
        alignas(64) std::array<std::uint8_t, 8 * stretch::most_words> base, words;
        for_each_stretch([&](const stretch& each) {
            const std::size_t begin = each.first << width_log2, bytes = each.count << width_log2;
            const std::uint8_t* const from = base_.data() + begin;
            std::uint8_t* const to = raw.data() + begin;
            if (each.how != nullptr && !each.is_sparse()) return restore_words(each, each.count, from, to);
            std::copy_n(from, bytes, to);
            if (each.how == nullptr) return;
            const bytes_view flags = next_flags(each, bits);
            gather(flags, width_log2, from, base.data());
            restore_words(each, changed_in(each), base.data(), words.data());
            scatter(flags, width_log2, words.data(), to);
        });
    }

    /// The words of a stretch that have symbols, from as many words of the base.
    void restore_words(const stretch& each, std::size_t count, const std::uint8_t* base, std::uint8_t* to) {
        const kernel::difference_functions& kernels = memory_.kernels().differences;
        const unsigned width_log2 = front_.form.width_log2, low_bits = each.how->low_bits;
        alignas(64) std::array<std::uint8_t, stretch::most_words> unsorted;
        alignas(64) std::array<std::uint8_t, 8 * stretch::most_words> zigzags;
        const std::uint8_t** const next = next_.data() + each.first_symbols;
        const std::uint8_t* symbols = unsorted.data();
        if (each.how->contexts.classes == 1) {
            symbols = *next;
            *next += count;
        } else {
            kernels.unsort_classes(contexts_.data() + each.first, count, each.how->contexts, next, unsorted.data());
        }
        std::array<std::uint8_t, 7 * stretch::most_words + slack> padded; // where nothing is left behind the bits
        const std::size_t low_bytes = (count * low_bits + 7) / 8;
        const std::uint8_t* low = low_.data();
        if (low_.size() < low_bytes + slack) {
            std::copy_n(low, low_bytes, padded.data());
            std::fill_n(padded.data() + low_bytes, slack, std::uint8_t{0});
            low = padded.data();
        }
        low_ = low_.subspan(low_bytes);
        kernels.join_symbols[width_log2](symbols, low, count, low_bits, zigzags.data());
        if (escapes_ != 0)
            rests_ += kernels.add_rests[width_log2](symbols, count, rests_, low_bits, zigzags.data()) << width_log2;
        (front_.form.floats ? kernels.restore_floats : kernels.restore_integers)[width_log2](zigzags.data(), base,
                                                                                             count, to);
    }

    scratch& memory_;
    delta_front front_;
    std::size_t words_ = 0;
    bytes_view base_;
    bytes_span of_run_, bitmaps_, contexts_;
    bytes_view low_;
    std::vector<std::uint16_t> changed_; ///< words of each sparse run that have symbols
    std::size_t escapes_ = 0;
    const std::uint8_t* rests_ = nullptr; ///< of the next escape, a word
    std::array<std::size_t, kernel::context_classes::most> sizes_{};
    std::array<const std::uint8_t*, kernel::context_classes::most> next_{};
};

} // namespace bigsmall::delta
