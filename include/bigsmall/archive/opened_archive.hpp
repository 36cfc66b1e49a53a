// SPDX-License-Identifier: BSL-1.0
// An archive as its users see it, whichever layout it has: containers, the files that they restore, and the
// files that lie beside them as they are.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <bigsmall/archive/base_bytes.hpp>
#include <bigsmall/archive/damage.hpp>
#include <bigsmall/archive/shard_index.hpp>
#include <bigsmall/core/checked.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/container/reader.hpp>
#include <bigsmall/io/file_source.hpp>
#include <bigsmall/io/printable.hpp>
#include <bigsmall/io/safetensors/layout.hpp>

namespace bigsmall::archive {

/// The names of a member's extents: a tensor's name, else nothing.
inline std::vector<std::string> extent_names(const io::member_entry& member) {
    std::vector<std::string> names(member.extents.size());
    if (member.kind != io::member_kind::safetensors) return names;
    io::safetensors_layout layout = io::parse_safetensors_header(member.header, member.raw_bytes);
    std::size_t next = 0;
    for (std::size_t i = 0; i < names.size(); ++i)
        if (member.extents[i].kind == io::extent_kind::tensor) names[i] = std::move(layout.tensors.at(next++).name);
    return names;
}

/// One container of an archive.
struct opened_container {
    std::filesystem::path path;
    std::shared_ptr<const io::container_reader> reader;
    /// Per name in index().siblings; null where the file could not be opened.
    std::vector<std::shared_ptr<const io::container_reader>> siblings;
    std::string folder; ///< put before its members' paths: "" or ending in '/'
    /// Of a patch: what its contents differ from, once somebody has given it (patch_base.hpp).
    std::shared_ptr<const base_bytes> base = nullptr;

    const io::container_index& index() const noexcept { return reader->index(); }

    /// Where the blocks of a content lie. Throws: errc::missing, naming the file that is needed beside this
    /// one.
    const io::container_reader& home_of(const io::content_entry& content) const {
        if (content.home == 0) return *reader;
        const auto& sibling = siblings[content.home - 1];
        if (sibling) return *sibling;
        throw error(errc::missing, "some of its tensors are stored in " +
                                       io::in_quotes(index().siblings[content.home - 1]) +
                                       ", which is needed beside this file and cannot be opened")
            .in_file(path.string());
    }

    /// The file in which a content lies, whether or not it can be opened.
    std::filesystem::path home_path(std::uint32_t home) const {
        return home == 0 ? path : path.parent_path() / index().siblings[home - 1];
    }
};

/// Opens a container, or all that bigsmall.index.json of a directory names. The indexes are read, no payload.
class opened_archive {
public:
    /// A container that fails to open is kept in problems() instead of thrown as long as its kind of failure
    /// is damage: of a directory, any; of a single file, a corrupt or truncated one. Throws: errc::missing,
    /// errc::io, errc::unsupported, errc::corrupt (the index of shards).
    explicit opened_archive(const std::filesystem::path& path) : path_(path) {
        std::error_code failed;
        sharded_ = std::filesystem::is_directory(path, failed);
        if (sharded_)
            open_directory();
        else
            open_single();
        for (opened_container& container : containers_)
            open_siblings(container);
    }

    const std::filesystem::path& path() const noexcept { return path_; }
    /// A directory with one container per shard.
    bool sharded() const noexcept { return sharded_; }
    const shard_index& shards() const noexcept { return shards_; }
    const std::vector<opened_container>& containers() const noexcept { return containers_; }
    const std::vector<damage>& problems() const noexcept { return problems_; }

    /// True when some of its containers are patches: what they restore needs a base.
    bool is_patch() const noexcept {
        return std::any_of(containers_.begin(), containers_.end(),
                           [](const opened_container& container) { return container.index().is_patch(); });
    }

    /// Of the patch that is its container number `container`: what its contents differ from.
    void set_base(std::size_t container, std::shared_ptr<const base_bytes> base) {
        containers_.at(container).base = std::move(base);
    }

    /// True when the blocks of a content are to be counted with this container: those of its own, and those of a
    /// sibling that is no container of this archive and would be counted nowhere else.
    bool counts_here(const opened_container& container, const io::content_entry& content) const {
        if (content.home == 0) return true;
        const auto& sibling = container.siblings[content.home - 1];
        return std::none_of(containers_.begin(), containers_.end(),
                            [&](const opened_container& other) { return other.reader == sibling; });
    }

    /// Throws the first of problems(), if any.
    void require_whole() const {
        if (!problems_.empty()) throw error_of(problems_.front());
    }

    /// False when a container is damaged in a part that restoring can do without.
    bool spares_ok() const {
        return std::all_of(containers_.begin(), containers_.end(),
                           [](const opened_container& container) { return container.reader->state().all_ok(); });
    }

    /// True when restoring gives a directory rather than one file.
    bool restores_directory() const {
        return sharded_ || containers_.empty() || containers_.front().index().directory ||
               containers_.front().index().members.size() != 1;
    }

    /// Bytes of all files of the archive.
    std::uint64_t stored_bytes() const {
        std::uint64_t sum = 0;
        for (const opened_container& container : containers_)
            sum += container.reader->file().size();
        if (!sharded_) return sum;
        for (const carried_record& file : shards_.files)
            sum += file.bytes;
        std::error_code failed;
        const auto index_bytes = std::filesystem::file_size(path_ / shard_index_name, failed);
        return failed ? sum : sum + index_bytes;
    }

private:
    using reader_ptr = std::shared_ptr<const io::container_reader>;

    static reader_ptr open_reader(const std::filesystem::path& path) {
        return std::make_shared<const io::container_reader>(std::make_shared<const io::file_source>(path));
    }

    void open_single() {
        try {
            opened_container opened{path_, open_reader(path_), {}, {}};
            add_sizes(opened);
            containers_.push_back(std::move(opened));
        } catch (const error& e) {
            if (e.code() != errc::corrupt && e.code() != errc::truncated) throw;
            problems_.push_back(damage_of(e));
        }
    }

    void open_directory() {
        shards_ = read_shard_index(path_);
        for (const carried_record& file : shards_.files)
            add_size(file.bytes, path_ / shard_index_name);
        for (const shard_record& shard : shards_.shards) {
            try {
                const std::filesystem::path path = path_ / shard.file;
                opened_container opened{
                    path, open_reader(path), {}, shard.source.substr(0, shard.source.rfind('/') + 1)};
                require_same_source(opened, shard);
                add_sizes(opened);
                containers_.push_back(std::move(opened));
            } catch (const error& e) {
                problems_.push_back(damage_of(e));
                problems_.back().member = shard.source;
            }
        }
    }

    // Whoever works with an archive adds up sizes of its files and tensors; none of those sums can wrap when the
    // largest of them, the sizes of all files that it restores, is small enough.
    void add_sizes(const opened_container& opened) {
        for (const io::member_entry& member : opened.index().members)
            add_size(member.raw_bytes, opened.path);
    }

    void add_size(std::uint64_t bytes, const std::filesystem::path& said_by) {
        const auto sum = checked_add(restored_bytes_, bytes);
        if (!sum || *sum > std::numeric_limits<std::int64_t>::max())
            throw error(errc::corrupt, "the files that it restores would have more than 2^63 bytes")
                .in_file(said_by.string());
        restored_bytes_ = *sum;
    }

    static void require_same_source(const opened_container& opened, const shard_record& shard) {
        const std::vector<io::member_entry>& members = opened.index().members;
        if (members.size() == 1 && opened.folder + members[0].path == shard.source &&
            hex_of(members[0].sha256) == shard.source_sha256)
            return;
        throw error(errc::mismatch, "this is not the container that " + std::string(shard_index_name) +
                                        " describes: it restores another file")
            .in_file(opened.path.string());
    }

    void open_siblings(opened_container& container) {
        for (const std::string& name : container.index().siblings) {
            const std::filesystem::path path = container.path.parent_path() / name;
            const auto [at, is_new] = by_path_.try_emplace(path.lexically_normal());
            if (is_new) at->second = find_sibling(path);
            container.siblings.push_back(at->second);
        }
    }

    reader_ptr find_sibling(const std::filesystem::path& path) const {
        for (const opened_container& other : containers_)
            if (other.path.lexically_normal() == path.lexically_normal()) return other.reader;
        try {
            return open_reader(path);
        } catch (const error&) {
            return nullptr; // home_of() says so once it is needed
        }
    }

    std::filesystem::path path_;
    bool sharded_ = false;
    shard_index shards_;
    std::vector<opened_container> containers_;
    std::vector<damage> problems_;
    std::map<std::filesystem::path, reader_ptr> by_path_;
    std::uint64_t restored_bytes_ = 0;
};

} // namespace bigsmall::archive
