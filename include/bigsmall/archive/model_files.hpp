// SPDX-License-Identifier: BSL-1.0
// Several archives that hold one model together: their containers, and the files beside the model.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <bigsmall/archive/hash.hpp>
#include <bigsmall/archive/hub_index.hpp>
#include <bigsmall/archive/input_files.hpp>
#include <bigsmall/archive/model_reader.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/archive/patch_base.hpp>
#include <bigsmall/archive/restore_batch.hpp>
#include <bigsmall/archive/shard_index.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/printable.hpp>
#include <bigsmall/parallel/executor.hpp>

namespace bigsmall::archive::detail {

/// A file that is no part of the model: one to be copied, or a member of a container.
struct carried_file {
    carried_record record;
    std::filesystem::path path;     ///< where to copy it from
    std::optional<restore_job> job; ///< how to restore it, when it is a member
};

class model_files {
public:
    /// Opens everything. `base`: that of the patches, if there are any.
    /// Throws: as opened_archive, give_base(), require_base(); errc::invalid_input when two of the archives carry other
    /// files under one name, or when only some of the shards of a directory are given.
    template <parallel::executor E>
    model_files(const std::vector<std::filesystem::path>& sources, const std::shared_ptr<const model_reader>& base,
                const run_options& options, E& e)
        : inputs_("one of the containers that are read, or a file that they need") {
        for (const std::filesystem::path& source : sources) {
            opened_archive& archive = archives_.emplace_back(source);
            archive.require_whole();
            if (base && archive.is_patch()) give_base(archive, base, options, e);
            require_base(archive);
        }
        for (const opened_archive& archive : archives_)
            add(archive);
        if (containers_.empty())
            throw error(errc::invalid_input, "there are no containers in it").in_file(sources.front().string());
        require_all_shards();
        drop_maps();
        if (base && !is_patch())
            throw error(errc::invalid_argument, "this is no patch: it restores its files without a base")
                .in_file(sources.front().string());
    }

    const std::vector<const opened_container*>& containers() const noexcept { return containers_; }
    const std::deque<opened_archive>& archives() const noexcept { return archives_; }
    const std::vector<carried_file>& carried() const noexcept { return carried_; }
    const input_files& inputs() const noexcept { return inputs_; }
    /// Of the model, in what is restored: "" or ending in '/'.
    const std::string& folder() const noexcept { return folder_; }

    /// As of opened_archive.
    bool spares_ok() const {
        return std::all_of(archives_.begin(), archives_.end(), [](const auto& archive) { return archive.spares_ok(); });
    }

    std::uint64_t stored_bytes() const {
        std::uint64_t sum = 0;
        for (const opened_archive& archive : archives_)
            sum += archive.stored_bytes();
        return sum;
    }

    /// Throws errc::invalid_argument when a directory of outputs lies in one of the archives or has one in it.
    void require_apart(const std::filesystem::path& output) const {
        inputs_.require_apart(output);
        for (const opened_archive& archive : archives_) {
            if (archive.sharded() && lies_within(output, archive.path()))
                throw error(errc::invalid_argument,
                            "the output would be written into the source " + archive.path().string())
                    .in_file(output.string())
                    .with_hint("choose a place outside of it");
            if (lies_within(archive.path(), output))
                throw error(errc::invalid_argument,
                            "the output directory is where the source " + archive.path().string() + " lies")
                    .in_file(output.string())
                    .with_hint("choose a directory of its own for the output");
        }
    }

private:
    bool is_patch() const {
        for (const opened_archive& archive : archives_)
            if (archive.is_patch()) return true;
        return false;
    }

    void add(const opened_archive& archive) {
        for (const opened_container& container : archive.containers()) {
            for (std::uint32_t home = 0; home <= container.index().siblings.size(); ++home)
                inputs_.add(container.home_path(home));
            containers_.push_back(&container);
            for (const io::member_entry& member : container.index().members)
                add_member(container, member);
        }
        if (!archive.sharded()) return;
        inputs_.add(archive.path() / shard_index_name);
        for (const carried_record& file : archive.shards().files) {
            inputs_.add(archive.path() / file.file);
            add_carried({file, archive.path() / file.file, std::nullopt});
        }
    }

    void require_all_shards() const {
        std::set<std::filesystem::path> given, directories;
        for (const opened_container* container : containers_)
            given.insert(resolved(container->path));
        for (const opened_archive& archive : archives_) {
            const std::filesystem::path directory = archive.path().parent_path();
            if (!archive.sharded() && directories.insert(directory).second) require_shards_of(directory, given);
        }
    }

    static std::filesystem::path resolved(const std::filesystem::path& path) {
        std::error_code failed;
        std::filesystem::path found = std::filesystem::weakly_canonical(path, failed);
        return failed ? path : found;
    }

    static void require_shards_of(const std::filesystem::path& directory,
                                  const std::set<std::filesystem::path>& given) {
        shard_index index;
        try {
            index = read_shard_index(directory);
        } catch (const error& failure) {
            if (failure.code() == errc::io) throw;
            return; // there is none, or one that says nothing
        }
        const auto is_given = [&](const shard_record& shard) {
            return given.count(resolved(directory / shard.file)) != 0;
        };
        if (std::none_of(index.shards.begin(), index.shards.end(), is_given)) return; // it is the index of others
        const auto absent = std::find_if_not(index.shards.begin(), index.shards.end(), is_given);
        if (absent == index.shards.end()) return;
        throw error(errc::invalid_input, "the model has the shard " + io::in_quotes(absent->file) +
                                             " as well, which is not among the sources")
            .in_file((directory / shard_index_name).string())
            .with_hint("give the directory, or all of its shards");
    }

    void add_member(const opened_container& container, const io::member_entry& member) {
        const std::string path = container.folder + member.path;
        if (member.kind == io::member_kind::safetensors)
            folder_ = path.substr(0, path.rfind('/') + 1);
        else
            add_carried({{path, member.raw_bytes, hex_of(member.sha256)}, {}, restore_job{&container, &member, path}});
    }

    /// The maps of tensors to the shards of the model, which will no longer be there, are made anew.
    void drop_maps() {
        std::erase_if(carried_, [&](const carried_file& file) {
            const std::string_view name = file.record.file;
            return name.ends_with(".safetensors.index.json") && name.substr(0, name.rfind('/') + 1) == folder_;
        });
    }

    void add_carried(carried_file file) {
        const std::string& name = file.record.file;
        const auto [at, is_new] = names_.try_emplace(name, carried_.size());
        if (is_new) return carried_.push_back(std::move(file));
        if (carried_[at->second].record.sha256 == file.record.sha256) return;
        throw error(errc::invalid_input, "two of the sources have other files named " + io::in_quotes(name))
            .with_hint("files of different models do not make one");
    }

    std::deque<opened_archive> archives_; // never move
    std::vector<const opened_container*> containers_;
    std::vector<carried_file> carried_;
    std::map<std::string, std::size_t> names_;
    std::string folder_;
    input_files inputs_;
};

} // namespace bigsmall::archive::detail
