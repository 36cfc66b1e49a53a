// SPDX-License-Identifier: BSL-1.0
// The log of an unfinished run (docs/format/progress.md): a header that says what it belongs to, then records, of which
// the last may be torn.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/core/varint.hpp>
#include <bigsmall/io/checksum.hpp>
#include <bigsmall/io/container/byte_writer.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/io/source.hpp>

namespace bigsmall::io {

/// A file that the run reads, as it was when the run began.
struct progress_source {
    std::string name;
    std::uint64_t bytes = 0;
    std::int64_t seconds = 0, nanoseconds = 0; ///< of its last change

    bool operator==(const progress_source&) const = default;
};

struct progress_header {
    sha256_digest plan{}; ///< of everything that decides about the bytes of the output, but the contents of the sources
    std::string job;      ///< program and settings, for people
    std::vector<progress_source> sources;

    bool operator==(const progress_header&) const = default;
};

namespace detail {

inline constexpr std::string_view progress_magic = "\211BSP\r\n\032\n";
inline constexpr std::uint16_t progress_version = 1;
inline constexpr std::size_t progress_header_bytes = 16; // then the body, then a checksum
inline constexpr std::uint32_t max_progress_body_bytes = std::uint32_t{64} * MiB;
inline constexpr std::size_t record_head_bytes = 8; // length and its complement; then the body, then a checksum
inline constexpr std::size_t least_source_bytes = 1 + 3 * 8;

inline byte_buffer progress_body(const progress_header& header) {
    byte_writer body;
    body.bytes(header.plan);
    body.sized(as_bytes_view(header.job));
    body.varint(header.sources.size());
    for (const progress_source& source : header.sources) {
        body.sized(as_bytes_view(source.name));
        body.fixed(source.bytes);
        body.fixed(static_cast<std::uint64_t>(source.seconds));
        body.fixed(static_cast<std::uint64_t>(source.nanoseconds));
    }
    return body.take();
}

} // namespace detail

/// A record is at most that long.
inline constexpr std::uint32_t max_progress_record_bytes = std::uint32_t{1} * MiB;

/// The beginning of a log. Throws: errc::limit when there are so many sources that it would have more than 64 MiB.
inline byte_buffer encode_progress_header(const progress_header& header) {
    const byte_buffer body = detail::progress_body(header);
    if (body.size() > detail::max_progress_body_bytes)
        throw error(errc::limit, "there are too many files to keep a log of the run");
    detail::byte_writer out;
    out.bytes(as_bytes_view(detail::progress_magic));
    out.fixed(detail::progress_version);
    out.fixed(std::uint16_t{0});
    out.fixed(static_cast<std::uint32_t>(body.size()));
    out.bytes(body);
    out.fixed(checksum(out.written()));
    return out.take();
}

/// The last eight bytes of the header, or of a record: what the next record's checksum begins with.
inline std::uint64_t progress_chain(bytes_view written) { return load_le<std::uint64_t>(written.last(8).data()); }

/// A record behind one whose chain is `chain`. Throws: errc::limit when it is longer than readers accept.
inline byte_buffer encode_progress_record(bytes_view body, std::uint64_t chain) {
    if (body.size() > max_progress_record_bytes) throw error(errc::limit, "a record of the run would be too long");
    detail::byte_writer out;
    out.fixed(chain); // of the checksum only
    const auto length = static_cast<std::uint32_t>(body.size());
    out.fixed(length);
    out.fixed(~length);
    out.bytes(body);
    out.fixed(checksum(out.written()));
    byte_buffer all = out.take();
    all.erase(all.begin(), all.begin() + 8);
    return all;
}

/// Reads a log, believing nothing that is not checked. Memory: the header, at most as long as the file and 64 MiB, and
/// one record.
class progress_log_reader {
public:
    /// Reads the header. Throws: errc::truncated when the log ends in it; errc::corrupt when it is none, or is damaged;
    /// errc::unsupported when it is of another version; errc::io.
    explicit progress_log_reader(std::shared_ptr<const source> from) : from_(std::move(from)) { read_header(); }

    const progress_header& header() const noexcept { return header_; }

    /// The next record; false behind the last one that is whole. Throws: errc::io.
    bool next(byte_buffer& body) {
        const std::uint64_t left = from_->size() - end_;
        if (left < detail::record_head_bytes + 8) return false;
        std::array<std::uint8_t, detail::record_head_bytes> head{};
        from_->read(end_, head);
        const auto length = load_le<std::uint32_t>(head.data());
        if (load_le<std::uint32_t>(head.data() + 4) != ~length || length > max_progress_record_bytes ||
            length > left - head.size() - 8)
            return false;
        byte_buffer record(8 + head.size() + length + 8);
        store_le(record.data(), chain_);
        from_->read(end_, bytes_span(record).subspan(8));
        const std::uint64_t found = progress_chain(record);
        if (checksum(bytes_view(record).first(record.size() - 8)) != found) return false;
        body.assign(record.begin() + 16, record.end() - 8);
        chain_ = found;
        end_ += record.size() - 8;
        return true;
    }

    /// Where the last record that next() gave ends, or the header before.
    std::uint64_t end() const noexcept { return end_; }
    /// For the record to be written there.
    std::uint64_t chain() const noexcept { return chain_; }
    /// Of the file, torn records included.
    std::uint64_t file_bytes() const { return from_->size(); }

private:
    error damaged() const {
        error e(errc::corrupt, "the log of the unfinished run is damaged");
        e.in_file(from_->name());
        return e;
    }

    void read_header() {
        byte_buffer bytes(static_cast<std::size_t>(std::min<std::uint64_t>(from_->size(), progress_header_bytes)));
        from_->read(0, bytes);
        const std::string_view magic = detail::progress_magic;
        const std::string_view start = as_string_view(bytes).substr(0, magic.size());
        if (start != magic.substr(0, start.size()))
            throw error(errc::corrupt, "this is no log of an unfinished run").in_file(from_->name());
        if (bytes.size() < progress_header_bytes) throw cut();
        const auto version = load_le<std::uint16_t>(bytes.data() + 8);
        if (version != detail::progress_version)
            throw error(errc::unsupported, "the log of the unfinished run has version " + std::to_string(version) +
                                               ", which this program does not know")
                .in_file(from_->name());
        const auto body = load_le<std::uint32_t>(bytes.data() + 12);
        if (body > detail::max_progress_body_bytes || load_le<std::uint16_t>(bytes.data() + 10) != 0) throw damaged();
        if (body > from_->size() - progress_header_bytes || from_->size() - progress_header_bytes - body < 8)
            throw cut();
        bytes.resize(progress_header_bytes + body + 8);
        from_->read(0, bytes);
        chain_ = progress_chain(bytes);
        const bytes_view checked = bytes_view(bytes).first(bytes.size() - 8);
        if (checksum(checked) != chain_) throw damaged();
        read_body(checked.subspan(progress_header_bytes));
        end_ = bytes.size();
    }

    void read_body(bytes_view body) {
        byte_cursor in(body);
        const bytes_view plan = in.take(header_.plan.size());
        std::copy(plan.begin(), plan.end(), header_.plan.begin());
        header_.job = as_string_view(in.take(in.read_varint()));
        const std::uint64_t count = in.read_varint();
        if (!in.ok() || count > in.left() / detail::least_source_bytes) throw damaged();
        header_.sources.resize(static_cast<std::size_t>(count));
        for (progress_source& source : header_.sources) {
            source.name = as_string_view(in.take(in.read_varint()));
            source.bytes = in.read<std::uint64_t>();
            source.seconds = static_cast<std::int64_t>(in.read<std::uint64_t>());
            source.nanoseconds = static_cast<std::int64_t>(in.read<std::uint64_t>());
        }
        if (!in.finished()) throw damaged();
    }

    error cut() const {
        error e(errc::truncated, "the log of the unfinished run ends in its header");
        e.in_file(from_->name());
        return e;
    }

    static constexpr std::size_t progress_header_bytes = detail::progress_header_bytes;

    std::shared_ptr<const source> from_;
    progress_header header_;
    std::uint64_t end_ = 0, chain_ = 0;
};

} // namespace bigsmall::io
