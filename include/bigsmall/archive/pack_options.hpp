// SPDX-License-Identifier: BSL-1.0
// What packing can be told, and what it tells.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <bigsmall/archive/default_codec.hpp>
#include <bigsmall/archive/model_index.hpp>
#include <bigsmall/archive/options.hpp>
#include <bigsmall/archive/plan.hpp>
#include <bigsmall/archive/resume_options.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/core/version.hpp>
#include <bigsmall/io/container/format.hpp>

namespace bigsmall::archive {

inline constexpr operating_point operating_points[] = {operating_point::storage, operating_point::balanced,
                                                       operating_point::inference};

/// The point of that name, if it is one.
inline std::optional<operating_point> point_of(std::string_view name) noexcept {
    for (const operating_point point : operating_points)
        if (recipe_of(point).name == name) return point;
    return std::nullopt;
}

/// What a container says of its writer: "bigsmall 0.1.0 (balanced)"; without the last word when the codec is that of no
/// operating point. A word in the name costs no change of the format, and only people read it.
inline std::string writer_name(const codec_ref& codec) {
    std::string name = std::string("bigsmall ") + version_string;
    for (const operating_point point : operating_points)
        if (recipe_of(point).codec.encode == codec.encode)
            return name + " (" + std::string(recipe_of(point).name) + ")";
    return name;
}

/// The operating point that such a name tells, if it tells one.
inline std::optional<operating_point> point_of_writer(std::string_view name) noexcept {
    const std::size_t open = name.rfind(" (");
    if (open == std::string_view::npos || !name.starts_with("bigsmall ") || !name.ends_with(')')) return std::nullopt;
    return point_of(name.substr(open + 2, name.size() - open - 3));
}

class model_reader;

/// How a directory is laid out.
struct pack_options : run_options {
    bool per_shard = false; ///< one container per safetensors file, everything else copied
    /// Tensors of up to 64 KiB that have one role in many layers are coded as one stream where that is smaller.
    bool group_streams = false;
    std::uint64_t block_bytes = recipe_of(operating_point::balanced).block_bytes; ///< raw bytes per block, 1 to 16 MiB
    codec_ref codec = recipe_of(operating_point::balanced).codec;
    delta_ref delta = recipe_of(operating_point::balanced).delta;
    /// Pack as a patch: the differences to this model, wherever they are smaller than the bytes themselves. Null:
    /// alone.
    std::shared_ptr<const model_reader> base = nullptr;
    resume_options resume;

    /// Packs for an operating point. Streams that are to be grouped anyway stay so.
    pack_options& tune(operating_point point) noexcept {
        const packing_recipe recipe = recipe_of(point);
        block_bytes = recipe.block_bytes;
        codec = recipe.codec;
        delta = recipe.delta;
        group_streams |= recipe.group_streams;
        return *this;
    }
};

/// What a base was good for. Bytes are raw but where it says stored.
struct patch_counts {
    std::uint64_t matched_tensors = 0, unchanged_tensors = 0; ///< that have a base; that equal it
    std::uint64_t matched_bytes = 0, unchanged_bytes = 0;     ///< the same in bytes
    /// Of the matched bytes, those in blocks that the base makes less than a tenth smaller.
    std::uint64_t useless_bytes = 0;
    /// Stored bytes of the matched blocks that changed, and what they would take without the base: less than that where
    /// differences are so small that nobody looked.
    std::uint64_t changed_stored_bytes = 0, changed_alone_bytes = 0;
};

struct packed_file {
    std::filesystem::path path;
    std::uint64_t source_bytes = 0, stored_bytes = 0;
};

struct pack_result {
    std::uint64_t source_bytes = 0;     ///< of all source files, headers included
    std::uint64_t compressed_bytes = 0; ///< of everything written
    std::uint64_t tensors = 0;
    std::uint64_t duplicate_tensors = 0; ///< of these, how many are stored as a reference to an equal part
    std::uint64_t grouped_tensors = 0;   ///< of all, how many lie in a bundle with others
    std::uint64_t resumed_bytes = 0;     ///< of the source, that an earlier run had coded
    std::optional<patch_counts> patch;   ///< when it was packed against a base
    std::vector<packed_file> files;      ///< what was written, carried files included
    /// With per_shard: what an older index in the output directory listed, the new one does not, and was unchanged.
    std::vector<std::filesystem::path> removed_files;
    /// Named by an index of the model and not there: an incomplete download, most likely. It is packed all the same.
    std::vector<absent_shard> absent_shards;
};

namespace detail {

inline void check_block_bytes(std::uint64_t block_bytes) {
    if (block_bytes >= 1 && block_bytes <= io::max_raw_block_bytes) return;
    throw error(errc::invalid_argument,
                "blocks of " + std::to_string(block_bytes) + " bytes are not possible: 1 byte to 16 MiB are");
}

inline pack_result count_tensors(const pack_plan& plan) {
    pack_result result;
    result.source_bytes = plan.source_bytes;
    for (std::uint32_t m = 0; m < plan.members.size(); ++m) {
        const std::vector<planned_extent>& extents = plan.members[m].extents;
        for (std::uint32_t x = 0; x < extents.size(); ++x) {
            if (extents[x].kind != io::extent_kind::tensor) continue;
            const planned_content& original = plan.contents[extents[x].content];
            ++result.tensors;
            if (original.member != m || original.extent != x) ++result.duplicate_tensors;
        }
    }
    return result;
}

} // namespace detail

} // namespace bigsmall::archive
