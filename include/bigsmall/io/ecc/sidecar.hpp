// SPDX-License-Identifier: BSL-1.0
// The sidecar of a file: its header and its checksums, as bytes and back (docs/format/ecc.md).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/checksum.hpp>
#include <bigsmall/io/ecc/layout.hpp>
#include <bigsmall/io/foreign_format.hpp>
#include <bigsmall/io/source.hpp>

namespace bigsmall::io {

inline constexpr std::string_view ecc_magic = "\211BSE\r\n\032\n";
inline constexpr std::uint16_t ecc_version = 1;

using ecc_header = std::array<std::uint8_t, ecc_header_bytes>;
/// Of the cells of a strip, data first.
using ecc_checksums = std::array<std::uint64_t, ecc_rows>;

namespace detail {

/// `identity`: see ecc_identity().
inline ecc_header ecc_header_of(const ecc_layout& layout, std::uint64_t identity) noexcept {
    ecc_header bytes{};
    std::copy(ecc_magic.begin(), ecc_magic.end(), bytes.begin());
    store_le(bytes.data() + 8, ecc_version);
    store_le(bytes.data() + 12, static_cast<std::uint32_t>(ecc_header_bytes));
    store_le(bytes.data() + 16, layout.file_bytes());
    store_le(bytes.data() + 24, layout.row_bytes());
    store_le(bytes.data() + 32, layout.stripes());
    store_le(bytes.data() + 40, layout.sidecar_bytes());
    store_le(bytes.data() + 48, identity);
    store_le(bytes.data() + 56, checksum(bytes_view(bytes).first(56)));
    return bytes;
}

struct ecc_facts {
    ecc_layout layout;
    std::optional<std::uint64_t> identity; ///< nothing when no header tells
};

/// What a header says, or nothing when it is none or damaged.
/// Throws: errc::unsupported for another version; errc::corrupt, errc::limit for one that contradicts itself.
inline std::optional<ecc_facts> read_ecc_header(const ecc_header& bytes) {
    if (!as_string_view(bytes).starts_with(ecc_magic)) return std::nullopt;
    if (load_le<std::uint64_t>(bytes.data() + 56) != checksum(bytes_view(bytes).first(56))) return std::nullopt;
    const auto version = load_le<std::uint16_t>(bytes.data() + 8);
    if (version != ecc_version)
        throw error(errc::unsupported, "this parity has the format version " + std::to_string(version) +
                                           "; this program reads version " + std::to_string(ecc_version));
    const ecc_layout layout(load_le<std::uint64_t>(bytes.data() + 16));
    const auto identity = load_le<std::uint64_t>(bytes.data() + 48);
    if (ecc_header_of(layout, identity) != bytes)
        throw error(errc::corrupt, "the header of the parity contradicts itself");
    return ecc_facts{layout, identity};
}

inline void write_ecc_page(const ecc_checksums& sums, std::uint8_t* page) noexcept {
    for (std::size_t row = 0; row < ecc_rows; ++row)
        store_le(page + 8 * row, sums[row]);
    store_le(page + 8 * ecc_rows, checksum({page, 8 * ecc_rows}));
}

/// Nothing when the page is damaged.
inline std::optional<ecc_checksums> read_ecc_page(const std::uint8_t* page) noexcept {
    if (load_le<std::uint64_t>(page + 8 * ecc_rows) != checksum({page, 8 * ecc_rows})) return std::nullopt;
    ecc_checksums sums{};
    for (std::size_t row = 0; row < ecc_rows; ++row)
        sums[row] = load_le<std::uint64_t>(page + 8 * row);
    return sums;
}

/// False, and zeros, where the source ends before or the device fails: such bytes are lost, and parity is there to
/// bring them back.
inline bool read_if_possible(const source& from, std::uint64_t offset, bytes_span to) {
    try {
        if (offset <= from.size() && to.size() <= from.size() - offset) {
            from.read(offset, to);
            return true;
        }
    } catch (const error& failure) {
        if (failure.code() != errc::io && failure.code() != errc::truncated) throw;
    }
    std::fill(to.begin(), to.end(), std::uint8_t{0});
    return false;
}

} // namespace detail

/// An opened sidecar, which may be damaged anywhere.
class ecc_sidecar {
public:
    /// One of the two headers is enough; without any, a sidecar has the size that belongs to a file of `file_bytes`
    /// bytes, which is how large the file is now.
    /// Throws: errc::unsupported for other formats and versions; errc::corrupt, errc::truncated, errc::limit.
    ecc_sidecar(std::shared_ptr<const source> from, std::uint64_t file_bytes)
        : from_(std::move(from)), facts_{ecc_layout(0), {}} {
        try {
            facts_ = find_facts(file_bytes);
            require_enough(file_bytes);
        } catch (error& e) {
            e.in_file(from_->name());
            throw;
        }
        const ecc_header right = detail::ecc_header_of(layout(), facts_.identity.value_or(0));
        headers_ok_ = from_->size() == layout().sidecar_bytes() && facts_.identity && header_at(0) == right &&
                      header_at(layout().last_header_offset()) == right;
    }

    const ecc_layout& layout() const noexcept { return facts_.layout; }
    /// ecc_identity() of the file that it was made of; nothing when both headers are damaged.
    std::optional<std::uint64_t> identity() const noexcept { return facts_.identity; }
    const source& file() const noexcept { return *from_; }
    /// Both headers and the size are as they were written.
    bool headers_ok() const noexcept { return headers_ok_; }

private:
    ecc_header header_at(std::uint64_t offset) const {
        ecc_header bytes{};
        detail::read_if_possible(*from_, offset, bytes);
        return bytes;
    }

    detail::ecc_facts find_facts(std::uint64_t file_bytes) const {
        const ecc_header first = header_at(0);
        if (const auto facts = detail::read_ecc_header(first)) return *facts;
        if (from_->size() >= ecc_header_bytes)
            if (const auto facts = detail::read_ecc_header(header_at(from_->size() - ecc_header_bytes)))
                if (facts->layout.sidecar_bytes() == from_->size()) return *facts;
        if (file_bytes <= ecc_max_file_bytes && ecc_layout(file_bytes).sidecar_bytes() == from_->size())
            return {ecc_layout(file_bytes), std::nullopt};
        if (as_string_view(first).starts_with(ecc_magic))
            throw error(errc::corrupt, "both headers of this parity are damaged, and its size is not that of the "
                                       "parity of this file");
        const auto guess = guess_format(first);
        throw error(errc::unsupported,
                    "this is not the parity of a file" + (guess ? "; it looks like " + std::string(*guess) : ""));
    }

    /// What can be brought back is bounded by what is there, and so is the work, whatever a header says.
    void require_enough(std::uint64_t file_bytes) const {
        constexpr std::uint64_t ratio = (ecc_data_rows + ecc_parity_rows - 1) / ecc_parity_rows;
        if (layout().file_bytes() / ratio <= from_->size() || layout().file_bytes() / 2 <= file_bytes) return;
        throw error(errc::truncated, "the file had " + std::to_string(layout().file_bytes()) +
                                         " bytes, of which too few are left, and so it is with its parity");
    }

    std::shared_ptr<const source> from_;
    detail::ecc_facts facts_;
    bool headers_ok_ = false;
};

/// Where the sidecar of a file lies when nobody says otherwise.
inline std::filesystem::path ecc_path(const std::filesystem::path& file) {
    return std::filesystem::path(file).concat(".ecc");
}

} // namespace bigsmall::io
