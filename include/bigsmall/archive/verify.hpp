// SPDX-License-Identifier: BSL-1.0
// Verifying: is every byte still what was packed? Damage is collected, so that all of it is known at once.
#pragma once

#include <algorithm>
#include <filesystem>

#include <bigsmall/archive/carried_files.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/archive/restore.hpp>
#include <bigsmall/archive/verify_against.hpp>
#include <bigsmall/archive/verify_contents.hpp>
#include <bigsmall/archive/verify_fast.hpp>
#include <bigsmall/archive/verify_report.hpp>
#include <bigsmall/archive/verify_sample.hpp>
#include <bigsmall/archive/verify_stored.hpp>
#include <bigsmall/io/file_source.hpp>
#include <bigsmall/parallel/executor.hpp>

namespace bigsmall::archive {

namespace detail {

/// False when the MD5s of a container are lost: what is left is the SHA-256 of its files.
inline bool has_receipts(const opened_archive& archive) {
    return std::none_of(archive.containers().begin(), archive.containers().end(),
                        [](const opened_container& container) { return container.index().receipts_lost; });
}

} // namespace detail

/// Everything that verify_fast() checks, and then decodes every block (checksum) and every tensor (MD5), with
/// options.file_hashes every file (SHA-256), and hashes the carried files. Of a patch without its base, the checksums
/// of the stored bytes only. Nothing is written. Throws: as verify_fast(); errc::invalid_argument when there is a base
/// and no patch, or a patch, no base and file_hashes; errc::cancelled.
template <parallel::executor E>
verify_report verify(const std::filesystem::path& archive, const verify_options& options, E& e) {
    opened_archive opened(archive);
    verify_report report = detail::begin_report(opened);
    detail::check_metadata(opened, options.codec, report);
    if (!detail::give_base(opened, options, report, e)) {
        if (options.file_hashes && report.problems.empty()) require_base(opened);
        detail::stored_check(opened, options, report).run(e);
    } else if (options.file_hashes || !detail::has_receipts(opened)) {
        detail::collecting_observer observer(report);
        report.file_hashes = true;
        restore(all_jobs(opened), options.codec, options, observer, e, restored_hashes::files_and_parts);
    } else {
        detail::verify_contents(opened, options, report, e);
    }
    detail::check_carried(opened, options, report);
    return report;
}

/// The same with all hashes, and every restored byte is compared with the files that were packed: a safetensors file,
/// or the directory. Tensors and files that only one side has are problems; so is any difference of the headers.
/// Throws: as verify(); errc::missing, errc::invalid_input, errc::truncated for the source; errc::invalid_argument when
/// one is a directory and the other is not.
template <parallel::executor E>
verify_report verify_against(const std::filesystem::path& archive, const std::filesystem::path& source,
                             const verify_options& options, E& e) {
    opened_archive opened(archive);
    verify_report report = detail::begin_report(opened);
    detail::check_metadata(opened, options.codec, report);
    if (!detail::give_base(opened, options, report, e)) {
        if (report.problems.empty()) require_base(opened);
        return report;
    }
    detail::source_files files(opened, source);
    detail::comparing_observer observer(files, report);
    report.file_hashes = true;
    restore(all_jobs(opened), options.codec, options, observer, e, restored_hashes::files_and_parts);
    detail::check_carried(opened, options, report);
    files.compare_carried(opened, options, report);
    files.report_unused(report);
    return report;
}

} // namespace bigsmall::archive
