// SPDX-License-Identifier: BSL-1.0
// Verifying without payload: everything that the indexes say, against each other and against the files.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/archive/verify_report.hpp>
#include <bigsmall/io/container/reader.hpp>
#include <bigsmall/io/printable.hpp>

namespace bigsmall::archive {

namespace detail {

/// The checks of one container beyond those that opening it has done (ranges, order, overlaps, sums).
class container_check {
public:
    container_check(const opened_container& container, const codec_ref& codec, verify_report& report)
        : container_(container), codec_(codec), report_(report) {}

    void run() {
        check_copies();
        check_codings();
        for (std::uint32_t i = 1; i <= container_.index().siblings.size(); ++i)
            check_sibling(i);
    }

private:
    /// Damage that costs nothing yet is damage: the next in the same place costs the file.
    void check_copies() {
        const io::container_reader::health& state = container_.reader->state();
        const std::pair<bool, std::string> parts[] = {
            {state.header_ok, "the file header is damaged"},
            {state.index_a_ok, "the first copy of the index is damaged"},
            {state.footer_a_ok, "the first footer is damaged"},
            {state.index_b_ok, "the second copy of the index is damaged"},
            {state.footer_b_ok, "the last footer is damaged"},
            {state.size_ok, size_text()},
            {state.receipts_ok, "the receipts (the MD5 of each tensor) are damaged"},
        };
        for (const auto& [intact, what] : parts) {
            if (intact) continue;
            damage found = make_damage(errc::corrupt, what, container_.path);
            found.redundant = true;
            add_problem(report_, std::move(found));
        }
    }

    std::string size_text() const {
        const std::uint64_t has = container_.reader->file().size();
        const std::uint64_t wanted = container_.reader->footer().file_bytes;
        if (has < wanted) return "its last " + std::to_string(wanted - has) + " bytes are missing";
        return "there are " + std::to_string(has - wanted) + " bytes behind its end";
    }

    void check_codings() {
        std::set<std::pair<wire_id, wire_id>> seen;
        for (const io::content_entry& content : container_.index().contents)
            for (const io::block_entry& block : content.blocks) {
                if (!seen.insert({block.grouping, block.entropy}).second) continue;
                const std::string name = coding_name(codec_, {block.grouping, block.entropy});
                if (name.find("unknown") == std::string::npos) continue;
                add_problem(report_,
                            make_damage(errc::unsupported, "it uses a coding that this version does not know: " + name,
                                        container_.path));
            }
    }

    /// A content in a sibling must be there as this index remembers it.
    void check_sibling(std::uint32_t home) {
        const io::container_index& index = container_.index();
        const auto& sibling = container_.siblings[home - 1];
        std::map<std::uint64_t, const io::content_entry*> there;
        if (sibling)
            for (const io::content_entry& content : sibling->index().contents)
                if (content.home == 0 && !content.blocks.empty()) there[content.offset] = &content;
        std::uint64_t lost = 0;
        for (const io::content_entry& content : index.contents) {
            if (content.home != home || content.blocks.empty()) continue;
            const auto at = there.find(content.offset);
            const bool found = at != there.end() && at->second->blocks == content.blocks &&
                               (at->second->md5 == content.md5 || index.receipts_lost ||
                                sibling->index().receipts_lost);
            lost += found ? 0 : 1;
        }
        if (lost == 0) return;
        // One line for the file that is at fault, however many tensors lie in it.
        const std::string what = std::to_string(lost) + (lost == 1 ? " part of " : " parts of ") +
                                 io::in_quotes(container_.path.filename().string());
        const std::filesystem::path file = container_.home_path(home);
        add_problem(report_,
                    sibling ? make_damage(errc::mismatch, what + " cannot be found in it: it is another version", file)
                            : make_damage(errc::missing,
                                          "it cannot be opened, and " + what + " can only be read with it", file));
    }

    const opened_container& container_;
    const codec_ref& codec_;
    verify_report& report_;
};

/// What bigsmall.index.json says of sizes and of tensors, against the containers.
class shard_index_check {
public:
    shard_index_check(const opened_archive& archive, verify_report& report) : archive_(archive), report_(report) {}

    void run() {
        for (const shard_record& shard : archive_.shards().shards)
            check_size(shard.file, shard.stored_bytes);
        for (const carried_record& file : archive_.shards().files)
            check_size(file.file, file.bytes);
        // Without all containers, the map of tensors cannot be complete.
        if (archive_.problems().empty()) check_weight_map();
    }

private:
    void check_size(const std::string& name, std::uint64_t bytes) {
        std::error_code failed;
        const std::filesystem::path path = archive_.path() / name;
        const auto found = std::filesystem::file_size(path, failed);
        if (failed) {
            const bool known = std::any_of(archive_.problems().begin(), archive_.problems().end(),
                                           [&](const damage& d) { return d.file == path.string(); });
            if (!known) add_problem(report_, make_damage(errc::missing, "the file cannot be found", path));
        } else if (found != bytes) {
            add_problem(report_, make_damage(errc::mismatch,
                                             "the file has " + std::to_string(found) + " bytes where " +
                                                 std::string(shard_index_name) + " says " + std::to_string(bytes),
                                             path));
        }
    }

    void check_weight_map() {
        std::map<std::string, std::vector<std::string>> found;
        for (std::size_t i = 0; i < archive_.containers().size(); ++i)
            for (const io::member_entry& member : archive_.containers()[i].index().members)
                for (std::size_t x = 0; const std::string& name : extent_names(member))
                    if (member.extents[x++].kind == io::extent_kind::tensor)
                        found[name].push_back(archive_.shards().shards[i].file);
        if (found == archive_.shards().weight_map) return;
        add_problem(report_, make_damage(errc::mismatch, "its weight_map does not name the tensors of the containers",
                                         archive_.path() / shard_index_name));
    }

    const opened_archive& archive_;
    verify_report& report_;
};

inline void check_metadata(const opened_archive& archive, const codec_ref& codec, verify_report& report) {
    for (const opened_container& container : archive.containers())
        container_check(container, codec, report).run();
    if (archive.sharded()) shard_index_check(archive, report).run();
}

} // namespace detail

/// Checks everything but the payload: reads the headers, footers and both copies of the index of every
/// container, and looks at the sizes of the files. Damage is reported, not thrown.
/// Throws: errc::missing when there is no archive; errc::unsupported when it is something else; errc::io.
inline verify_report verify_fast(const std::filesystem::path& archive, const verify_options& options = {}) {
    const opened_archive opened(archive);
    verify_report report = detail::begin_report(opened);
    detail::check_metadata(opened, options.codec, report);
    return report;
}

} // namespace bigsmall::archive
