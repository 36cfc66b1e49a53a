// SPDX-License-Identifier: BSL-1.0
// The journal of a change in place (docs/format/journal.md): what it says, and how it is written.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/io/checksum.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/io/sink.hpp>

namespace bigsmall::io {

/// The greatest number of bytes that one run changes; longer changes are several runs.
inline constexpr std::uint32_t max_run_bytes = std::uint32_t{1} * MiB;
inline constexpr std::uint32_t max_journal_label_bytes = 4096;

struct journal_info {
    std::uint64_t file_bytes = 0;    ///< of the file that is changed
    std::string label;               ///< where the change comes from, for people: any bytes
    sha256_digest before{}, after{}; ///< of the whole file
    std::uint64_t runs = 0;
    std::uint64_t changed_bytes = 0; ///< of all runs

    bool operator==(const journal_info&) const = default;
};

/// Bytes in a row that change; both views are as long, and belong to whoever gave them.
struct journal_run {
    std::uint64_t offset = 0;
    bytes_view before, after;
};

namespace detail {

inline constexpr std::uint64_t journal_magic = 0x0a1a0a0d4a534289;     // 89 "BSJ" 0d 0a 1a 0a
inline constexpr std::uint64_t journal_end_magic = 0x0a0d646e654a5342; // "BSJend" 0d 0a
inline constexpr std::uint16_t journal_version = 1;
inline constexpr std::size_t journal_header_bytes = 24;     // then the label, then a checksum
inline constexpr std::size_t journal_run_header_bytes = 16; // then both contents, then a checksum
inline constexpr std::size_t journal_trailer_bytes = 112;

/// XXH3-64 of bytes that come one after another.
class running_checksum {
public:
    running_checksum() : state_(XXH3_createState()) {
        if (!state_) throw std::bad_alloc();
        start();
    }
    void start() noexcept { XXH3_64bits_reset(state_.get()); }
    void add(bytes_view bytes) noexcept { XXH3_64bits_update(state_.get(), bytes.data(), bytes.size()); }
    std::uint64_t value() const noexcept { return XXH3_64bits_digest(state_.get()); }

private:
    struct release {
        void operator()(XXH3_state_t* state) const noexcept { XXH3_freeState(state); }
    };
    std::unique_ptr<XXH3_state_t, release> state_;
};

template <class T>
void append_le(byte_buffer& to, T value) {
    to.resize(to.size() + sizeof value);
    store_le(to.data() + to.size() - sizeof value, value);
}

inline void append(byte_buffer& to, bytes_view bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

/// `name` where it is short enough for `room` bytes, else its beginning and a hash of all of it.
inline std::string fitted_name(const std::string& name, std::size_t room) {
    if (name.size() <= room) return name;
    char hash[20];
    std::snprintf(hash, sizeof hash, "-%016llx", static_cast<unsigned long long>(checksum(as_bytes_view(name))));
    std::size_t kept = room - 17;
    while (kept > 0 && (static_cast<unsigned char>(name[kept]) & 0xc0u) == 0x80u)
        --kept; // not in the middle of a character: some file systems refuse halves
    return name.substr(0, kept) + hash;
}

inline std::filesystem::path beside(const std::filesystem::path& file, std::string_view prefix,
                                    std::string_view suffix) {
    constexpr std::size_t name_bytes = 255, affixes = 1 + 17 + 8; // "." ".bigsmall-journal" ".partial"
    const std::string stem = fitted_name(file.filename().string(), name_bytes - affixes);
    return file.parent_path() / (std::string(prefix) + stem + std::string(suffix));
}

} // namespace detail

/// Where the journal of a file lies, which no symbolic link leads to.
inline std::filesystem::path journal_path(const std::filesystem::path& file) {
    return detail::beside(file, "", ".bigsmall-journal");
}
/// What it is called while it is not whole.
inline std::filesystem::path partial_journal_path(const std::filesystem::path& file) {
    return detail::beside(file, ".", ".bigsmall-journal.partial");
}
/// The file that is to replace `file`, while it is not whole.
inline std::filesystem::path partial_rewrite_path(const std::filesystem::path& file) {
    return detail::beside(file, ".", ".bigsmall-rewrite.partial");
}

/// Writes a journal, run by run. What it has written is one only after finish().
class journal_writer {
public:
    /// `label` is cut to max_journal_label_bytes. Throws: what the sink throws.
    journal_writer(sink& to, std::uint64_t file_bytes, std::string_view label) : to_(to) {
        info_.file_bytes = file_bytes;
        info_.label = label.substr(0, max_journal_label_bytes);
        byte_buffer header;
        detail::append_le(header, detail::journal_magic);
        detail::append_le(header, detail::journal_version);
        detail::append_le(header, std::uint16_t{0});
        detail::append_le(header, static_cast<std::uint32_t>(info_.label.size()));
        detail::append_le(header, file_bytes);
        detail::append(header, as_bytes_view(info_.label));
        detail::append_le(header, checksum(header));
        put(header);
    }

    /// Runs ascend and do not overlap; each has 1 to max_run_bytes bytes. Throws: errc::invalid_argument otherwise.
    void add(const journal_run& run) {
        const std::size_t bytes = run.before.size();
        if (bytes == 0 || bytes > max_run_bytes || run.after.size() != bytes || run.offset < next_offset_ ||
            run.offset > info_.file_bytes || bytes > info_.file_bytes - run.offset)
            throw error(errc::invalid_argument, "this is no run that can follow the others in a journal")
                .at_offset(run.offset);
        record_.clear();
        detail::append_le(record_, run.offset);
        detail::append_le(record_, static_cast<std::uint32_t>(bytes));
        detail::append_le(record_, std::uint32_t{0});
        detail::append(record_, run.before);
        detail::append(record_, run.after);
        detail::append_le(record_, checksum(record_));
        put(record_);
        next_offset_ = run.offset + bytes;
        ++info_.runs;
        info_.changed_bytes += bytes;
    }

    /// Once, at the end; `before` and `after` are hashes of the whole file.
    void finish(const sha256_digest& before, const sha256_digest& after) {
        info_.before = before;
        info_.after = after;
        byte_buffer trailer;
        detail::append_le(trailer, detail::journal_end_magic);
        detail::append_le(trailer, info_.runs);
        detail::append_le(trailer, info_.changed_bytes);
        detail::append(trailer, before);
        detail::append(trailer, after);
        detail::append_le(trailer, written_ + detail::journal_trailer_bytes);
        detail::append_le(trailer, all_.value());
        detail::append_le(trailer, checksum(trailer));
        to_.write(trailer);
    }

    /// Counts grow with each run; the hashes are there after finish().
    const journal_info& info() const noexcept { return info_; }

private:
    void put(bytes_view bytes) {
        to_.write(bytes);
        all_.add(bytes);
        written_ += bytes.size();
    }

    sink& to_;
    journal_info info_;
    detail::running_checksum all_;
    byte_buffer record_;
    std::uint64_t next_offset_ = 0, written_ = 0;
};

} // namespace bigsmall::io
