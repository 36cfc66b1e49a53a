// SPDX-License-Identifier: BSL-1.0
// What writer and reader of an index agree on: the tags of its sections, and signs in unsigned integers.
#pragma once

#include <cstdint>

namespace bigsmall::io::detail {

enum class index_section : std::uint8_t {
    general = 1,
    siblings = 2,
    contents = 3,
    blocks = 4,
    members = 5,
    bundles = 6,       ///< only with feature_bundles
    shared_blocks = 7, ///< may be there with feature_lean_index
    base = 8,          ///< only with feature_patch
    joined = 64,       ///< optional
};

/// Sections from this tag on may be passed over by a reader that does not know them.
inline constexpr std::uint8_t first_optional_section = 64;

/// Stands where an unchanged content would have a place, to tell it from a slice, which has 0.
inline constexpr std::uint64_t place_of_unchanged = 1;
/// Stands where a part of an image would have a step to a base tensor.
inline constexpr std::uint64_t part_of_zeros = 1;

// Contents are mostly numbered in the order in which extents name them, so that the difference to "the one
// after the last" is mostly 0; its sign goes to the lowest bit.
constexpr std::uint64_t fold_sign(std::int64_t value) noexcept {
    return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int64_t unfold_sign(std::uint64_t folded) noexcept {
    return static_cast<std::int64_t>(folded >> 1) ^ -static_cast<std::int64_t>(folded & 1);
}

} // namespace bigsmall::io::detail
