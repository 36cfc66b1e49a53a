// SPDX-License-Identifier: BSL-1.0
// A tensor that has more or fewer rows than its base: where rows were added or removed, found by looking at some.
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
        const std::uint64_t in_front = alike_in_front(common);
        if (in_front == looks) return image_of({{0, 0, common}});
        const std::uint64_t at_end = alike_at_end(common);
        if (at_end == looks) return image_of({{our_rows_ - common, their_rows_ - common, common}});
        const std::vector<row_run> runs = align(in_front + at_end > 0 ? most_skipped : most_skipped_first);
        std::uint64_t found = 0;
        for (const row_run& run : runs)
            found += run.rows;
        // Many rows may have been rewritten: where more are alike at their old place, they all stay there.
        if (in_front >= enough && found < common / looks * in_front) return image_of({{0, 0, common}});
        if (at_end >= enough && found < common / looks * at_end)
            return image_of({{our_rows_ - common, their_rows_ - common, common}});
        // A row or two that look alike are chance.
        if (found < std::max<std::uint64_t>(2, common / 16)) return std::nullopt;
        return image_of(runs);
    }

private:
    static constexpr std::uint64_t looks = 8; // rows that are looked at to judge an alignment
    static constexpr std::uint64_t enough = 7;
    /// Rows added, removed or rewritten in one place; where nothing is alike yet, less is tried, as there are many
    /// tensors that have nothing to do with each other.
    static constexpr std::uint64_t most_skipped = 256, most_skipped_first = 64;
    static constexpr std::uint64_t most_comparisons = 1u << 16; // of rows, each of which may be in another block

    /// Rows that follow each other in both tensors.
    struct row_run {
        std::uint64_t ours = 0, theirs = 0, rows = 0;
    };

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

    /// The first words of a row, or from a short one on as far as both tensors have them.
    relation rows_relation(std::uint64_t our_row, std::uint64_t their_row) const {
        const word_format format = word_format_of(ours().type);
        const io::element_widths width = io::element_widths_of(*conversion_);
        const std::uint64_t our_place = our_row * row_words_, their_place = their_row * row_words_;
        const std::uint64_t of_row =
            row_words_ < stretch_words / 2 ? stretch_words : std::min(stretch_words, row_words_);
        const auto count = static_cast<std::size_t>(
            std::min({of_row, words_of(ours()) - our_place, words_of(theirs()) - their_place}));
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

    /// Of the first `rows`, how many of those looked at are alike at the same place.
    std::uint64_t alike_in_front(std::uint64_t rows) const {
        std::uint64_t count = 0;
        for (std::uint64_t i = 0; i < looks; ++i)
            count += alike(spread(i, rows), spread(i, rows)) ? 1 : 0;
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

    /// Runs of alike rows, from the first row on; then those at the end, when many lie between. No more than an image
    /// may have parts.
    std::vector<row_run> align(std::uint64_t skipped_first) {
        const std::uint64_t most_runs = (io::most_image_parts(ours().bytes) - 3) / 2;
        std::vector<row_run> runs;
        std::uint64_t our = 0, their = 0;
        std::optional<row_run> next = start_near(our, their, skipped_first);
        for (; next && runs.size() < most_runs; next = start_near(our, their, most_skipped)) {
            next->rows = run_length(next->ours, next->theirs);
            runs.push_back(*next);
            our = next->ours + next->rows;
            their = next->theirs + next->rows;
        }
        const std::uint64_t rest = std::min(our_rows_ - our, their_rows_ - their);
        if (rest > 0 && alike_at_end(rest) >= enough) runs.push_back({our_rows_ - rest, their_rows_ - rest, rest});
        return runs;
    }

    /// The nearest two rows that are alike, after some that were added, removed or rewritten.
    std::optional<row_run> start_near(std::uint64_t our, std::uint64_t their, std::uint64_t most) {
        for (std::uint64_t skipped = 0; skipped <= most; ++skipped)
            for (const auto& [o, t] : {std::pair(our, their + skipped), std::pair(our + skipped, their),
                                       std::pair(our + skipped, their + skipped)})
                if (begins(o, t)) return row_run{o, t, 0};
        return std::nullopt;
    }

    bool begins(std::uint64_t our, std::uint64_t their) {
        if (our >= our_rows_ || their >= their_rows_ || comparisons_ >= most_comparisons) return false;
        ++comparisons_;
        return alike(our, their);
    }

    /// How many rows from these on are alike: at least one, as these are.
    std::uint64_t run_length(std::uint64_t our, std::uint64_t their) {
        const std::uint64_t all = std::min(our_rows_ - our, their_rows_ - their);
        const auto reaches = [&](std::uint64_t rows) {
            ++comparisons_;
            // One row may have been rewritten: its neighbour is asked, too.
            return alike(our + rows - 1, their + rows - 1) || (rows > 1 && alike(our + rows - 2, their + rows - 2));
        };
        std::uint64_t least = 1, step = 1;
        while (least < all && reaches(std::min(all, least + step))) {
            least = std::min(all, least + step);
            step *= 2;
        }
        std::uint64_t most = std::min(all, least + step - 1);
        while (least < most) {
            const std::uint64_t middle = least + (most - least + 1) / 2;
            if (reaches(middle))
                least = middle;
            else
                most = middle - 1;
        }
        while (least > 1 && !alike(our + least - 1, their + least - 1))
            --least;
        return least;
    }

    /// The runs where they are in the target, zeros between them.
    io::base_image image_of(const std::vector<row_run>& runs) const {
        const std::uint64_t row_bytes = ours().bytes / our_rows_;
        io::base_image image{*conversion_, {}};
        std::uint64_t end = 0;
        const auto add = [&](std::uint32_t tensor, std::uint64_t first, std::uint64_t rows) {
            if (rows > 0) image.parts.push_back({tensor, first * row_bytes, rows * row_bytes});
        };
        for (const row_run& run : runs) {
            add(io::no_base, 0, run.ours - end);
            add(static_cast<std::uint32_t>(base_), run.theirs, run.rows);
            end = run.ours + run.rows;
        }
        add(io::no_base, 0, our_rows_ - end);
        return image;
    }

    const model_pair& models_;
    std::size_t target_, base_;
    std::optional<io::base_conversion> conversion_;
    std::uint64_t our_rows_ = 0, their_rows_ = 0, row_words_ = 0;
    std::uint64_t comparisons_ = 0;
    double strange_bits_ = 0;
};

} // namespace bigsmall::archive::detail
