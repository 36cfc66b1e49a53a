// SPDX-License-Identifier: BSL-1.0
// Resharding: the blocks of a model are copied into other containers, layer by layer, or joined into one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <bigsmall/archive/archive_inputs.hpp>
#include <bigsmall/archive/carried_files.hpp>
#include <bigsmall/archive/container_copier.hpp>
#include <bigsmall/archive/hub_index.hpp>
#include <bigsmall/archive/join_model.hpp>
#include <bigsmall/archive/layer_groups.hpp>
#include <bigsmall/archive/leftover_files.hpp>
#include <bigsmall/archive/model_files.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/archive/output_directory.hpp>
#include <bigsmall/archive/patch_base.hpp>
#include <bigsmall/archive/shard_index.hpp>
#include <bigsmall/archive/shard_plan.hpp>
#include <bigsmall/archive/unpack.hpp>
#include <bigsmall/core/version.hpp>
#include <bigsmall/io/atomic_file.hpp>
#include <bigsmall/parallel/executor.hpp>

namespace bigsmall::archive {

struct reshard_options : run_options {
    shard_layout layout;                                ///< 1 shard: all is joined
    codec_ref codec = default_codec();                  ///< decodes what was copied
    std::shared_ptr<const model_reader> base = nullptr; ///< what a patch was made against; null for other archives
};

struct resharded_file {
    std::filesystem::path path;
    std::uint64_t tensors = 0;
    std::uint64_t raw_bytes = 0, stored_bytes = 0;
};

struct reshard_result {
    std::uint64_t source_bytes = 0;  ///< of the containers that were read
    std::uint64_t written_bytes = 0; ///< of everything written
    std::uint64_t tensors = 0;       ///< all were decoded from the new containers and have the MD5 of their receipts
    /// The joined file is one that was packed once, byte for byte; else it is made anew, of several.
    bool original = false;
    std::vector<resharded_file> shards;
    std::vector<std::filesystem::path> files;         ///< what was written, shards included
    std::vector<std::filesystem::path> removed_files; ///< as of pack_result
};

namespace detail {

class resharder {
public:
    resharder(const model_files& source, output_directory& output, const reshard_options& options)
        : source_(source),
          output_(output),
          options_(options),
          model_(model_joiner(source.containers()).run()),
          plan_(model_, options.layout),
          copier_(model_, options.base, options.codec, options) {}

    template <parallel::executor E>
    reshard_result run(E& e) {
        name_everything();
        for (std::size_t s = 0; s < plan_.size(); ++s)
            write_shard(s, e);
        for (std::size_t i = 0; i < source_.carried().size(); ++i)
            carry(source_.carried()[i], index_.files[i], e);
        if (plan_.size() > 1) write_text(index_.files.back().file, hub_index_);
        const std::vector<std::filesystem::path> leftovers =
            find_leftovers(output_.target(), index_, source_.inputs(), options_);
        write_text(std::string(shard_index_name), encode_shard_index(index_));
        output_.commit();
        result_.removed_files = remove_leftovers(leftovers, result_.files);
        result_.source_bytes = source_.stored_bytes();
        result_.tensors = model_.tensors.size();
        result_.original = model_.known_hash;
        return std::move(result_);
    }

private:
    /// Fills in all names and checks that they fit together before anything is written.
    void name_everything() {
        index_.writer = std::string("bigsmall ") + version_string;
        std::map<std::string, std::string> files;
        for (std::size_t s = 0; s < plan_.size(); ++s) {
            const io::member_entry member = plan_.member(s);
            const std::string file = source_.folder() + shard_stem(s, plan_.size()) + ".bs";
            index_.shards.push_back({file, 0, source_.folder() + member.path, member.raw_bytes, {}, {}});
            for (const joined_tensor& tensor : tensors_of(model_.index, member, [](std::uint32_t c) { return c; })) {
                index_.tensor_bytes += tensor.bytes;
                index_.weight_map[tensor.name] = {file};
                files[tensor.name] = member.path;
            }
        }
        for (const carried_file& file : source_.carried())
            index_.files.push_back(file.record);
        if (plan_.size() > 1) {
            hub_index_ = encode_hub_index(index_.tensor_bytes, files);
            index_.files.push_back(
                {source_.folder() + std::string(hub_index_name), hub_index_.size(), sha256_of(hub_index_)});
        }
        encode_shard_index(index_);
        refuse_inputs();
    }

    void refuse_inputs() const {
        source_.inputs().require_apart(output_.final_path(std::string(shard_index_name)));
        for (const shard_record& shard : index_.shards)
            source_.inputs().require_apart(output_.final_path(shard.file));
        for (const carried_record& file : index_.files)
            source_.inputs().require_apart(output_.final_path(file.file));
    }

    static std::string sha256_of(std::string_view text) {
        const hash_methods methods;
        sha256_hasher hash;
        hash.start(methods.sha256());
        hash.update(as_bytes_view(text));
        return hex_of(hash.finish());
    }

    index_part part_of(std::size_t s) const {
        index_part part;
        if (plan_.size() == 1) {
            part.index = model_.index;
            part.order = order_of_places(part.index);
            for (std::uint32_t i = 0; i < part.index.contents.size(); ++i)
                part.origins.push_back(i);
            return part;
        }
        lent_contents lent;
        for (const auto& [content, owner] : plan_.wanted_by(s))
            lent.emplace(content, lent_content{finished_[owner].at(content), name_in_folder(owner)});
        index_splitter splitter(model_.index);
        part = splitter.take({plan_.member(s)}, s == 0 ? plan_.others() : std::vector<std::uint32_t>(), lent,
                             plan_.wanted_from(s));
        if (s == 0) part.index.joined = encode_joined(model_.index);
        return part;
    }

    std::string name_in_folder(std::size_t s) const { return index_.shards[s].file.substr(source_.folder().size()); }

    template <parallel::executor E>
    void write_shard(std::size_t s, E& e) {
        shard_record& shard = index_.shards[s];
        index_part part = part_of(s);
        const std::filesystem::path staged = output_.place(shard.file), shown = output_.final_path(shard.file);
        io::atomic_file file(staged, io::if_exists::refuse, shown.string());
        const bool known_hash = plan_.size() == 1 && model_.known_hash;
        shard.stored_bytes = copier_.write(part, file, name_in_folder(s), known_hash, staged, e);
        shard.source_sha256 = hex_of(part.index.members[0].sha256);
        for (const std::string& sibling : part.index.siblings)
            shard.needs.push_back(source_.folder() + sibling);
        finished_.emplace_back();
        for (std::uint32_t i = 0; i < part.origins.size(); ++i)
            if (plan_.wanted_from(s).count(part.origins[i]) != 0)
                finished_.back().emplace(part.origins[i], part.index.contents[i]);
        result_.shards.push_back({shown, plan_.tensor_count(s), shard.source_bytes, shard.stored_bytes});
        add_file(shown, shard.stored_bytes);
    }

    void add_file(const std::filesystem::path& path, std::uint64_t bytes) {
        result_.files.push_back(path);
        result_.written_bytes += bytes;
    }

    template <parallel::executor E>
    void carry(const carried_file& file, const carried_record& record, E& e) {
        const std::filesystem::path place = output_.place(record.file), shown = output_.final_path(record.file);
        if (file.job) {
            file_observer observer(nullptr, place, io::if_exists::refuse);
            run_options quiet = options_;
            quiet.progress = nullptr;
            restore({*file.job}, options_.codec, quiet, observer, e, restored_hashes::files_and_parts);
        } else {
            copy_carried(file.path, place, shown.string(), record, options_);
        }
        add_file(shown, record.bytes);
    }

    void write_text(const std::string& name, const std::string& text) {
        io::atomic_file file(output_.place(name), io::if_exists::refuse, output_.final_path(name).string());
        file.write(as_bytes_view(text));
        file.commit();
        add_file(output_.final_path(name), text.size());
    }

    const model_files& source_;
    output_directory& output_;
    const reshard_options& options_;
    joined_model model_;
    shard_plan plan_;
    container_copier copier_;
    shard_index index_;
    std::string hub_index_;
    std::vector<std::map<std::uint32_t, io::content_entry>> finished_; // of each shard, what it lends
    reshard_result result_;
};

} // namespace detail

/// Copies the model that `sources` hold, containers or directories with bigsmall.index.json, into the directory
/// `output`: containers of one safetensors file each, an index of them, and the files beside the model. No block is
/// encoded again. The tensors of a layer stay together, those outside of layers are in the first shard. With one shard,
/// the model is joined: what was packed from one file is that container again, byte for byte, whatever it was divided
/// into since. Every block is checked as it is copied, and every tensor decoded from its new container and compared
/// with its receipt, before anything appears. Memory: as unpack(), beside two indexes. Throws: errc::corrupt,
/// errc::truncated, errc::mismatch for damage; errc::invalid_input when the sources are not one model;
/// errc::invalid_argument when there cannot be so many shards, when the output lies in the source or the other way
/// round, when a patch has no base; errc::unsupported; errc::missing; errc::exists; errc::limit; errc::io;
/// errc::cancelled. Then the output is as it was.
template <parallel::executor E>
reshard_result reshard(const std::vector<std::filesystem::path>& sources, const std::filesystem::path& output,
                       const reshard_options& options, E& e) {
    const detail::model_files source(sources, options.base, options, e);
    source.require_apart(output);
    output_directory directory(output, options.existing);
    return detail::resharder(source, directory, options).run(e);
}

} // namespace bigsmall::archive
