// SPDX-License-Identifier: BSL-1.0
// Verifying a patch without its base: the stored bytes of every block against their checksums. What the patch restores
// can only be told with the base.
#pragma once

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
                if (container.index().contents[i].home == 0) check(container, i, e);
            count_tensors(container);
        }
    }

private:
    template <parallel::executor E>
    void check(const opened_container& container, std::size_t number, E& e) {
        check_cancelled(options_);
        const io::content_entry& content = container.index().contents[number];
        const std::vector<std::uint64_t> offsets = io::block_offsets(content);
        std::vector<std::optional<damage>> failures(content.blocks.size());
        e.for_each(content.blocks.size(), [&](std::size_t b) {
            const auto stored = stored_.borrow();
            try {
                container.reader->read_block_at(offsets[b], content.blocks[b], b, *stored);
            } catch (const error& failure) {
                failures[b] = damage_of(failure);
            }
        });
        for (std::size_t b = 0; b < failures.size(); ++b) {
            ++report_.blocks_checked;
            report_.bytes_checked += io::raw_block_bytes(content, b);
            if (failures[b]) add(container, number, b, offsets[b], std::move(*failures[b]));
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

    /// The first tensor that is made of a content, or of a slice of it.
    static void name(const opened_container& container, std::size_t number, damage& found) {
        const io::container_index& index = container.index();
        for (const io::member_entry& member : index.members)
            for (std::size_t x = 0; x < member.extents.size(); ++x) {
                const std::uint32_t content = member.extents[x].content;
                if (content != number && index.contents[content].bundle != number) continue;
                found.member = container.folder + member.path;
                found.tensor = extent_names(member)[x];
                return;
            }
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
};

/// Gives the base to a patch, if there is one to give. Another base than the patch was made against is a problem of the
/// report. False when nothing can be restored.
template <parallel::executor E>
bool give_base(opened_archive& archive, const verify_options& options, verify_report& report, E& e) {
    if (!options.base) return !archive.is_patch();
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
