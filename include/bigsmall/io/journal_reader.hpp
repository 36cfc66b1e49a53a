// SPDX-License-Identifier: BSL-1.0
// Reads the journal of a change in place (docs/format/journal.md), believing nothing that is not checked.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/checksum.hpp>
#include <bigsmall/io/journal.hpp>
#include <bigsmall/io/source.hpp>

namespace bigsmall::io {

/// The runs of a journal, one after another. Memory: 2 MiB and a little, whatever the file says.
class journal_reader {
public:
    /// Reads both ends. Throws: errc::corrupt, errc::truncated when it is none or is damaged; errc::unsupported when
    /// it is of another version; errc::io.
    explicit journal_reader(std::shared_ptr<const source> from) : from_(std::move(from)) {
        constexpr std::size_t least = detail::journal_header_bytes + 8 + detail::journal_trailer_bytes;
        if (from_->size() < least)
            throw error(errc::truncated, "this file is too short for a journal of a change in place")
                .in_file(from_->name());
        end_ = from_->size() - detail::journal_trailer_bytes;
        read_header();
        read_trailer();
        rewind();
    }

    const journal_info& info() const noexcept { return info_; }

    /// The next run is the first one again.
    void rewind() {
        const std::size_t header = first_run_;
        byte_buffer bytes(header);
        from_->read(0, bytes);
        all_.start();
        all_.add(bytes);
        window_.clear();
        used_ = 0;
        read_to_ = header;
        next_offset_ = runs_ = changed_bytes_ = 0;
    }

    /// The next run, whose bytes are there until the next call; false behind the last one, when everything was right.
    /// Throws: errc::corrupt, errc::truncated, errc::io.
    bool next(journal_run& run) {
        if (position() == end_) {
            require(runs_ == info_.runs && changed_bytes_ == info_.changed_bytes, "it has not as many runs as it says");
            require(all_.value() == all_recorded_, "it fails its checksum");
            return false;
        }
        const bytes_view head = take(detail::journal_run_header_bytes, 0);
        run.offset = load_le<std::uint64_t>(head.data());
        const std::uint32_t bytes = load_le<std::uint32_t>(head.data() + 8);
        require(load_le<std::uint32_t>(head.data() + 12) == 0, "a run has a field that must be 0");
        require(bytes > 0 && bytes <= max_run_bytes, "a run has an impossible length");
        require(run.offset >= next_offset_, "its runs overlap or are not in order");
        require(run.offset <= info_.file_bytes && bytes <= info_.file_bytes - run.offset,
                "a run lies beyond the end of the file");
        take_run(run, bytes);
        return true;
    }

private:
    std::uint64_t position() const noexcept { return read_to_ - (window_.size() - used_); }

    void require(bool right, const char* problem) const {
        if (!right) throw damaged(problem).at_offset(position());
    }

    error damaged(const std::string& problem) const {
        error e(errc::corrupt, "the journal of the change in place is damaged: " + problem);
        e.in_file(from_->name())
            .with_hint(
                "when the SHA-256 of the model is that of the base or of the fine-tune, it is whole and this journal "
                "can be removed; else the model must come from elsewhere");
        return e;
    }

    void read_header() {
        byte_buffer header(detail::journal_header_bytes);
        from_->read(0, header);
        if (load_le<std::uint64_t>(header.data()) != detail::journal_magic)
            throw error(errc::corrupt, "this is no journal of a change in place").in_file(from_->name());
        const std::uint16_t version = load_le<std::uint16_t>(header.data() + 8);
        if (version != detail::journal_version)
            throw error(errc::unsupported,
                        "this journal has version " + std::to_string(version) + ", which this program does not know")
                .in_file(from_->name())
                .with_hint("end the change with the program that began it");
        const std::uint32_t label = load_le<std::uint32_t>(header.data() + 12);
        if (label > max_journal_label_bytes || detail::journal_header_bytes + label + 8 > end_)
            throw damaged("its label has an impossible length");
        header.resize(detail::journal_header_bytes + label + 8);
        from_->read(0, header);
        const bytes_view checked = bytes_view(header).first(header.size() - 8);
        if (checksum(checked) != load_le<std::uint64_t>(header.data() + checked.size()) ||
            load_le<std::uint16_t>(header.data() + 10) != 0)
            throw damaged("its header fails its checksum");
        info_.file_bytes = load_le<std::uint64_t>(header.data() + 16);
        info_.label = as_string_view(checked.subspan(detail::journal_header_bytes));
        first_run_ = header.size();
    }

    void read_trailer() {
        byte_buffer trailer(detail::journal_trailer_bytes);
        from_->read(end_, trailer);
        const std::uint8_t* const at = trailer.data();
        if (load_le<std::uint64_t>(at) != detail::journal_end_magic ||
            checksum(bytes_view(trailer).first(104)) != load_le<std::uint64_t>(at + 104))
            throw damaged("its end is missing or fails its checksum");
        if (load_le<std::uint64_t>(at + 88) != from_->size()) throw damaged("it is longer or shorter than it says");
        info_.runs = load_le<std::uint64_t>(at + 8);
        info_.changed_bytes = load_le<std::uint64_t>(at + 16);
        std::copy_n(at + 24, info_.before.size(), info_.before.begin());
        std::copy_n(at + 56, info_.after.size(), info_.after.begin());
        all_recorded_ = load_le<std::uint64_t>(at + 96);
    }

    void take_run(journal_run& run, std::uint32_t bytes) {
        const std::size_t contents = detail::journal_run_header_bytes + std::size_t{2} * bytes;
        const bytes_view record = take(contents + 8, contents + 8);
        require(checksum(record.first(contents)) == load_le<std::uint64_t>(record.data() + contents),
                "a run fails its checksum");
        run.before = record.subspan(detail::journal_run_header_bytes, bytes);
        run.after = record.subspan(detail::journal_run_header_bytes + bytes, bytes);
        next_offset_ = run.offset + bytes;
        ++runs_;
        changed_bytes_ += bytes;
    }

    /// The next `count` bytes in front of the trailer, of which `pass` are passed over and hashed.
    bytes_view take(std::size_t count, std::size_t pass) {
        if (window_.size() - used_ < count) refill(count);
        const bytes_view taken = bytes_view(window_).subspan(used_, count);
        all_.add(taken.first(pass));
        used_ += pass;
        return taken;
    }

    void refill(std::size_t count) {
        require(count <= end_ - position(), "a run goes on beyond its end");
        constexpr std::size_t window_bytes = 2 * std::size_t{max_run_bytes} + 64 * KiB;
        window_.erase(window_.begin(), window_.begin() + static_cast<std::ptrdiff_t>(used_));
        used_ = 0;
        const std::size_t kept = window_.size();
        const auto more = static_cast<std::size_t>(std::min<std::uint64_t>(window_bytes - kept, end_ - read_to_));
        window_.resize(kept + more);
        from_->read(read_to_, bytes_span(window_).subspan(kept));
        read_to_ += more;
    }

    std::shared_ptr<const source> from_;
    journal_info info_;
    detail::running_checksum all_;
    byte_buffer window_;   ///< bytes in front of read_to_
    std::size_t used_ = 0; ///< of the window
    std::size_t first_run_ = 0;
    std::uint64_t read_to_ = 0, end_ = 0; ///< of the journal: where the trailer begins
    std::uint64_t all_recorded_ = 0, next_offset_ = 0, runs_ = 0, changed_bytes_ = 0;
};

} // namespace bigsmall::io
