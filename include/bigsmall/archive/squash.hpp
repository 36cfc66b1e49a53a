// SPDX-License-Identifier: BSL-1.0
// Squashing: a chain of patches becomes one, from the base of the first to the result of the last.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <bigsmall/archive/archive_inputs.hpp>
#include <bigsmall/archive/open_model.hpp>
#include <bigsmall/archive/output_directory.hpp>
#include <bigsmall/archive/pack.hpp>
#include <bigsmall/archive/unpack.hpp>
#include <bigsmall/io/atomic_file.hpp>
#include <bigsmall/parallel/executor.hpp>

namespace bigsmall::archive {

/// Writes one patch with the effect of `patches`. Each was made against the result of the one before, the first against
/// options.base, which is needed. What the last one restores is written beside the output for the time of the
/// run, so that as much room is needed there; its hashes are checked.
/// Throws: errc::invalid_argument without a base, or when the output would replace one of the patches; as unpack() and
/// pack().
template <parallel::executor E>
pack_result squash(const std::vector<std::filesystem::path>& patches, const std::filesystem::path& output,
                   const pack_options& options, E& e) {
    if (patches.empty() || !options.base)
        throw error(errc::invalid_argument, "squashing needs patches and the base of the first of them");
    unpack_options chain;
    chain.cancel = options.cancel;
    chain.codec = options.codec;
    chain.base = options.base;
    for (const std::filesystem::path& patch : patches) {
        const opened_archive opened(patch);
        inputs_of(opened).require_apart(output);
        if (&patch != &patches.back()) chain.base = open_model(patch, chain.base, options, e);
    }
    { io::atomic_file(output, options.existing); } // whether it may be written is better known before all the work
    const opened_archive last(patches.back());
    last.require_whole();
    // Never committed, so that it goes away whatever happens.
    output_directory hidden(std::filesystem::path(output).concat(".restored"), io::if_exists::refuse);
    const bool directory = last.restores_directory();
    const std::filesystem::path restored =
        hidden.place(directory ? "model" : last.containers().front().index().members.front().path);
    unpack(patches.back(), restored, chain, e);
    return pack(restored, output, options, e);
}

} // namespace bigsmall::archive
