// SPDX-License-Identifier: BSL-1.0
// Verifying against the files that were packed: the parts that compare.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <bigsmall/archive/carried_files.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/archive/restore.hpp>
#include <bigsmall/archive/source_tree.hpp>
#include <bigsmall/archive/verify_report.hpp>
#include <bigsmall/io/file_source.hpp>
#include <bigsmall/io/safetensors/layout.hpp>

namespace bigsmall::archive::detail {

/// Checks the size and hash of the files beside the containers.
inline void check_carried(const opened_archive& archive, const run_options& options, verify_report& report) {
    for (const carried_record& record : archive.shards().files) {
        const std::filesystem::path path = archive.path() / record.file;
        try {
            const io::file_source file(path);
            if (file.size() != record.bytes) continue; // reported by its size
            if (hex_of(read_through(file, options, [](bytes_view) {})) != record.sha256)
                add_problem(report, damage_of(carried_mismatch(path)));
            report.bytes_checked += file.size();
        } catch (const error& e) {
            if (e.code() == errc::cancelled) throw;
            if (e.code() != errc::missing) add_problem(report, damage_of(e));
        }
    }
}

/// The source of a comparison: which of its files belongs to which member.
class source_files {
public:
    source_files(const opened_archive& archive, const std::filesystem::path& source)
        : tree_(find_files(source)), single_(!archive.restores_directory() && !tree_.directory) {
        if (archive.restores_directory() && !tree_.directory)
            throw error(errc::invalid_argument, "the archive restores a directory, and this is a file")
                .in_file(source.string())
                .with_hint("compare with the directory that was packed");
        // A file may be compared with the directory that it came from; the rest of that is not its business.
        expect_all_ = archive.restores_directory();
        if (!single_)
            for (const source_file& file : tree_.files)
                by_name_[file.name] = &file;
    }

    /// The file to compare a member or carried file with, or null when the source has none.
    const source_file* find(const std::string& path) {
        if (single_) return &tree_.files.front();
        const auto at = by_name_.find(path);
        if (at == by_name_.end()) return nullptr;
        used_.insert(path);
        return at->second;
    }

    void compare_carried(const opened_archive& archive, const run_options& options, verify_report& report) {
        for (const carried_record& record : archive.shards().files) {
            const source_file* file = find(record.file);
            if (file == nullptr) {
                add_problem(report, make_damage(errc::mismatch, "the source has no such file",
                                                archive.path() / record.file, record.file));
                continue;
            }
            const io::file_source source(file->path);
            if (source.size() != record.bytes ||
                hex_of(read_through(source, options, [](bytes_view) {})) != record.sha256)
                add_problem(report, make_damage(errc::mismatch, "the file differs from its source",
                                                archive.path() / record.file, record.file));
        }
    }

    void report_unused(verify_report& report) const {
        if (single_ || !expect_all_) return;
        for (const auto& [name, file] : by_name_)
            if (used_.count(name) == 0)
                add_problem(report, make_damage(errc::mismatch, "the archive does not have this file of the source",
                                                file->path, name));
    }

private:
    source_tree tree_;
    bool single_;
    bool expect_all_ = true;
    std::map<std::string, const source_file*> by_name_;
    std::set<std::string> used_;
};

/// Compares each member with its source as the bytes come by.
class comparing_observer final : public collecting_observer {
public:
    comparing_observer(source_files& files, verify_report& report) : collecting_observer(report), files_(files) {}

    void member_begins(const restore_job& job) override {
        file_.reset();
        names_ = extent_names(*job.member);
        places_.assign(job.member->extents.size(), std::nullopt);
        const source_file* source = files_.find(job.path);
        if (source == nullptr) {
            differs(job, {}, "the source has no such file");
            return;
        }
        file_.emplace(source->path);
        place_extents(job);
    }

    void bytes_restored(const restore_job& job, bytes_view bytes, std::span<const restored_piece> pieces) override {
        collecting_observer::bytes_restored(job, bytes, pieces);
        if (!file_) return;
        for (const restored_piece& piece : pieces)
            if (piece.intact && places_[piece.extent]) compare(job, piece, bytes.subspan(piece.at, piece.bytes));
    }

private:
    /// Finds out where in the source each extent should be.
    void place_extents(const restore_job& job) {
        const io::member_entry& member = *job.member;
        const bool whole = member.kind == io::member_kind::file;
        byte_buffer header;
        if (!whole) header = io::read_safetensors_header(*file_);
        if (file_->size() == member.raw_bytes && header == member.header) {
            std::uint64_t position = header.size();
            for (std::size_t i = 0; i < places_.size(); ++i) {
                places_[i] = position;
                position += size_of(job, i);
            }
            return;
        }
        if (whole) {
            differs(job, {},
                    "it has " + std::to_string(member.raw_bytes) + " bytes, but its source has " +
                        std::to_string(file_->size()));
            return;
        }
        differs(job, {}, "its header, or the bytes between its tensors, differ from the source");
        place_by_name(job, io::parse_safetensors_header_of(*file_, header));
    }

    static std::uint64_t size_of(const restore_job& job, std::size_t extent) {
        return job.container->index().contents[job.member->extents[extent].content].raw_bytes;
    }

    void place_by_name(const restore_job& job, const io::safetensors_layout& theirs) {
        const io::safetensors_layout ours = io::parse_safetensors_header(job.member->header, job.member->raw_bytes);
        std::map<std::string_view, const io::tensor_record*> wanted;
        for (const io::tensor_record& tensor : theirs.tensors)
            wanted[tensor.name] = &tensor;
        std::size_t next = 0;
        for (std::size_t i = 0; i < places_.size(); ++i) {
            if (job.member->extents[i].kind != io::extent_kind::tensor) continue;
            const io::tensor_record& tensor = ours.tensors[next++];
            const auto at = wanted.find(tensor.name);
            if (at == wanted.end()) {
                differs(job, tensor.name, "the source has no such tensor");
                continue;
            }
            const io::tensor_record& other = *at->second;
            if (other.dtype_name == tensor.dtype_name && other.shape == tensor.shape &&
                size_of(job, i) == other.end - other.begin)
                places_[i] = other.begin;
            else
                differs(job, tensor.name, "its type or shape differs from the source");
            wanted.erase(at);
        }
        for (const auto& [name, tensor] : wanted)
            differs(job, std::string(name), "the archive does not have this tensor of the source");
    }

    void compare(const restore_job& job, const restored_piece& piece, bytes_view bytes) {
        if (buffer_.size() < bytes.size()) buffer_.resize(bytes.size());
        const bytes_span theirs = bytes_span(buffer_).first(bytes.size());
        file_->read(*places_[piece.extent] + piece.extent_offset, theirs);
        const auto [at, other] = std::mismatch(bytes.begin(), bytes.end(), theirs.begin());
        if (at == bytes.end()) return;
        const std::uint64_t offset = piece.extent_offset + static_cast<std::uint64_t>(at - bytes.begin());
        differs(job, names_[piece.extent],
                "its bytes differ from the source, first at its byte " + std::to_string(offset));
        places_[piece.extent].reset(); // once per extent is enough
    }

    void differs(const restore_job& job, const std::string& tensor, const std::string& what) {
        add_problem(report(), make_damage(errc::mismatch, what, job.container->path, job.path, tensor));
    }

    source_files& files_;
    std::optional<io::file_source> file_;
    std::vector<std::string> names_;
    std::vector<std::optional<std::uint64_t>> places_; // of each extent, in the source
    byte_buffer buffer_;
};

} // namespace bigsmall::archive::detail
