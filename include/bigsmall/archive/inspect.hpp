// SPDX-License-Identifier: BSL-1.0
// Inspecting: everything that an archive says about itself, from its indexes alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <bigsmall/archive/default_codec.hpp>
#include <bigsmall/archive/hash.hpp>
#include <bigsmall/archive/model_type.hpp>
#include <bigsmall/archive/names.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/archive/restore.hpp>
#include <bigsmall/io/container/reader.hpp>
#include <bigsmall/io/safetensors/layout.hpp>

namespace bigsmall::archive {

struct tensor_summary {
    std::string name, member; ///< the file that it belongs to
    std::string dtype_name;
    std::vector<std::uint64_t> shape;
    std::uint64_t raw_bytes = 0;
    /// 0 for a duplicate, whose bytes are counted where they are stored, and for a share of a bundle below one byte.
    std::uint64_t stored_bytes = 0;
    std::uint64_t blocks = 0;
    std::string coding;           ///< of most of its blocks; "duplicate", or "empty" when it has no bytes
    std::string md5;              ///< hexadecimal; empty when the receipts are damaged
    std::string duplicate_of;     ///< the tensor whose bytes it shares, else duplicate_member; empty: stored itself
    std::string duplicate_member; ///< the file of that one; the container that holds it when that is not there
    tensor_place place;

    bool duplicate() const noexcept { return !duplicate_of.empty(); }
};

struct member_summary {
    std::string path;
    io::member_kind kind = io::member_kind::file;
    std::filesystem::path container;
    std::uint64_t raw_bytes = 0, stored_bytes = 0; ///< stored: its blocks, without a share of the index
    std::uint64_t header_bytes = 0;
    std::string sha256; ///< hexadecimal
};

struct container_summary {
    std::filesystem::path path;
    std::uint16_t version_major = 0, version_minor = 0;
    std::string writer;
    std::uint64_t file_bytes = 0;
    std::vector<std::string> needs; ///< other containers that hold some of its tensors
    io::container_reader::health health;
};

/// One line of a breakdown. Duplicates count for `tensors` and `raw_bytes`.
struct group_summary {
    std::string name;
    std::uint64_t tensors = 0, raw_bytes = 0, stored_bytes = 0;
};

struct archive_summary {
    std::filesystem::path path;
    bool sharded = false;           ///< a directory with one container per shard
    bool directory = false;         ///< restoring gives a directory
    std::uint64_t file_bytes = 0;   ///< of all files of the archive
    std::uint64_t source_bytes = 0; ///< of all files that it restores
    std::uint64_t tensor_bytes = 0; ///< raw bytes of all tensors, duplicates included
    std::uint64_t duplicate_tensors = 0;
    std::vector<container_summary> containers;
    std::vector<member_summary> members;
    std::vector<carried_record> carried; ///< files that lie beside the containers as they are
    std::vector<tensor_summary> tensors; ///< in file order
    std::vector<group_summary> dtypes;   ///< by raw bytes, descending
    std::vector<group_summary> codings;  ///< by number of tensors, descending
    std::vector<group_summary> roles;    ///< by raw bytes, descending
    std::string dominant_dtype;          ///< the one with most bytes; empty without tensors
    std::string model_type;              ///< as config.json says; empty when there is none that says it
    std::uint64_t layer_count = 0;
    std::uint64_t non_layer_raw_bytes = 0;
    std::uint64_t largest_layer_raw_bytes = 0;

    /// What running the model layer by layer needs at least: all that is in no layer, and the largest layer.
    std::uint64_t streaming_peak_bytes() const noexcept { return non_layer_raw_bytes + largest_layer_raw_bytes; }
};

namespace detail {

class inspection {
public:
    inspection(const opened_archive& archive, const codec_ref& codec) : archive_(archive), codec_(codec) {}

    archive_summary run() {
        summary_.path = archive_.path();
        summary_.sharded = archive_.sharded();
        summary_.directory = archive_.restores_directory();
        summary_.file_bytes = archive_.stored_bytes();
        summary_.model_type = read_model_type(archive_, codec_);
        summary_.carried = archive_.shards().files;
        for (const carried_record& file : summary_.carried)
            summary_.source_bytes += file.bytes;
        for (const opened_container& container : archive_.containers())
            add_container(container);
        break_down();
        count_layers();
        return std::move(summary_);
    }

private:
    struct origin {
        std::string tensor, member;
    };
    /// Number of a file, in the order in which they were met, the offset of the first block, and for a slice the offset
    /// in its bundle.
    using place_in_file = std::tuple<std::size_t, std::uint64_t, std::uint64_t>;

    void add_container(const opened_container& container) {
        const io::container_index& index = container.index();
        summary_.containers.push_back({container.path, container.reader->footer().major,
                                       container.reader->footer().minor, index.writer, container.reader->file().size(),
                                       index.siblings, container.reader->state()});
        for (const io::member_entry& member : index.members)
            add_member(container, member);
    }

    void add_member(const opened_container& container, const io::member_entry& member) {
        member_summary out{container.folder + member.path, member.kind,          container.path, member.raw_bytes, 0,
                           member.header.size(),           hex_of(member.sha256)};
        summary_.source_bytes += member.raw_bytes;
        io::safetensors_layout layout;
        if (member.kind == io::member_kind::safetensors)
            layout = io::parse_safetensors_header(member.header, member.raw_bytes);
        std::size_t next = 0;
        for (const io::extent_entry& extent : member.extents) {
            tensor_summary tensor;
            tensor.member = out.path;
            const bool is_tensor = extent.kind == io::extent_kind::tensor;
            if (is_tensor) describe(layout.tensors[next++], tensor);
            add_content(container, container.index().contents[extent.content], tensor);
            out.stored_bytes += tensor.stored_bytes;
            if (is_tensor) add_tensor(std::move(tensor));
        }
        summary_.members.push_back(std::move(out));
    }

    static void describe(io::tensor_record& record, tensor_summary& tensor) {
        tensor.place = place_of(record.name);
        tensor.name = std::move(record.name);
        tensor.dtype_name = std::move(record.dtype_name);
        tensor.shape = std::move(record.shape);
    }

    void add_content(const opened_container& container, const io::content_entry& content, tensor_summary& tensor) {
        tensor.raw_bytes = content.raw_bytes;
        const io::content_entry& coded = content.is_slice() ? container.index().contents[content.bundle] : content;
        tensor.blocks = coded.blocks.size();
        if (!container.index().receipts_lost) tensor.md5 = hex_of(content.md5);
        if (coded.blocks.empty()) {
            tensor.coding = content.is_unchanged() ? "unchanged" : "empty";
            return;
        }
        if (const origin* found = original_of(container, content, tensor)) {
            tensor.duplicate_of = found->tensor.empty() ? found->member : found->tensor;
            tensor.duplicate_member = found->member;
            tensor.coding = "duplicate";
            return;
        }
        for (const io::block_entry& block : coded.blocks)
            tensor.stored_bytes += block.shared_at == 0 ? block.stored_bytes : 0;
        if (content.is_slice()) tensor.stored_bytes = share_of(content, coded, tensor.stored_bytes);
        tensor.coding = coding_of(coded);
    }

    /// What a slice takes of the bytes of its bundle; the shares of all slices add up to them.
    static std::uint64_t share_of(const io::content_entry& slice, const io::content_entry& bundle,
                                  std::uint64_t stored_bytes) {
        const auto until = [&](std::uint64_t raw_bytes) { return stored_bytes * raw_bytes / bundle.raw_bytes; };
        return until(slice.offset + slice.raw_bytes) - until(slice.offset);
    }

    /// Where bytes were seen before, or null when `tensor` is the first to have them.
    const origin* original_of(const opened_container& container, const io::content_entry& content,
                              const tensor_summary& tensor) {
        const bool slice = content.is_slice();
        // A content that shares all its blocks has no place of its own, but a number.
        const io::container_index& index = container.index();
        const std::uint64_t own = content.offset != 0
                                      ? content.offset
                                      : ~static_cast<std::uint64_t>(&content - index.contents.data());
        const std::uint64_t offset = slice ? index.contents[content.bundle].offset : own;
        const place_in_file place{number_of(container, content.home), offset, slice ? content.offset : 0};
        if (content.home == 0) {
            const auto [at, is_new] = origins_.try_emplace(place, origin{tensor.name, tensor.member});
            return is_new ? nullptr : &at->second;
        }
        if (const auto seen = origins_.find(place); seen != origins_.end()) return &seen->second;
        const std::string& file = container.index().siblings[content.home - 1];
        return &in_siblings_.try_emplace(place, origin{"", file}).first->second;
    }

    /// A sibling that is not there has no reader: files go by their paths. What a sibling holds is learned when it is
    /// met for the first time.
    std::size_t number_of(const opened_container& container, std::uint32_t home) {
        const auto [at, is_new] =
            files_.try_emplace(container.home_path(home).lexically_normal().string(), files_.size());
        const std::size_t number = at->second;
        if (is_new && home != 0 && container.siblings[home - 1]) learn(*container.siblings[home - 1], number);
        return number;
    }

    void learn(const io::container_reader& sibling, std::size_t number) {
        for (const io::member_entry& member : sibling.index().members) {
            std::vector<std::string> names = extent_names(member);
            for (std::size_t i = 0; i < names.size(); ++i) {
                const io::content_entry& content = sibling.index().contents[member.extents[i].content];
                if (content.home == 0 && !content.blocks.empty())
                    in_siblings_.try_emplace(place_in_file{number, content.offset, 0},
                                             origin{std::move(names[i]), member.path});
            }
        }
    }

    std::string coding_of(const io::content_entry& content) const {
        std::map<std::pair<wire_id, wire_id>, std::uint64_t> counts;
        for (const io::block_entry& block : content.blocks)
            ++counts[{block.grouping, block.entropy}];
        const auto most = std::max_element(counts.begin(), counts.end(),
                                           [](const auto& a, const auto& b) { return a.second < b.second; });
        return coding_name(codec_, {most->first.first, most->first.second});
    }

    void add_tensor(tensor_summary tensor) {
        summary_.tensor_bytes += tensor.raw_bytes;
        summary_.duplicate_tensors += tensor.duplicate() ? 1 : 0;
        summary_.tensors.push_back(std::move(tensor));
    }

    template <class Key, class Order>
    std::vector<group_summary> grouped(Key key, Order order) const {
        std::map<std::string, group_summary> groups;
        for (const tensor_summary& tensor : summary_.tensors) {
            group_summary& group = groups[key(tensor)];
            ++group.tensors;
            group.raw_bytes += tensor.raw_bytes;
            group.stored_bytes += tensor.stored_bytes;
        }
        std::vector<group_summary> list;
        for (auto& [name, group] : groups) {
            group.name = name;
            list.push_back(std::move(group));
        }
        std::stable_sort(list.begin(), list.end(), [&](const auto& a, const auto& b) { return order(a) > order(b); });
        return list;
    }

    void break_down() {
        const auto by_bytes = [](const group_summary& g) { return g.raw_bytes; };
        summary_.dtypes = grouped([](const tensor_summary& t) { return t.dtype_name; }, by_bytes);
        summary_.codings =
            grouped([](const tensor_summary& t) { return t.coding; }, [](const group_summary& g) { return g.tensors; });
        summary_.roles = grouped([](const tensor_summary& t) { return std::string(name_of(t.place.role)); }, by_bytes);
        if (!summary_.dtypes.empty()) summary_.dominant_dtype = summary_.dtypes.front().name;
    }

    void count_layers() {
        // The parts of a pipeline lie in directories of their own and number their layers alone.
        std::map<std::tuple<std::string_view, std::string_view, std::uint32_t>, std::uint64_t> layers;
        for (const tensor_summary& tensor : summary_.tensors) {
            const std::string_view member = tensor.member;
            if (!tensor.place.layer)
                summary_.non_layer_raw_bytes += tensor.raw_bytes;
            else
                layers[{member.substr(0, member.rfind('/') + 1), tensor.place.stack, *tensor.place.layer}] +=
                    tensor.raw_bytes;
        }
        summary_.layer_count = layers.size();
        for (const auto& [layer, bytes] : layers)
            summary_.largest_layer_raw_bytes = std::max(summary_.largest_layer_raw_bytes, bytes);
    }

    const opened_archive& archive_;
    codec_ref codec_;
    archive_summary summary_;
    std::map<std::string, std::size_t> files_;
    std::map<place_in_file, origin> origins_;     // of the tensors that were listed
    std::map<place_in_file, origin> in_siblings_; // of those in files that are no part of the archive
};

} // namespace detail

/// Reads the indexes of a container, or of a directory with bigsmall.index.json, and of the payload only config.json.
/// Keeps a record of some 400 bytes for each tensor, for which a hostile header needs 51 bytes of text.
/// `codec` names the codings. Throws: errc::missing, errc::corrupt, errc::truncated, errc::unsupported,
/// errc::io.
inline archive_summary inspect(const std::filesystem::path& archive, const codec_ref& codec = default_codec()) {
    const opened_archive opened(archive);
    opened.require_whole();
    return detail::inspection(opened, codec).run();
}

} // namespace bigsmall::archive
