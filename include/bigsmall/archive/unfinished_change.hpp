// SPDX-License-Identifier: BSL-1.0
// Ends a change in place whose journal is complete: forwards to the new file, or back to the old one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include <sys/stat.h>

#include <bigsmall/archive/hash.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/io/file_operations.hpp>
#include <bigsmall/io/file_source.hpp>
#include <bigsmall/io/in_place_file.hpp>
#include <bigsmall/io/journal.hpp>
#include <bigsmall/io/journal_reader.hpp>
#include <bigsmall/io/partial_file.hpp>

namespace bigsmall::archive {

enum class change_direction : std::uint8_t { finish, undo };

namespace detail {

inline constexpr const char* unfinished_hint =
    "finish the change with 'bigsmall apply --in-place --finish FILE', or take it back with --undo";

/// Whether anything has that name, a link to nowhere included.
inline bool is_there(const std::filesystem::path& path) {
    struct stat facts {};
    return ::lstat(path.c_str(), &facts) == 0;
}

inline std::filesystem::path resolved(const std::filesystem::path& file) {
    std::error_code failed;
    std::filesystem::path real = std::filesystem::canonical(file, failed);
    return failed ? file : real;
}

/// Needs the lock of the file.
inline void remove_leftovers_of(const io::in_place_file& file, io::file_operations& operations) {
    io::partial_file::remove_leftover(io::partial_journal_path(file.path()), operations);
    io::partial_file::remove_leftover(io::partial_rewrite_path(file.path()), operations);
}

/// Reads short ranges in ascending order without a system call for each.
class ascending_window {
public:
    explicit ascending_window(const io::source& from) : from_(from) {}

    bytes_view bytes(std::uint64_t offset, std::size_t count) {
        if (offset < begin_ || offset + count > begin_ + window_.size()) {
            const std::uint64_t most = std::max<std::uint64_t>(count, 64 * KiB);
            window_.resize(static_cast<std::size_t>(std::min(most, from_.size() - offset)));
            from_.read(offset, window_);
            begin_ = offset;
        }
        return bytes_view(window_).subspan(static_cast<std::size_t>(offset - begin_), count);
    }

private:
    const io::source& from_;
    byte_buffer window_;
    std::uint64_t begin_ = 0;
};

/// Writes runs in ascending order. Those with little between them go as one, with what lies between as it is: a disk
/// writes whole pages anyway, and a million small writes take long.
class run_writer {
public:
    explicit run_writer(io::in_place_file& to) : to_(to) {}

    void add(std::uint64_t offset, bytes_view bytes) {
        const std::uint64_t end = begin_ + buffer_.size();
        if (buffer_.empty() || offset - end > most_between || offset - begin_ + bytes.size() > most_bytes) {
            write();
            begin_ = offset;
        } else {
            const std::size_t between = static_cast<std::size_t>(offset - end);
            buffer_.resize(buffer_.size() + between);
            to_.read(end, bytes_span(buffer_).last(between));
        }
        io::detail::append(buffer_, bytes);
    }

    void write() {
        to_.write(begin_, buffer_);
        buffer_.clear();
    }

private:
    static constexpr std::uint64_t most_between = 4 * KiB, most_bytes = 2 * MiB;

    io::in_place_file& to_;
    byte_buffer buffer_;
    std::uint64_t begin_ = 0;
};

inline error does_not_fit(const io::in_place_file& file, const std::string& why) {
    error e(errc::mismatch,
            "the file is neither what it was before the unfinished change nor on its way to what it was "
            "to be: " +
                why);
    e.in_file(file.name())
        .with_hint("nothing was written; when another file was put there on purpose, remove " +
                   io::journal_path(file.path()).string());
    return e;
}

/// Throws errc::mismatch unless each byte that the journal knows is what it was before or what it is to become.
/// Any mixture will do: what a power cut leaves of a write is not for us to say.
inline void require_fits(const io::in_place_file& file, io::journal_reader& journal) {
    if (file.size() != journal.info().file_bytes)
        throw does_not_fit(file, "it has " + std::to_string(file.size()) + " bytes and not " +
                                     std::to_string(journal.info().file_bytes));
    ascending_window window(file);
    io::journal_run run;
    for (journal.rewind(); journal.next(run);) {
        const bytes_view now = window.bytes(run.offset, run.before.size());
        for (std::size_t i = 0; i < now.size(); ++i)
            if (now[i] != run.before[i] && now[i] != run.after[i])
                throw does_not_fit(file, "byte " + std::to_string(run.offset + i) + " was changed by somebody else");
    }
}

inline void write_runs(io::in_place_file& file, io::journal_reader& journal, change_direction direction) {
    run_writer writer(file);
    io::journal_run run;
    for (journal.rewind(); journal.next(run);)
        writer.add(run.offset, direction == change_direction::finish ? run.after : run.before);
    writer.write();
    file.flush();
}

inline sha256_digest sha256_of(const io::source& from) {
    const hash_methods methods;
    sha256_hasher hash;
    hash.start(methods.sha256());
    byte_buffer piece(static_cast<std::size_t>(std::min<std::uint64_t>(from.size(), MiB)));
    for (std::uint64_t at = 0; at < from.size(); at += piece.size()) {
        piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), from.size() - at)));
        from.read(at, piece);
        hash.update(piece);
    }
    return hash.finish();
}

/// The journal stays: it is the only thing that can still give back what the change has overwritten.
inline error wrong_result(const io::in_place_file& file, change_direction direction, const sha256_digest& found,
                          const sha256_digest& expected) {
    const std::string done = direction == change_direction::finish ? "written" : "taken back";
    error e(errc::mismatch, "the change was " + done +
                                ", but something else has changed the file at other places: its SHA-256 is " +
                                hex_of(found) + " and not " + hex_of(expected));
    e.in_file(file.name())
        .with_hint("the journal is kept, so that the change can be taken back and made again; once the file is as you "
                   "want it, remove " +
                   io::journal_path(file.path()).string());
    return e;
}

/// With a complete journal beside the file. Throws: as finish_change().
inline io::journal_info carry_out(io::in_place_file& file, change_direction direction,
                                  io::file_operations& operations) {
    const std::filesystem::path path = io::journal_path(file.path());
    io::journal_reader journal(std::make_shared<const io::file_source>(path));
    require_fits(file, journal);
    write_runs(file, journal, direction);
    const sha256_digest& expected =
        direction == change_direction::finish ? journal.info().after : journal.info().before;
    const sha256_digest found = sha256_of(file);
    if (found != expected) throw wrong_result(file, direction, found, expected);
    file.require_in_place();
    if (const int failed = operations.remove(path))
        throw io::detail::system_error("remove the journal", path.string(), failed);
    if (const int failed = operations.flush_directory(path.parent_path()))
        throw io::detail::system_error("flush the directory to disk", path.string(), failed);
    return journal.info();
}

inline io::journal_info settle_change(const std::filesystem::path& path, change_direction direction,
                                      io::file_operations& operations) {
    io::in_place_file file(path, operations);
    remove_leftovers_of(file, operations);
    if (!is_there(io::journal_path(path)))
        throw error(errc::missing, "there is no unfinished change of this file").in_file(file.name());
    return carry_out(file, direction, operations);
}

} // namespace detail

/// What the journal beside `file` says, links to the file followed; nothing when there is none, and the file can be
/// used. Throws: as io::journal_reader when there is one that cannot be read.
inline std::optional<io::journal_info> pending_change(const std::filesystem::path& file) {
    const std::filesystem::path journal = io::journal_path(detail::resolved(file));
    if (!detail::is_there(journal)) return std::nullopt;
    return io::journal_reader(std::make_shared<const io::file_source>(journal)).info();
}

/// Throws errc::exists when there is a journal beside `file`, which may be half changed then.
inline void require_no_pending_change(const std::filesystem::path& file) {
    if (!detail::is_there(io::journal_path(detail::resolved(file)))) return;
    throw error(errc::exists, "a change in place of this file was interrupted, and part of it may be written")
        .in_file(file.string())
        .with_hint(detail::unfinished_hint);
}

/// Ends an interrupted change: the file becomes what it was to be, the journal goes away. Returns what the journal
/// said. Throws: errc::missing when there is none; errc::mismatch when the file was changed otherwise, with nothing
/// written unless the message says so and with the journal kept; errc::corrupt, errc::truncated, errc::unsupported
/// when the journal cannot be believed; errc::invalid_argument when a symbolic link leads to the file; errc::exists
/// when another run has it; errc::io, after which it can be tried again.
inline io::journal_info finish_change(const std::filesystem::path& file, io::file_operations& operations) {
    return detail::settle_change(file, change_direction::finish, operations);
}
inline io::journal_info finish_change(const std::filesystem::path& file) {
    io::file_operations operations;
    return finish_change(file, operations);
}

/// The same backwards: the file becomes what it was before.
inline io::journal_info undo_change(const std::filesystem::path& file, io::file_operations& operations) {
    return detail::settle_change(file, change_direction::undo, operations);
}
inline io::journal_info undo_change(const std::filesystem::path& file) {
    io::file_operations operations;
    return undo_change(file, operations);
}

} // namespace bigsmall::archive
