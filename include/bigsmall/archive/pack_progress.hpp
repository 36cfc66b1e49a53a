// SPDX-License-Identifier: BSL-1.0
// Packing that can be resumed: what a run keeps of each batch, and how the next one uses it.
//
// The next run reads the source again, which it compares with the hash of what was read, but codes nothing twice: how
// the blocks came out is in the log, and their bytes are in the payload.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <bigsmall/archive/model_reader.hpp>
#include <bigsmall/archive/pack_batch.hpp>
#include <bigsmall/archive/pack_options.hpp>
#include <bigsmall/archive/recorded_payload.hpp>
#include <bigsmall/io/checksum.hpp>
#include <bigsmall/io/file_operations.hpp>
#include <bigsmall/io/file_source.hpp>
#include <bigsmall/io/printable.hpp>
#include <bigsmall/io/progress_log.hpp>
#include <bigsmall/io/progress_log_file.hpp>
#include <bigsmall/io/progress_payload.hpp>
#include <bigsmall/io/progress_record.hpp>

namespace bigsmall::archive::detail {

/// Tells what was left of a run, be it of one container or of several: once how much, when there is something to code
/// or nothing more to be found. Behind a container that begins again there may be more.
class resume_report {
public:
    explicit resume_report(resume_listener* listener) : listener_(listener) {}

    /// Of the source, that need not be coded again.
    std::uint64_t source_bytes() const noexcept { return source_bytes_; }

    /// `more`: there may be some of the next container as well.
    void found(std::uint64_t source_bytes, bool more) {
        source_bytes_ += source_bytes;
        if (more || told_ || source_bytes_ == 0) return;
        told_ = true;
        tell({resume_event::what::continued, source_bytes_, {}, {}});
    }

    void starts_over(std::string why, std::string container = {}) const {
        tell({resume_event::what::started_over, 0, std::move(why), std::move(container)});
    }

private:
    void tell(const resume_event& event) const {
        if (listener_ != nullptr) listener_->on_resume(event);
    }

    resume_listener* listener_; ///< borrowed, may be null
    std::uint64_t source_bytes_ = 0;
    bool told_ = false;
};

/// Where what is kept of a container lies.
struct progress_place {
    std::filesystem::path log, payload;
    std::string shown_as;  ///< what errors call the container
    std::string container; ///< its name when it is one of several
    bool is_last = true;   ///< of these
};

/// The part of a plan that one container holds, and what its contents are called there.
struct container_part {
    std::uint32_t first = 0, last = 0;                                          ///< members [first, last)
    const std::unordered_map<std::uint32_t, std::uint32_t>* contents = nullptr; ///< to numbers in its index
};

/// What is kept of one container while it is not whole. Records call members and contents as the container does.
class pack_progress {
public:
    /// Both references must outlive it. Throws: errc::exists, errc::io.
    pack_progress(progress_place place, const pack_options& options, io::file_operations& operations,
                  resume_report& report)
        : place_(std::move(place)),
          options_(options),
          report_(report),
          payload_(place_.payload, place_.shown_as, operations),
          log_(place_.log, operations) {}

    io::progress_payload& payload() noexcept { return payload_; }

    /// Looks at what is there, and keeps what belongs to this run and is whole. `part` must stay as it is until the run
    /// ends. Throws: errc::io, errc::cancelled; errc::limit when there are too many files for a log.
    void begin(const io::progress_header& header, const container_part& part) {
        part_ = part;
        recorded_ = {};
        recalled_ = 0;
        written_ = 0;
        if (std::string why = find_recorded(header); !why.empty())
            report_.starts_over(std::move(why), place_.container);
        const bool whole = recorded_.batches != 0 && recorded_.last_member + 1 == part.last - part.first &&
                           recorded_.open_member == no_member;
        report_.found(recorded_.raw_bytes, whole && !place_.is_last);
        if (recorded_.batches == 0) {
            reader_.reset();
            payload_.keep(0, 0);
            log_.start(header);
        } else {
            payload_.keep(recorded_.begin, recorded_.end);
            log_.cut(recorded_.log_end, recorded_.log_chain);
            reader_ = open_log();
        }
        begun_ = true;
        last_flush_ = std::chrono::steady_clock::now();
    }

    /// After this, begin() finds nothing. Throws: errc::io.
    void forget() {
        reader_.reset();
        recorded_ = {};
        written_ = 0;
        log_.cut(0, 0);
        payload_.keep(0, 0);
    }

    /// For each batch in order: what was recorded of it, if anything. Throws: io::stale_progress.
    void recall(pack_batch& batch) {
        batch.recorded.reset();
        if (recalled_ == recorded_.batches) return;
        ++recalled_;
        byte_buffer body;
        if (reader_->next(body)) batch.recorded = io::decode_progress_batch(body);
        require(batch.recorded && describes(*batch.recorded, batch));
        std::size_t hash = 0;
        for (pack_piece& piece : batch.pieces) {
            piece.known = piece.wanted && number_of(piece) != recorded_.open_content;
            if (piece.wanted && piece.last) piece.md5 = batch.recorded->md5[hash++];
        }
    }

    /// Whether the record of the batch says what its file hashes to, or at an earlier batch of a file, that of the
    /// last.
    bool knows_file_of(const pack_batch& batch) const noexcept {
        return batch.recorded && number_of(batch) != recorded_.open_member;
    }

    /// Hashes what was read. Of a batch that was recorded, also checks that it is still the same, and takes over how
    /// its blocks were coded; true then. Any thread may call. Throws: io::stale_progress.
    bool take_over(pack_batch& batch, const std::string& file) const {
        batch.raw_checksum = io::checksum(batch.bytes());
        if (!batch.recorded) return false;
        if (batch.raw_checksum != batch.recorded->raw_checksum)
            throw io::stale_progress{"the contents of " + io::in_quotes(file) + " have changed"};
        for (std::size_t i = 0; i < batch.blocks.size(); ++i) {
            pack_block& block = batch.blocks[i];
            const io::progress_block& known = batch.recorded->blocks[i];
            require(!known.equal || block.equal.earlier != nullptr);
            require(known.bytes <= options_.codec.bound(block.raw_bytes));
            if (!known.equal) block.equal.earlier = nullptr;
            block.coded = {known.bytes, {known.grouping, known.entropy}};
            block.checksum = known.checksum;
            block.alone_bytes = known.alone_bytes;
        }
        return true;
    }

    /// A batch has been written, its blocks beginning at `begin`; `sha256` is of its file when it is the last of it.
    /// Throws: io::stale_progress; errc::io.
    void wrote(const pack_batch& batch, std::uint64_t begin, const sha256_digest& sha256) {
        ++written_;
        if (batch.recorded) {
            require(batch.recorded->begin == begin && batch.recorded->end == payload_.position());
            return;
        }
        // What was coded against something else than the base must not be found by the next run.
        if (options_.base) options_.base->require_unchanged();
        payload_.flush();
        log_.add(io::encode_progress_batch(record_of(batch, begin, sha256)));
        if (std::chrono::steady_clock::now() - last_flush_ >= options_.resume.flush_every) flush();
    }

    /// Whether there is something worth to be kept when the run has failed or was stopped.
    bool has_something() const noexcept {
        return begun_ ? std::max(written_, recorded_.batches) != 0 : payload_.file_bytes() != 0;
    }

    /// To the disk, the payload first: a record there is of no use without it. Throws: errc::io.
    void flush() {
        payload_.sync();
        log_.sync();
        last_flush_ = std::chrono::steady_clock::now();
    }

    /// The same, as far as it goes: what is whole is found anyway.
    void try_flush() noexcept {
        try {
            if (begun_) flush();
        } catch (...) {
        }
    }

private:
    static void require(bool fits) {
        if (!fits) throw io::stale_progress{"what is left of it does not fit the source"};
    }

    std::unique_ptr<io::progress_log_reader> open_log() const {
        return std::make_unique<io::progress_log_reader>(std::make_shared<io::file_source>(place_.log));
    }

    /// Fills recorded_; says why what is there is of no use, if there was something.
    std::string find_recorded(const io::progress_header& header) {
        try {
            const auto log = open_log();
            if (std::string why = difference(log->header(), header); !why.empty()) return why;
            const bool whole = read_records(*log, payload_, options_, recorded_);
            if (whole || recorded_.batches != 0) return "";
            return payload_.file_bytes() == 0 ? "what it has written is not there" : "what is left of it is damaged";
        } catch (const error& e) {
            if (e.code() == errc::truncated) return payload_.file_bytes() > 0 ? "its log is not there" : "";
            if (e.code() == errc::unsupported || e.code() == errc::corrupt) return e.message();
            throw;
        }
    }

    /// Why a run with that header is another one; empty when it is this one.
    static std::string difference(const io::progress_header& then, const io::progress_header& now) {
        if (then.job != now.job) return "it was begun as another one (" + io::in_quotes(then.job) + ")";
        if (then.sources.size() != now.sources.size()) return "the source has more or fewer files than it had";
        for (std::size_t i = 0; i < now.sources.size(); ++i) {
            if (then.sources[i] == now.sources[i]) continue;
            if (then.sources[i].name == now.sources[i].name) return io::in_quotes(now.sources[i].name) + " has changed";
            return "the source has other files than it had";
        }
        return then.plan == now.plan ? "" : "what it shares with other files, or its base, has changed";
    }

    std::uint32_t number_of(const pack_batch& batch) const noexcept { return batch.member - part_.first; }
    std::uint32_t number_of(const pack_piece& piece) const { return part_.contents->at(piece.content); }

    bool describes(const io::progress_batch& record, const pack_batch& batch) const {
        const auto hashes = std::count_if(batch.pieces.begin(), batch.pieces.end(),
                                          [](const pack_piece& piece) { return piece.wanted && piece.last; });
        return record.member == number_of(batch) && record.first == batch.first && record.last == batch.last &&
               record.raw_bytes == batch.raw_bytes && record.blocks.size() == batch.blocks.size() &&
               record.md5.size() == static_cast<std::size_t>(hashes) && record.open_content == open_content(batch);
    }

    std::uint32_t open_content(const pack_batch& batch) const {
        const bool open = !batch.pieces.empty() && batch.pieces.back().wanted && !batch.pieces.back().last;
        return open ? number_of(batch.pieces.back()) : io::no_open_content;
    }

    io::progress_batch record_of(const pack_batch& batch, std::uint64_t begin, const sha256_digest& sha256) const {
        io::progress_batch record;
        record.begin = begin;
        record.end = payload_.position();
        record.raw_bytes = batch.raw_bytes;
        record.raw_checksum = batch.raw_checksum;
        record.member = number_of(batch);
        record.first = batch.first;
        record.last = batch.last;
        record.open_content = open_content(batch);
        if (batch.last) record.sha256 = sha256;
        for (const pack_piece& piece : batch.pieces)
            if (piece.wanted && piece.last) record.md5.push_back(piece.md5);
        for (const pack_block& block : batch.blocks)
            record.blocks.push_back({block.equal.earlier != nullptr, block.stored,
                                     static_cast<std::uint32_t>(block.coded.bytes), block.checksum,
                                     block.coded.label.grouping, block.coded.label.entropy,
                                     static_cast<std::uint32_t>(block.alone_bytes)});
        return record;
    }

    progress_place place_;
    const pack_options& options_;
    resume_report& report_;
    container_part part_;
    io::progress_payload payload_;
    io::progress_log_file log_;
    std::unique_ptr<io::progress_log_reader> reader_; ///< of the records of the run before
    bool begun_ = false;
    recorded_batches recorded_;
    std::uint64_t recalled_ = 0, written_ = 0; ///< batches
    std::chrono::steady_clock::time_point last_flush_;
};

} // namespace bigsmall::archive::detail
