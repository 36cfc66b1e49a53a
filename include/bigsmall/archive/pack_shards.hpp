// SPDX-License-Identifier: BSL-1.0
// Packing a directory shard by shard, the layout for model hubs: one container per safetensors file, every
// other file as it is, and an index.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <sys/stat.h>

#include <bigsmall/archive/bundle_plan.hpp>
#include <bigsmall/archive/carried_files.hpp>
#include <bigsmall/archive/container_packer.hpp>
#include <bigsmall/archive/duplicates.hpp>
#include <bigsmall/archive/input_files.hpp>
#include <bigsmall/archive/leftover_files.hpp>
#include <bigsmall/archive/model_index.hpp>
#include <bigsmall/archive/output_directory.hpp>
#include <bigsmall/archive/pack_options.hpp>
#include <bigsmall/archive/plan.hpp>
#include <bigsmall/archive/shard_index.hpp>
#include <bigsmall/archive/source_tree.hpp>
#include <bigsmall/archive/unfinished_output.hpp>
#include <bigsmall/core/version.hpp>
#include <bigsmall/io/atomic_file.hpp>
#include <bigsmall/io/file_operations.hpp>
#include <bigsmall/io/posix.hpp>
#include <bigsmall/io/printable.hpp>
#include <bigsmall/io/progress_directory.hpp>
#include <bigsmall/io/progress_payload.hpp>
#include <bigsmall/parallel/executor.hpp>

namespace bigsmall::archive::detail {

class shard_packer {
public:
    /// What is not null in `unfinished` keeps the containers until all are there, in the directory that `output` writes
    /// into.
    shard_packer(pack_plan plan, std::vector<source_file> carried, const input_files& inputs, output_directory& output,
                 const pack_options& options, unfinished_output* unfinished)
        : plan_(std::move(plan)),
          carried_(std::move(carried)),
          inputs_(inputs),
          output_(output),
          options_(options),
          unfinished_(unfinished),
          packer_(plan_, options, no_base_) {}

    template <parallel::executor E>
    pack_result run(E& e) {
        find_duplicates(plan_, duplicate_scope::one_directory, bundle_limit(options_), options_, e);
        index_.writer = std::string("bigsmall ") + version_string;
        name_everything();
        if (unfinished_ != nullptr) begin_unfinished();
        for (std::uint32_t m = 0; m < plan_.members.size(); ++m)
            pack_shard(m, e);
        for (std::size_t i = 0; i < carried_.size(); ++i)
            carry(i);
        write_index();
        const std::vector<std::filesystem::path> leftovers =
            find_leftovers(output_.target(), index_, inputs_, options_);
        output_.commit();

        pack_result result = count_tensors(plan_);
        result.removed_files = remove_leftovers(leftovers, paths_written());
        result.grouped_tensors = packer_.grouped_tensors();
        for (const packed_file& file : written_)
            result.compressed_bytes += file.stored_bytes;
        result.files = std::move(written_);
        return result;
    }

private:
    static std::string folder_of(const std::string& name) { return name.substr(0, name.rfind('/') + 1); }
    static container_packer::naming naming_of(const shard_record& shard) {
        const std::string folder = folder_of(shard.file);
        return {shard.file.substr(folder.size()), folder};
    }

    std::string shown(const std::string& name) const { return output_.final_path(name).string(); }

    /// Fills in all names and checks that they fit together before anything is written.
    void name_everything() {
        for (const planned_member& member : plan_.members) {
            const std::string& name = member.file.name;
            const std::string stem = name.substr(0, name.size() - std::string_view(".safetensors").size());
            index_.shards.push_back({stem + ".bs", 0, name, member.file.stamp.bytes, {}, {}});
        }
        for (const source_file& file : carried_)
            index_.files.push_back({file.name, file.stamp.bytes, {}});
        refuse_taken_names();
        refuse_inputs();
        encode_shard_index(index_);
    }

    /// The general check of paths would say only that a path is there twice.
    void refuse_taken_names() const {
        std::map<std::string_view, std::string_view> taken{{shard_index_name, "the index of the shards"}};
        for (const shard_record& shard : index_.shards)
            taken[shard.file] = shard.source;
        for (const source_file& file : carried_) {
            const auto at = taken.find(file.name);
            if (at == taken.end()) continue;
            throw error(errc::invalid_input, "the name of this file is needed for " +
                                                 (at->second == taken.at(shard_index_name)
                                                      ? std::string(at->second)
                                                      : "the container of " + io::in_quotes(at->second)))
                .in_file(file.path.string())
                .with_hint("move one of them away, or compress without --per-shard");
        }
    }

    /// A directory of outputs that is there already may hold what the source links to, or lead into it by a link.
    void refuse_inputs() const {
        inputs_.require_apart(output_.final_path(std::string(shard_index_name)));
        for (const shard_record& shard : index_.shards)
            inputs_.require_apart(output_.final_path(shard.file));
        for (const source_file& file : carried_)
            inputs_.require_apart(output_.final_path(file.name));
    }

    void begin_unfinished() {
        require_places();
        std::set<std::string> names;
        for (const shard_record& shard : index_.shards)
            names.insert(shard.file);
        unfinished_->begin_directory(names);
    }

    /// What was done could else not be moved to its place, after all the work.
    void require_places() const {
        std::set<std::filesystem::path> places{output_.target()};
        for (const shard_record& shard : index_.shards)
            places.insert(output_.final_path(shard.file).parent_path());
        for (const carried_record& file : index_.files)
            places.insert(output_.final_path(file.file).parent_path());
        const std::filesystem::path& kept = unfinished_->directory().path();
        struct stat there {
        }, beside{};
        if (::stat(kept.c_str(), &beside) != 0)
            throw io::detail::system_error("look at the directory", kept.string(), errno);
        for (const std::filesystem::path& place : places) {
            if (::stat(place.c_str(), &there) != 0) continue;
            io::detail::require_writable(place);
            if (there.st_dev != beside.st_dev)
                throw error(errc::invalid_argument, "this directory is on another file system than the one beside the "
                                                    "output in which a run that can be resumed keeps its work")
                    .in_file(place.string())
                    .with_hint("choose an output below it, or leave out --resume");
        }
    }

    template <parallel::executor E>
    io::container_index pack_container(std::uint32_t m, E& e) {
        shard_record& shard = index_.shards[m];
        io::atomic_file file(output_.place(shard.file), io::if_exists::refuse, shown(shard.file));
        io::container_index packed = packer_.run(m, m + 1, file, e, naming_of(shard));
        shard.stored_bytes = file.position();
        file.commit();
        return packed;
    }

    /// The same, and goes on with what is there.
    template <parallel::executor E>
    io::container_index continue_container(std::uint32_t m, E& e) {
        shard_record& shard = index_.shards[m];
        pack_progress progress = unfinished_->container(shard.file, m + 1 == plan_.members.size());
        output_.place(shard.file);
        try {
            io::container_index packed = packer_.run(m, m + 1, progress.payload(), e, naming_of(shard), &progress);
            shard.stored_bytes = progress.payload().position();
            progress.flush();
            return packed;
        } catch (...) {
            progress.has_something() ? progress.try_flush() : unfinished_->try_forget(shard.file);
            throw;
        }
    }

    template <parallel::executor E>
    void pack_shard(std::uint32_t m, E& e) {
        shard_record& shard = index_.shards[m];
        const io::container_index packed = unfinished_ != nullptr ? continue_container(m, e) : pack_container(m, e);
        shard.source_sha256 = hex_of(packed.members[0].sha256);
        for (const std::string& sibling : packed.siblings)
            shard.needs.push_back(folder_of(shard.file) + sibling);
        for (const planned_extent& extent : plan_.members[m].extents) {
            if (extent.kind != io::extent_kind::tensor) continue;
            index_.tensor_bytes += extent.bytes;
            index_.weight_map[extent.tensor].push_back(shard.file);
        }
        written_.push_back({output_.final_path(shard.file), shard.source_bytes, shard.stored_bytes});
    }

    void carry(std::size_t i) {
        const source_file& file = carried_[i];
        require_unchanged(file);
        index_.files[i].sha256 = hex_of(copy_file(file.path, output_.place(file.name), shown(file.name), options_));
        require_unchanged(file);
        packer_.copied(file);
        written_.push_back({output_.final_path(file.name), file.stamp.bytes, file.stamp.bytes});
    }

    std::vector<std::filesystem::path> paths_written() const {
        std::vector<std::filesystem::path> paths;
        for (const packed_file& file : written_)
            paths.push_back(file.path);
        return paths;
    }

    void write_index() {
        const std::string text = encode_shard_index(index_);
        const std::string name(shard_index_name);
        io::atomic_file file(output_.place(name), io::if_exists::refuse, shown(name));
        file.write(as_bytes_view(text));
        file.commit();
        written_.push_back({output_.final_path(name), 0, text.size()});
    }

    pack_plan plan_;
    std::vector<source_file> carried_;
    const input_files& inputs_;
    output_directory& output_;
    const pack_options& options_;
    unfinished_output* unfinished_; ///< null: the run cannot be resumed
    patch_plan no_base_;
    container_packer packer_;
    shard_index index_;
    std::vector<packed_file> written_;
};

/// Packs what `source` has as `tree` into the files of a directory.
template <parallel::executor E>
pack_result pack_tree_per_shard(const source_tree& tree, const input_files& inputs, output_directory& directory,
                                const pack_options& options, E& e, unfinished_output* unfinished = nullptr) {
    std::vector<absent_shard> absent = absent_shards(tree);
    source_tree shards{true, {}};
    std::vector<source_file> carried;
    for (const source_file& file : tree.files) {
        const bool is_shard = std::string_view(file.name).ends_with(".safetensors");
        (is_shard ? shards.files : carried).push_back(file);
    }
    pack_plan plan = make_plan(shards);
    for (const source_file& file : carried)
        plan.source_bytes += file.stamp.bytes;
    pack_result result =
        shard_packer(std::move(plan), std::move(carried), inputs, directory, options, unfinished).run(e);
    result.absent_shards = std::move(absent);
    return result;
}

/// Packs into a directory beside the output that is kept when the run does not come to its end, and goes on with one
/// that is there.
template <parallel::executor E>
pack_result pack_shards_resumable(const source_tree& tree, const input_files& inputs,
                                  const std::filesystem::path& output, const pack_options& options, E& e) {
    const std::filesystem::path kept = io::progress_path(output) / io::progress_payloads_name;
    try {
        output_directory(output, options.existing, kept, nullptr);
    } catch (...) {
        unfinished_output::remove_if_committed(output, options);
        throw;
    }
    unfinished_output unfinished(output, options);
    const auto pack = [&] {
        output_directory directory(output, options.existing, kept, options.resume.operations);
        return pack_tree_per_shard(tree, inputs, directory, options, e, &unfinished);
    };
    try {
        pack_result result;
        try {
            result = pack();
        } catch (const io::stale_progress& stale) {
            unfinished.start_over(stale);
            result = pack();
        }
        unfinished.directory().remove();
        result.resumed_bytes = unfinished.resumed_bytes();
        return result;
    } catch (...) {
        unfinished.try_tidy();
        throw;
    }
}

/// See pack().
template <parallel::executor E>
pack_result pack_shards(const std::filesystem::path& source, const std::filesystem::path& output,
                        const pack_options& options, E& e) {
    check_block_bytes(options.block_bytes);
    std::error_code failed;
    if (std::filesystem::is_regular_file(source, failed))
        throw error(errc::invalid_argument, "a container per shard needs a directory, and this is a file")
            .in_file(source.string());
    if (lies_within(source, output))
        throw error(errc::invalid_argument, "the source lies inside the output directory").in_file(output.string());
    const source_tree tree = find_files(source);
    const input_files inputs = inputs_of(source, tree);
    inputs.require_apart(output);
    if (options.resume.wanted) {
        require_apart_from_progress(source, inputs, output, options);
        return pack_shards_resumable(tree, inputs, output, options, e);
    }
    output_directory directory(output, options.existing);
    return pack_tree_per_shard(tree, inputs, directory, options, e);
}

} // namespace bigsmall::archive::detail
