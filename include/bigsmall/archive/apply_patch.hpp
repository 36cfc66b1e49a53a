// SPDX-License-Identifier: BSL-1.0
// Applying a patch to the very file that is its base: only what differs is written.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include <bigsmall/archive/apply_in_place.hpp>
#include <bigsmall/archive/open_model.hpp>
#include <bigsmall/archive/restore.hpp>
#include <bigsmall/archive/unpack.hpp>
#include <bigsmall/parallel/executor.hpp>

namespace bigsmall::archive {

namespace detail {

/// Hands the bytes of the only member on, header first.
template <class Consumer>
class in_place_observer final : public strict_observer {
public:
    explicit in_place_observer(Consumer& consumer) : consumer_(consumer) {}

    void member_begins(const restore_job& job) override { hand_on(job.member->header); }
    void bytes_restored(const restore_job&, bytes_view bytes, std::span<const restored_piece>) override {
        hand_on(bytes);
    }
    void member_ends(const restore_job&) override {}

private:
    void hand_on(bytes_view bytes) {
        consumer_(position_, bytes);
        position_ += bytes.size();
    }

    Consumer& consumer_;
    std::uint64_t position_ = 0;
};

} // namespace detail

/// Turns the safetensors file `model`, the base of `patch`, into what the patch restores, by change_in_place(): killed
/// at any moment, it can be finished or undone. `options.existing` means nothing here.
/// Throws: errc::mismatch when the file is another base than the patch was made against; errc::invalid_argument when it
/// is no safetensors file, or the patch is none or restores a directory; as change_in_place() and restore().
template <parallel::executor E>
in_place_result apply_in_place(const std::filesystem::path& model, const std::filesystem::path& patch,
                               const run_options& options, E& e) {
    require_no_pending_change(model);
    std::error_code failed;
    if (std::filesystem::is_directory(model, failed) || detail::leads_to_archive(model))
        throw error(errc::invalid_argument, "only a .safetensors file can be changed in place")
            .in_file(model.string())
            .with_hint("apply the patch into another file or directory: bigsmall apply BASE PATCH -o OUT");
    const opened_archive opened = open_with_base(patch, open_model(model, nullptr, options, e), options, e);
    if (opened.restores_directory())
        throw error(errc::invalid_argument, "this patch restores a directory, and a file cannot become one")
            .in_file(patch.string());
    const std::vector<restore_job> jobs = all_jobs(opened);
    const io::member_entry& member = *jobs.front().member;
    in_place_change change;
    change.bytes = member.raw_bytes;
    change.header = member.header;
    change.after = member.sha256;
    change.label = patch.filename().string();
    return change_in_place(model, change, [&](auto&& consumer) {
        detail::in_place_observer observer(consumer);
        restore(jobs, default_codec(), options, observer, e, restored_hashes::files);
    });
}

} // namespace bigsmall::archive
