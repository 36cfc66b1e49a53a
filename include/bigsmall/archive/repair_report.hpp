// SPDX-License-Identifier: BSL-1.0
// What repairing a file with its parity finds and does.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include <bigsmall/archive/ecc_strip.hpp>
#include <bigsmall/io/ecc/layout.hpp>

namespace bigsmall::archive {

struct byte_range {
    std::uint64_t offset = 0, bytes = 0;
    bool operator==(const byte_range&) const = default;
};

/// A cell is up to 4096 bytes with a checksum of their own; without parity, a part of a container: a block, a header
/// ...
struct repair_report {
    std::uint64_t file_bytes = 0;     ///< that the file has when it is whole
    std::uint64_t found_bytes = 0;    ///< that it has now
    std::uint64_t cells = 0;          ///< of the file
    std::uint64_t damaged_cells = 0;  ///< of the file: wrong, unreadable, missing, or not to be vouched for
    std::uint64_t restored_cells = 0; ///< of them: their bytes are known again
    std::uint64_t parity_damaged = 0; ///< cells of the parity that are damaged
    std::uint64_t pages_damaged = 0;  ///< pages of checksums that are damaged
    bool headers_ok = true;           ///< of the sidecar, and its size
    bool knows_version = false;       ///< the sidecar is known to be that of this container as it was written
    bool may_be_newer = false;        ///< not whole, of no version that is known, and written after its parity was made
    std::vector<byte_range> lost;     ///< of the file, ascending: what cannot be restored
    std::set<std::string> lost_tensors; ///< that lie there, as far as a container says
    std::uint64_t lost_cells() const noexcept { return damaged_cells - restored_cells; }

    bool file_whole() const noexcept { return damaged_cells == 0 && file_bytes == found_bytes; }
    bool sidecar_whole() const noexcept { return headers_ok && parity_damaged == 0 && pages_damaged == 0; }
    /// All bytes of the file are there or can be restored.
    bool repairable() const noexcept { return lost_cells() == 0; }
};

namespace detail {

/// Counts the strips that a scan did not find whole.
class repair_counter {
public:
    repair_counter(repair_report& report, const io::ecc_layout& layout) : report_(report), layout_(layout) {}

    void add(std::uint64_t stripe, std::size_t strip, const ecc_strip& found) {
        report_.pages_damaged += found.checksums_ok() ? 0 : 1;
        const std::size_t columns = layout_.columns(strip);
        for (std::size_t row = 0; row < io::ecc_rows; ++row) {
            if (found.state(row) == cell_state::good) continue;
            if (row >= io::ecc_data_rows) {
                report_.parity_damaged += 1;
                continue;
            }
            ++report_.damaged_cells;
            const std::uint64_t offset = layout_.data_offset(stripe, row) + layout_.first_column(strip);
            if (found.state(row) == cell_state::restored)
                ++report_.restored_cells;
            else
                lost_.push_back({offset, layout_.stored(offset, columns)});
        }
    }

    /// Joins what is lost of the stripes so far.
    void end_stripe() {
        std::sort(lost_.begin(), lost_.end(),
                  [](const byte_range& a, const byte_range& b) { return a.offset < b.offset; });
        for (const byte_range& range : lost_) {
            if (!report_.lost.empty() && report_.lost.back().offset + report_.lost.back().bytes == range.offset)
                report_.lost.back().bytes += range.bytes;
            else
                report_.lost.push_back(range);
        }
        lost_.clear();
    }

private:
    repair_report& report_;
    const io::ecc_layout& layout_;
    std::vector<byte_range> lost_;
};

} // namespace detail

} // namespace bigsmall::archive
