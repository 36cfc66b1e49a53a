// SPDX-License-Identifier: BSL-1.0
// Repairs a file with the sidecar that protect.hpp has made, and tells what cannot be repaired.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <bigsmall/archive/ecc_rows.hpp>
#include <bigsmall/archive/ecc_scan.hpp>
#include <bigsmall/archive/ecc_strip.hpp>
#include <bigsmall/archive/options.hpp>
#include <bigsmall/archive/protect.hpp>
#include <bigsmall/archive/repair_output.hpp>
#include <bigsmall/archive/repair_report.hpp>
#include <bigsmall/archive/source_tree.hpp>
#include <bigsmall/archive/unfinished_change.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/atomic_file.hpp>
#include <bigsmall/io/ecc/identity.hpp>
#include <bigsmall/io/ecc/layout.hpp>
#include <bigsmall/io/ecc/sidecar.hpp>
#include <bigsmall/io/file_operations.hpp>
#include <bigsmall/io/file_source.hpp>
#include <bigsmall/io/in_place_file.hpp>
#include <bigsmall/parallel/executor.hpp>

namespace bigsmall::archive {

namespace detail {

/// Looks at everything and calls `restored(offset, bytes)`, from one thread at a time, with each cell of the file that
/// is known again.
template <class Restored>
class repair_run {
public:
    repair_run(const io::source& file, const io::ecc_sidecar& sidecar, const repair_options& options,
               Restored& restored)
        : file_(file),
          other_(options.from.empty() ? nullptr : std::make_unique<io::file_source>(options.from)),
          sidecar_(sidecar),
          layout_(sidecar.layout()),
          options_(options),
          restored_(restored),
          counter_(report_, layout_) {}

    template <parallel::executor E>
    repair_report run(E& e) {
        report_.file_bytes = layout_.file_bytes();
        report_.found_bytes = file_.size();
        report_.headers_ok = sidecar_.headers_ok();
        require_same_version();
        ecc_progress progress(options_, file_.name(), layout_.file_bytes());
        ecc_scan scan(file_, sidecar_);
        for (std::uint64_t stripe = 0; stripe < layout_.stripes(); ++stripe) {
            count_cells(stripe);
            mend(stripe, scan.damaged_strips(stripe, progress, e), e);
            counter_.end_stripe();
        }
        require_same_file();
        return std::move(report_);
    }

private:
    void count_cells(std::uint64_t stripe) {
        const std::uint64_t begin = layout_.data_offset(stripe, 0);
        const std::uint64_t bytes = layout_.stored(begin, io::ecc_data_rows * layout_.row_bytes());
        const std::uint64_t rest = bytes % layout_.row_bytes();
        report_.cells +=
            bytes / layout_.row_bytes() * layout_.strips() + (rest + io::ecc_cell_bytes - 1) / io::ecc_cell_bytes;
    }

    template <parallel::executor E>
    void mend(std::uint64_t stripe, const std::vector<std::size_t>& damaged, E& e) {
        const std::size_t at_once = 2 * e.concurrency();
        while (strips_.size() < std::min(at_once, damaged.size()))
            strips_.push_back(std::make_unique<ecc_strip>(layout_.columns(0)));
        for (std::size_t begin = 0; begin < damaged.size(); begin += at_once) {
            check_cancelled(options_);
            const std::size_t count = std::min(at_once, damaged.size() - begin);
            e.for_each(count, [&](std::size_t i) {
                strips_[i]->load(file_, sidecar_, other_.get(), stripe, damaged[begin + i]);
                strips_[i]->mend();
            });
            for (std::size_t i = 0; i < count; ++i) {
                counter_.add(stripe, damaged[begin + i], *strips_[i]);
                hand_over(stripe, damaged[begin + i], *strips_[i]);
            }
        }
    }

    void hand_over(std::uint64_t stripe, std::size_t strip, const ecc_strip& mended) {
        for (std::size_t row = 0; row < io::ecc_data_rows; ++row) {
            if (mended.state(row) != cell_state::restored) continue;
            const std::uint64_t offset = layout_.data_offset(stripe, row) + layout_.first_column(strip);
            const std::uint64_t stored = layout_.stored(offset, layout_.columns(strip));
            restored_(offset, mended.cell(row).first(static_cast<std::size_t>(stored)));
        }
    }

    /// Nothing may turn a file that was written anew into the one that it was before.
    void require_same_version() const {
        const std::uint64_t now = io::ecc_identity_if_readable(file_);
        if (now == 0 || !sidecar_.identity() || *sidecar_.identity() == now) return;
        throw error(errc::mismatch, "this is another version of the file than the one that its parity was made of")
            .in_file(file_.name())
            .with_hint("when this version is the one wanted, make its parity with 'bigsmall ecc -f'");
    }

    void require_same_file() const {
        const std::uint64_t good = report_.cells - report_.damaged_cells;
        if (report_.restored_cells > 0 || report_.cells == 0 || good >= report_.cells / 64 + 1) return;
        throw error(errc::mismatch, "this is the parity of another file, or hardly anything is left of the one that "
                                    "it was made of")
            .in_file(sidecar_.file().name());
    }

    const io::source& file_;
    std::unique_ptr<const io::source> other_;
    const io::ecc_sidecar& sidecar_;
    const io::ecc_layout& layout_;
    const repair_options& options_;
    Restored& restored_;
    repair_report report_;
    repair_counter counter_;
    std::vector<std::unique_ptr<ecc_strip>> strips_;
};

/// `restored` as repair_run has it. Throws: errc::mismatch when the sidecar is that of another file; errc::cancelled.
template <class Restored, parallel::executor E>
repair_report repair_with(const io::source& file, const io::ecc_sidecar& sidecar, const repair_options& options,
                          Restored&& restored, E& e) {
    return repair_run<std::remove_reference_t<Restored>>(file, sidecar, options, restored).run(e);
}

/// What is no container does not say which version it is. Damage leaves its time as it was, and so it is older than its
/// parity; what is not may be another version.
inline bool is_written_after(const std::filesystem::path& file, const std::filesystem::path& sidecar) {
    const file_stamp written = stamp_of(file), protected_at = stamp_of(sidecar);
    return std::tie(written.seconds, written.nanoseconds) > std::tie(protected_at.seconds, protected_at.nanoseconds);
}

} // namespace detail

/// Throws errc::mismatch when the file may be another version than its parity was made of.
inline void require_no_other_version(const repair_report& report, const std::filesystem::path& file) {
    if (!report.may_be_newer) return;
    throw error(errc::mismatch, "the file was written after its parity, which may be that of an older version")
        .in_file(file.string())
        .with_hint("if it is only a copy, repair it with -o OUT, or in place with -f");
}

/// Reads a file and its sidecar and tells what is damaged, and what of it can be repaired. Nothing is written.
/// Memory: 2 MiB, and 6 MiB per thread. Throws: errc::missing, errc::io when one of them cannot be opened;
/// errc::unsupported, errc::corrupt, errc::truncated when the sidecar is none, or nothing is left of it;
/// errc::mismatch when it is that of another file; errc::cancelled.
template <parallel::executor E>
repair_report check_parity(const std::filesystem::path& file, const std::filesystem::path& sidecar,
                           const repair_options& options, E& e) {
    const io::file_source from(file);
    const io::ecc_sidecar parity(std::make_shared<io::file_source>(sidecar), from.size());
    repair_report report = detail::repair_with(
        from, parity, options, [](std::uint64_t, bytes_view) {}, e);
    report.knows_version = parity.identity().value_or(0) != 0;
    report.may_be_newer = !report.file_whole() && !report.knows_version && detail::is_written_after(file, sidecar);
    return report;
}

/// Writes the repaired file to `output`, which appears when all is written. Where something cannot be restored, what
/// is there of it is written, and the report says so. The file and its sidecar are only read.
/// Throws: as check_parity(); errc::exists; errc::invalid_argument when the output would replace one of them.
template <parallel::executor E>
repair_report repair_to(const std::filesystem::path& file, const std::filesystem::path& sidecar,
                        const std::filesystem::path& output, const repair_options& options, E& e) {
    detail::require_apart(output, {file, sidecar, options.from});
    const io::file_source from(file);
    const io::ecc_sidecar parity(std::make_shared<io::file_source>(sidecar), from.size());
    io::atomic_file to(output, options.existing);
    const io::ecc_layout& layout = parity.layout();
    detail::copy_what_is_there(from, layout.file_bytes(), to, options,
                               [&](std::uint64_t offset) { return layout.next_cell(offset); });
    const auto write = [&](std::uint64_t offset, bytes_view bytes) { to.overwrite(offset, bytes); };
    repair_report report = detail::repair_with(from, parity, options, write, e);
    to.commit();
    return report;
}

/// Repairs a file where it lies: when all of it can be restored, writes what is known again into it, and then makes a
/// damaged sidecar anew. The sidecar does not change before, so that whenever the run is killed, it can be run again.
/// When something is lost, nothing is written. The time of the file stays. Throws: as check_parity(); errc::mismatch
/// also when the file is no container and was written after its sidecar, unless options.existing is replace;
/// errc::invalid_argument when a symbolic link leads to the file; errc::exists when another run is changing it.
template <parallel::executor E>
repair_report repair_in_place(const std::filesystem::path& file, const std::filesystem::path& sidecar,
                              const repair_options& options, E& e, io::file_operations& operations) {
    io::in_place_file target(file, operations);
    require_no_pending_change(file);
    repair_report report = check_parity(file, sidecar, options, e);
    if (options.existing == io::if_exists::refuse) require_no_other_version(report, file);
    if (!report.repairable()) return report;
    if (!report.file_whole()) {
        const io::file_source from(file);
        const io::ecc_sidecar parity(std::make_shared<io::file_source>(sidecar), from.size());
        const auto write = [&](std::uint64_t offset, bytes_view bytes) {
            if (target.size() < parity.layout().file_bytes()) target.resize(parity.layout().file_bytes());
            target.write(offset, bytes);
        };
        report = detail::repair_with(from, parity, options, write, e);
        if (report.repairable() && target.size() != report.file_bytes) target.resize(report.file_bytes);
        target.flush();
        if (!report.repairable()) return report; // it has lost more meanwhile
        target.restore_times();                  // by which its parity knows it
    }
    if (report.sidecar_whole()) return report;
    run_options over = options;
    over.existing = io::if_exists::replace;
    protect(file, sidecar, over, e);
    return report;
}

template <parallel::executor E>
repair_report repair_in_place(const std::filesystem::path& file, const std::filesystem::path& sidecar,
                              const repair_options& options, E& e) {
    io::file_operations operations;
    return repair_in_place(file, sidecar, options, e, operations);
}

} // namespace bigsmall::archive
