// SPDX-License-Identifier: BSL-1.0
// Transcoding: an archive is written anew for another operating point. What it restores stays the same to the last
// byte.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

#include <bigsmall/archive/carried_files.hpp>
#include <bigsmall/archive/container_transcoder.hpp>
#include <bigsmall/archive/input_files.hpp>
#include <bigsmall/archive/leftover_files.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/archive/output_directory.hpp>
#include <bigsmall/archive/pack_options.hpp>
#include <bigsmall/archive/transcode_options.hpp>
#include <bigsmall/archive/unpack.hpp>
#include <bigsmall/io/atomic_file.hpp>
#include <bigsmall/parallel/executor.hpp>

namespace bigsmall::archive {

namespace detail {

inline std::uint64_t member_bytes(const opened_archive& archive) {
    std::uint64_t sum = 0;
    for (const opened_container& container : archive.containers())
        for (const io::member_entry& member : container.index().members)
            sum += member.raw_bytes;
    return sum;
}

/// The containers keep their names, by which they know each other; so do the files beside them.
template <parallel::executor E>
transcode_result transcode_directory(const opened_archive& archive, const std::filesystem::path& output,
                                     const transcode_options& options, E& e) {
    input_files inputs = inputs_of(archive);
    inputs.set_root(archive.path());
    inputs.require_apart(output);
    output_directory directory(output, options.existing);
    inputs.require_apart(directory.final_path(std::string(shard_index_name)));
    for (const shard_record& shard : archive.shards().shards)
        inputs.require_apart(directory.final_path(shard.file));
    for (const carried_record& file : archive.shards().files)
        inputs.require_apart(directory.final_path(file.file));
    container_transcoder transcoder(options, member_bytes(archive), block_sharing::off);
    shard_index index = archive.shards();
    index.writer = std::string("bigsmall ") + version_string;
    std::uint64_t written = 0;
    // No container is missing here, so that both lists are in the same order.
    for (std::size_t i = 0; i < index.shards.size(); ++i) {
        shard_record& shard = index.shards[i];
        io::atomic_file file(directory.place(shard.file), io::if_exists::refuse);
        const io::container_index done = transcoder.run(archive.containers()[i], file, e);
        shard.stored_bytes = file.position();
        file.commit();
        shard.needs.clear();
        for (const std::string& sibling : done.siblings)
            shard.needs.push_back(shard.file.substr(0, shard.file.rfind('/') + 1) + sibling);
        written += shard.stored_bytes;
    }
    transcode_result result = transcoder.result();
    for (const shard_record& shard : index.shards)
        result.files.push_back(directory.final_path(shard.file));
    for (const carried_record& file : index.files) {
        copy_carried(archive.path() / file.file, directory.place(file.file), directory.final_path(file.file).string(),
                     file, options);
        result.files.push_back(directory.final_path(file.file));
        result.raw_bytes += file.bytes;
        written += file.bytes;
    }
    const std::string name(shard_index_name), text = encode_shard_index(index);
    io::atomic_file file(directory.place(name), io::if_exists::refuse);
    file.write(as_bytes_view(text));
    file.commit();
    result.files.push_back(directory.final_path(name));
    const std::vector<std::filesystem::path> leftovers = find_leftovers(directory.target(), index, inputs, options);
    directory.commit();
    result.removed_files = remove_leftovers(leftovers, result.files);
    result.written_bytes = written + text.size();
    return result;
}

} // namespace detail

/// Writes the archive at `source`, a container or a directory with bigsmall.index.json, again as `output`, a file or a
/// directory as it is. Members, names, headers, duplicates and receipts stay the same. Every file and every tensor that
/// is decoded must have the hash of its receipt, and every new block is decoded again and compared with the bytes that
/// it was made of, before the output appears. A content that a single container borrows from a sibling is stored in the
/// output itself. The new bytes depend on the archive and the options only.
/// Memory: below 256 MiB and 16 MiB per thread, beside the index; never a whole tensor.
/// Throws: errc::corrupt, errc::truncated, errc::mismatch for damage; errc::unsupported; errc::missing; errc::exists;
/// errc::invalid_argument when an output would replace a file of the archive or one that it needs, or lies in it;
/// errc::io; errc::cancelled.
template <parallel::executor E>
transcode_result transcode(const std::filesystem::path& source, const std::filesystem::path& output,
                           const transcode_options& options, E& e) {
    detail::check_block_bytes(options.block_bytes);
    const opened_archive opened(source);
    opened.require_whole();
    if (opened.is_patch())
        throw error(errc::unsupported, "this is a patch, which is not transcoded: its blocks need the base")
            .in_file(source.string())
            .with_hint("make the patch anew with another operating point, or transcode what it restores");
    transcode_result result;
    if (opened.sharded()) {
        result = detail::transcode_directory(opened, output, options, e);
    } else {
        inputs_of(opened).require_apart(output);
        io::atomic_file file(output, options.existing);
        // Blocks that lie in siblings are not looked at again, so what borrows from them shares none.
        const bool alone = opened.containers().front().index().siblings.empty();
        detail::container_transcoder transcoder(options, detail::member_bytes(opened),
                                                alone ? detail::block_sharing::on : detail::block_sharing::off);
        transcoder.run(opened.containers().front(), file, e);
        result = transcoder.result();
        result.written_bytes = file.position();
        file.commit();
        result.files.push_back(output);
    }
    result.source_bytes = opened.stored_bytes();
    return result;
}

} // namespace bigsmall::archive
