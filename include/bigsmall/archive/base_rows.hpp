// SPDX-License-Identifier: BSL-1.0
// A tensor that has more or fewer rows than its base: where they were added or removed, found by looking at some.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include <bigsmall/archive/base_sample.hpp>
#include <bigsmall/archive/base_words.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/io/container/base_image.hpp>
#include <bigsmall/io/container/index.hpp>

namespace bigsmall::archive::detail {

/// Finds which rows of a base tensor are which of the target's. Rows are the elements of all dimensions but the first.
class row_aligner {
public:
    row_aligner(const model_pair& models, std::size_t target, std::size_t base)
        : models_(models), target_(target), base_(base), conversion_(conversion_to(ours(), theirs())) {}

    /// Nothing when the shapes do not fit or when no alignment makes the rows alike. New rows get zeros.
    /// Throws: as reading the models does.
    std::optional<io::base_image> find() {
        if (!have_equal_rows()) return std::nullopt;
        strange_bits_ = measure_strangers();
        const std::uint64_t common = std::min(our_rows_, their_rows_);
        if (alike_in_front(0, common) >= enough) return image_of(common, 0);
        if (alike_at_end(common) >= enough) return image_of(0, common);
        const std::uint64_t front = front_rows(common);
        const std::uint64_t end = alike_at_end(common - front) * 2 >= looks ? common - front : 0;
        // A row or two that look alike are chance.
        if (front + end < std::max<std::uint64_t>(2, common / 16)) return std::nullopt;
        return image_of(front, end);
    }

private:
    static constexpr std::uint64_t looks = 8; // rows that are looked at to judge an alignment
    static constexpr std::uint64_t enough = 7;

    const model_tensor& ours() const { return models_.target.tensor(target_); }
    const model_tensor& theirs() const { return models_.base.tensor(base_); }

    bool have_equal_rows() {
        const auto &a = ours().shape, &b = theirs().shape;
        if (!conversion_ || a.empty() || a.size() != b.size() || ours().bytes == 0 || theirs().bytes == 0) return false;
        if (a[0] == b[0] || !std::equal(a.begin() + 1, a.end(), b.begin() + 1)) return false;
        our_rows_ = a[0];
        their_rows_ = b[0];
        row_words_ = words_of(ours()) / our_rows_;
        // Rows of elements that are no whole bytes have no places.
        return ours().type.bits >= 8 && row_words_ * our_rows_ == words_of(ours());
    }

    /// The first words from a row on, as far as both tensors have them.
    relation rows_relation(std::uint64_t our_row, std::uint64_t their_row) const {
        const word_format format = word_format_of(ours().type);
        const io::element_widths width = io::element_widths_of(*conversion_);
        const std::uint64_t our_place = our_row * row_words_, their_place = their_row * row_words_;
        const auto count = static_cast<std::size_t>(
            std::min({stretch_words, words_of(ours()) - our_place, words_of(theirs()) - their_place}));
        const std::size_t their_bytes = format.bytes / width.image * width.base;
        byte_buffer a(count * format.bytes), b(count * their_bytes);
        models_.target.model().read(target_, our_place * format.bytes, a);
        models_.base.model().read(base_, their_place * their_bytes, b);
        return relation_of(format, a, converted(*conversion_, b));
    }

    /// Mean bits of the differences between rows that have nothing to do with each other, as a rule.
    double measure_strangers() const {
        double sum = 0;
        for (std::uint64_t i = 0; i < looks; ++i) {
            const std::uint64_t our_row = spread(i, our_rows_), their_row = spread((i * 3 + 2) % looks, their_rows_);
            sum += rows_relation(our_row, their_row).changed_bits;
        }
        return sum / looks;
    }

    /// The place of look number `i` among `rows`; the first and the last row are looked at.
    static std::uint64_t spread(std::uint64_t i, std::uint64_t rows) noexcept {
        const std::uint64_t last = rows - 1;
        return last / (looks - 1) * i + last % (looks - 1) * i / (looks - 1);
    }

    bool alike(std::uint64_t our_row, std::uint64_t their_row) const {
        relation samples = rows_relation(our_row, their_row);
        samples.strange_bits = std::max(strange_bits_, samples.strange_bits);
        return samples.related();
    }

    /// Of the rows from `first` to `last`, how many of those looked at are alike at the same place.
    std::uint64_t alike_in_front(std::uint64_t first, std::uint64_t last) const {
        std::uint64_t count = 0;
        for (std::uint64_t i = 0; i < looks && last > first; ++i) {
            const std::uint64_t row = first + spread(i, last - first);
            count += alike(row, row) ? 1 : 0;
        }
        return count;
    }

    /// The same of the last `rows`, counted from the end.
    std::uint64_t alike_at_end(std::uint64_t rows) const {
        std::uint64_t count = 0;
        for (std::uint64_t i = 0; i < looks && rows > 0; ++i) {
            const std::uint64_t back = spread(i, rows) + 1;
            count += alike(our_rows_ - back, their_rows_ - back) ? 1 : 0;
        }
        return count;
    }

    /// How many rows from the first on are alike at the same place, when that ends somewhere.
    std::uint64_t front_rows(std::uint64_t common) const {
        std::uint64_t least = 0, most = common;
        while (least < most) {
            const std::uint64_t middle = least + (most - least + 1) / 2;
            // One row may have been rewritten: its neighbours are asked, too.
            const bool inside = alike(middle - 1, middle - 1) || (middle > 1 && alike(middle - 2, middle - 2));
            if (inside)
                least = middle;
            else
                most = middle - 1;
        }
        while (least > 0 && !alike(least - 1, least - 1))
            --least;
        return least;
    }

    /// `front` rows at the same place from the beginning, `end` rows from the end, zeros between.
    io::base_image image_of(std::uint64_t front, std::uint64_t end) const {
        const std::uint64_t row_bytes = ours().bytes / our_rows_;
        io::base_image image{*conversion_, {}};
        const auto add = [&](std::uint32_t tensor, std::uint64_t first, std::uint64_t rows) {
            if (rows > 0) image.parts.push_back({tensor, first * row_bytes, rows * row_bytes});
        };
        const auto base = static_cast<std::uint32_t>(base_);
        add(base, 0, front);
        add(io::no_base, 0, our_rows_ - front - end);
        add(base, their_rows_ - end, end);
        return image;
    }

    const model_pair& models_;
    std::size_t target_, base_;
    std::optional<io::base_conversion> conversion_;
    std::uint64_t our_rows_ = 0, their_rows_ = 0, row_words_ = 0;
    double strange_bits_ = 0;
};

} // namespace bigsmall::archive::detail
