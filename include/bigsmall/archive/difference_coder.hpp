// SPDX-License-Identifier: BSL-1.0
// Codes the blocks of contents that have a base, and says in the index what they need of it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include <bigsmall/archive/pack_batch.hpp>
#include <bigsmall/archive/pack_options.hpp>
#include <bigsmall/archive/patch_plan.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/parallel/executor.hpp>
#include <bigsmall/parallel/pool.hpp>

namespace bigsmall::archive::detail {

class difference_coder {
public:
    difference_coder(const patch_plan& patch, const pack_options& options) : patch_(patch), options_(options) {
        counts_.matched_tensors = patch.matched;
        counts_.unchanged_tensors = patch.unchanged;
    }

    const patch_counts& counts() const noexcept { return counts_; }

    /// Codes a block of a content that has an image: the smaller of the differences to it and the bytes themselves. Any
    /// thread may call. Throws: as reading the base does.
    void code(pack_block& block, bytes_view raw, bytes_span out) {
        const auto memory = memories_.borrow();
        memory->base.resize(raw.size());
        patch_.read(block.content, block.begin, memory->base);
        memory->coded.resize(options_.delta.bound(raw.size()));
        const auto different =
            options_.delta.encode(block.info.type, raw, memory->base, raw.size(), memory->coded, memory->codec);
        if (different) {
            // The fastest codec is near enough to the others to say that they cannot win, and costs little.
            const codec_ref quick = recipe_of(operating_point::inference).codec;
            memory->quick.resize(quick.bound(raw.size()));
            block.alone_bytes = quick.encode(block.info, raw, memory->quick, memory->codec).bytes;
            if (different->bytes < block.alone_bytes / 2) return take(*different, memory->coded, block, out);
        }
        block.coded = options_.codec.encode(block.info, raw, out, memory->codec);
        block.alone_bytes = block.coded.bytes;
        // What has one block only must pay for naming its base.
        const std::size_t price = raw.size() < options_.block_bytes && block.begin == 0 ? base_entry_bytes : 0;
        if (different && different->bytes + price < block.coded.bytes) take(*different, memory->coded, block, out);
    }

    /// Counts the blocks of a batch that have a base, and what has no blocks because it equals its base.
    void count(const pack_batch& batch) {
        for (const pack_block& block : batch.blocks) {
            if (!patch_.has_image(block.content)) continue;
            const std::uint64_t based = patch_.based_bytes(block.content, block.begin, block.raw_bytes);
            if (based == 0) continue;
            counts_.matched_bytes += based;
            counts_.changed_stored_bytes += block.coded.bytes;
            counts_.changed_alone_bytes += block.alone_bytes;
            const bool useless = block.coded.bytes > block.alone_bytes - block.alone_bytes / 10;
            if (useless) counts_.useless_bytes += based;
        }
        for (const pack_piece& piece : batch.pieces) {
            if (!piece.wanted || !patch_.is_unchanged(piece.content)) continue;
            counts_.matched_bytes += piece.bytes;
            counts_.unchanged_bytes += piece.bytes;
        }
    }

    /// All files of the base, with their hashes.
    template <parallel::executor E>
    std::vector<io::base_file> base_files(E& e) const {
        const model_reader& model = *patch_.model();
        std::vector<io::base_file> files(model.files().size());
        e.for_each(files.size(), [&](std::size_t i) {
            check_cancelled(options_);
            files[i] = {model.files()[i].name, model.files()[i].bytes, model.sha256(i)};
        });
        return files;
    }

    /// Says in the index which contents need which tensors of the base: those that have differences, or equal theirs.
    /// `numbers`: of the contents of the plan in the index.
    template <parallel::executor E>
    void name_bases(const std::unordered_map<std::uint32_t, std::uint32_t>& numbers, io::container_index& index, E& e) {
        std::vector<std::pair<std::uint32_t, std::uint32_t>> by_number; // of the index, of the plan
        for (const auto& [content, number] : numbers)
            if (patch_.has_image(content)) by_number.emplace_back(number, content);
        std::sort(by_number.begin(), by_number.end());
        tensor_numbers tensors;
        for (const auto& [number, content] : by_number)
            name_base(content, index.contents[number], index, tensors);
        std::vector<std::uint32_t> of_model(tensors.size());
        for (const auto& [model, own] : tensors)
            of_model[own] = model;
        e.for_each(of_model.size(), [&](std::size_t i) {
            check_cancelled(options_);
            index.base_tensors[i].md5 = patch_.model()->md5(of_model[i]);
        });
    }

private:
    struct memory_of_worker {
        byte_buffer base, coded, quick;
        scratch codec;
    };
    /// From the numbers of the model to those of the index.
    using tensor_numbers = std::map<std::uint32_t, std::uint32_t>;

    static void take(const encoded_block& coded, bytes_view bytes, pack_block& block, bytes_span out) {
        block.coded = coded;
        std::copy_n(bytes.begin(), coded.bytes, out.begin());
    }

    void name_base(std::uint32_t content, io::content_entry& entry, io::container_index& index,
                   tensor_numbers& tensors) const {
        const bool differs = std::any_of(entry.blocks.begin(), entry.blocks.end(), [](const io::block_entry& block) {
            return block.grouping == delta_codec::id;
        });
        if (!differs && !patch_.is_unchanged(content)) return;
        entry.image = static_cast<std::uint32_t>(index.images.size());
        index.images.push_back(patch_.image(content));
        for (io::base_part& part : index.images.back().parts) {
            if (part.tensor == io::no_base) continue;
            const auto [at, is_new] =
                tensors.try_emplace(part.tensor, static_cast<std::uint32_t>(index.base_tensors.size()));
            if (is_new) {
                const model_tensor& tensor = patch_.model()->tensors()[part.tensor];
                index.base_tensors.push_back({tensor.file, tensor.name, tensor.bytes, {}});
            }
            part.tensor = at->second;
        }
    }

    const patch_plan& patch_;
    const pack_options& options_;
    parallel::object_pool<memory_of_worker> memories_;
    patch_counts counts_;
};

} // namespace bigsmall::archive::detail
