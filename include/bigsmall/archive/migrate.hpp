// SPDX-License-Identifier: BSL-1.0
// Migrating: an archive is replaced by a smaller one that restores the same files. Blocks that the codecs of today make
// smaller are coded anew, the others stay byte for byte.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <bigsmall/archive/container_migrator.hpp>
#include <bigsmall/archive/migrate_options.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/archive/patch_base.hpp>
#include <bigsmall/archive/shard_index.hpp>
#include <bigsmall/archive/unpack.hpp>
#include <bigsmall/core/version.hpp>
#include <bigsmall/io/atomic_file.hpp>
#include <bigsmall/io/backup_file.hpp>
#include <bigsmall/io/container/reader.hpp>
#include <bigsmall/io/file_source.hpp>
#include <bigsmall/parallel/executor.hpp>

namespace bigsmall::archive {

namespace detail {

/// Throws away what it gets: whoever only wants to know whether everything can be restored.
class checking_observer final : public strict_observer {
public:
    void member_begins(const restore_job&) override {}
    void bytes_restored(const restore_job&, bytes_view, std::span<const restored_piece>) override {}
    void member_ends(const restore_job&) override {}
};

class archive_migrator {
public:
    archive_migrator(const std::filesystem::path& path, const migrate_options& options)
        : options_(options), archive_(path) {
        archive_.require_whole();
        if (!archive_.sharded()) refuse_shard();
        for (const opened_container& container : archive_.containers()) {
            found_.push_back({container.path.filename().string(), container.path, stamp_of(container.path)});
            for (const io::content_entry& content : container.index().contents)
                if (content.home == 0 && !content.is_slice())
                    for (std::size_t b = 0; b < content.blocks.size(); ++b)
                        total_bytes_ += content.blocks[b].shared_at == 0 ? io::raw_block_bytes(content, b) : 0;
            result_.old_bytes += container.reader->file().size();
        }
    }

    template <parallel::executor E>
    migrate_result run(E& e) {
        for (std::size_t c = 0; c < archive_.containers().size(); ++c)
            migrate_one(c, e);
        if (result_.new_bytes >= result_.old_bytes) return unchanged();
        if (writes()) replace_files();
        return std::move(result_);
    }

private:
    struct finished_file {
        std::size_t container;
        std::unique_ptr<io::atomic_file> file; ///< null when nothing is written
        std::uint64_t bytes;
    };

    bool writes() const noexcept { return options_.what == migration::rewrite; }

    /// Others may refer to what lies in a shard, by its place.
    void refuse_shard() const {
        // It is the file behind a link that is replaced, and an index may lie above its shards.
        const std::filesystem::path file = std::filesystem::canonical(archive_.path());
        std::filesystem::path folder = file;
        while (folder.has_relative_path()) {
            folder = folder.parent_path();
            std::error_code failed;
            if (!std::filesystem::exists(folder / shard_index_name, failed)) continue;
            const std::string name = file.lexically_relative(folder).generic_string();
            for (const shard_record& shard : read_shard_index(folder).shards)
                if (shard.file == name)
                    throw error(errc::invalid_argument, "this container is a shard of the model that " +
                                                            (folder / shard_index_name).string() +
                                                            " describes, and the others may need it as it is")
                        .in_file(archive_.path().string())
                        .with_hint("migrate the directory");
        }
    }

    template <parallel::executor E>
    void migrate_one(std::size_t c, E& e) {
        const opened_container& container = archive_.containers()[c];
        refuse_later_siblings(c);
        container_migrator migrator(container, moved_, options_);
        finished_file done{c, nullptr, 0};
        if (writes()) {
            // What a link leads to is replaced, not the link.
            done.file =
                std::make_unique<io::atomic_file>(std::filesystem::canonical(container.path), io::if_exists::replace);
            io::copy_permissions(container.path, done.file->temporary());
            migrator.run(*done.file, done_bytes_, total_bytes_, e);
            done.bytes = done.file->position();
        } else {
            counting_sink counter;
            migrator.run(counter, done_bytes_, total_bytes_, e);
            done.bytes = counter.position();
        }
        done_bytes_ += migrator.raw_bytes();
        const std::uint64_t old_bytes = container.reader->file().size();
        if (done.bytes >= old_bytes && !migrator.borrows_what_moved()) {
            result_.new_bytes += old_bytes;
            count_unchanged(migrator);
            return;
        }
        if (writes()) check(container, *done.file, e);
        migrator.remember(moved_);
        migrator.count(result_);
        result_.new_bytes += done.bytes;
        result_.files.push_back(container.path);
        finished_.push_back(std::move(done));
    }

    void count_unchanged(const container_migrator& migrator) {
        migrate_result all;
        migrator.count(all);
        result_.tensors += all.tensors;
        result_.blocks += all.blocks;
        result_.untried_blocks += all.untried_blocks;
    }

    /// Containers come before those that borrow from them.
    void refuse_later_siblings(std::size_t c) const {
        for (const auto& sibling : archive_.containers()[c].siblings)
            for (std::size_t later = c; later < archive_.containers().size(); ++later)
                if (archive_.containers()[later].reader == sibling)
                    throw error(errc::unsupported, "it borrows from a container that comes after it")
                        .in_file(archive_.containers()[c].path.string());
    }

    /// Decodes everything that was written, as far as it can be without a base, and compares all receipts.
    template <parallel::executor E>
    void check(const opened_container& old, io::atomic_file& file, E& e) {
        file.flush();
        opened_container fresh{
            old.path,
            std::make_shared<const io::container_reader>(std::make_shared<const io::file_source>(file.temporary())),
            {},
            old.folder};
        for (const auto& sibling : old.siblings) {
            const auto at = fresh_.find(sibling.get());
            fresh.siblings.push_back(at == fresh_.end() ? sibling : at->second);
        }
        fresh_[old.reader.get()] = fresh.reader;
        if (old.index().is_patch()) return; // its new blocks were decoded one by one
        std::vector<restore_job> jobs;
        for (const io::member_entry& member : fresh.index().members)
            jobs.push_back({&fresh, &member, fresh.folder + member.path});
        checking_observer observer;
        run_options quiet = options_;
        quiet.progress = nullptr;
        restore(jobs, default_codec(), quiet, observer, e, restored_hashes::files_and_parts);
    }

    migrate_result unchanged() {
        result_.new_bytes = result_.old_bytes;
        result_.smaller_blocks = result_.smaller_tensors = 0;
        result_.files.clear();
        return std::move(result_);
    }

    /// Only what is replaced is looked at: a second run, which finds nothing to gain, does not mind the first one's.
    void make_backups() {
        std::vector<std::filesystem::path> paths;
        for (const finished_file& done : finished_)
            paths.push_back(std::filesystem::canonical(archive_.containers()[done.container].path));
        for (const std::filesystem::path& path : paths)
            io::require_no_backup(path, options_.existing);
        for (const std::filesystem::path& path : paths) {
            io::make_backup(path, options_.existing);
            result_.backups.push_back(io::backup_of(path));
        }
    }

    /// Whoever has written to the archive meanwhile has the last word.
    void require_unchanged_archive() const {
        for (const source_file& file : found_)
            require_unchanged(file);
    }

    void replace_files() {
        // What can fail comes first; then the files of a directory, which need each other, are renamed at once.
        for (finished_file& done : finished_)
            done.file->sync();
        require_unchanged_archive();
        if (options_.backup == keep_backup::yes) make_backups();
        for (finished_file& done : finished_)
            done.file->commit();
        if (!archive_.sharded()) return;
        shard_index index = archive_.shards();
        for (const finished_file& done : finished_)
            index.shards[done.container].stored_bytes = done.bytes;
        const std::string text = encode_shard_index(index);
        io::atomic_file file(archive_.path() / shard_index_name, io::if_exists::replace);
        file.write(as_bytes_view(text));
        file.commit();
    }

    const migrate_options& options_;
    opened_archive archive_;
    moved_contents moved_;
    std::vector<source_file> found_; // the containers, as they were at the beginning
    std::vector<finished_file> finished_;
    std::map<const io::container_reader*, std::shared_ptr<const io::container_reader>> fresh_; // by the old ones
    migrate_result result_;
    std::uint64_t done_bytes_ = 0, total_bytes_ = 0;
};

} // namespace detail

/// Replaces an archive, a container or a directory with bigsmall.index.json, by a smaller one, if there is one. Each
/// block is decoded and coded again with the codec of the operating point; what gets smaller by that replaces it. Sizes
/// of blocks, bundles and everything that is restored stay. When the containers together do not get smaller, nothing is
/// changed. What was written is decoded, and all receipts compared, before a file gets the name of the old one; of a
/// patch, whose base is not there, each new block only. Blocks that hold differences to a base stay as they are.
/// Backups are second names that the old files have before the new ones take theirs, so that a crash leaves the old or
/// the new file; the containers of a directory are all on disk before they are renamed one after another, and a crash
/// in between leaves some old and some new: their backups, all there before, bring the old ones back. Memory: as
/// transcode(). Throws: errc::corrupt, errc::truncated, errc::mismatch for damage; errc::unsupported for a newer
/// version; errc::exists when a backup is there; errc::invalid_argument when the container is a shard of a model beside
/// it; errc::missing; errc::io; errc::cancelled. Until files are replaced, the archive is then as it was.
template <parallel::executor E>
migrate_result migrate(const std::filesystem::path& archive, const migrate_options& options, E& e) {
    return detail::archive_migrator(archive, options).run(e);
}

} // namespace bigsmall::archive
