// SPDX-License-Identifier: BSL-1.0
// Fingerprints of the models below a directory, in a hidden file in it: the next search opens no model that has not
// changed. docs/format/fingerprints.md describes the bytes. Whatever is wrong with the file costs time, never a run.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <bigsmall/archive/fingerprint.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/dtype.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/core/varint.hpp>
#include <bigsmall/io/atomic_file.hpp>
#include <bigsmall/io/checksum.hpp>
#include <bigsmall/io/container/byte_writer.hpp>
#include <bigsmall/io/file_source.hpp>

namespace bigsmall::archive {

inline constexpr std::string_view fingerprint_cache_name = ".bigsmall-fingerprints";
inline constexpr std::string_view fingerprint_cache_magic = "BSprints";
inline constexpr std::uint32_t fingerprint_version = 1; ///< another when fingerprints get another meaning
inline constexpr std::uint64_t max_fingerprint_cache_bytes = 256 * MiB;
inline constexpr std::size_t max_cached_fingerprints = 65'536;

struct cached_fingerprint {
    std::string name;        ///< of the model, relative to the directory
    std::uint64_t stamp = 0; ///< model_candidate::stamp()
    byte_buffer print;       ///< encode_fingerprint()

    bool operator==(const cached_fingerprint&) const = default;
};

namespace detail {

/// Fingerprints hold numbers of dtypes: a release with another table of them reads none of these.
inline std::uint64_t dtype_table_checksum() {
    std::string names;
    for (const dtype& type : bigsmall::detail::dtypes)
        names.append(type.name).append(" ");
    return io::checksum(as_bytes_view(names));
}

inline constexpr std::size_t cache_header_bytes = 8 + 4 + 8;

} // namespace detail

/// `entries` by name. Entries that would make the file too large are left out.
inline byte_buffer encode_fingerprint_cache(const std::vector<cached_fingerprint>& entries) {
    io::detail::byte_writer to;
    to.bytes(as_bytes_view(fingerprint_cache_magic));
    to.fixed(fingerprint_version);
    to.fixed(detail::dtype_table_checksum());
    std::size_t count = 0;
    for (const cached_fingerprint& entry : entries) {
        if (to.written().size() + entry.name.size() + entry.print.size() + 64 > max_fingerprint_cache_bytes) break;
        if (count++ == max_cached_fingerprints) break;
        to.sized(as_bytes_view(entry.name));
        to.fixed(entry.stamp);
        to.sized(entry.print);
    }
    to.fixed(io::checksum(to.written()));
    return to.take();
}

/// Nothing when the bytes are no cache of this version, or damaged. The fingerprints are not looked at.
inline std::optional<std::vector<cached_fingerprint>> decode_fingerprint_cache(bytes_view bytes) {
    if (bytes.size() < detail::cache_header_bytes + 8 || bytes.size() > max_fingerprint_cache_bytes)
        return std::nullopt;
    const bytes_view checked = bytes.first(bytes.size() - 8);
    byte_cursor from(checked);
    const bool ours = as_string_view(from.take(fingerprint_cache_magic.size())) == fingerprint_cache_magic &&
                      from.read<std::uint32_t>() == fingerprint_version &&
                      from.read<std::uint64_t>() == detail::dtype_table_checksum();
    if (!ours || load_le<std::uint64_t>(bytes.data() + checked.size()) != io::checksum(checked)) return std::nullopt;
    std::vector<cached_fingerprint> entries;
    while (from.left() > 0) {
        cached_fingerprint entry;
        entry.name = as_string_view(from.take(from.read_varint()));
        entry.stamp = from.read<std::uint64_t>();
        const bytes_view print = from.take(from.read_varint());
        entry.print.assign(print.begin(), print.end());
        // Sorted names: a lookup is a binary search, and none is there twice. An entry takes more memory than bytes of
        // the file, so that their number has a bound of its own.
        if (!from.ok() || entries.size() == max_cached_fingerprints ||
            (!entries.empty() && entries.back().name >= entry.name))
            return std::nullopt;
        entries.push_back(std::move(entry));
    }
    return entries;
}

/// What a directory remembers. Const member functions: any thread.
class fingerprint_cache {
public:
    fingerprint_cache() = default;

    /// Empty when there is none or it cannot be used.
    static fingerprint_cache read_from(const std::filesystem::path& directory) {
        fingerprint_cache cache;
        try {
            const io::file_source file(directory / fingerprint_cache_name);
            if (file.size() > max_fingerprint_cache_bytes) return cache;
            byte_buffer bytes(static_cast<std::size_t>(file.size()));
            file.read(0, bytes);
            cache.entries_ = decode_fingerprint_cache(bytes).value_or(std::vector<cached_fingerprint>());
        } catch (const error&) {
            cache.entries_.clear(); // it is only a cache
        }
        return cache;
    }

    const std::vector<cached_fingerprint>& entries() const noexcept { return entries_; }

    /// The fingerprint of a model that has not changed since, or null.
    const byte_buffer* find(std::string_view name, std::uint64_t stamp) const {
        const auto at =
            std::lower_bound(entries_.begin(), entries_.end(), name,
                             [](const cached_fingerprint& entry, std::string_view n) { return entry.name < n; });
        return at != entries_.end() && at->name == name && at->stamp == stamp ? &at->print : nullptr;
    }

    /// Replaces what the directory remembers. Nothing, or why it could not be written.
    static std::optional<std::string> write_to(const std::filesystem::path& directory,
                                               std::vector<cached_fingerprint> entries) {
        std::sort(entries.begin(), entries.end(),
                  [](const cached_fingerprint& a, const cached_fingerprint& b) { return a.name < b.name; });
        try {
            io::atomic_file file(directory / fingerprint_cache_name, io::if_exists::replace);
            file.write(encode_fingerprint_cache(entries));
            file.commit();
        } catch (const error& failure) {
            return failure.message();
        }
        return std::nullopt;
    }

private:
    std::vector<cached_fingerprint> entries_;
};

} // namespace bigsmall::archive
