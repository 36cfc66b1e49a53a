// SPDX-License-Identifier: BSL-1.0
// What two models differ in, tensor by tensor, and summed up by layer and role.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <bigsmall/archive/diff_statistics.hpp>
#include <bigsmall/archive/names.hpp>

namespace bigsmall::archive {

/// What became of a tensor on the way from A to B. But for equal and changed, the values may be the same or others.
enum class difference_kind : std::uint8_t {
    equal,     ///< name, type, shape and bytes
    changed,   ///< the same name, type and shape, other values
    renamed,   ///< all of a tensor of another name, which B has no more
    copied,    ///< the same of one that B still has
    reshaped,  ///< as many elements in another shape
    resized,   ///< rows were added or removed
    converted, ///< another float type
    fused,     ///< several tensors of A, one after another
    split,     ///< a part of a tensor of A
    replaced,  ///< only the name is the same: type or shape do not let values be compared
    added,     ///< in B only
    removed,   ///< in A only
};

inline constexpr std::size_t difference_kinds = 12;

/// A stable lower-case name, for people and JSON.
constexpr const char* name_of(difference_kind kind) noexcept {
    switch (kind) {
    case difference_kind::equal: return "equal";
    case difference_kind::changed: return "changed";
    case difference_kind::renamed: return "renamed";
    case difference_kind::copied: return "copied";
    case difference_kind::reshaped: return "reshaped";
    case difference_kind::resized: return "resized";
    case difference_kind::converted: return "converted";
    case difference_kind::fused: return "fused";
    case difference_kind::split: return "split";
    case difference_kind::replaced: return "replaced";
    case difference_kind::added: return "added";
    case difference_kind::removed: return "removed";
    }
    return "unknown";
}

struct tensor_difference {
    difference_kind kind = difference_kind::equal;
    std::optional<std::size_t> b; ///< number in tensors() of B; nothing when it was removed
    std::vector<std::size_t> a;   ///< numbers in tensors() of A, in their order in b; none when it was added
    /// Of what has a counterpart. `a` is converted first where the type is another. When nothing changed, only the
    /// words are counted.
    update_statistics update;
    std::uint64_t rows_added = 0, rows_removed = 0; ///< of a resized tensor

    bool has_changed_words() const noexcept { return update.changed_words > 0; }
};

/// The tensors of a layer, of a role, or all. Those of A that were removed count, too.
struct difference_group {
    std::string name;                   ///< of the stack of layers, behind its folder; or of the role
    std::optional<std::uint32_t> layer; ///< of a layer
    std::uint64_t tensors = 0;
    std::uint64_t different = 0; ///< of these, all that are not equal
    /// Of the tensors that have a counterpart; sums and steps are over those of them in which words changed.
    update_statistics update;
};

struct diff_result {
    /// Those of B in their order, then those of A that were removed.
    std::vector<tensor_difference> tensors;
    /// Layers by their names and numbers, then what is in none: it has no layer, and no name. Roles by theirs.
    std::vector<difference_group> layers, roles;
    difference_group total;
    std::vector<std::string> metadata; ///< keys of `__metadata__` that differ; those of all files are put together

    std::size_t count(difference_kind kind) const noexcept {
        std::size_t sum = 0;
        for (const tensor_difference& tensor : tensors)
            sum += tensor.kind == kind ? 1u : 0u;
        return sum;
    }

    /// True when A and B have the same tensors, in whatever files and order. Metadata does not matter.
    bool equal() const noexcept { return total.different == 0; }
};

} // namespace bigsmall::archive
