// SPDX-License-Identifier: BSL-1.0
// Packing: a safetensors file or a whole model directory becomes one container. `pack_shards.hpp` makes one
// container per shard.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <bigsmall/archive/bundle_plan.hpp>
#include <bigsmall/archive/container_packer.hpp>
#include <bigsmall/archive/duplicates.hpp>
#include <bigsmall/archive/input_files.hpp>
#include <bigsmall/archive/model_index.hpp>
#include <bigsmall/archive/pack_options.hpp>
#include <bigsmall/archive/pack_progress.hpp>
#include <bigsmall/archive/pack_shards.hpp>
#include <bigsmall/archive/patch_plan.hpp>
#include <bigsmall/archive/plan.hpp>
#include <bigsmall/archive/source_tree.hpp>
#include <bigsmall/archive/unfinished_output.hpp>
#include <bigsmall/io/atomic_file.hpp>
#include <bigsmall/io/progress_directory.hpp>
#include <bigsmall/io/progress_payload.hpp>
#include <bigsmall/io/sink.hpp>
#include <bigsmall/parallel/executor.hpp>

namespace bigsmall::archive {

namespace detail {

/// See pack_to(). What is not null in `progress` is where `output` belongs to.
template <parallel::executor E>
pack_result pack_tree(const std::filesystem::path& source, const source_tree& tree, io::sink& output,
                      const pack_options& options, E& e, pack_progress* progress = nullptr) {
    check_block_bytes(options.block_bytes);
    std::vector<absent_shard> absent = absent_shards(tree);
    pack_plan plan = make_plan(tree);
    find_duplicates(plan, duplicate_scope::everywhere, bundle_limit(options), options, e);
    patch_plan patch;
    if (options.base) patch = patch_planner(plan, options).run(source, e);
    container_packer packer(plan, options, patch);
    const std::uint64_t before = output.position();
    packer.run(0, static_cast<std::uint32_t>(plan.members.size()), output, e, {}, progress);
    if (options.base) options.base->require_unchanged();
    pack_result result = count_tensors(plan);
    if (options.base) result.patch = packer.patch_result();
    result.grouped_tensors = packer.grouped_tensors();
    result.compressed_bytes = output.position() - before;
    result.absent_shards = std::move(absent);
    return result;
}

/// Packs into a file that is kept when the run does not come to its end, and goes on with one that is there.
template <parallel::executor E>
pack_result pack_resumable(const std::filesystem::path& source, const source_tree& tree,
                           const std::filesystem::path& output, const pack_options& options, E& e) {
    try {
        io::detail::check_output(output, options.existing, output.string());
    } catch (...) {
        unfinished_output::remove_if_committed(output, options);
        throw;
    }
    unfinished_output unfinished(output, options);
    pack_progress progress = unfinished.container();
    try {
        pack_result result;
        try {
            result = pack_tree(source, tree, progress.payload(), options, e, &progress);
        } catch (const io::stale_progress& stale) {
            progress.forget();
            unfinished.start_over(stale);
            result = pack_tree(source, tree, progress.payload(), options, e, &progress);
        }
        progress.payload().commit(output, options.existing);
        unfinished.directory().remove();
        result.resumed_bytes = unfinished.resumed_bytes();
        return result;
    } catch (...) {
        progress.has_something() ? progress.try_flush() : unfinished.try_remove();
        throw;
    }
}

} // namespace detail

namespace detail {

/// A patch against the very files that it is made of would need them to bring them back.
inline void require_other_base(const source_tree& tree, const pack_options& options) {
    if (!options.base) return;
    input_files files("a file of the base");
    options.base->add_to(files);
    bool others = true; // no model: nothing to be lost
    for (const source_file& file : tree.files) {
        if (tree.directory && !std::string_view(file.name).ends_with(".safetensors")) continue;
        others = !files.contains(file.path);
        if (others) return;
    }
    if (!others)
        throw error(errc::invalid_argument,
                    "the base is the source itself, without which the patch would restore nothing")
            .in_file(options.base->path().string());
}

} // namespace detail

/// Packs `source`, a safetensors file or a directory, as one container into any sink, a pipe included.
/// Reads every byte once (parts that look equal, and small ones, up to three times more each), writes front to back.
/// The bytes depend on the source, the base, the codec, block_bytes and group_streams only. With a base, the tensors
/// that have a counterpart there are read once more, and the base up to three times. Memory: below 256 MiB and 8 MiB
/// per thread (32 MiB with blocks of 4 MiB and LZ coding), beside the index. Throws: errc::invalid_input,
/// errc::truncated for broken sources; errc::missing, errc::io; errc::cancelled.
template <parallel::executor E>
pack_result pack_to(const std::filesystem::path& source, io::sink& output, const pack_options& options, E& e) {
    const source_tree tree = find_files(source);
    detail::require_other_base(tree, options);
    return detail::pack_tree(source, tree, output, options, e);
}

/// Packs `source` into the file `output`, or with per_shard into the directory `output`. The output appears
/// whole or not at all; the source is only read. A directory that holds an older output and may be replaced loses the
/// files that only the older index lists, once the new ones are there.
/// With options.resume, a run that fails, is stopped or killed leaves what it has done beside the output, and
/// another one with the same options goes on from there, to the same bytes. A directory that is there already must then
/// be on the file system of the one above it.
/// Throws: as pack_to(); errc::exists when the output is there and options.existing is refuse, or another run is
/// writing it;
/// errc::invalid_argument when it lies inside the source or would replace a file that a link in the source leads to,
/// or a file of the base; when the base is the source; or when per_shard is given a single file, a base, or with resume
/// a directory that is a file system of its own.
template <parallel::executor E>
pack_result pack(const std::filesystem::path& source, const std::filesystem::path& output, const pack_options& options,
                 E& e) {
    if (options.per_shard && options.base)
        throw error(errc::invalid_argument, "a patch is one container: it cannot be packed per shard");
    if (options.per_shard) return detail::pack_shards(source, output, options, e);
    const source_tree tree = find_files(source);
    const input_files inputs = inputs_of(source, tree);
    inputs.require_apart(output);
    if (options.resume.wanted) detail::require_apart_from_progress(source, inputs, output, options);
    detail::require_other_base(tree, options);
    if (options.base) {
        input_files of_base("a file of the base");
        options.base->add_to(of_base);
        of_base.require_apart(output);
    }
    pack_result result;
    if (options.resume.wanted) {
        result = detail::pack_resumable(source, tree, output, options, e);
    } else {
        io::atomic_file file(output, options.existing);
        result = detail::pack_tree(source, tree, file, options, e);
        file.commit();
    }
    result.files.push_back({output, result.source_bytes, result.compressed_bytes});
    return result;
}

} // namespace bigsmall::archive
