// SPDX-License-Identifier: BSL-1.0
// Writes a container out of blocks that other containers have, checked as they are copied, and decodes what was written
// before the file gets its name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <bigsmall/archive/damage.hpp>
#include <bigsmall/archive/hash.hpp>
#include <bigsmall/archive/index_parts.hpp>
#include <bigsmall/archive/joined_model.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/archive/options.hpp>
#include <bigsmall/archive/patch_base.hpp>
#include <bigsmall/archive/restore.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/atomic_file.hpp>
#include <bigsmall/io/container/reader.hpp>
#include <bigsmall/io/container/writer.hpp>
#include <bigsmall/io/file_source.hpp>
#include <bigsmall/io/printable.hpp>
#include <bigsmall/parallel/executor.hpp>

namespace bigsmall::archive::detail {

/// Compares every part of a member with its receipt and takes the SHA-256 of the whole. Anything wrong ends the run,
/// but a SHA-256 that is not known yet.
class receipt_observer final : public restore_observer {
public:
    receipt_observer(bool known_hash, const run_options& options, std::uint64_t done_bytes, std::uint64_t total_bytes)
        : known_hash_(known_hash), options_(options), done_bytes_(done_bytes), total_bytes_(total_bytes) {}

    const sha256_digest& sha256() const noexcept { return sha256_; }
    std::uint64_t done_bytes() const noexcept { return done_bytes_; }

    void member_begins(const restore_job& job) override {
        hash_.start(methods_.sha256());
        hash_.update(job.member->header);
        done_bytes_ += job.member->header.size();
    }
    void found(const restore_job&, const damage& problem) override {
        const bool of_the_whole = problem.code == errc::mismatch && problem.tensor.empty();
        if (known_hash_ || !of_the_whole) throw error_of(problem);
    }
    void bytes_restored(const restore_job& job, bytes_view bytes, std::span<const restored_piece> pieces) override {
        for (const restored_piece& piece : pieces) {
            const io::extent_entry& extent = job.member->extents[piece.extent];
            if (!piece.last || piece.md5 == job.container->index().contents[extent.content].md5) continue;
            throw error(errc::mismatch, "a copied part does not decode to the bytes of its receipt")
                .in_file(job.container->path.string());
        }
        hash_.update(bytes);
        done_bytes_ += bytes.size();
        if (options_.progress != nullptr)
            options_.progress->on_progress({job.path, done_bytes_, total_bytes_, done_bytes_});
    }
    void member_ends(const restore_job&) override { sha256_ = hash_.finish(); }

private:
    bool known_hash_;
    const run_options& options_;
    hash_methods methods_;
    sha256_hasher hash_;
    sha256_digest sha256_{};
    std::uint64_t done_bytes_, total_bytes_;
};

/// Appends the blocks of a content that are its own as another container has them, each checked against what that
/// one's index says. `here`: the content as it will be. Throws: errc::corrupt, errc::truncated, errc::missing,
/// errc::io; errc::cancelled.
inline void copy_blocks(const content_place& from, const io::content_entry& here, io::container_writer& writer,
                        const run_options& options, byte_buffer& memory) {
    const io::content_entry& there = from.container->index().contents[from.content];
    const std::vector<std::uint64_t> offsets = io::block_offsets(there);
    const io::container_reader& home = from.container->home_of(there);
    for (std::size_t b = 0; b < here.blocks.size(); ++b) {
        if (here.blocks[b].shared_at != 0) continue;
        check_cancelled(options);
        home.read_block_at(offsets[b], there.blocks[b], b, memory);
        writer.append_block(memory);
    }
}

/// Writes containers of one model, one after another into one directory.
class container_copier {
public:
    container_copier(const joined_model& model, std::shared_ptr<const model_reader> base, const codec_ref& codec,
                     const run_options& options)
        : model_(model), base_(std::move(base)), codec_(codec), options_(options), names_(first_names()) {
        total_bytes_ = model.index.members[0].raw_bytes;
    }

    /// Writes `part`, whose origins are contents of the model, as `file`, which the container's siblings call `name`,
    /// and gives it its name. `known_hash`: whether the member's SHA-256 is; else it is put there. Returns the bytes
    /// written. Throws: errc::corrupt, errc::truncated, errc::mismatch for damage, naming the tensor; errc::missing;
    /// errc::io; errc::cancelled. Then nothing has that name.
    template <parallel::executor E>
    std::uint64_t write(index_part& part, io::atomic_file& file, const std::string& name, bool known_hash,
                        const std::filesystem::path& staged, E& e) {
        io::container_writer writer(file, io::required_features(part.index));
        for (const std::uint32_t number : part.order)
            copy(part, number, writer);
        file.flush();
        opened_container draft{
            name,
            std::make_shared<const io::container_reader>(std::make_shared<const io::file_source>(file.temporary()),
                                                         part.index, writer.position()),
            {},
            {}};
        for (const std::string& sibling : part.index.siblings)
            draft.siblings.push_back(written_.at(sibling));
        if (part.index.is_patch()) draft.base = std::make_shared<patch_base>(draft, base_);
        part.index.members[0].sha256 = decode(draft, known_hash, e);
        writer.finish(part.index, io::size_limit(part.index));
        const std::uint64_t bytes = file.position();
        file.commit();
        written_[name] = std::make_shared<const io::container_reader>(std::make_shared<const io::file_source>(staged));
        return bytes;
    }

private:
    /// Of each content, the first tensor that has it or a slice of it.
    std::vector<std::string> first_names() const {
        std::vector<std::string> names(model_.index.contents.size());
        for (const joined_tensor& tensor : model_.tensors) {
            const io::content_entry& content = model_.index.contents[tensor.content];
            std::string& name = names[content.is_slice() ? content.bundle : tensor.content];
            if (name.empty()) name = tensor.name;
        }
        return names;
    }

    void copy(const index_part& part, std::uint32_t number, io::container_writer& writer) {
        try {
            copy_blocks(model_.places[part.origins[number]], part.index.contents[number], writer, options_, stored_);
        } catch (error& failure) {
            const std::string& tensor = names_[part.origins[number]];
            if (!tensor.empty()) failure.in_tensor(io::printable(tensor));
            throw;
        }
    }

    template <parallel::executor E>
    sha256_digest decode(const opened_container& draft, bool known_hash, E& e) {
        const io::member_entry& member = draft.index().members[0];
        receipt_observer observer(known_hash, options_, done_bytes_, total_bytes_);
        run_options quiet = options_;
        quiet.progress = nullptr; // the observer tells
        restore({{&draft, &member, member.path}}, codec_, quiet, observer, e, restored_hashes::files_and_parts);
        done_bytes_ = observer.done_bytes();
        return observer.sha256();
    }

    const joined_model& model_;
    std::shared_ptr<const model_reader> base_;
    codec_ref codec_;
    const run_options& options_;
    std::vector<std::string> names_;
    byte_buffer stored_;
    std::map<std::string, std::shared_ptr<const io::container_reader>> written_;
    std::uint64_t done_bytes_ = 0, total_bytes_ = 0;
};

} // namespace bigsmall::archive::detail
