// SPDX-License-Identifier: BSL-1.0
// Comparing two models: what became of each tensor, and by how much its values moved.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include <bigsmall/archive/diff_metadata.hpp>
#include <bigsmall/archive/diff_pairs.hpp>
#include <bigsmall/archive/diff_result.hpp>
#include <bigsmall/archive/diff_statistics.hpp>
#include <bigsmall/archive/diff_summary.hpp>
#include <bigsmall/archive/model_reader.hpp>
#include <bigsmall/archive/options.hpp>
#include <bigsmall/archive/read_image.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/parallel/executor.hpp>

namespace bigsmall::archive {

namespace detail {

/// Ranges of tensors of B that have a counterpart, as long as blocks of archives are at most and aligned to them.
inline constexpr std::uint64_t diff_piece_bytes = 4 * MiB;

struct diff_piece {
    std::size_t pair = 0;
    std::uint64_t begin = 0; ///< in the tensor of B
    std::shared_ptr<const image_reader> image;
    byte_buffer a, b;
    update_statistics counts;
    bool differs = false;
};

/// Cuts tensors into pieces, the same ones for any number of threads.
class piece_cutter {
public:
    piece_cutter(const model_reader& a, const std::vector<tensor_pair>& pairs, const std::vector<std::size_t>& wanted)
        : a_(a), pairs_(pairs), wanted_(wanted) {}

    /// Fills in what is to be read. `skip(pair)`: the rest of that one is not wanted.
    template <class Skip>
    bool next(diff_piece& piece, Skip&& skip) {
        while (next_ < wanted_.size()) {
            const io::base_image& image = *pairs_[wanted_[next_]].image;
            if (part_ == image.parts.size() || skip(wanted_[next_])) {
                leave_tensor();
                continue;
            }
            const io::base_part& part = image.parts[part_];
            const std::uint64_t end = part_begin_ + part.bytes;
            if (part.tensor == io::no_base || at_ == end) { // rows that B has more
                at_ = part_begin_ = end;
                ++part_;
                continue;
            }
            if (!reader_) reader_ = std::make_shared<const image_reader>(a_, image);
            const std::uint64_t until = std::min(end, (at_ / diff_piece_bytes + 1) * diff_piece_bytes);
            piece.pair = wanted_[next_];
            piece.begin = at_;
            piece.image = reader_;
            piece.a.resize(static_cast<std::size_t>(until - at_));
            piece.b.resize(piece.a.size());
            at_ = until;
            return true;
        }
        return false;
    }

private:
    void leave_tensor() {
        ++next_;
        part_ = 0;
        at_ = part_begin_ = 0;
        reader_.reset();
    }

    const model_reader& a_;
    const std::vector<tensor_pair>& pairs_;
    const std::vector<std::size_t>& wanted_;
    std::size_t next_ = 0, part_ = 0;            // of wanted_, of its image
    std::uint64_t at_ = 0, part_begin_ = 0;      // in the tensor
    std::shared_ptr<const image_reader> reader_; // of the tensor, once it is needed
};

class model_differ {
public:
    model_differ(const model_reader& a, const model_reader& b, const run_options& options)
        : a_(a), b_(b), options_(options) {}

    template <parallel::executor E>
    diff_result run(E& e) {
        pairs_ = diff_pairing(a_, b_).run(options_, e);
        std::vector<std::size_t> alike, others;
        for (std::size_t p = 0; p < pairs_.size(); ++p)
            if (pairs_[p].image) (pairs_[p].looks_equal ? alike : others).push_back(p);
        total_bytes_ = bytes_of(alike) + bytes_of(others);
        // Finding out that bytes are equal takes a tenth of the time of counting how they differ.
        for (const std::size_t p : differing(alike, e))
            others.push_back(p);
        measure(others, e);
        a_.require_unchanged();
        b_.require_unchanged();
        return result();
    }

private:
    std::uint64_t bytes_of(const std::vector<std::size_t>& pairs) const {
        std::uint64_t sum = 0;
        for (const std::size_t p : pairs)
            for (const io::base_part& part : pairs_[p].image->parts)
                sum += part.tensor == io::no_base ? 0 : part.bytes;
        return sum;
    }

    const model_tensor& tensor_of(std::size_t pair) const { return b_.tensors()[*pairs_[pair].difference.b]; }

    /// Passes every piece of the wanted pairs through look(piece), some at once, and take(piece), in their order.
    template <parallel::executor E, class Skip, class Look, class Take>
    void for_each_piece(const std::vector<std::size_t>& wanted, E& e, Skip skip, Look look, Take take) {
        piece_cutter cutter(a_, pairs_, wanted);
        e.template pipeline<diff_piece>(
            e.concurrency() + 2, [&](diff_piece& piece) { return cutter.next(piece, skip); },
            parallel::any_order([&](diff_piece& piece) {
                check_cancelled(options_);
                b_.read(*pairs_[piece.pair].difference.b, piece.begin, piece.b);
                piece.image->read(piece.begin, piece.a);
                look(piece);
            }),
            parallel::in_order([&](diff_piece& piece) {
                take(piece);
                tell_progress(piece);
            }));
    }

    /// Those of `pairs` of which the bytes are not equal.
    template <parallel::executor E>
    std::vector<std::size_t> differing(const std::vector<std::size_t>& pairs, E& e) {
        std::vector<std::atomic<bool>> differs(pairs_.size());
        for_each_piece(
            pairs, e, [&](std::size_t pair) { return differs[pair].load(); },
            [](diff_piece& piece) { piece.differs = std::memcmp(piece.a.data(), piece.b.data(), piece.a.size()) != 0; },
            [&](diff_piece& piece) {
                pairs_[piece.pair].difference.update.words +=
                    piece.a.size() / word_bytes_of(tensor_of(piece.pair).type);
                if (piece.differs) differs[piece.pair] = true;
            });
        std::vector<std::size_t> found;
        for (const std::size_t p : pairs)
            if (differs[p]) found.push_back(p);
        for (const std::size_t p : found)
            pairs_[p].difference.update = {};
        total_bytes_ += bytes_of(found);
        done_bytes_ = bytes_of(pairs); // those that differ were left early
        return found;
    }

    template <parallel::executor E>
    void measure(const std::vector<std::size_t>& pairs, E& e) {
        for_each_piece(
            pairs, e, [](std::size_t) { return false; },
            [&](diff_piece& piece) { piece.counts = compare_words(tensor_of(piece.pair).type, piece.a, piece.b); },
            [&](diff_piece& piece) { pairs_[piece.pair].difference.update.add(piece.counts); });
    }

    void tell_progress(const diff_piece& piece) {
        done_bytes_ += piece.a.size();
        if (options_.progress == nullptr || (done_bytes_ - told_bytes_ < 8 * MiB && done_bytes_ < total_bytes_)) return;
        told_bytes_ = done_bytes_;
        options_.progress->on_progress({tensor_of(piece.pair).name, done_bytes_, total_bytes_, 0});
    }

    diff_result result() {
        diff_result all;
        difference_summary summary(a_, b_);
        for (tensor_pair& pair : pairs_) {
            tensor_difference& difference = pair.difference;
            if (!difference.has_changed_words()) forget_sums(difference.update);
            if (difference.kind == difference_kind::changed && !difference.has_changed_words())
                difference.kind = difference_kind::equal;
            summary.add(difference);
            all.tensors.push_back(std::move(difference));
        }
        summary.finish(all);
        all.metadata = different_keys(metadata_of(a_), metadata_of(b_));
        return all;
    }

    /// Whether they are known depends on how the tensors were found to be equal.
    static void forget_sums(update_statistics& update) {
        const std::uint64_t words = update.words;
        update = {};
        update.words = words;
    }

    const model_reader &a_, &b_;
    const run_options& options_;
    std::vector<tensor_pair> pairs_;
    std::uint64_t done_bytes_ = 0, told_bytes_ = 0, total_bytes_ = 0;
};

} // namespace detail

/// What B has otherwise than A. Tensors of two archives that have the same receipts (MD5) are equal without being
/// decoded; all others are read, those that change in few places twice. The result depends on the models only.
/// Memory: 8 MiB for each thread and 16 MiB, beside a few hundred bytes for each tensor.
/// Throws: as model_reader::read(); errc::io when a file was changed meanwhile; errc::cancelled.
template <parallel::executor E>
diff_result diff(const model_reader& a, const model_reader& b, const run_options& options, E& e) {
    return detail::model_differ(a, b, options).run(e);
}

} // namespace bigsmall::archive
