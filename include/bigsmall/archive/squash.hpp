// SPDX-License-Identifier: BSL-1.0
// Packing what an archive restores; squashing, by which a chain of patches becomes one.
#pragma once

#include <cstddef>
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

/// Packs what an archive restores. It is written beside the output for the time of the run, so that as much room is
/// needed there; its hashes are checked. `how`: the base of the archive, if it is a patch. Throws: as unpack(), pack().
template <parallel::executor E>
pack_result pack_archive(const std::filesystem::path& archive, const unpack_options& how,
                         const std::filesystem::path& output, const pack_options& options, E& e) {
    const opened_archive opened(archive);
    opened.require_whole();
    inputs_of(opened).require_apart(output);
    { io::atomic_file(output, options.existing); } // whether it may be written is better known before all the work
    // Never committed, so that it goes away whatever happens.
    output_directory hidden(std::filesystem::path(output).concat(".restored"), io::if_exists::refuse);
    const bool directory = opened.restores_directory();
    const std::filesystem::path restored =
        hidden.place(directory ? "model" : opened.containers().front().index().members.front().path);
    unpack(archive, restored, how, e);
    return pack(restored, output, options, e);
}

/// Writes one patch with the effect of `patches`. Each was made against the result of the one before, the first against
/// options.base, which is needed. See pack_archive().
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
    for (std::size_t i = 0; i + 1 < patches.size(); ++i) {
        inputs_of(opened_archive(patches[i])).require_apart(output);
        chain.base = open_model(patches[i], chain.base, options, e);
    }
    return pack_archive(patches.back(), chain, output, options, e);
}

} // namespace bigsmall::archive
