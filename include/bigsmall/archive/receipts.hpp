// SPDX-License-Identifier: BSL-1.0
// The hashes of files and of their parts, taken as the bytes pass by in order.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

#include <bigsmall/archive/hash.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/parallel/executor.hpp>
#include <bigsmall/parallel/pool.hpp>

namespace bigsmall::archive::detail {

/// A piece of one part of a file inside a batch.
struct hashed_piece {
    std::size_t at = 0, bytes = 0; ///< in the batch
    bool first = false;            ///< the part begins here
    bool last = false;             ///< the part ends here: `md5` is its hash afterwards
    bool wanted = false;           ///< whether its MD5 is needed
    bool known = false;            ///< whether `md5` is right already where the part ends here
    md5_digest md5{};
};

/// SHA-256 over whole files. A pipeline stage of its own: MD5 is the slower of the two, and a stage that took
/// both would be the slowest of all.
class file_chain {
public:
    /// `batch`: the next bytes of the file, with `header` in front when it begins. Gives the hash at its end.
    sha256_digest add(bytes_view header, bytes_view batch, bool first, bool last) {
        if (first) {
            hash_.start(methods_.sha256());
            hash_.update(header);
        }
        hash_.update(batch);
        return last ? hash_.finish() : sha256_digest{};
    }

private:
    hash_methods methods_;
    sha256_hasher hash_;
};

/// MD5 over the parts of files. Within a batch, all parts are hashed at once; between batches, the chain of
/// at most one part stays open.
class part_chain {
public:
    /// `pieces` (anything with a base of hashed_piece) in order; a piece that is not the first of its part
    /// continues the one that the batch before left open.
    template <class Piece, parallel::executor E>
    void add(bytes_view batch, std::span<Piece> pieces, E& e) {
        std::unique_ptr<md5_hasher> left_open;
        e.for_each(pieces.size(), [&](std::size_t i) { add_piece(batch, pieces[i], left_open); });
        open_ = std::move(left_open);
    }

private:
    // At most one piece of a batch, the last, is not the last of its part: nobody else writes to `left_open`.
    void add_piece(bytes_view batch, hashed_piece& piece, std::unique_ptr<md5_hasher>& left_open) {
        if (!piece.wanted || piece.known) return;
        const bytes_view bytes = batch.subspan(piece.at, piece.bytes);
        if (piece.first && piece.last) {
            const auto md5 = pool_.borrow();
            md5->start(methods_.md5());
            md5->update(bytes);
            piece.md5 = md5->finish();
            return;
        }
        std::unique_ptr<md5_hasher> md5 = piece.first ? std::make_unique<md5_hasher>() : std::move(open_);
        if (piece.first) md5->start(methods_.md5());
        md5->update(bytes);
        if (piece.last)
            piece.md5 = md5->finish();
        else
            left_open = std::move(md5);
    }

    hash_methods methods_;
    parallel::object_pool<md5_hasher> pool_;
    std::unique_ptr<md5_hasher> open_;
};

} // namespace bigsmall::archive::detail
