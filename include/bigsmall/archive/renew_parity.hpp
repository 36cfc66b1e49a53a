// SPDX-License-Identifier: BSL-1.0
// Parity made again, but never of what is damaged: the old one may be all that brings it back.
#pragma once

#include <filesystem>
#include <system_error>

#include <bigsmall/archive/protect.hpp>
#include <bigsmall/archive/repair.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/parallel/executor.hpp>

namespace bigsmall::archive {

namespace detail {

/// By its parity, if that can be used and is not of another version. What is no container may have been changed on
/// purpose if it was written after its parity, of which the sidecar must tell that it is no container.
template <parallel::executor E>
bool is_damaged(const std::filesystem::path& file, const std::filesystem::path& sidecar, const run_options& options,
                E& e) {
    repair_options how;
    static_cast<run_options&>(how) = options;
    try {
        const repair_report found = check_parity(file, sidecar, how, e);
        return !found.file_whole() && !(found.may_be_newer && found.headers_ok);
    } catch (const error& failure) {
        const bool unusable = failure.code() == errc::unsupported || failure.code() == errc::corrupt ||
                              failure.code() == errc::truncated || failure.code() == errc::mismatch;
        if (!unusable) throw;
        return false;
    }
}

} // namespace detail

/// As protect(); where options.existing is to replace a sidecar, the file is compared with that first, which reads both
/// once more. Throws: as protect(); errc::mismatch when the file is damaged.
template <parallel::executor E>
protect_result renew_parity(const std::filesystem::path& file, const std::filesystem::path& sidecar,
                            const run_options& options, E& e) {
    std::error_code failed;
    if (options.existing == io::if_exists::replace && std::filesystem::is_regular_file(sidecar, failed) &&
        detail::is_damaged(file, sidecar, options, e))
        throw error(errc::mismatch, "the file is damaged, and nothing but its parity of before tells how it was")
            .in_file(file.string())
            .with_hint("'bigsmall repair --check' tells whether that brings it back; without " + sidecar.string() +
                       " the file is protected as it is now");
    return protect(file, sidecar, options, e);
}

} // namespace bigsmall::archive
