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
    md5_digest md5{};
};

/// Takes SHA-256 over whole files and MD5 over their parts. Within a batch, the file and all its parts are
/// hashed at once; between batches, the chain of one file and of at most one part stays open.
class receipt_chain {
public:
    void start_file(bytes_view header) {
        file_.start(methods_.sha256());
        file_.update(header);
    }

    sha256_digest finish_file() { return file_.finish(); }

    /// `batch`: the next bytes of the file. `pieces` (anything with a base of hashed_piece) in order; a piece
    /// that is not the first of its part continues the one that the batch before left open.
    template <class Piece, parallel::executor E>
    void add(bytes_view batch, std::span<Piece> pieces, E& e) {
        std::unique_ptr<md5_hasher> left_open;
        e.for_each(pieces.size() + 1, [&](std::size_t i) {
            // The file's own chain is the longest job: it starts first.
            if (i == 0) file_.update(batch);
            else add_piece(batch, pieces[i - 1], left_open);
        });
        open_ = std::move(left_open);
    }

private:
    // At most one piece of a batch, the last, is not the last of its part: nobody else writes to `left_open`.
    void add_piece(bytes_view batch, hashed_piece& piece, std::unique_ptr<md5_hasher>& left_open) {
        if (!piece.wanted) return;
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
        if (piece.last) piece.md5 = md5->finish();
        else left_open = std::move(md5);
    }

    hash_methods methods_;
    sha256_hasher file_;
    parallel::object_pool<md5_hasher> pool_;
    std::unique_ptr<md5_hasher> open_;
};

} // namespace bigsmall::archive::detail
