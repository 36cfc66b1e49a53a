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
#include <system_error>
#include <utility>
#include <vector>

#include <bigsmall/archive/model_reader.hpp>
#include <bigsmall/archive/pack_batch.hpp>
#include <bigsmall/archive/pack_options.hpp>
#include <bigsmall/archive/recorded_payload.hpp>
#include <bigsmall/io/atomic_file.hpp>
#include <bigsmall/io/checksum.hpp>
#include <bigsmall/io/file_source.hpp>
#include <bigsmall/io/printable.hpp>
#include <bigsmall/io/progress_directory.hpp>
#include <bigsmall/io/progress_log.hpp>
#include <bigsmall/io/progress_log_file.hpp>
#include <bigsmall/io/progress_payload.hpp>
#include <bigsmall/io/progress_record.hpp>

namespace bigsmall::archive::detail {

/// What is kept of one container while it is not whole.
class pack_progress {
public:
    /// Throws: as progress_directory does.
    pack_progress(const std::filesystem::path& output, const pack_options& options)
        : options_(options),
          directory_(io::progress_path(output), operations()),
          payload_(directory_.payload(), output.string(), operations()),
          log_(directory_.log(), operations()) {}

    /// A run may have been killed between giving the output its name and removing the rest: this removes it.
    static void remove_if_committed(const std::filesystem::path& output, const pack_options& options) {
        const std::filesystem::path path = io::progress_path(output);
        std::error_code failed;
        if (!std::filesystem::is_directory(std::filesystem::symlink_status(path, failed))) return;
        io::file_operations own;
        io::progress_directory directory(path, options.resume.operations != nullptr ? *options.resume.operations : own);
        if (!std::filesystem::exists(directory.payload(), failed) && !failed) directory.remove();
    }

    io::progress_payload& payload() noexcept { return payload_; }

    /// Of the source, that need not be coded again.
    std::uint64_t resumed_bytes() const noexcept { return recorded_.raw_bytes; }

    /// Looks at what is there, and keeps what belongs to this run and is whole. Throws: errc::io, errc::cancelled;
    /// errc::limit when there are too many files for a log.
    void begin(const io::progress_header& header) {
        recorded_ = {};
        recalled_ = 0;
        written_ = 0;
        if (const std::string why = find_recorded(header); !why.empty()) tell_start_over(why);
        if (recorded_.batches == 0) {
            reader_.reset();
            payload_.keep(0, 0);
            log_.start(header);
        } else {
            tell({resume_event::what::continued, recorded_.raw_bytes, {}});
            payload_.keep(recorded_.begin, recorded_.end);
            log_.cut(recorded_.log_end, recorded_.log_chain);
            reader_ = open_log();
        }
        begun_ = true;
        last_flush_ = std::chrono::steady_clock::now();
    }

    /// After this, begin() finds nothing. Throws: errc::io.
    void start_over(const io::stale_progress& stale) {
        tell_start_over(stale.why);
        reader_.reset();
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
            piece.known = piece.wanted && piece.content != recorded_.open_content;
            if (piece.wanted && piece.last) piece.md5 = batch.recorded->md5[hash++];
        }
    }

    /// Whether the record of the batch says what its file hashes to, or at an earlier batch of a file, that of the
    /// last.
    bool knows_file_of(const pack_batch& batch) const noexcept {
        return batch.recorded && batch.member != recorded_.open_member;
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

    /// The run has failed or was stopped: puts in order what there is, so that it can be resumed; removes it when there
    /// is nothing worth to be kept.
    void keep() noexcept {
        try {
            const bool nothing = begun_ ? std::max(written_, recorded_.batches) == 0 : payload_.file_bytes() == 0;
            if (nothing)
                directory_.remove();
            else if (begun_)
                flush();
        } catch (...) { // what is whole is found anyway
        }
    }

    /// Gives the output its name and removes the rest. Throws: errc::exists, errc::io.
    void commit(const std::filesystem::path& output) {
        payload_.commit(output, options_.existing);
        directory_.remove();
    }

private:
    io::file_operations& operations() noexcept {
        return options_.resume.operations != nullptr ? *options_.resume.operations : own_operations_;
    }

    static void require(bool fits) {
        if (!fits) throw io::stale_progress{"what is left of it does not fit the source"};
    }

    void tell(const resume_event& event) const {
        if (options_.resume.listener != nullptr) options_.resume.listener->on_resume(event);
    }
    void tell_start_over(std::string why) const { tell({resume_event::what::started_over, 0, std::move(why)}); }

    std::unique_ptr<io::progress_log_reader> open_log() const {
        return std::make_unique<io::progress_log_reader>(std::make_shared<io::file_source>(directory_.log()));
    }

    /// Fills recorded_; says why what is there is of no use, if there was something.
    std::string find_recorded(const io::progress_header& header) {
        try {
            const auto log = open_log();
            if (std::string why = difference(log->header(), header); !why.empty()) return why;
            const bool whole = read_records(*log, payload_, options_, recorded_);
            return !whole && recorded_.batches == 0 ? "what is left of it is damaged" : "";
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
        return then.plan == now.plan ? "" : "the contents of the source or of the base have changed";
    }

    static bool describes(const io::progress_batch& record, const pack_batch& batch) {
        const auto hashes = std::count_if(batch.pieces.begin(), batch.pieces.end(),
                                          [](const pack_piece& piece) { return piece.wanted && piece.last; });
        return record.member == batch.member && record.first == batch.first && record.last == batch.last &&
               record.raw_bytes == batch.raw_bytes && record.blocks.size() == batch.blocks.size() &&
               record.md5.size() == static_cast<std::size_t>(hashes) && record.open_content == open_content(batch);
    }

    static std::uint32_t open_content(const pack_batch& batch) noexcept {
        const bool open = !batch.pieces.empty() && batch.pieces.back().wanted && !batch.pieces.back().last;
        return open ? batch.pieces.back().content : io::no_open_content;
    }

    io::progress_batch record_of(const pack_batch& batch, std::uint64_t begin, const sha256_digest& sha256) const {
        io::progress_batch record;
        record.begin = begin;
        record.end = payload_.position();
        record.raw_bytes = batch.raw_bytes;
        record.raw_checksum = batch.raw_checksum;
        record.member = batch.member;
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

    /// The payload first: a record on the disk is of no use without it.
    void flush() {
        payload_.sync();
        log_.sync();
        last_flush_ = std::chrono::steady_clock::now();
    }

    const pack_options& options_;
    io::file_operations own_operations_;
    io::progress_directory directory_;
    io::progress_payload payload_;
    io::progress_log_file log_;
    std::unique_ptr<io::progress_log_reader> reader_; ///< of the records of the run before
    bool begun_ = false;
    recorded_batches recorded_;
    std::uint64_t recalled_ = 0, written_ = 0; ///< batches
    std::chrono::steady_clock::time_point last_flush_;
};

} // namespace bigsmall::archive::detail
