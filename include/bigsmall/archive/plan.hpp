// SPDX-License-Identifier: BSL-1.0
// What packing will do, found out before anything is written: the files, their parts, and which parts are
// equal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <bigsmall/archive/source_tree.hpp>
#include <bigsmall/archive/unfinished_change.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/dtype.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/io/file_source.hpp>
#include <bigsmall/io/safetensors/layout.hpp>

namespace bigsmall::archive {

/// A tensor, a gap or a carried file: a range of bytes of one source file.
struct planned_extent {
    io::extent_kind kind = io::extent_kind::file;
    std::uint64_t begin = 0, bytes = 0; ///< in the source file
    dtype type;                         ///< of its elements; bytes when it has none or one that we do not know
    std::string tensor;                 ///< its name; empty for gaps and files
    std::uint32_t content = 0;          ///< index into pack_plan::contents
    std::uint64_t row_elems = 0;        ///< elements of a row: all dimensions but the first; 0 without rows
    std::uint64_t last_elems = 0;       ///< elements of the last dimension; 0 without rows
};

struct planned_member {
    source_file file;
    io::member_kind kind = io::member_kind::file;
    byte_buffer header;                  ///< safetensors: the exact header
    std::vector<planned_extent> extents; ///< in file order; with the header they cover the file
};

/// Bytes that are stored once: those of the first extent that has them.
struct planned_content {
    std::uint32_t member = 0, extent = 0;
};

struct pack_plan {
    bool directory = false;
    std::vector<planned_member> members;
    std::vector<planned_content> contents;
    std::uint64_t source_bytes = 0;
};

/// A checked header has dimensions whose product does not overflow.
inline std::uint64_t row_elems_of(const std::vector<std::uint64_t>& shape) noexcept {
    if (shape.size() < 2) return 0;
    std::uint64_t elems = 1;
    for (std::size_t i = 1; i < shape.size(); ++i)
        elems *= shape[i];
    return elems;
}

/// Elements of the last dimension; 0 when there are fewer than two.
inline std::uint64_t last_elems_of(const std::vector<std::uint64_t>& shape) noexcept {
    return shape.size() < 2 ? 0 : shape.back();
}

namespace detail {

inline void add_extent(planned_member& member, planned_extent extent) {
    if (extent.kind != io::extent_kind::tensor && extent.bytes == 0) return;
    member.extents.push_back(std::move(extent));
}

inline void plan_safetensors(planned_member& member, const io::source& file) {
    member.kind = io::member_kind::safetensors;
    member.header = io::read_safetensors_header(file);
    io::safetensors_layout layout = io::parse_safetensors_header_of(file, member.header);
    std::uint64_t position = layout.header_bytes;
    for (io::tensor_record& tensor : layout.tensors) {
        add_extent(member, {io::extent_kind::gap, position, tensor.begin - position, {}, {}, 0, 0, 0});
        const dtype type = find_dtype(tensor.dtype_name).value_or(dtype{});
        add_extent(member, {io::extent_kind::tensor, tensor.begin, tensor.end - tensor.begin, type,
                            std::move(tensor.name), 0, row_elems_of(tensor.shape), last_elems_of(tensor.shape)});
        position = tensor.end;
    }
    add_extent(member, {io::extent_kind::gap, position, layout.file_bytes - position, {}, {}, 0, 0, 0});
}

inline planned_member plan_file(const source_file& file, bool must_be_safetensors) {
    planned_member member;
    member.file = file;
    if (must_be_safetensors || std::string_view(file.name).ends_with(".safetensors")) {
        require_no_pending_change(file.path);
        const io::file_source source(file.path);
        if (source.size() != file.stamp.bytes) require_unchanged(file);
        plan_safetensors(member, source);
    } else {
        add_extent(member, {io::extent_kind::file, 0, file.stamp.bytes, {}, {}, 0, 0, 0});
    }
    return member;
}

/// Gives every extent a content of its own.
inline void number_contents(pack_plan& plan) {
    plan.contents.clear();
    for (std::size_t m = 0; m < plan.members.size(); ++m)
        for (std::size_t e = 0; e < plan.members[m].extents.size(); ++e) {
            plan.members[m].extents[e].content = static_cast<std::uint32_t>(plan.contents.size());
            plan.contents.push_back({static_cast<std::uint32_t>(m), static_cast<std::uint32_t>(e)});
        }
}

} // namespace detail

/// Reads the headers of the safetensors files of a tree. In a directory, files that are not named
/// `.safetensors` are carried as bytes; a single file must be safetensors whatever its name.
/// Throws: errc::invalid_input, errc::truncated, errc::missing, errc::io.
inline pack_plan make_plan(const source_tree& tree) {
    pack_plan plan;
    plan.directory = tree.directory;
    for (const source_file& file : tree.files) {
        plan.members.push_back(detail::plan_file(file, !tree.directory));
        plan.source_bytes += file.stamp.bytes;
    }
    detail::number_contents(plan);
    return plan;
}

} // namespace bigsmall::archive
