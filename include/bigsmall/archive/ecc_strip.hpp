// SPDX-License-Identifier: BSL-1.0
// One strip of a protected file, put right: up to 4096 code words and the checksums of their 255 cells.
//
// A cell whose checksum is wrong is known to be lost, but where in it is not: a few bytes or all. So there are three
// ways, in this order. (1) Up to 32 lost cells are erasures, all columns alike. (2) Up to 16 wrong bytes of a word are
// found without knowing where, in however many cells. (3) Of more than 32 lost cells, those that look most like lost
// as a whole are erasures, and wrong bytes in the others are found. A cell counts as restored only when its checksum
// is right in the end. Where the checksums are lost themselves, all words of the strip must come out right.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <bigsmall/archive/ecc_rows.hpp>
#include <bigsmall/codec/ecc/correct.hpp>
#include <bigsmall/codec/ecc/reconstruct.hpp>
#include <bigsmall/codec/ecc/reed_solomon.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/io/checksum.hpp>
#include <bigsmall/io/ecc/layout.hpp>
#include <bigsmall/io/ecc/sidecar.hpp>
#include <bigsmall/io/source.hpp>

namespace bigsmall::archive::detail {

enum class cell_state : std::uint8_t {
    good,     ///< by its checksum, or nothing but the zeros behind the file
    wrong,    ///< its checksum does not fit
    missing,  ///< it could not be read
    unknown,  ///< it was read, but its checksum is lost
    restored, ///< it was one of these three
};

class ecc_strip {
public:
    /// For strips of up to as many columns.
    explicit ecc_strip(std::size_t columns) : cells_(io::ecc_rows, columns), backup_(io::ecc_rows, columns) {}

    /// What is not right of the file is taken from `other`, when there is one and it is right there.
    void load(const io::source& file, const io::ecc_sidecar& sidecar, const io::source* other, std::uint64_t stripe,
              std::size_t strip) {
        const io::ecc_layout& layout = sidecar.layout();
        columns_ = layout.columns(strip);
        std::array<std::uint8_t, io::ecc_page_bytes> page;
        io::detail::read_if_possible(sidecar.file(), layout.page_offset(stripe, strip), page);
        sums_ = io::detail::read_ecc_page(page.data());
        const std::uint64_t column = layout.first_column(strip);
        for (std::size_t row = 0; row < io::ecc_data_rows; ++row)
            load_data(file, other, layout, layout.data_offset(stripe, row) + column, row);
        for (std::size_t row = 0; row < io::ecc_parity_rows; ++row) {
            const bool read = io::detail::read_if_possible(sidecar.file(), layout.parity_offset(stripe, row) + column,
                                                           cell(io::ecc_data_rows + row));
            judge(io::ecc_data_rows + row, read);
        }
    }

    /// After this, a cell is good, restored, or lost.
    void mend() {
        if (!sums_) return mend_unchecked();
        if (lost_rows().empty() || by_erasures()) return;
        keep();
        by_errors({});
        if (accept()) return;
        for (const std::vector<std::uint8_t>& erased : suspects()) {
            by_errors(erased);
            if (accept()) return;
        }
    }

    bool checksums_ok() const noexcept { return sums_.has_value(); }
    cell_state state(std::size_t row) const noexcept { return states_[row]; }
    bytes_view cell(std::size_t row) const noexcept { return {cells_.row(row), columns_}; }
    /// Nothing is lost.
    bool whole() const noexcept {
        return std::all_of(states_.begin(), states_.end(), [](cell_state s) { return is_sound(s); });
    }
    static bool is_sound(cell_state s) noexcept { return s == cell_state::good || s == cell_state::restored; }

private:
    using row_list = std::vector<std::uint8_t>;
    using word = std::array<std::uint8_t, io::ecc_rows>;

    bytes_span cell(std::size_t row) noexcept { return {cells_.row(row), columns_}; }

    void load_data(const io::source& file, const io::source* other, const io::ecc_layout& layout, std::uint64_t offset,
                   std::size_t row) {
        const bytes_span bytes = cell(row);
        const auto stored = static_cast<std::size_t>(layout.stored(offset, columns_));
        std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(stored), bytes.end(), std::uint8_t{0});
        if (stored == 0) {
            states_[row] = cell_state::good;
            return;
        }
        bool read = io::detail::read_if_possible(file, offset, bytes.first(stored));
        if (!read && offset < file.size()) { // what is there of a cell that ends behind the file may help
            const auto there = static_cast<std::size_t>(std::min<std::uint64_t>(stored, file.size() - offset));
            if (there < stored) read = io::detail::read_if_possible(file, offset, bytes.first(there));
        }
        judge(row, read);
        if (other != nullptr && sums_ && states_[row] != cell_state::good) take_from(*other, offset, stored, row);
    }

    void take_from(const io::source& other, std::uint64_t offset, std::size_t stored, std::size_t row) {
        const byte_buffer own(cell(row).begin(), cell(row).end());
        if (io::detail::read_if_possible(other, offset, cell(row).first(stored)) && fits(row))
            states_[row] = cell_state::restored;
        else
            std::copy(own.begin(), own.end(), cell(row).begin());
    }

    bool fits(std::size_t row) const noexcept { return io::checksum(cell(row)) == (*sums_)[row]; }

    void judge(std::size_t row, bool read) noexcept {
        if (!sums_)
            states_[row] = read ? cell_state::unknown : cell_state::missing;
        else if (fits(row))
            states_[row] = cell_state::good;
        else
            states_[row] = read ? cell_state::wrong : cell_state::missing;
    }

    row_list lost_rows() const {
        row_list lost;
        for (std::size_t row = 0; row < io::ecc_rows; ++row)
            if (!is_sound(states_[row])) lost.push_back(static_cast<std::uint8_t>(row));
        return lost;
    }

    void keep() noexcept { backup_.copy_from(cells_); }

    /// Takes what fits now, and puts everything else back. True when nothing is lost any more.
    bool accept() {
        take_what_fits();
        if (whole() || by_erasures()) return true;
        for (const std::uint8_t row : lost_rows())
            std::copy_n(backup_.row(row), columns_, cells_.row(row));
        return false;
    }

    void take_what_fits() noexcept {
        for (std::size_t row = 0; row < io::ecc_rows; ++row)
            if (!is_sound(states_[row]) && fits(row)) states_[row] = cell_state::restored;
    }

    /// False, and nothing has changed, when there are too many lost cells, or when the parity is that of other data.
    bool by_erasures() {
        const row_list lost = lost_rows();
        if (lost.size() > io::ecc_parity_rows) return false;
        std::vector<byte_buffer> before;
        for (const std::uint8_t row : lost)
            before.emplace_back(cell(row).begin(), cell(row).end());
        const auto rows = row_pointers<io::ecc_rows>(cells_, 0);
        if (ecc::reconstruct(rows, columns_, lost) != status::ok) return false;
        take_what_fits();
        for (std::size_t i = 0; i < lost.size(); ++i)
            if (!is_sound(states_[lost[i]])) std::copy(before[i].begin(), before[i].end(), cell(lost[i]).begin());
        return whole();
    }

    /// Columns whose parity does not belong to their data.
    std::vector<std::size_t> wrong_columns() {
        ecc_rows parity(io::ecc_parity_rows, columns_);
        const auto data = row_pointers<io::ecc_data_rows>(std::as_const(cells_), 0);
        const auto out = row_pointers<io::ecc_parity_rows>(parity, 0);
        ecc::encode(data, columns_, out);
        std::array<std::uint8_t, io::ecc_cell_bytes> differs{};
        for (std::size_t row = 0; row < io::ecc_parity_rows; ++row) {
            const std::uint8_t* const stored = cells_.row(io::ecc_data_rows + row);
            for (std::size_t column = 0; column < columns_; ++column)
                differs[column] |= static_cast<std::uint8_t>(stored[column] ^ out[row][column]);
        }
        std::vector<std::size_t> wrong;
        for (std::size_t column = 0; column < columns_; ++column)
            if (differs[column] != 0) wrong.push_back(column);
        return wrong;
    }

    /// Corrects each word for itself. True when all words are words of the code now.
    bool by_errors(std::span<const std::uint8_t> erased) {
        const std::vector<std::size_t> wrong = wrong_columns();
        if (is_hopeless(wrong, erased)) return false;
        bool all = true;
        for (const std::size_t column : wrong) {
            word symbols;
            if (!corrected(column, erased, symbols)) {
                all = false;
                continue;
            }
            for (std::size_t row = 0; row < io::ecc_rows; ++row)
                cells_.row(row)[column] = symbols[row];
        }
        return all;
    }

    /// None of a few words, from the first to the last, can be corrected: so that a file of which much is lost does not
    /// take hours.
    bool is_hopeless(const std::vector<std::size_t>& wrong, std::span<const std::uint8_t> erased) const {
        constexpr std::size_t tried = 64;
        if (wrong.size() <= tried) return false;
        word symbols;
        for (std::size_t i = 0; i < tried; ++i)
            if (corrected(wrong[i * wrong.size() / tried], erased, symbols)) return false;
        return true;
    }

    /// A correction that changes a cell which is known to be right is none, nor is one without checksums that missing
    /// cells leave fewer than eight parity symbols to check.
    bool corrected(std::size_t column, std::span<const std::uint8_t> erased, word& symbols) const {
        for (std::size_t row = 0; row < io::ecc_rows; ++row)
            symbols[row] = cells_.row(row)[column];
        if (!ecc::correct(symbols, erased)) return false;
        std::size_t changed = 0; // of those that could be read
        for (std::size_t row = 0; row < io::ecc_rows; ++row) {
            if (symbols[row] == cells_.row(row)[column]) continue;
            if (is_sound(states_[row])) return false;
            changed += states_[row] == cell_state::missing ? 0 : 1;
        }
        constexpr std::size_t most_spent = io::ecc_parity_rows - 8;
        return sums_ || erased.empty() || 2 * changed + erased.size() <= most_spent;
    }

    /// Sets of lost cells that may be lost as a whole: those that could not be read, then those of one byte only, as a
    /// bad or unwritten sector is.
    std::vector<row_list> suspects() const {
        row_list lost = lost_rows();
        const auto rank = [&](std::uint8_t row) {
            if (states_[row] == cell_state::missing) return 0;
            const bytes_view bytes = cell(row);
            return std::all_of(bytes.begin(), bytes.end(), [&](std::uint8_t b) { return b == bytes[0]; }) ? 1 : 2;
        };
        std::stable_sort(lost.begin(), lost.end(), [&](std::uint8_t a, std::uint8_t b) { return rank(a) < rank(b); });
        const auto as_a_whole = static_cast<std::size_t>(
            std::count_if(lost.begin(), lost.end(), [&](std::uint8_t row) { return rank(row) < 2; }));
        std::vector<row_list> sets;
        for (const std::size_t count : {as_a_whole, std::size_t{30}, std::size_t{24}, std::size_t{16}, std::size_t{8}})
            if (count > 0 && count <= io::ecc_parity_rows)
                sets.emplace_back(lost.begin(),
                                  lost.begin() + static_cast<std::ptrdiff_t>(std::min(count, lost.size())));
        return sets;
    }

    /// Without checksums, a word in which cells are missing is believed as long as eight of its parity symbols are left
    /// to check it; see corrected().
    void mend_unchecked() {
        constexpr std::size_t most_missing = 24;
        row_list missing;
        for (std::size_t row = 0; row < io::ecc_rows; ++row)
            if (states_[row] == cell_state::missing) missing.push_back(static_cast<std::uint8_t>(row));
        if (missing.size() > most_missing) return;
        keep();
        if (!by_errors(missing)) {
            cells_.copy_from(backup_);
            return;
        }
        for (std::size_t row = 0; row < io::ecc_rows; ++row) {
            const bool same = std::equal(cell(row).begin(), cell(row).end(), backup_.row(row));
            const bool read = states_[row] != cell_state::missing;
            states_[row] = same && read ? cell_state::good : cell_state::restored;
        }
    }

    std::size_t columns_ = 0;
    ecc_rows cells_, backup_;
    std::optional<io::ecc_checksums> sums_;
    std::array<cell_state, io::ecc_rows> states_{};
};

} // namespace bigsmall::archive::detail
