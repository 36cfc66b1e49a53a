// SPDX-License-Identifier: BSL-1.0
// Finds the footer and the index of a container, and what is wrong with a file in which it cannot.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/io/checksum.hpp>
#include <bigsmall/io/container/format.hpp>
#include <bigsmall/io/foreign_format.hpp>
#include <bigsmall/io/source.hpp>
#include <bigsmall/io/zstd.hpp>

namespace bigsmall::io::detail {

/// Read at once from the end of a file: footer and index of most containers are in it.
inline constexpr std::uint64_t tail_bytes = 256 * KiB;
/// How far from the end a footer is looked for when the last one is damaged.
inline constexpr std::uint64_t footer_search_bytes = GiB;

/// True for one of the two places where a footer belongs; a container carried inside another (stored as it
/// is) has footers, too, but not at the places that they name.
inline bool in_its_place(const container_footer& footer, std::uint64_t offset) noexcept {
    return offset == footer.copy_a_offset + footer.stored_bytes || offset == footer.copy_b_offset + footer.stored_bytes;
}

/// The last footer that starts inside `bytes`, which start at `offset` in the file.
inline std::optional<container_footer> last_footer(bytes_view bytes, std::uint64_t offset) noexcept {
    const std::string_view text = as_string_view(bytes);
    for (std::size_t at = text.rfind(footer_magic); at != std::string_view::npos;
         at = at == 0 ? std::string_view::npos : text.rfind(footer_magic, at - 1)) {
        if (bytes.size() - at < container_footer_bytes) continue;
        const auto footer = parse_footer(bytes.subspan(at, container_footer_bytes));
        if (footer && in_its_place(*footer, offset + at)) return footer;
    }
    return std::nullopt;
}

/// A view of the end of a file that remembers what was read already.
class tail_view {
public:
    explicit tail_view(const source& file) : file_(file) {
        bytes_.resize(static_cast<std::size_t>(std::min(file.size(), tail_bytes)));
        begin_ = file.size() - bytes_.size();
        file.read(begin_, bytes_);
    }

    std::uint64_t begin() const noexcept { return begin_; }
    bytes_view bytes() const noexcept { return bytes_; }

    /// `count` bytes from `offset` on (they exist): out of the tail, or read into `room`.
    bytes_view get(std::uint64_t offset, std::uint64_t count, byte_buffer& room) const {
        if (offset >= begin_)
            return bytes_view(bytes_).subspan(static_cast<std::size_t>(offset - begin_),
                                              static_cast<std::size_t>(count));
        room.resize(static_cast<std::size_t>(count));
        file_.read(offset, room);
        return room;
    }

private:
    const source& file_;
    byte_buffer bytes_;
    std::uint64_t begin_ = 0;
};

/// Looks backwards in pieces of 1 MiB that overlap by a footer, `furthest` bytes from the end at most.
inline std::optional<container_footer> search_footer(const source& file, const tail_view& tail,
                                                     std::uint64_t furthest) {
    if (const auto footer = last_footer(tail.bytes(), tail.begin())) return footer;
    const std::uint64_t stop = file.size() - std::min(file.size(), furthest);
    std::uint64_t end = std::min(tail.begin() + container_footer_bytes - 1, file.size());
    byte_buffer piece;
    while (end > stop + container_footer_bytes) {
        const std::uint64_t begin = end - std::min(end - stop, MiB);
        piece.resize(static_cast<std::size_t>(end - begin));
        file.read(begin, piece);
        if (const auto footer = last_footer(piece, begin)) return footer;
        if (begin == stop) break;
        end = begin + container_footer_bytes - 1;
    }
    return std::nullopt;
}

/// Says why a file without a footer is not a container, or what happened to it. Never returns.
[[noreturn]] inline void refuse_without_footer(const source& file) {
    std::array<std::uint8_t, container_header_bytes> room{};
    const auto known = std::min<std::uint64_t>(room.size(), file.size());
    const bytes_span first(room.data(), static_cast<std::size_t>(known));
    file.read(0, first);
    const std::string_view text = as_string_view(first);
    if (text.starts_with("BGSM"))
        throw error(errc::unsupported, "this is a container of the original Python BigSmall (magic BGSM), "
                                       "whose format is another one that is not read here")
            .with_hint("restore the model with the program that made it, then compress it again");
    if (text.starts_with(container_magic)) {
        if (const auto header = parse_header(first)) require_supported(header->major, header->required_features);
        throw error(errc::truncated, "this bigsmall container is cut short or damaged: there is no index at "
                                     "the end of it")
            .with_hint("copy or download it again; an interrupted transfer is the usual cause");
    }
    std::string message = "this is not a bigsmall container";
    if (file.size() == 0)
        message += "; it is empty";
    else if (const auto guess = guess_format(first))
        message += "; it looks like " + std::string(*guess);
    throw error(errc::unsupported, message);
}

/// The footer to go by: the last one, or the nearest one that can be found. Throws errc::unsupported for
/// other formats and newer versions, errc::truncated for a container that has lost its end.
inline container_footer find_footer(const source& file, const tail_view& tail) {
    if (tail.bytes().size() >= container_footer_bytes) {
        const auto last = parse_footer(tail.bytes().last(container_footer_bytes));
        if (last && last->file_bytes == file.size()) return *last;
    }
    std::array<std::uint8_t, 8> first{};
    if (file.size() >= first.size()) file.read(0, first);
    const bool ours = as_string_view(first) == container_magic;
    // A file that does not even begin like one of ours is not worth more than the bytes already read.
    if (const auto found = search_footer(file, tail, ours ? footer_search_bytes : tail_bytes)) return *found;
    refuse_without_footer(file);
}

/// The stored bytes of a copy of the index when they are all there and undamaged.
inline std::optional<bytes_view> intact_copy(const source& file, const tail_view& tail, std::uint64_t offset,
                                             const container_footer& footer, byte_buffer& room) {
    if (offset > file.size() || footer.stored_bytes > file.size() - offset) return std::nullopt;
    const bytes_view stored = tail.get(offset, footer.stored_bytes, room);
    if (checksum(stored) != footer.index_checksum) return std::nullopt;
    return stored;
}

/// The raw index, from the copy at the end or, when that is damaged, from the other. Throws: errc::corrupt.
inline byte_buffer read_raw_index(const source& file, const tail_view& tail, const container_footer& footer) {
    const std::uint64_t most = max_raw_index_bytes(footer.stored_bytes, file.size());
    if (footer.raw_bytes > most || footer.receipts_bytes > most - footer.raw_bytes)
        throw error(errc::corrupt, "the index announces " + std::to_string(footer.raw_bytes) + " bytes and " +
                                       std::to_string(footer.receipts_bytes) + " of receipts, far more than " +
                                       std::to_string(footer.stored_bytes) + " stored bytes in a file of " +
                                       std::to_string(file.size()) + " can need");
    byte_buffer room;
    for (const std::uint64_t offset : {footer.copy_b_offset, footer.copy_a_offset})
        if (const auto stored = intact_copy(file, tail, offset, footer, room))
            return zstd_decompress(*stored, footer.raw_bytes);
    if (footer.copy_a_offset == footer.copy_b_offset)
        throw error(errc::corrupt, "the index is damaged (bytes " + std::to_string(footer.copy_a_offset) + " to " +
                                       std::to_string(footer.copy_a_offset + footer.stored_bytes) +
                                       "), and this container has no second copy of it");
    throw error(errc::corrupt, "both copies of the index are damaged (bytes " + std::to_string(footer.copy_a_offset) +
                                   " and " + std::to_string(footer.copy_b_offset) + ", " +
                                   std::to_string(footer.stored_bytes) + " bytes each)");
}

} // namespace bigsmall::io::detail
