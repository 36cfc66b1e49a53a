// SPDX-License-Identifier: BSL-1.0
// The files of a sharded model that are no tensors: copied as they are, with a hash.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include <bigsmall/archive/hash.hpp>
#include <bigsmall/archive/options.hpp>
#include <bigsmall/archive/shard_index.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/io/atomic_file.hpp>
#include <bigsmall/io/file_source.hpp>

namespace bigsmall::archive::detail {

/// Reads `from` in pieces of at most 4 MiB, gives each to `use(bytes_view)`, and returns the SHA-256 of all.
template <class Use>
sha256_digest read_through(const io::source& from, const run_options& options, Use&& use) {
    const hash_methods methods;
    sha256_hasher hash;
    hash.start(methods.sha256());
    byte_buffer buffer(static_cast<std::size_t>(std::min<std::uint64_t>(from.size(), 4 * MiB)));
    for (std::uint64_t done = 0; done < from.size();) {
        check_cancelled(options);
        const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), from.size() - done));
        const bytes_span piece = bytes_span(buffer).first(now);
        from.read(done, piece);
        hash.update(piece);
        use(bytes_view(piece));
        done += now;
    }
    return hash.finish();
}

/// Copies a file to a new one, which errors call `shown_as`, and returns its SHA-256.
/// Throws: errc::exists, errc::io, errc::cancelled.
inline sha256_digest copy_file(const std::filesystem::path& from, const std::filesystem::path& to,
                               const std::string& shown_as, const run_options& options) {
    const io::file_source file(from);
    io::atomic_file copy(to, io::if_exists::refuse, shown_as);
    const sha256_digest digest = read_through(file, options, [&](bytes_view bytes) { copy.write(bytes); });
    copy.commit();
    return digest;
}

inline error carried_mismatch(const std::filesystem::path& path) {
    error e(errc::mismatch, "the file is not the one that " + std::string(shard_index_name) + " describes");
    e.in_file(path.string());
    return e;
}

/// Copies a file that the index of shards describes. Throws: errc::mismatch when it is another; as
/// copy_file().
inline void copy_carried(const std::filesystem::path& from, const std::filesystem::path& to,
                         const std::string& shown_as, const carried_record& record, const run_options& options) {
    if (hex_of(copy_file(from, to, shown_as, options)) != record.sha256) throw carried_mismatch(from);
}

} // namespace bigsmall::archive::detail
