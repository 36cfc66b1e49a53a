// SPDX-License-Identifier: BSL-1.0
// Unpacking a model into shards of another layout than it was packed from.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <bigsmall/archive/carried_files.hpp>
#include <bigsmall/archive/hub_index.hpp>
#include <bigsmall/archive/join_model.hpp>
#include <bigsmall/archive/layer_groups.hpp>
#include <bigsmall/archive/model_files.hpp>
#include <bigsmall/archive/output_directory.hpp>
#include <bigsmall/archive/pack_batch.hpp>
#include <bigsmall/archive/reader.hpp>
#include <bigsmall/archive/receipts.hpp>
#include <bigsmall/archive/unpack.hpp>
#include <bigsmall/io/atomic_file.hpp>
#include <bigsmall/io/safetensors/layout.hpp>
#include <bigsmall/parallel/executor.hpp>

namespace bigsmall::archive {

namespace detail {

/// A piece of one tensor.
struct tensor_piece : hashed_piece {
    const tensor_entry* tensor = nullptr;
    std::uint64_t offset = 0; ///< of the piece in its tensor
};

/// Consecutive bytes of one shard.
struct shard_batch {
    byte_buffer raw; ///< only grows
    std::size_t raw_bytes = 0;
    std::vector<tensor_piece> pieces;
};

class shard_unpacker {
public:
    shard_unpacker(const model_files& source, const shard_layout& layout, const unpack_options& options)
        : options_(options),
          model_(model_joiner(source.containers()).run()),
          shards_(divide_into_shards(sizes(), layout)),
          reader_(source.archives().front(), options.codec) {
        total_bytes_ = model_.index.members[0].raw_bytes;
    }

    std::size_t size() const noexcept { return shards_.size(); }

    /// The file of a shard. Its header is made anew, even when it is the only one.
    io::member_entry member(std::size_t shard) const {
        const io::member_entry& whole = model_.index.members[0];
        std::vector<joined_tensor> tensors;
        for (const std::size_t t : shards_[shard])
            tensors.push_back(model_.tensors[t]);
        return make_member(shard_stem(shard, size()) + ".safetensors", std::move(tensors),
                           io::parse_safetensors_header(whole.header, whole.raw_bytes).metadata);
    }

    /// Writes header and tensors. Throws: as archive_reader::read(); errc::mismatch when a tensor does not have the MD5
    /// of its receipt; errc::io.
    template <parallel::executor E>
    void write(const io::member_entry& member, io::sink& to, E& e) {
        to.write(member.header);
        const std::vector<const tensor_entry*> tensors = entries_of(member);
        std::size_t next = 0;
        std::uint64_t offset = 0;
        part_chain parts;
        e.template pipeline<shard_batch>(
            batches_in_flight(e.concurrency()),
            [&](shard_batch& batch) {
                check_cancelled(options_);
                return fill(batch, tensors, next, offset);
            },
            parallel::any_order([&](shard_batch& batch) {
                e.for_each(batch.pieces.size(), [&](std::size_t i) {
                    const tensor_piece& piece = batch.pieces[i];
                    reader_.read_range(*piece.tensor, piece.offset,
                                       bytes_span(batch.raw).subspan(piece.at, piece.bytes), e);
                });
            }),
            parallel::in_order([&](shard_batch& batch) {
                parts.add(bytes_view(batch.raw), std::span(batch.pieces), e);
                for (const tensor_piece& piece : batch.pieces)
                    require_receipt(piece);
            }),
            parallel::in_order([&](shard_batch& batch) {
                to.write(bytes_view(batch.raw).first(batch.raw_bytes));
                done_bytes_ += batch.raw_bytes;
                if (options_.progress != nullptr)
                    options_.progress->on_progress({member.path, done_bytes_, total_bytes_, done_bytes_});
            }));
    }

private:
    std::vector<sized_tensor> sizes() const {
        std::vector<sized_tensor> sizes;
        for (const joined_tensor& tensor : model_.tensors)
            sizes.push_back({tensor.name, tensor.bytes});
        return sizes;
    }

    std::vector<const tensor_entry*> entries_of(const io::member_entry& member) const {
        std::vector<const tensor_entry*> entries;
        for (const io::tensor_record& tensor : io::parse_safetensors_header(member.header, member.raw_bytes).tensors)
            entries.push_back(&reader_.at(tensor.name));
        return entries;
    }

    /// Takes the next pieces, whole blocks each but the last of a tensor.
    bool fill(shard_batch& batch, const std::vector<const tensor_entry*>& tensors, std::size_t& next,
              std::uint64_t& offset) const {
        batch.pieces.clear();
        batch.raw_bytes = 0;
        while (next < tensors.size() && batch.raw_bytes < batch_bytes && batch.pieces.size() < batch_blocks) {
            const tensor_entry& tensor = *tensors[next];
            const std::uint64_t block = std::max<std::uint64_t>(reader_.block_bytes(tensor), 1);
            const std::uint64_t room = std::max<std::uint64_t>((batch_bytes - batch.raw_bytes) / block, 1) * block;
            tensor_piece piece;
            piece.tensor = &tensor;
            piece.offset = offset;
            piece.at = batch.raw_bytes;
            piece.bytes = static_cast<std::size_t>(std::min(room, tensor.bytes - offset));
            piece.first = offset == 0;
            piece.wanted = true;
            offset += piece.bytes;
            piece.last = offset == tensor.bytes;
            batch.raw_bytes += piece.bytes;
            batch.pieces.push_back(piece);
            if (!piece.last) break;
            ++next;
            offset = 0;
        }
        if (batch.raw.size() < batch.raw_bytes) batch.raw.resize(batch.raw_bytes);
        return !batch.pieces.empty();
    }

    void require_receipt(const tensor_piece& piece) const {
        if (!piece.last || piece.md5 == piece.tensor->md5) return;
        throw error(errc::mismatch, "the restored bytes do not have the recorded MD5")
            .in_file(reader_.archive().containers()[piece.tensor->container].path.string())
            .in_tensor(io::printable(piece.tensor->name));
    }

    const unpack_options& options_;
    joined_model model_;
    std::vector<std::vector<std::size_t>> shards_;
    archive_reader reader_;
    std::uint64_t done_bytes_ = 0, total_bytes_ = 0;
};

/// Writes a small text as a file of the directory.
inline void place_text(output_directory& directory, const std::string& name, const std::string& text,
                       unpack_result& result) {
    io::atomic_file file(directory.place(name), io::if_exists::refuse, directory.final_path(name).string());
    file.write(as_bytes_view(text));
    file.commit();
    result.files.push_back(directory.final_path(name));
    result.restored_bytes += text.size();
}

/// A file beside the model, copied or restored.
template <parallel::executor E>
void place_carried(output_directory& directory, const carried_file& file, const unpack_options& options,
                   unpack_result& result, E& e) {
    const std::string& name = file.record.file;
    const std::filesystem::path place = directory.place(name), shown = directory.final_path(name);
    if (file.job) {
        file_observer observer(nullptr, place, io::if_exists::refuse);
        run_options quiet = options;
        quiet.progress = nullptr;
        restore({*file.job}, options.codec, quiet, observer, e, restored_hashes::files_and_parts);
    } else {
        copy_carried(file.path, place, shown.string(), file.record, options);
    }
    result.files.push_back(shown);
    result.restored_bytes += file.record.bytes;
}

} // namespace detail

/// Restores the model of an archive as a directory of safetensors files laid out anew: layers stay whole, what is
/// outside of them is in the first file, model.safetensors.index.json says where each tensor is, and the other files of
/// the model come along. Every tensor is compared with its MD5 before the directory appears. Throws: as reshard().
template <parallel::executor E>
unpack_result unpack_shards(const std::filesystem::path& archive, const std::filesystem::path& output,
                            const shard_layout& layout, const unpack_options& options, E& e) {
    const detail::model_files source({archive}, options.base, options, e);
    source.require_apart(output);
    detail::shard_unpacker shards(source, layout, options);
    output_directory directory(output, options.existing);
    unpack_result result;
    result.compressed_bytes = source.stored_bytes();
    result.spares_ok = source.spares_ok();
    std::map<std::string, std::string> map;
    std::uint64_t tensor_bytes = 0;
    for (std::size_t s = 0; s < shards.size(); ++s) {
        const io::member_entry member = shards.member(s);
        const std::string name = source.folder() + member.path;
        source.inputs().require_apart(directory.final_path(name));
        for (const io::tensor_record& tensor : io::parse_safetensors_header(member.header, member.raw_bytes).tensors) {
            map[tensor.name] = member.path;
            tensor_bytes += tensor.end - tensor.begin;
        }
        io::atomic_file file(directory.place(name), io::if_exists::refuse, directory.final_path(name).string());
        shards.write(member, file, e);
        file.commit();
        result.files.push_back(directory.final_path(name));
        result.restored_bytes += member.raw_bytes;
    }
    for (const detail::carried_file& file : source.carried()) {
        source.inputs().require_apart(directory.final_path(file.record.file));
        detail::place_carried(directory, file, options, result, e);
    }
    if (shards.size() > 1)
        detail::place_text(directory, source.folder() + std::string(hub_index_name),
                           encode_hub_index(tensor_bytes, map), result);
    directory.commit();
    return result;
}

} // namespace bigsmall::archive
