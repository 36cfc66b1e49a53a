// SPDX-License-Identifier: BSL-1.0
// Finds what differs between a file and what it is to become, and writes that to a journal.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>

#include <bigsmall/archive/hash.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/io/journal.hpp>
#include <bigsmall/io/source.hpp>

namespace bigsmall::archive::detail {

/// How many bytes at the beginning are the same in both, which are as long.
inline std::size_t equal_bytes(bytes_view a, bytes_view b) noexcept {
    std::size_t i = 0;
    for (; i + 8 <= a.size(); i += 8) {
        const std::uint64_t differences = load_le<std::uint64_t>(a.data() + i) ^ load_le<std::uint64_t>(b.data() + i);
        if (differences != 0) return i + static_cast<std::size_t>(std::countr_zero(differences)) / 8;
    }
    while (i < a.size() && a[i] == b[i])
        ++i;
    return i;
}

inline std::size_t differing_bytes(bytes_view a, bytes_view b) noexcept {
    std::size_t i = 0;
    while (i < a.size() && a[i] != b[i])
        ++i;
    return i;
}

/// Is given the bytes that a file of the same size is to have, in order. Changes with fewer than 64 bytes between them
/// are one run: the head of a run costs as much. Memory: 3 MiB.
class change_recorder {
public:
    change_recorder(const io::source& file, io::journal_writer& to) : file_(file), to_(to) {
        before_.start(methods_.sha256());
    }

    /// Throws: errc::mismatch when the bytes do not follow those of the last call or go beyond the end.
    void take(std::uint64_t offset, bytes_view wanted) {
        if (offset != position_ || wanted.size() > file_.size() - position_)
            throw error(errc::mismatch, "the bytes that the file is to have do not follow one another")
                .in_file(file_.name())
                .at_offset(offset);
        while (!wanted.empty()) {
            const bytes_view piece = wanted.first(std::min<std::size_t>(wanted.size(), piece_bytes));
            present_.resize(piece.size());
            file_.read(position_, present_);
            before_.update(present_);
            compare(present_, piece);
            position_ += piece.size();
            wanted = wanted.subspan(piece.size());
        }
    }

    /// After the last byte: the SHA-256 of the file as it is. Throws: errc::mismatch when bytes are missing.
    sha256_digest finish() {
        if (position_ != file_.size())
            throw error(errc::mismatch, "only " + std::to_string(position_) +
                                            " of the bytes that the file is to have have come, of " +
                                            std::to_string(file_.size()))
                .in_file(file_.name());
        end_run();
        return before_.finish();
    }

private:
    static constexpr std::size_t piece_bytes = std::size_t{1} * MiB, least_gap = 64;

    void compare(bytes_view present, bytes_view wanted) {
        for (std::size_t at = 0; at < wanted.size();) {
            const std::size_t same = equal_bytes(present.subspan(at), wanted.subspan(at));
            pass_equal(present.subspan(at, same));
            at += same;
            const std::size_t other = differing_bytes(present.subspan(at), wanted.subspan(at));
            if (other == 0) continue;
            if (old_.empty()) run_at_ = position_ + at;
            append(present.subspan(at, other), wanted.subspan(at, other));
            gap_ = 0;
            at += other;
        }
    }

    /// A run goes on over a short gap, but only when something differs behind it.
    void pass_equal(bytes_view same) {
        if (old_.empty()) return;
        if (gap_ + same.size() >= least_gap) return end_run();
        gap_ += same.size();
        append(same, same);
    }

    void append(bytes_view present, bytes_view wanted) {
        while (!present.empty()) {
            if (old_.size() == io::max_run_bytes) next_run();
            const std::size_t n = std::min<std::size_t>(present.size(), io::max_run_bytes - old_.size());
            io::detail::append(old_, present.first(n));
            io::detail::append(new_, wanted.first(n));
            present = present.subspan(n);
            wanted = wanted.subspan(n);
        }
    }

    /// The run is as long as it may be; the next one begins at once behind it.
    void next_run() {
        const std::uint64_t end = run_at_ + old_.size();
        to_.add({run_at_, old_, new_});
        old_.clear();
        new_.clear();
        run_at_ = end;
    }

    void end_run() {
        if (old_.size() > gap_) {
            const std::size_t bytes = old_.size() - gap_;
            to_.add({run_at_, bytes_view(old_).first(bytes), bytes_view(new_).first(bytes)});
        }
        old_.clear();
        new_.clear();
        gap_ = 0;
    }

    const io::source& file_;
    io::journal_writer& to_;
    hash_methods methods_;
    sha256_hasher before_;
    byte_buffer present_;
    byte_buffer old_, new_;    ///< of the run that is not at its end yet
    std::uint64_t run_at_ = 0; ///< where that begins
    std::size_t gap_ = 0;      ///< bytes at its end that are the same in both
    std::uint64_t position_ = 0;
};

} // namespace bigsmall::archive::detail
