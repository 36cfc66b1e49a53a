// SPDX-License-Identifier: BSL-1.0
// Verifying a patch without its base: the stored bytes of every block against their checksums. What the patch restores
// can only be told with the base.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/archive/patch_base.hpp>
#include <bigsmall/archive/verify_report.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/io/container/index_rules.hpp>
#include <bigsmall/parallel/executor.hpp>
#include <bigsmall/parallel/pool.hpp>

namespace bigsmall::archive::detail {

class stored_check {
public:
    stored_check(const opened_archive& archive, const verify_options& options, verify_report& report)
        : archive_(archive), options_(options), report_(report) {}

    template <parallel::executor E>
    void run(E& e) {
        report_.base_missing = true;
        for (const opened_container& container : archive_.containers()) {
            for (std::size_t i = 0; i < container.index().contents.size(); ++i)
                if (archive_.counts_here(container, container.index().contents[i])) check(container, i, e);
            count_tensors(container);
        }
    }

private:
    template <parallel::executor E>
    void check(const opened_container& container, std::size_t number, E& e) {
        const io::content_entry& content = container.index().contents[number];
        if (content.blocks.empty() || (content.home != 0 && !container.siblings[content.home - 1])) return;
        const io::container_reader& home = container.home_of(content);
        const std::vector<std::uint64_t> offsets = io::block_offsets(content);
        constexpr std::size_t at_once = 256; // between two looks at the token
        for (std::size_t begin = 0; begin < content.blocks.size(); begin += at_once) {
            check_cancelled(options_);
            std::vector<std::optional<damage>> failures(std::min(at_once, content.blocks.size() - begin));
            e.for_each(failures.size(), [&](std::size_t i) {
                const auto stored = stored_.borrow();
                try {
                    home.read_block_at(offsets[begin + i], content.blocks[begin + i], begin + i, *stored);
                } catch (const error& failure) {
                    failures[i] = damage_of(failure);
                }
            });
            for (std::size_t i = 0; i < failures.size(); ++i) {
                ++report_.blocks_checked;
                report_.bytes_checked += io::raw_block_bytes(content, begin + i);
                if (failures[i]) add(container, number, begin + i, offsets[begin + i], std::move(*failures[i]));
            }
        }
    }

    void add(const opened_container& container, std::size_t number, std::size_t block, std::uint64_t offset,
             damage found) {
        name(container, number, found);
        found.block = block;
        found.offset = offset;
        found.bytes = container.index().contents[number].blocks[block].stored_bytes;
        add_problem(report_, std::move(found));
    }

    /// The first tensor that is made of a content, or of a slice of it. Looked up once for all blocks in a row.
    void name(const opened_container& container, std::size_t number, damage& found) {
        const io::container_index& index = container.index();
        const io::content_entry* const content = &index.contents[number];
        if (named_ != content) {
            named_ = content;
            member_.clear();
            tensor_.clear();
            for (const io::member_entry& member : index.members)
                for (std::size_t x = 0; x < member.extents.size() && member_.empty(); ++x) {
                    const std::uint32_t other = member.extents[x].content;
                    if (other != number && index.contents[other].bundle != number) continue;
                    member_ = container.folder + member.path;
                    tensor_ = extent_names(member)[x];
                }
        }
        found.member = member_;
        found.tensor = tensor_;
    }

    void count_tensors(const opened_container& container) {
        for (const io::member_entry& member : container.index().members)
            for (const io::extent_entry& extent : member.extents) {
                const io::content_entry& content = container.index().contents[extent.content];
                if (extent.kind == io::extent_kind::tensor && content.home == 0 && !content.is_unchanged())
                    ++report_.tensors_checked;
            }
    }

    const opened_archive& archive_;
    const verify_options& options_;
    verify_report& report_;
    parallel::object_pool<byte_buffer> stored_;
    const io::content_entry* named_ = nullptr; // whose names these are
    std::string member_, tensor_;
};

/// Gives the base to a patch, if there is one to give. Another base than the patch was made against is a problem of the
/// report. False when nothing can be restored.
template <parallel::executor E>
bool give_base(opened_archive& archive, const verify_options& options, verify_report& report, E& e) {
    // What is left of a broken container does not say whether it is a patch; the report has it already.
    if (!options.base || !archive.problems().empty()) return !archive.is_patch();
    try {
        archive::give_base(archive, options.base, options, e);
        return true;
    } catch (const error& failure) {
        if (failure.code() != errc::mismatch) throw;
        add_problem(report, damage_of(failure));
        return false;
    }
}

} // namespace bigsmall::archive::detail
