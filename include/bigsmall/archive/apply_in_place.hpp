// SPDX-License-Identifier: BSL-1.0
// Turns a file into another one where it lies, rewriting only what differs, so that a killed run can be finished or
// undone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include <bigsmall/archive/change_recorder.hpp>
#include <bigsmall/archive/hash.hpp>
#include <bigsmall/archive/unfinished_change.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/file_operations.hpp>
#include <bigsmall/io/in_place_file.hpp>
#include <bigsmall/io/journal.hpp>
#include <bigsmall/io/partial_file.hpp>

namespace bigsmall::archive {

/// What a file is to become.
struct in_place_change {
    std::uint64_t bytes = 0;             ///< of the new file
    bytes_view header;                   ///< its safetensors header, length included; the first 8 bytes will do
    std::optional<sha256_digest> before; ///< of the file as it is, where that is known
    sha256_digest after{};               ///< of the new file
    std::string label;                   ///< where the change comes from, for people
};

struct in_place_result {
    std::uint64_t changed_bytes = 0; ///< written into the file, with those between changes that are close together
    std::uint64_t runs = 0;          ///< of bytes in a row; 0 when the file was rewritten or was the new one already
    std::uint64_t file_bytes = 0;    ///< of the new file
    bool rewritten_whole = false;    ///< the new file did not fit, and was put in the place of the old one
};

namespace detail {

inline bool fits_in_place(const io::in_place_file& file, const in_place_change& change) {
    if (file.size() != change.bytes) return false;
    byte_buffer length(std::min<std::size_t>({8, change.header.size(), static_cast<std::size_t>(file.size())}));
    file.read(0, length);
    return std::equal(length.begin(), length.end(), change.header.begin());
}

template <class Produce>
in_place_result rewrite_runs(io::in_place_file& file, const in_place_change& change, Produce&& produce,
                             io::file_operations& operations) {
    io::partial_file hidden(io::partial_journal_path(file.path()), file.facts(), io::journal_path(file.path()).string(),
                            operations);
    io::journal_writer journal(hidden, change.bytes, change.label);
    change_recorder recorder(file, journal);
    produce([&](std::uint64_t offset, bytes_view bytes) { recorder.take(offset, bytes); });
    const sha256_digest before = recorder.finish();
    if (change.before && before != *change.before)
        throw error(errc::mismatch, "the file is not the one that this change was made for: its SHA-256 is " +
                                        hex_of(before) + " and not " + hex_of(*change.before))
            .in_file(file.name());
    in_place_result result{journal.info().changed_bytes, journal.info().runs, change.bytes, false};
    if (result.runs == 0) return result;
    journal.finish(before, change.after);
    file.require_untouched();
    file.require_in_place();
    hidden.commit_new(io::journal_path(file.path()));
    try {
        carry_out(file, change_direction::finish, operations);
    } catch (error& failure) {
        if (is_there(io::journal_path(file.path()))) failure.with_hint(unfinished_hint);
        throw;
    }
    return result;
}

template <class Produce>
in_place_result rewrite_whole(io::in_place_file& file, const in_place_change& change, Produce&& produce,
                              io::file_operations& operations) {
    io::partial_file hidden(io::partial_rewrite_path(file.path()), file.facts(), file.name(), operations);
    const hash_methods methods;
    sha256_hasher hash;
    hash.start(methods.sha256());
    produce([&](std::uint64_t offset, bytes_view bytes) {
        if (offset != hidden.position() || bytes.size() > change.bytes - offset)
            throw error(errc::mismatch, "the bytes that the file is to have do not follow one another")
                .in_file(file.name())
                .at_offset(offset);
        hidden.write(bytes);
        hash.update(bytes);
    });
    if (hidden.position() != change.bytes || hash.finish() != change.after)
        throw error(errc::mismatch, "the new file does not have the recorded SHA-256").in_file(file.name());
    file.require_untouched();
    file.require_in_place();
    hidden.commit_over(file.path());
    return {change.bytes, 0, change.bytes, true};
}

} // namespace detail

/// Makes `path` what `change` says. `produce(consumer)` calls `consumer(offset, bytes)` with all bytes of the new file
/// in order, its header first, from one thread at a time; it may read `path` meanwhile, which changes only after it has
/// returned. When it throws, nothing was changed.
///
/// First the bytes that differ are written to a journal beside the file, then into the file. Whenever the run is
/// killed, the file is the old one, the new one, or there is a journal for finish_change() and undo_change(). A new
/// file of another size, or with a header of another length, is written beside the old one and takes its place and
/// permissions. Memory: below 8 MiB. Disk: twice the bytes that differ, or the new file.
///
/// Throws: errc::missing; errc::invalid_argument when a symbolic link leads to the file or it has several names;
/// errc::invalid_input; errc::exists when another run is changing it, or was interrupted while it did; errc::mismatch
/// when it is not what `change.before` says or does not become what `change.after` says; errc::io; what `produce`
/// throws. Guarantee: after an error there is a journal, or the file is as it was, unless only the last flush of
/// the directory failed.
template <class Produce>
in_place_result change_in_place(const std::filesystem::path& path, const in_place_change& change, Produce&& produce,
                                io::file_operations& operations) {
    io::in_place_file file(path, operations);
    require_no_pending_change(path);
    file.require_single_name();
    detail::remove_leftovers_of(file, operations);
    return detail::fits_in_place(file, change)
               ? detail::rewrite_runs(file, change, std::forward<Produce>(produce), operations)
               : detail::rewrite_whole(file, change, std::forward<Produce>(produce), operations);
}
template <class Produce>
in_place_result change_in_place(const std::filesystem::path& path, const in_place_change& change, Produce&& produce) {
    io::file_operations operations;
    return change_in_place(path, change, std::forward<Produce>(produce), operations);
}

} // namespace bigsmall::archive
