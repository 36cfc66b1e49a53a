// SPDX-License-Identifier: BSL-1.0
// Turns planned members into one container: read, hash, code and write overlap, batch after batch.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <bigsmall/archive/bundle_block.hpp>
#include <bigsmall/archive/bundle_plan.hpp>
#include <bigsmall/archive/difference_coder.hpp>
#include <bigsmall/archive/pack_batch.hpp>
#include <bigsmall/archive/pack_options.hpp>
#include <bigsmall/archive/pack_progress.hpp>
#include <bigsmall/archive/patch_plan.hpp>
#include <bigsmall/archive/plan.hpp>
#include <bigsmall/archive/plan_digest.hpp>
#include <bigsmall/archive/receipts.hpp>
#include <bigsmall/io/checksum.hpp>
#include <bigsmall/io/container/writer.hpp>
#include <bigsmall/parallel/executor.hpp>
#include <bigsmall/parallel/pool.hpp>

namespace bigsmall::archive::detail {

/// Packs the containers of one plan, one after another. Contents that an earlier container holds become
/// references to it.
class container_packer {
public:
    container_packer(const pack_plan& plan, const pack_options& options, const patch_plan& patch)
        : plan_(plan), options_(options), patch_(patch), differences_(patch, options) {}

    /// What the container is called by its siblings; member paths are written relative to `folder`, a prefix
    /// of theirs that ends in '/' or is empty.
    struct naming {
        std::string file;
        std::string folder;
    };

    /// Writes members [first, last) as one container and returns its index. With `progress`, one that can be resumed:
    /// `to` must then be progress->payload().
    template <parallel::executor E>
    io::container_index run(std::uint32_t first, std::uint32_t last, io::sink& to, E& e, const naming& name = {},
                            pack_progress* progress = nullptr) {
        const std::vector<planned_bundle> bundles =
            bundle_planner(plan_, first, last, options_, patch_.contents()).run(e);
        io::container_index index = skeleton(first, last, name);
        if (patch_.model() != nullptr) index.base_files = differences_.base_files(e);
        add_bundles(bundles, index);
        if (progress != nullptr) progress->begin(progress_header(index, first, last), {first, last, &numbers_});
        io::container_writer writer(to, io::required_features(index));
        write_bundles(bundles, index, writer, e);
        pack_producer producer(plan_, first, last, options_.block_bytes, options_.codec, without_blocks(bundles));
        file_chain files;
        part_chain parts;
        equal_block_finder equal;
        e.template pipeline<pack_batch>(
            batches_in_flight(e.concurrency()),
            [&](pack_batch& batch) {
                check_cancelled(options_);
                if (!producer.next(batch)) return false;
                if (progress != nullptr) progress->recall(batch);
                return true;
            },
            parallel::in_order([&](pack_batch& batch) {
                io::member_entry& member = index.members[batch.member - first];
                if (progress != nullptr && progress->knows_file_of(batch))
                    member.sha256 = batch.recorded->sha256;
                else
                    member.sha256 = files.add(member.header, batch.bytes(), batch.first, batch.last);
            }),
            parallel::in_order([&](pack_batch& batch) {
                parts.add(batch.bytes(), std::span(batch.pieces), e);
                // Only in a container that stands alone: siblings refer to contents by the place of their own blocks.
                if (!name.file.empty()) return;
                const auto raw_of = [&](const pack_block& block) {
                    return batch.bytes().subspan(block.raw_at, block.raw_bytes);
                };
                find_equal(batch.blocks, raw_of, equal, e);
            }),
            parallel::any_order([&](pack_batch& batch) { code(batch, e, progress); }),
            parallel::in_order([&](pack_batch& batch) {
                const std::uint64_t begin = writer.position();
                write(batch, index, writer);
                if (progress != nullptr) progress->wrote(batch, begin, index.members[batch.member - first].sha256);
                report(batch, writer);
            }));
        if (patch_.model() != nullptr) differences_.name_bases(numbers_, index, e);
        writer.finish(index, io::size_limit(index));
        remember(index, name);
        count_grouped(index);
        written_before_ += writer.position();
        return index;
    }

    /// Tensors of all containers so far that lie in bundles.
    std::uint64_t grouped_tensors() const noexcept { return grouped_tensors_; }

    /// What the base was good for.
    const patch_counts& patch_result() const noexcept { return differences_.counts(); }

    /// Counts a file that was copied beside the containers.
    void copied(const source_file& file) {
        done_bytes_ += file.stamp.bytes;
        written_before_ += file.stamp.bytes;
        if (options_.progress != nullptr)
            options_.progress->on_progress({file.name, done_bytes_, plan_.source_bytes, written_before_});
    }

private:
    /// A content that a finished container holds.
    struct stored_content {
        io::content_entry entry;
        std::string file;
    };

    /// The index with everything that is known before coding; numbers_ maps the plan's contents to its own.
    io::container_index skeleton(std::uint32_t first, std::uint32_t last, const naming& name) {
        io::container_index index;
        index.writer = writer_name(options_.codec);
        index.directory = plan_.directory && name.file.empty();
        numbers_.clear();
        std::map<std::string, std::uint32_t> siblings;
        for (std::uint32_t m = first; m < last; ++m) {
            const planned_member& planned = plan_.members[m];
            io::member_entry member;
            member.kind = planned.kind;
            member.path = planned.file.name.substr(name.folder.size());
            member.raw_bytes = planned.file.stamp.bytes;
            member.header = planned.header;
            for (const planned_extent& extent : planned.extents)
                member.extents.push_back({extent.kind, number_of(extent, first, index, siblings)});
            index.members.push_back(std::move(member));
        }
        return index;
    }

    std::uint32_t number_of(const planned_extent& extent, std::uint32_t first, io::container_index& index,
                            std::map<std::string, std::uint32_t>& siblings) {
        const auto [at, added] =
            numbers_.try_emplace(extent.content, static_cast<std::uint32_t>(index.contents.size()));
        if (!added) return at->second;
        if (plan_.contents[extent.content].member >= first) {
            io::content_entry content;
            content.raw_bytes = extent.bytes;
            content.block_bytes = patch_.is_unchanged(extent.content) ? 0 : options_.block_bytes;
            index.contents.push_back(std::move(content));
            return at->second;
        }
        const stored_content& stored = stored_.at(extent.content);
        const auto [sibling, is_new] =
            siblings.try_emplace(stored.file, static_cast<std::uint32_t>(index.siblings.size() + 1));
        if (is_new) index.siblings.push_back(stored.file);
        index.contents.push_back(stored.entry);
        index.contents.back().home = sibling->second;
        return at->second;
    }

    /// Makes slices of what will lie in bundles. Contents of the index have the order of the plan.
    void add_bundles(const std::vector<planned_bundle>& bundles, io::container_index& index) const {
        for (const planned_bundle& bundle : bundles) {
            std::vector<std::uint32_t> numbers;
            for (const std::uint32_t content : bundle.contents)
                numbers.push_back(numbers_.at(content));
            make_slices(index, static_cast<std::uint32_t>(index.contents.size()), numbers);
            index.contents.emplace_back();
            ++index.bundles;
        }
    }

    template <parallel::executor E>
    void write_bundles(const std::vector<planned_bundle>& bundles, io::container_index& index,
                       io::container_writer& writer, E& e) {
        part_reader parts(plan_);
        std::vector<coded_bundle> coded(bundles.size());
        for_each_bundle(
            parts, bundles, options_, e,
            [&](const raw_bundle& raw, std::size_t i) {
                coded[i] = code_bundle(raw, options_.codec, *memories_.borrow());
            },
            [&](std::size_t i) {
                write_bundle(coded[i], writer, index.contents[index.first_bundle() + i]);
                coded[i] = {};
            });
    }

    /// Contents that have no blocks of their own.
    std::unordered_set<std::uint32_t> without_blocks(const std::vector<planned_bundle>& bundles) const {
        std::unordered_set<std::uint32_t> all = patch_.contents();
        std::erase_if(all, [&](std::uint32_t content) { return !patch_.is_unchanged(content); });
        for (const planned_bundle& bundle : bundles)
            all.insert(bundle.contents.begin(), bundle.contents.end());
        return all;
    }

    /// Reads the earlier block again: equal fingerprints are not equal bytes.
    bool same_bytes(const known_block& earlier, bytes_view raw) const {
        byte_buffer bytes(raw.size());
        part_reader(plan_).read(earlier.content, earlier.begin, bytes);
        return std::equal(raw.begin(), raw.end(), bytes.begin());
    }

    /// What a run must have in common with another one to go on with it.
    io::progress_header progress_header(const io::container_index& index, std::uint32_t first,
                                        std::uint32_t last) const {
        io::progress_header header;
        header.job = writer_name(options_.codec) + ", blocks of " + std::to_string(options_.block_bytes) + " bytes" +
                     (options_.group_streams ? ", streams grouped" : "") +
                     (patch_.model() != nullptr ? ", a patch" : "");
        plan_digester digest;
        digest.add(options_);
        digest.add(index);
        for (std::uint32_t content = 0; content < plan_.contents.size(); ++content)
            digest.add(patch_, content);
        header.plan = digest.finish();
        for (std::uint32_t m = first; m < last; ++m) {
            const source_file& file = plan_.members[m].file;
            header.sources.push_back({file.name, file.stamp.bytes, file.stamp.seconds, file.stamp.nanoseconds});
        }
        return header;
    }

    template <parallel::executor E>
    void code(pack_batch& batch, E& e, const pack_progress* progress) {
        if (progress != nullptr && progress->take_over(batch, plan_.members[batch.member].file.name)) return;
        e.for_each(batch.blocks.size(), [&](std::size_t i) {
            pack_block& block = batch.blocks[i];
            const bytes_view raw = batch.bytes().subspan(block.raw_at, block.raw_bytes);
            const bool equal = block.equal.earlier != nullptr && same_bytes(*block.equal.earlier, raw);
            // Whether the earlier one holds differences, which are not shared, is not known yet.
            if (equal && !patch_.has_image(block.equal.earlier->content)) return;
            if (!equal) block.equal.earlier = nullptr;
            const bytes_span out =
                bytes_span(batch.coded).subspan(block.coded_at, options_.codec.bound(block.raw_bytes));
            if (patch_.has_image(block.content)) {
                differences_.code(block, raw, out);
            } else {
                const auto memory = memories_.borrow();
                block.coded = options_.codec.encode(block.info, raw, out, *memory);
            }
            block.checksum = io::checksum(out.first(block.coded.bytes));
        });
    }

    void write(pack_batch& batch, io::container_index& index, io::container_writer& writer) {
        for (pack_block& block : batch.blocks)
            block.stored = append_block({bytes_view(batch.coded).subspan(block.coded_at, block.coded.bytes),
                                         block.checksum, block.coded.label, block.equal},
                                        index.contents[numbers_.at(block.content)], writer);
        differences_.count(batch);
        for (const pack_piece& piece : batch.pieces)
            if (piece.wanted && piece.last) index.contents[numbers_.at(piece.content)].md5 = piece.md5;
    }

    void report(const pack_batch& batch, const io::container_writer& writer) {
        const planned_member& member = plan_.members[batch.member];
        done_bytes_ += batch.raw_bytes + (batch.first ? member.header.size() : 0);
        if (options_.progress == nullptr) return;
        const std::string* item = &member.file.name;
        if (!batch.pieces.empty()) {
            const std::string& tensor = member.extents[batch.pieces.back().extent].tensor;
            if (!tensor.empty()) item = &tensor;
        }
        options_.progress->on_progress({*item, done_bytes_, plan_.source_bytes, written_before_ + writer.position()});
    }

    /// Keeps what later containers may refer to.
    void remember(const io::container_index& index, const naming& name) {
        if (name.file.empty()) return;
        for (const auto& [content, number] : numbers_)
            if (index.contents[number].home == 0 && !index.contents[number].is_slice())
                stored_[content] = {index.contents[number], name.file};
    }

    void count_grouped(const io::container_index& index) {
        for (const io::member_entry& member : index.members)
            for (const io::extent_entry& extent : member.extents)
                if (extent.kind == io::extent_kind::tensor && index.contents[extent.content].is_slice())
                    ++grouped_tensors_;
    }

    const pack_plan& plan_;
    const pack_options& options_;
    const patch_plan& patch_;
    parallel::object_pool<scratch> memories_;
    difference_coder differences_;
    std::unordered_map<std::uint32_t, std::uint32_t> numbers_;
    std::unordered_map<std::uint32_t, stored_content> stored_;
    std::uint64_t done_bytes_ = 0;
    std::uint64_t written_before_ = 0;
    std::uint64_t grouped_tensors_ = 0;
};

} // namespace bigsmall::archive::detail
