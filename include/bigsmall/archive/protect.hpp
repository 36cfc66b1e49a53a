// SPDX-License-Identifier: BSL-1.0
// Makes the sidecar of a file: Reed-Solomon parity and checksums (docs/format/ecc.md), from which repair.hpp brings
// back what was lost.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>

#include <bigsmall/archive/ecc_rows.hpp>
#include <bigsmall/archive/input_files.hpp>
#include <bigsmall/archive/options.hpp>
#include <bigsmall/archive/source_tree.hpp>
#include <bigsmall/codec/ecc/reed_solomon.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/atomic_file.hpp>
#include <bigsmall/io/checksum.hpp>
#include <bigsmall/io/ecc/identity.hpp>
#include <bigsmall/io/ecc/layout.hpp>
#include <bigsmall/io/ecc/sidecar.hpp>
#include <bigsmall/io/file_source.hpp>
#include <bigsmall/io/sink.hpp>
#include <bigsmall/parallel/executor.hpp>
#include <bigsmall/parallel/pool.hpp>

namespace bigsmall::archive {

struct protect_result {
    std::uint64_t file_bytes = 0;
    std::uint64_t sidecar_bytes = 0;
};

namespace detail {

/// Parity and checksums of one stripe after another.
class ecc_encoder {
public:
    ecc_encoder(const io::source& file, const io::ecc_layout& layout)
        : file_(file),
          layout_(layout),
          parity_(io::ecc_parity_rows, static_cast<std::size_t>(layout.row_bytes())),
          pages_(layout.strips() * io::ecc_page_bytes) {}

    template <parallel::executor E>
    void encode(std::uint64_t stripe, ecc_progress& progress, E& e) {
        const std::size_t pieces = (layout_.strips() + piece_strips - 1) / piece_strips;
        e.for_each(pieces, [&](std::size_t piece) {
            const std::size_t first = piece * piece_strips;
            const auto memory = memories_.borrow();
            progress.add(encode_strips(stripe, first, std::min(piece_strips, layout_.strips() - first), *memory));
        });
    }

    void write(io::sink& to) const {
        const auto row_bytes = static_cast<std::size_t>(layout_.row_bytes());
        for (std::size_t row = 0; row < io::ecc_parity_rows; ++row)
            to.write({parity_.row(row), row_bytes});
        to.write(pages_);
    }

private:
    // Few enough that the rows stay in the cache between reading and coding, enough that reading is not all calls.
    static constexpr std::size_t piece_strips = 4;

    struct piece_memory {
        ecc_rows data{io::ecc_data_rows, piece_strips* io::ecc_cell_bytes};
        std::array<io::ecc_checksums, piece_strips> sums;
    };

    /// Returns how many bytes of the file it has read.
    std::uint64_t encode_strips(std::uint64_t stripe, std::size_t first, std::size_t strips, piece_memory& memory) {
        const std::uint64_t column = layout_.first_column(first);
        const auto columns = static_cast<std::size_t>(layout_.first_column(first + strips - 1) - column) +
                             layout_.columns(first + strips - 1);
        std::uint64_t read = 0;
        for (std::size_t row = 0; row < io::ecc_data_rows; ++row) {
            const bytes_span cells(memory.data.row(row), columns);
            const std::uint64_t offset = layout_.data_offset(stripe, row) + column;
            const auto stored = static_cast<std::size_t>(layout_.stored(offset, columns));
            if (stored > 0) file_.read(offset, cells.first(stored));
            std::fill(cells.begin() + static_cast<std::ptrdiff_t>(stored), cells.end(), std::uint8_t{0});
            add_checksums(memory, row, cells);
            read += stored;
        }
        const auto data = row_pointers<io::ecc_data_rows>(std::as_const(memory.data), 0);
        const auto parity = row_pointers<io::ecc_parity_rows>(parity_, 0, static_cast<std::size_t>(column));
        ecc::encode(data, columns, parity);
        for (std::size_t row = 0; row < io::ecc_parity_rows; ++row)
            add_checksums(memory, io::ecc_data_rows + row, {parity[row], columns});
        for (std::size_t i = 0; i < strips; ++i)
            io::detail::write_ecc_page(memory.sums[i], pages_.data() + (first + i) * io::ecc_page_bytes);
        return read;
    }

    static void add_checksums(piece_memory& memory, std::size_t row, bytes_view cells) noexcept {
        for (std::size_t i = 0; i * io::ecc_cell_bytes < cells.size(); ++i) {
            const bytes_view rest = cells.subspan(i * io::ecc_cell_bytes);
            memory.sums[i][row] = io::checksum(rest.first(std::min(io::ecc_cell_bytes, rest.size())));
        }
    }

    const io::source& file_;
    const io::ecc_layout& layout_;
    ecc_rows parity_;
    byte_buffer pages_;
    parallel::object_pool<piece_memory> memories_;
};

} // namespace detail

/// Writes the sidecar of `file` to a sink. The bytes depend on those of the file only. Reads each byte once. Memory:
/// 33 MiB, and 4 MiB per thread. Throws: errc::io; errc::truncated; errc::limit; errc::cancelled.
template <parallel::executor E>
void protect_to(const io::source& file, io::sink& to, const run_options& options, E& e) {
    const io::ecc_layout layout(file.size());
    const io::ecc_header header = io::detail::ecc_header_of(layout, io::ecc_identity(file));
    detail::ecc_progress progress(options, file.name(), layout.file_bytes());
    detail::ecc_encoder encoder(file, layout);
    to.write(header);
    for (std::uint64_t stripe = 0; stripe < layout.stripes(); ++stripe) {
        encoder.encode(stripe, progress, e);
        encoder.write(to);
    }
    to.write(header);
}

/// Writes the sidecar of any file, which is only read. The sidecar appears whole or not at all.
/// Throws: as protect_to(); errc::missing; errc::invalid_input when it is no regular file; errc::invalid_argument when
/// the sidecar would take the file's place; errc::exists; errc::io also when the file was changed meanwhile.
template <parallel::executor E>
protect_result protect(const std::filesystem::path& file, const std::filesystem::path& sidecar,
                       const run_options& options, E& e) {
    const source_file found{file.filename().string(), file, stamp_of(file)}; // before it is opened
    const io::file_source from(file);
    input_files inputs("the file that it is to protect");
    inputs.add(file);
    inputs.require_apart(sidecar);
    io::atomic_file to(sidecar, options.existing);
    protect_to(from, to, options, e);
    require_unchanged(found);
    to.commit();
    return {from.size(), to.position()};
}

} // namespace bigsmall::archive
