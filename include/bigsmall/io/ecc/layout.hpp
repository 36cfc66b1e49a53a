// SPDX-License-Identifier: BSL-1.0
// Where the bytes of a file and of its parity lie (docs/format/ecc.md). All of it follows from the size of the file.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>

#include <bigsmall/core/error.hpp>
#include <bigsmall/core/units.hpp>

namespace bigsmall::io {

inline constexpr std::size_t ecc_data_rows = 223, ecc_parity_rows = 32, ecc_rows = ecc_data_rows + ecc_parity_rows;
/// What one checksum covers: at most this much of one row.
inline constexpr std::size_t ecc_cell_bytes = 4 * KiB;
inline constexpr std::uint64_t ecc_max_row_bytes = MiB;
inline constexpr std::size_t ecc_header_bytes = 64;
/// The checksums of one strip, and one of themselves.
inline constexpr std::size_t ecc_page_bytes = (ecc_rows + 1) * 8;
/// Larger files have no parity: nobody has one, and no sum below can overflow.
inline constexpr std::uint64_t ecc_max_file_bytes = std::uint64_t{1} << 56;

/// A file lies in stripes of 223 rows, which it fills one after another; the rest of the last stripe is zeros that are
/// not stored. Column c of a stripe, with that of its 32 parity rows, is a word of the code. A stripe is cut into
/// strips of 4096 columns, the last one of what is left; a strip has 255 cells, one of each row.
class ecc_layout {
public:
    /// Throws errc::limit.
    explicit ecc_layout(std::uint64_t file_bytes) : file_bytes_(file_bytes) {
        if (file_bytes > ecc_max_file_bytes)
            throw error(errc::limit, "a file of " + std::to_string(file_bytes) + " bytes is too large for parity");
        if (file_bytes == 0) return;
        stripes_ = divided(file_bytes, ecc_data_rows * ecc_max_row_bytes);
        row_bytes_ = divided(file_bytes, ecc_data_rows * stripes_);
        strips_ = static_cast<std::size_t>(divided(row_bytes_, ecc_cell_bytes));
    }

    std::uint64_t file_bytes() const noexcept { return file_bytes_; }
    std::uint64_t stripes() const noexcept { return stripes_; }
    std::uint64_t row_bytes() const noexcept { return row_bytes_; }
    /// In each stripe.
    std::size_t strips() const noexcept { return strips_; }

    std::uint64_t first_column(std::size_t strip) const noexcept { return strip * ecc_cell_bytes; }
    /// Columns of a strip, which are the bytes of each of its cells.
    std::size_t columns(std::size_t strip) const noexcept {
        return static_cast<std::size_t>(std::min<std::uint64_t>(ecc_cell_bytes, row_bytes_ - first_column(strip)));
    }

    /// In the file: of the first byte of a data row; those from file_bytes() on are the zeros.
    std::uint64_t data_offset(std::uint64_t stripe, std::size_t row) const noexcept {
        return (stripe * ecc_data_rows + row) * row_bytes_;
    }
    /// In the file: where the cell ends that has the byte at `offset`.
    std::uint64_t next_cell(std::uint64_t offset) const noexcept {
        const std::uint64_t column = offset % row_bytes_;
        return offset - column + std::min(row_bytes_, (column / ecc_cell_bytes + 1) * ecc_cell_bytes);
    }
    /// How many of `bytes` bytes from `offset` on belong to the file.
    std::uint64_t stored(std::uint64_t offset, std::uint64_t bytes) const noexcept {
        return offset >= file_bytes_ ? 0 : std::min(bytes, file_bytes_ - offset);
    }

    /// In the sidecar: of a parity row, which is counted from 0.
    std::uint64_t parity_offset(std::uint64_t stripe, std::size_t row) const noexcept {
        return ecc_header_bytes + stripe * stripe_bytes() + row * row_bytes_;
    }
    /// In the sidecar: of the checksums of a strip.
    std::uint64_t page_offset(std::uint64_t stripe, std::size_t strip) const noexcept {
        return parity_offset(stripe, ecc_parity_rows) + strip * ecc_page_bytes;
    }
    /// Of the second header.
    std::uint64_t last_header_offset() const noexcept { return ecc_header_bytes + stripes_ * stripe_bytes(); }
    std::uint64_t sidecar_bytes() const noexcept { return last_header_offset() + ecc_header_bytes; }

private:
    static std::uint64_t divided(std::uint64_t a, std::uint64_t b) noexcept { return (a + b - 1) / b; }
    std::uint64_t stripe_bytes() const noexcept { return ecc_parity_rows * row_bytes_ + strips_ * ecc_page_bytes; }

    std::uint64_t file_bytes_, stripes_ = 0, row_bytes_ = 0;
    std::size_t strips_ = 0;
};

} // namespace bigsmall::io
