// SPDX-License-Identifier: BSL-1.0
// Reads a protected file and its sidecar stripe by stripe, in the order of their bytes, and tells which strips have a
// cell that its checksum does not fit.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <bigsmall/archive/ecc_rows.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/io/checksum.hpp>
#include <bigsmall/io/ecc/layout.hpp>
#include <bigsmall/io/ecc/sidecar.hpp>
#include <bigsmall/io/source.hpp>
#include <bigsmall/parallel/executor.hpp>
#include <bigsmall/parallel/pool.hpp>

namespace bigsmall::archive::detail {

class ecc_scan {
public:
    ecc_scan(const io::source& file, const io::ecc_sidecar& sidecar)
        : file_(file),
          sidecar_(sidecar),
          layout_(sidecar.layout()),
          sums_(layout_.strips()),
          good_(layout_.strips() * io::ecc_rows) {}

    /// The damaged strips of a stripe, ascending. Throws: errc::cancelled.
    template <parallel::executor E>
    std::vector<std::size_t> damaged_strips(std::uint64_t stripe, ecc_progress& progress, E& e) {
        read_pages(stripe);
        e.for_each(io::ecc_rows, [&](std::size_t row) { progress.add(check_row(stripe, row)); });
        std::vector<std::size_t> damaged;
        for (std::size_t strip = 0; strip < layout_.strips(); ++strip)
            if (std::find(good_.begin() + begin_of(strip), good_.begin() + begin_of(strip + 1), 0) !=
                good_.begin() + begin_of(strip + 1))
                damaged.push_back(strip);
        return damaged;
    }

    /// Of the stripe of the last call: whether a cell of the file is right.
    bool is_good(std::size_t strip, std::size_t row) const noexcept { return good_[strip * io::ecc_rows + row] != 0; }

private:
    static std::ptrdiff_t begin_of(std::size_t strip) noexcept {
        return static_cast<std::ptrdiff_t>(strip * io::ecc_rows);
    }

    void read_pages(std::uint64_t stripe) {
        byte_buffer pages(layout_.strips() * io::ecc_page_bytes);
        const bool all = io::detail::read_if_possible(sidecar_.file(), layout_.page_offset(stripe, 0), pages);
        for (std::size_t strip = 0; strip < layout_.strips(); ++strip) {
            const bytes_span page = bytes_span(pages).subspan(strip * io::ecc_page_bytes, io::ecc_page_bytes);
            if (!all) io::detail::read_if_possible(sidecar_.file(), layout_.page_offset(stripe, strip), page);
            sums_[strip] = io::detail::read_ecc_page(page.data());
        }
    }

    /// Returns how many bytes of the file that are.
    std::uint64_t check_row(std::uint64_t stripe, std::size_t row) {
        const bool data = row < io::ecc_data_rows;
        const io::source& from = data ? file_ : sidecar_.file();
        const std::uint64_t offset =
            data ? layout_.data_offset(stripe, row) : layout_.parity_offset(stripe, row - io::ecc_data_rows);
        const auto bytes =
            static_cast<std::size_t>(data ? layout_.stored(offset, layout_.row_bytes()) : layout_.row_bytes());
        const auto memory = rows_.borrow();
        memory->resize(static_cast<std::size_t>(layout_.row_bytes()));
        std::fill(memory->begin() + static_cast<std::ptrdiff_t>(bytes), memory->end(), std::uint8_t{0});
        const bool all = io::detail::read_if_possible(from, offset, bytes_span(*memory).first(bytes));
        for (std::size_t strip = 0; strip < layout_.strips(); ++strip) {
            const auto column = static_cast<std::size_t>(layout_.first_column(strip));
            const bytes_span cell = bytes_span(*memory).subspan(column, layout_.columns(strip));
            const std::size_t stored = std::min(cell.size(), bytes - std::min(bytes, column));
            const bool read = all || io::detail::read_if_possible(from, offset + column, cell.first(stored));
            // What the last row of the file leaves over is not stored, and cannot be damaged.
            const bool sound = stored == 0 ? sums_[strip].has_value() : read && fits(strip, row, cell);
            good_[strip * io::ecc_rows + row] = sound ? 1 : 0;
        }
        return data ? bytes : 0;
    }

    bool fits(std::size_t strip, std::size_t row, bytes_view cell) const noexcept {
        return sums_[strip] && io::checksum(cell) == (*sums_[strip])[row];
    }

    const io::source& file_;
    const io::ecc_sidecar& sidecar_;
    const io::ecc_layout& layout_;
    std::vector<std::optional<io::ecc_checksums>> sums_;
    std::vector<std::uint8_t> good_; // of each strip, row by row; a byte each, so that threads can write
    parallel::object_pool<byte_buffer> rows_;
};

} // namespace bigsmall::archive::detail
