// SPDX-License-Identifier: BSL-1.0
// What all ways to repair a file share: where good bytes come from and where the repaired file goes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>

#include <bigsmall/archive/input_files.hpp>
#include <bigsmall/archive/options.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/io/ecc/sidecar.hpp>
#include <bigsmall/io/sink.hpp>
#include <bigsmall/io/source.hpp>

namespace bigsmall::archive {

struct repair_options : run_options {
    /// Where good bytes may be had: another copy of the file, which may be damaged as well; without parity also the
    /// model that was packed. Empty: nowhere.
    std::filesystem::path from;
};

namespace detail {

/// Throws errc::invalid_argument when the output is one of the files that a repair reads.
inline void require_apart(const std::filesystem::path& output,
                          std::initializer_list<std::filesystem::path> read_files) {
    input_files inputs("a file that the repair reads");
    for (const std::filesystem::path& file : read_files)
        if (!file.empty()) inputs.add(file);
    inputs.require_apart(output);
}

/// The bytes of a file as far as they can be read, then zeros up to `bytes`. Where reading fails, it is tried again in
/// pieces: `next_cut(offset)` is where the one that begins at `offset` ends.
template <class NextCut>
void copy_what_is_there(const io::source& file, std::uint64_t bytes, io::sink& to, const run_options& options,
                        NextCut&& next_cut) {
    byte_buffer buffer(static_cast<std::size_t>(std::min<std::uint64_t>(bytes, MiB)));
    for (std::uint64_t done = 0; done < bytes;) {
        check_cancelled(options);
        const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), bytes - done));
        const bytes_span piece = bytes_span(buffer).first(now);
        if (!io::detail::read_if_possible(file, done, piece))
            for (std::uint64_t at = done; at < done + now;) {
                const std::uint64_t end = std::min<std::uint64_t>(next_cut(at), done + now);
                const std::uint64_t readable = std::min(end, std::max(at, file.size()));
                const auto first = static_cast<std::size_t>(at - done);
                io::detail::read_if_possible(file, at, piece.subspan(first, static_cast<std::size_t>(readable - at)));
                at = end;
            }
        to.write(piece);
        done += now;
    }
}

} // namespace detail

} // namespace bigsmall::archive
