// SPDX-License-Identifier: BSL-1.0
// The fixed parts of a container file: header, footer, alignment. docs/format/container.md describes them;
// this header is its arithmetic.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/checked.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/io/checksum.hpp>

namespace bigsmall::io {

inline constexpr std::string_view container_magic = "\211BSM\r\n\032\n"; // 89 'B' 'S' 'M' 0d 0a 1a 0a
inline constexpr std::string_view footer_magic = "BSMindex";
inline constexpr std::uint16_t container_major = 1; ///< a reader refuses a greater one
inline constexpr std::uint16_t container_minor = 0; ///< a greater one only adds what may be passed over

// Required-feature bits.
inline constexpr std::uint64_t feature_bundles = 1;    ///< small contents lie in bundles
inline constexpr std::uint64_t feature_lean_index = 2; ///< what checks and headers repeat is not in the index
inline constexpr std::uint64_t feature_patch = 4;      ///< some of the bytes come from a base model
inline constexpr std::uint64_t known_features = feature_bundles | feature_lean_index | feature_patch; ///< this reader's

inline constexpr std::size_t container_header_bytes = 64;
inline constexpr std::size_t container_footer_bytes = 96;

inline constexpr std::uint64_t block_alignment = 64;
inline constexpr std::uint64_t aligned_from_bytes = 4096;
inline constexpr std::uint64_t max_raw_block_bytes = 16 * MiB;
inline constexpr std::uint64_t max_stored_block_bytes = 32 * MiB;
inline constexpr std::uint64_t max_bundle_bytes = 1 * MiB; ///< raw; who wants a slice decodes its whole bundle
inline constexpr std::uint64_t max_stored_index_bytes = 512 * MiB;

/// Where a block of `stored_bytes` starts when the payload so far ends at `position`.
constexpr std::uint64_t block_start(std::uint64_t position, std::uint64_t stored_bytes) noexcept {
    if (stored_bytes < aligned_from_bytes) return position;
    return (position + block_alignment - 1) / block_alignment * block_alignment;
}

inline constexpr std::uint64_t max_siblings = 65'536;

/// Most bytes of raw index and receipts that a container of `file_bytes`, `stored_bytes` of them index, may announce:
/// one header of the greatest length that safetensors allows, full of padding, fits, and the smaller the file, the less
/// memory it can ask for. Checksums and hashes do not shrink, so that real indexes stay far below 64 to 1.
constexpr std::uint64_t max_raw_index_bytes(std::uint64_t stored_bytes, std::uint64_t file_bytes) noexcept {
    const std::uint64_t of_index = 100 * MiB + 64 * std::min(stored_bytes, max_stored_index_bytes);
    const std::uint64_t of_file = 4 * MiB + 64 * std::min(file_bytes, max_stored_index_bytes);
    return std::min(of_index, of_file);
}

struct container_header {
    std::uint16_t major = container_major;
    std::uint16_t minor = container_minor;
    std::uint64_t required_features = 0;

    bool operator==(const container_header&) const = default;
};

struct container_footer {
    std::uint16_t major = container_major;
    std::uint16_t minor = container_minor;
    std::uint64_t copy_a_offset = 0;
    std::uint64_t copy_b_offset = 0;
    std::uint64_t stored_bytes = 0; ///< of one copy of the index
    std::uint64_t raw_bytes = 0;    ///< of the index after decompression
    std::uint64_t index_checksum = 0;
    std::uint64_t file_bytes = 0;
    std::uint64_t required_features = 0;
    std::uint64_t receipts_bytes = 0; ///< directly in front of copy A; 0 without feature_lean_index
    std::uint64_t receipts_checksum = 0;

    /// Where the last block ends at the latest.
    constexpr std::uint64_t payload_end() const noexcept { return copy_a_offset - receipts_bytes; }

    bool operator==(const container_footer&) const = default;
};

/// The footer of a file whose index begins at `copy_a_offset`. With one copy of the index, A is B.
constexpr container_footer make_footer(std::uint64_t copy_a_offset, std::uint64_t stored_bytes, std::uint64_t raw_bytes,
                                       std::uint64_t index_checksum, std::uint64_t required_features = 0,
                                       int copies = 2) noexcept {
    container_footer footer;
    footer.copy_a_offset = copy_a_offset;
    footer.copy_b_offset = copies == 1 ? copy_a_offset : copy_a_offset + stored_bytes + container_footer_bytes;
    footer.stored_bytes = stored_bytes;
    footer.raw_bytes = raw_bytes;
    footer.index_checksum = index_checksum;
    footer.file_bytes = footer.copy_b_offset + stored_bytes + container_footer_bytes;
    footer.required_features = required_features;
    return footer;
}

namespace detail {

// Header and footer share their beginning: magic, major, minor, their own length.
template <std::size_t N>
void start_record(std::array<std::uint8_t, N>& to, std::string_view magic, std::uint16_t major,
                  std::uint16_t minor) noexcept {
    std::copy(magic.begin(), magic.end(), to.begin());
    store_le(to.data() + 8, major);
    store_le(to.data() + 10, minor);
    store_le(to.data() + 12, static_cast<std::uint32_t>(N));
}

template <std::size_t N>
void seal_record(std::array<std::uint8_t, N>& record) noexcept {
    store_le(record.data() + N - 8, checksum(bytes_view(record).first(N - 8)));
}

/// True when the bytes are a record of that kind and undamaged.
inline bool intact_record(bytes_view bytes, std::string_view magic, std::size_t record_bytes) noexcept {
    return bytes.size() == record_bytes && as_string_view(bytes).starts_with(magic) &&
           load_le<std::uint64_t>(bytes.data() + record_bytes - 8) == checksum(bytes.first(record_bytes - 8));
}

} // namespace detail

inline auto encode_header(const container_header& header) noexcept {
    std::array<std::uint8_t, container_header_bytes> bytes{};
    detail::start_record(bytes, container_magic, header.major, header.minor);
    store_le(bytes.data() + 16, header.required_features);
    detail::seal_record(bytes);
    return bytes;
}

/// The header, or nothing when the 64 bytes are not one or are damaged.
inline std::optional<container_header> parse_header(bytes_view bytes) noexcept {
    if (!detail::intact_record(bytes, container_magic, container_header_bytes)) return std::nullopt;
    return container_header{load_le<std::uint16_t>(bytes.data() + 8), load_le<std::uint16_t>(bytes.data() + 10),
                            load_le<std::uint64_t>(bytes.data() + 16)};
}

inline auto encode_footer(const container_footer& footer) noexcept {
    std::array<std::uint8_t, container_footer_bytes> bytes{};
    detail::start_record(bytes, footer_magic, footer.major, footer.minor);
    std::uint8_t* to = bytes.data() + 16;
    for (const std::uint64_t field :
         {footer.copy_a_offset, footer.copy_b_offset, footer.stored_bytes, footer.raw_bytes, footer.index_checksum,
          footer.file_bytes, footer.required_features, footer.receipts_bytes, footer.receipts_checksum}) {
        store_le(to, field);
        to += sizeof field;
    }
    detail::seal_record(bytes);
    return bytes;
}

/// The footer, or nothing when the 96 bytes are not one, are damaged, or contradict themselves.
inline std::optional<container_footer> parse_footer(bytes_view bytes) noexcept {
    if (!detail::intact_record(bytes, footer_magic, container_footer_bytes)) return std::nullopt;
    const auto field = [&](std::size_t n) { return load_le<std::uint64_t>(bytes.data() + 16 + 8 * n); };
    // No sum of two such sizes and such an offset can wrap.
    constexpr std::uint64_t sane = std::uint64_t{1} << 62;
    if (field(0) < container_header_bytes || field(0) > sane || field(2) > max_stored_index_bytes) return std::nullopt;
    const int copies = field(0) == field(1) ? 1 : 2;
    container_footer footer = make_footer(field(0), field(2), field(3), field(4), field(6), copies);
    if (footer.copy_b_offset != field(1) || footer.file_bytes != field(5)) return std::nullopt;
    footer.receipts_bytes = field(7);
    footer.receipts_checksum = field(8);
    if (footer.receipts_bytes > footer.copy_a_offset - container_header_bytes) return std::nullopt;
    // What a later version says there is for require_supported() to refuse.
    const bool known = (footer.required_features & ~known_features) == 0;
    const bool lean = (footer.required_features & feature_lean_index) != 0;
    const bool none = footer.receipts_bytes == 0;
    if (known && ((!lean && !none) || (none && footer.receipts_checksum != 0))) return std::nullopt;
    footer.major = load_le<std::uint16_t>(bytes.data() + 8);
    footer.minor = load_le<std::uint16_t>(bytes.data() + 10);
    return footer;
}

/// Throws errc::unsupported when a file needs a newer reader than this one.
inline void require_supported(std::uint16_t major, std::uint64_t required_features) {
    if (major == container_major && (required_features & ~known_features) == 0) return;
    const std::string what = major != container_major
                                 ? "its format version is " + std::to_string(major) + ", and this one reads version " +
                                       std::to_string(container_major)
                                 : "it needs features (bits " + std::to_string(required_features & ~known_features) +
                                       ") that this one does not know";
    throw error(errc::unsupported, "this container was written by a newer bigsmall: " + what)
        .with_hint("a newer release can read it");
}

} // namespace bigsmall::io
