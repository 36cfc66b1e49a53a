// SPDX-License-Identifier: BSL-1.0
// Packing what an archive restores; squashing, by which a chain of patches becomes one.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <bigsmall/archive/archive_inputs.hpp>
#include <bigsmall/archive/compose_patches.hpp>
#include <bigsmall/archive/container_copier.hpp>
#include <bigsmall/archive/open_model.hpp>
#include <bigsmall/archive/output_directory.hpp>
#include <bigsmall/archive/pack.hpp>
#include <bigsmall/archive/unpack.hpp>
#include <bigsmall/io/atomic_file.hpp>
#include <bigsmall/io/container/header_text.hpp>
#include <bigsmall/io/container/index_rules.hpp>
#include <bigsmall/io/container/writer.hpp>
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

namespace detail {

/// A patch that is one file, all of whose receipts are known.
inline opened_archive open_patch(const std::filesystem::path& path) {
    opened_archive patch(path);
    patch.require_whole();
    if (!patch.is_patch())
        throw error(errc::invalid_argument, "this is no patch: it restores its files without a base")
            .in_file(path.string());
    if (patch.sharded() || !patch.containers().front().index().siblings.empty())
        throw error(errc::invalid_argument, "without the base only patches that are one file can be squashed")
            .in_file(path.string())
            .with_hint(squash_hint);
    if (patch.containers().front().index().receipts_lost)
        throw error(errc::corrupt, "the receipts of its tensors, their MD5s, are damaged")
            .in_file(path.string())
            .with_hint(squash_hint);
    return patch;
}

inline pack_result squash_without_base(const std::vector<std::filesystem::path>& paths,
                                       const std::filesystem::path& output, const run_options& options) {
    std::vector<opened_archive> patches;
    std::vector<const opened_container*> containers;
    patches.reserve(paths.size()); // nothing moves when another one follows
    for (const std::filesystem::path& path : paths) {
        patches.push_back(open_patch(path));
        inputs_of(patches.back()).require_apart(output);
        containers.push_back(&patches.back().containers().front());
    }
    const patch_composer composer(containers);
    const index_part part = composer.compose();
    io::atomic_file file(output, options.existing);
    io::container_writer writer(file, io::required_features(part.index));
    byte_buffer memory;
    for (const std::uint32_t number : part.order)
        copy_blocks(composer.places()[part.origins[number]], part.index.contents[number], writer, options, memory);
    writer.finish(part.index, io::size_limit(part.index));
    pack_result result;
    result.compressed_bytes = file.position();
    file.commit();
    for (const io::member_entry& member : part.index.members) {
        result.source_bytes += member.raw_bytes;
        result.tensors += io::detail::count_tensors(member);
    }
    result.files.push_back({output, result.source_bytes, result.compressed_bytes});
    return result;
}

} // namespace detail

/// Writes one patch with the effect of `patches`. Each was made against the result of the one before, the first against
/// options.base. See pack_archive(). Without a base, blocks are copied, each checked, and nothing is decoded: that is
/// possible where no patch builds on what an earlier one has changed or added, but takes whole tensors as they are.
/// Throws: errc::invalid_argument when it is not, naming a tensor, or when the output would replace one of the patches;
/// errc::mismatch when they are no chain; as unpack() and pack().
template <parallel::executor E>
pack_result squash(const std::vector<std::filesystem::path>& patches, const std::filesystem::path& output,
                   const pack_options& options, E& e) {
    if (patches.empty()) throw error(errc::invalid_argument, "squashing needs patches");
    if (!options.base) return detail::squash_without_base(patches, output, options);
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
