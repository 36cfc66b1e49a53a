// SPDX-License-Identifier: BSL-1.0
// The tensors of a model, whatever it lies in: a safetensors file, a directory of them, or an archive of either.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <bigsmall/archive/decoded_blocks.hpp>
#include <bigsmall/archive/hash.hpp>
#include <bigsmall/archive/input_files.hpp>
#include <bigsmall/archive/reader.hpp>
#include <bigsmall/archive/source_tree.hpp>
#include <bigsmall/archive/unfinished_change.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/dtype.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/io/container/format.hpp>
#include <bigsmall/io/file_source.hpp>
#include <bigsmall/io/printable.hpp>
#include <bigsmall/io/safetensors/layout.hpp>

namespace bigsmall::archive {

struct model_tensor {
    std::string name, dtype_name;
    dtype type; ///< bytes when we do not know the name
    std::vector<std::uint64_t> shape;
    std::uint64_t bytes = 0;
    std::uint32_t file = 0; ///< which of files() has it
};

/// A safetensors file of the model; of an archive, one that it restores.
struct model_file {
    std::string name; ///< relative to the model, parts divided by '/'
    std::uint64_t bytes = 0;
};

namespace detail {

/// What a path to a model leads to: a file is an archive by its first bytes, a directory by its index.
inline bool leads_to_archive(const std::filesystem::path& path) {
    std::error_code failed;
    if (std::filesystem::is_directory(path, failed)) return std::filesystem::exists(path / shard_index_name, failed);
    const io::file_source file(path);
    std::array<std::uint8_t, io::container_magic.size()> first{};
    if (file.size() < first.size()) return false;
    file.read(0, first);
    return as_string_view(first) == io::container_magic;
}

/// A hash that is computed when somebody asks for it first.
template <class Digest>
class remembered {
public:
    template <class Compute>
    Digest get(Compute&& compute) {
        const std::scoped_lock lock(mutex_);
        if (!digest_) digest_ = compute();
        return *digest_;
    }

private:
    std::mutex mutex_;
    std::optional<Digest> digest_;
};

} // namespace detail

/// What a directory with a bigsmall.index.json is.
enum class model_form : std::uint8_t {
    any,   ///< an archive
    files, ///< its safetensors files, whatever else lies there
};

/// Reads the tensors of a model. Const member functions may be called from many threads at once. Memory: the headers or
/// indexes; of an archive, up to 64 MiB of decoded blocks too.
class model_reader {
public:
    /// A directory is that of an archive when it has a bigsmall.index.json, else all `*.safetensors` below it are the
    /// model; a file is an archive when it begins like one. Of a patch, only what needs no base can be read then:
    /// open_model() (open_model.hpp) gives it one, or refuses.
    /// Throws: errc::missing when there is nothing, or no safetensors file; errc::invalid_input, errc::truncated,
    /// errc::corrupt, errc::unsupported, errc::io.
    explicit model_reader(const std::filesystem::path& path, model_form form = model_form::any) : path_(path) {
        if (form == model_form::any && detail::leads_to_archive(path))
            list_archive(opened_archive(path));
        else
            list_files();
        sha256_.resize(files_.size());
        md5_.resize(tensors_.size());
    }

    /// The same of an archive that is open already; `base`: of a patch, the model that it was given.
    explicit model_reader(opened_archive archive, std::shared_ptr<const model_reader> base = nullptr)
        : path_(archive.path()), base_(std::move(base)) {
        list_archive(std::move(archive));
        sha256_.resize(files_.size());
        md5_.resize(tensors_.size());
    }

    const std::filesystem::path& path() const noexcept { return path_; }
    bool is_archive() const noexcept { return archive_ != nullptr; }
    /// By name; of an archive, in its order.
    const std::vector<model_file>& files() const noexcept { return files_; }
    /// File after file, in the order of their places. Several files may have tensors of one name.
    const std::vector<model_tensor>& tensors() const noexcept { return tensors_; }

    /// Fills `to` with the bytes of a tensor from its byte `offset` on. Throws: errc::invalid_argument when it ends
    /// before that; errc::corrupt, errc::truncated, errc::unsupported, errc::missing, errc::io.
    void read(std::size_t tensor, std::uint64_t offset, bytes_span to) const {
        const model_tensor& wanted = tensors_.at(tensor);
        try {
            if (offset > wanted.bytes || to.size() > wanted.bytes - offset)
                throw error(errc::invalid_argument, "the tensor has only " + std::to_string(wanted.bytes) + " bytes")
                    .in_file((path_ / files_[wanted.file].name).string());
            if (to.empty()) return;
            if (is_archive())
                read_archive(archive_->tensors()[tensor], offset, to);
            else
                sources_[wanted.file]->read(begins_[tensor] + offset, to);
        } catch (error& failure) {
            failure.in_tensor(io::printable(wanted.name));
            throw;
        }
    }

    /// Of all bytes of a tensor. An archive has it recorded; else the tensor is read for it, once.
    /// Throws: as read().
    md5_digest md5(std::size_t tensor) const {
        if (is_archive()) {
            const tensor_entry& entry = archive_->tensors().at(tensor);
            if (!archive_->archive().containers()[entry.container].index().receipts_lost) return entry.md5;
        }
        return md5_.at(tensor).get([&] {
            return hash_of<md5_hasher>(methods_.md5(), tensors_[tensor].bytes,
                                       [&](std::uint64_t offset, bytes_span to) { read(tensor, offset, to); });
        });
    }

    /// Of a whole file. An archive has it recorded; else the file is read for it, once. Throws: as read().
    sha256_digest sha256(std::size_t file) const {
        return sha256_.at(file).get([&] {
            if (is_archive()) return members_[file]->sha256;
            return hash_of<sha256_hasher>(
                methods_.sha256(), files_[file].bytes,
                [&](std::uint64_t offset, bytes_span to) { sources_[file]->read(offset, to); });
        });
    }

    /// Adds what outputs must not replace: the files that it reads, and those that belong to them.
    void add_to(input_files& inputs) const {
        for (const source_file& file : stamped_)
            inputs.add(file.stamp);
        if (is_archive())
            for (const carried_record& file : archive_->archive().shards().files)
                inputs.add(path_ / file.file);
        if (base_) base_->add_to(inputs);
    }

    /// Throws errc::io when a file that it reads was written to or replaced since it was opened.
    void require_unchanged() const {
        for (const source_file& file : stamped_)
            archive::require_unchanged(file);
        if (base_) base_->require_unchanged();
    }

private:
    void list_files() {
        const source_tree tree = find_files(path_);
        for (const source_file& file : tree.files)
            if (!tree.directory || std::string_view(file.name).ends_with(".safetensors")) list_file(file);
        if (!files_.empty()) return;
        throw error(errc::missing, "there is no safetensors file in it")
            .in_file(path_.string())
            .with_hint("a model is a .safetensors file, a directory of them, or an archive of either");
    }

    void list_file(const source_file& file) {
        require_no_pending_change(file.path);
        auto source = std::make_unique<io::file_source>(file.path);
        if (source->size() != file.stamp.bytes) archive::require_unchanged(file);
        io::safetensors_layout layout = io::read_safetensors_layout(*source);
        for (io::tensor_record& tensor : layout.tensors) {
            begins_.push_back(tensor.begin);
            add_tensor(std::move(tensor.name), std::move(tensor.dtype_name), std::move(tensor.shape),
                       tensor.end - tensor.begin);
        }
        files_.push_back({file.name, file.stamp.bytes});
        sources_.push_back(std::move(source));
        stamped_.push_back(file);
    }

    /// Of the file that is listed next.
    void add_tensor(std::string name, std::string dtype_name, std::vector<std::uint64_t> shape, std::uint64_t bytes) {
        const dtype type = find_dtype(dtype_name).value_or(dtype{});
        tensors_.push_back({std::move(name), std::move(dtype_name), type, std::move(shape), bytes,
                            static_cast<std::uint32_t>(files_.size())});
    }

    void list_archive(opened_archive opened) {
        archive_ = std::make_unique<archive_reader>(std::move(opened));
        std::size_t next = 0; // both go through the members in the same order
        for (const opened_container& container : archive_->archive().containers()) {
            stamp_container(container);
            for (const io::member_entry& member : container.index().members) {
                if (member.kind != io::member_kind::safetensors) continue;
                for (const io::extent_entry& extent : member.extents)
                    if (extent.kind == io::extent_kind::tensor) add_entry(archive_->tensors().at(next++));
                files_.push_back({container.folder + member.path, member.raw_bytes});
                members_.push_back(&member);
            }
        }
        if (archive_->archive().sharded()) stamp(path_ / shard_index_name);
        if (!files_.empty()) return;
        throw error(errc::missing, "there is no safetensors file in it").in_file(path_.string());
    }

    void add_entry(const tensor_entry& entry) { add_tensor(entry.name, entry.dtype_name, entry.shape, entry.bytes); }

    void stamp_container(const opened_container& container) {
        stamp(container.path);
        for (std::size_t home = 1; home <= container.siblings.size(); ++home)
            if (container.siblings[home - 1]) stamp(container.home_path(static_cast<std::uint32_t>(home)));
    }

    void stamp(const std::filesystem::path& file) { stamped_.push_back({file.string(), file, stamp_of(file)}); }

    /// Whole blocks go straight to their place; those of which a part is wanted are kept for the next part.
    void read_archive(const tensor_entry& entry, std::uint64_t offset, bytes_span to) const {
        const io::content_entry& content =
            archive_->archive().containers()[entry.container].index().contents[entry.content];
        // Slices have a cache of their own, and what equals its base is read from that.
        if (content.is_slice() || content.blocks.empty()) return archive_->read_range(entry, offset, to);
        while (!to.empty()) {
            const std::uint64_t block = offset / content.block_bytes, begin = block * content.block_bytes;
            const auto size = static_cast<std::size_t>(std::min(content.block_bytes, content.raw_bytes - begin));
            const auto from = static_cast<std::size_t>(offset - begin);
            const bytes_span part = to.first(std::min(to.size(), size - from));
            const auto decode = [&](bytes_span whole) { archive_->read_range(entry, begin, whole); };
            if (part.size() == size)
                decode(part);
            else
                blocks_.read({entry.container, entry.content, block}, size, from, part, decode);
            offset += part.size();
            to = to.subspan(part.size());
        }
    }

    template <class Hasher, class Read>
    static typename Hasher::digest hash_of(const EVP_MD* method, std::uint64_t bytes, Read&& read) {
        Hasher hash;
        hash.start(method);
        byte_buffer piece(static_cast<std::size_t>(std::min<std::uint64_t>(bytes, 4 * MiB)));
        for (std::uint64_t offset = 0; offset < bytes; offset += piece.size()) {
            piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), bytes - offset)));
            read(offset, bytes_span(piece));
            hash.update(piece);
        }
        return hash.finish();
    }

    std::filesystem::path path_;
    std::shared_ptr<const model_reader> base_;
    std::vector<model_file> files_;
    std::vector<model_tensor> tensors_;
    std::vector<source_file> stamped_;                            // every file that is read
    std::vector<std::unique_ptr<const io::file_source>> sources_; // of files_, when it is no archive
    std::vector<std::uint64_t> begins_;                           // of tensors_ in their files, when it is no archive
    std::unique_ptr<const archive_reader> archive_;
    std::vector<const io::member_entry*> members_; // of files_, when it is an archive
    hash_methods methods_;
    mutable detail::decoded_blocks blocks_;
    mutable std::deque<detail::remembered<sha256_digest>> sha256_;
    mutable std::deque<detail::remembered<md5_digest>> md5_;
};

} // namespace bigsmall::archive
