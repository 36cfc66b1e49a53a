// SPDX-License-Identifier: BSL-1.0
// What verifying finds out, whichever way it is done.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <bigsmall/archive/damage.hpp>
#include <bigsmall/archive/default_codec.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/archive/options.hpp>
#include <bigsmall/archive/restore.hpp>

namespace bigsmall::archive {

class model_reader;

struct verify_options : run_options {
    codec_ref codec = default_codec();
    std::shared_ptr<const model_reader> base = nullptr; ///< of a patch; without it only stored bytes are checked
    bool file_hashes = false; ///< SHA-256 of each file as well, which is one chain through all of its bytes
};

struct verify_report {
    bool ok = true;                    ///< no problems, not even with what is there twice
    std::uint64_t files = 0;           ///< containers, carried files and indexes that were looked at
    std::uint64_t tensors_total = 0;   ///< in all members
    std::uint64_t tensors_checked = 0; ///< of which at least one block was decoded (all, in a full run)
    std::uint64_t blocks_total = 0;    ///< in all containers, and in others that they refer to
    /// Blocks decoded; those of equal tensors count once, with file_hashes for each.
    std::uint64_t blocks_checked = 0;
    std::uint64_t bytes_checked = 0;   ///< of the blocks decoded and the carried files read
    std::vector<damage> problems;      ///< in the order of the files and their bytes
    std::optional<std::uint64_t> seed; ///< that chose the sample
    bool file_hashes = false;  ///< the SHA-256 of each file was compared, too
    bool base_missing = false; ///< it is a patch without its base: checksums were compared, nothing was decoded

    /// There are problems, and none of them has cost a byte of any file: copies and padding are damaged only.
    bool only_redundant() const noexcept {
        return !problems.empty() &&
               std::all_of(problems.begin(), problems.end(), [](const damage& d) { return d.redundant; });
    }
};

namespace detail {

inline void add_problem(verify_report& report, damage problem) {
    report.ok = false;
    report.problems.push_back(std::move(problem));
}

inline damage make_damage(errc code, std::string what, const std::filesystem::path& file, std::string member = {},
                          std::string tensor = {}) {
    damage d;
    d.code = code;
    d.what = std::move(what);
    d.file = file.string();
    d.member = std::move(member);
    d.tensor = std::move(tensor);
    return d;
}

/// Totals of an archive, and what opening it has shown.
inline verify_report begin_report(const opened_archive& archive) {
    verify_report report;
    for (const damage& problem : archive.problems())
        add_problem(report, problem);
    report.files = archive.problems().size() + archive.containers().size() + archive.shards().files.size() +
                   (archive.sharded() ? 1 : 0);
    for (const opened_container& container : archive.containers()) {
        for (const io::member_entry& member : container.index().members)
            for (const io::extent_entry& extent : member.extents)
                report.tensors_total += extent.kind == io::extent_kind::tensor ? 1 : 0;
        for (const io::content_entry& content : container.index().contents)
            report.blocks_total += archive.counts_here(container, content) ? content.blocks.size() : 0;
    }
    return report;
}

/// Counts what passes and keeps what is wrong, and goes on.
class collecting_observer : public restore_observer {
public:
    explicit collecting_observer(verify_report& report) : report_(report) {}

    void member_begins(const restore_job&) override {}
    void member_ends(const restore_job&) override {}

    void found(const restore_job&, const damage& problem) override {
        // A container that is not there fails every block in it; the check of the indexes has said so once.
        if (problem.code != errc::missing) add_problem(report_, problem);
    }

    void bytes_restored(const restore_job& job, bytes_view, std::span<const restored_piece> pieces) override {
        for (const restored_piece& piece : pieces) {
            report_.bytes_checked += piece.decoded_bytes;
            report_.blocks_checked += piece.decoded_blocks;
            decoded_bytes_ = piece.decoded_bytes + (piece.first ? 0 : decoded_bytes_);
            if (!piece.last) continue;
            const io::extent_entry& extent = job.member->extents[piece.extent];
            const bool empty = job.container->index().contents[extent.content].raw_bytes == 0;
            if (extent.kind == io::extent_kind::tensor && (empty || decoded_bytes_ > 0)) ++report_.tensors_checked;
        }
    }

protected:
    verify_report& report() noexcept { return report_; }

private:
    verify_report& report_;
    std::uint64_t decoded_bytes_ = 0; // of the extent that is being delivered
};

} // namespace detail

} // namespace bigsmall::archive
