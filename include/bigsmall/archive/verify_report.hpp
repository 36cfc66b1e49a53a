// SPDX-License-Identifier: BSL-1.0
// What verifying finds out, whichever way it is done.
#pragma once

#include <cstdint>
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

struct verify_options : run_options {
    codec_ref codec = default_codec();
};

struct verify_report {
    bool ok = true;                    ///< no problems
    std::uint64_t files = 0;           ///< containers, carried files and indexes that were looked at
    std::uint64_t tensors_total = 0;   ///< in all members
    std::uint64_t tensors_checked = 0; ///< of which at least one block was decoded (all, in a full run)
    std::uint64_t blocks_total = 0;    ///< in all containers
    std::uint64_t blocks_checked = 0;  ///< blocks decoded; a block that several tensors share counts for each
    std::uint64_t bytes_checked = 0;   ///< restored bytes
    std::vector<damage> problems;      ///< in the order of the files and their bytes
    std::vector<std::string> notes;    ///< harmless: what was damaged is there twice
    std::optional<std::uint64_t> seed; ///< that chose the sample
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
            report.blocks_total += content.home == 0 ? content.blocks.size() : 0;
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
        // A container that is not there fails every block in it: once per tensor is enough.
        if (problem.code == errc::missing && !report_.problems.empty()) {
            const damage& last = report_.problems.back();
            if (last.code == errc::missing && last.member == problem.member && last.tensor == problem.tensor) return;
        }
        add_problem(report_, problem);
    }

    void bytes_restored(const restore_job& job, bytes_view bytes, std::span<const restored_piece> pieces) override {
        report_.bytes_checked += bytes.size();
        for (const restored_piece& piece : pieces) {
            if (!piece.last) continue;
            const io::extent_entry& extent = job.member->extents[piece.extent];
            report_.blocks_checked += job.container->index().contents[extent.content].blocks.size();
            report_.tensors_checked += extent.kind == io::extent_kind::tensor ? 1 : 0;
        }
    }

protected:
    verify_report& report() noexcept { return report_; }

private:
    verify_report& report_;
};

} // namespace detail

} // namespace bigsmall::archive
