// SPDX-License-Identifier: BSL-1.0
// The log of an unfinished run, on the disk: appended to, record by record.
#pragma once

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

#include <bigsmall/io/file_operations.hpp>
#include <bigsmall/io/posix.hpp>
#include <bigsmall/io/progress_log.hpp>

namespace bigsmall::io {

/// Not buffered: what was added outlives the process.
class progress_log_file {
public:
    progress_log_file(std::filesystem::path path, file_operations& operations)
        : name_(path.string()), operations_(operations) {
        const int fd = operations_.open_or_create(path);
        if (fd < 0) throw detail::system_error("open the log of the run", name_, -fd);
        file_ = detail::descriptor(fd);
        detail::require_lone_file(fd, name_);
    }

    /// Makes it a log without records. Throws: errc::io, errc::limit.
    void start(const progress_header& header) {
        const byte_buffer bytes = encode_progress_header(header);
        cut(0, 0);
        append(bytes);
    }

    /// Records are to follow at `end`, behind one with that chain. Throws: errc::io.
    void cut(std::uint64_t end, std::uint64_t chain) {
        if (const int failed = operations_.resize(file_.get(), end))
            throw detail::system_error("cut off what is not whole", name_, failed);
        end_ = end;
        chain_ = chain;
    }

    /// Throws: errc::io, errc::limit.
    void add(bytes_view record) { append(encode_progress_record(record, chain_)); }

    /// To the disk. Throws: errc::io.
    void sync() {
        if (const int failed = operations_.flush(file_.get()))
            throw detail::system_error("flush the log of the run to disk", name_, failed);
    }

private:
    void append(const byte_buffer& bytes) {
        detail::write_all_at(operations_, file_.get(), bytes, end_, name_);
        end_ += bytes.size();
        chain_ = progress_chain(bytes);
    }

    std::string name_;
    file_operations& operations_;
    detail::descriptor file_;
    std::uint64_t end_ = 0, chain_ = 0;
};

} // namespace bigsmall::io
