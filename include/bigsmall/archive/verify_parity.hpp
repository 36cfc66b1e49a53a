// SPDX-License-Identifier: BSL-1.0
// Verifying includes the parity beside an archive: it is of no use if it is damaged, or was made of another version.
#pragma once

#include <filesystem>
#include <string>
#include <system_error>

#include <bigsmall/archive/archive_files.hpp>
#include <bigsmall/archive/repair.hpp>
#include <bigsmall/archive/verify_report.hpp>
#include <bigsmall/io/ecc/sidecar.hpp>
#include <bigsmall/parallel/executor.hpp>

namespace bigsmall::archive {

namespace detail {

template <parallel::executor E>
void verify_sidecar(const std::filesystem::path& file, const run_options& options, verify_report& report, E& e) {
    const std::filesystem::path sidecar = io::ecc_path(file);
    const auto add = [&](errc code, std::string what) {
        damage found = make_damage(code, std::move(what), sidecar);
        found.redundant = true;
        add_problem(report, std::move(found));
    };
    ++report.files;
    const bool archive_whole = report.ok;
    repair_options how;
    static_cast<run_options&>(how) = options;
    try {
        const repair_report found = check_parity(file, sidecar, how, e);
        if (!found.file_whole() && archive_whole)
            add(errc::mismatch, "this is not the parity of the file as it is now, which is whole");
        if (!found.sidecar_whole()) add(errc::corrupt, "the parity itself is damaged");
    } catch (const error& failure) {
        if (failure.code() == errc::cancelled) throw;
        add(failure.code(), failure.message());
    }
}

} // namespace detail

/// Compares each file of an archive that has a sidecar under the name that io::ecc_path() gives with it. What is wrong
/// is added to `report`, which tells already how the archive is: of that, nothing is repeated.
/// Throws: as files_of_archive(); errc::io; errc::cancelled.
template <parallel::executor E>
void verify_parity(const std::filesystem::path& archive, const run_options& options, verify_report& report, E& e) {
    std::error_code failed;
    for (const std::filesystem::path& file : files_with_parity(files_of_archive(archive)))
        if (std::filesystem::is_regular_file(file, failed)) detail::verify_sidecar(file, options, report, e);
}

} // namespace bigsmall::archive
