// SPDX-License-Identifier: BSL-1.0
// What an encoder is told of a block besides its bytes. Nothing of it is needed for decoding.
#pragma once

#include <cstdint>
#include <span>

#include <bigsmall/core/dtype.hpp>

namespace bigsmall {

struct block_info {
    block_info() = default;
    /// A type alone is enough.
    constexpr block_info(const dtype& type_, std::uint64_t row_elems_ = 0, std::uint64_t first_elem_ = 0,
                         std::span<const std::uint32_t> parts_ = {}, std::uint64_t last_elems_ = 0) noexcept
        : type(type_), row_elems(row_elems_), first_elem(first_elem_), parts(parts_), last_elems(last_elems_) {}

    dtype type;
    /// Elements in a row, the last dimension or the product of the last ones; 0 when there are no rows.
    std::uint64_t row_elems = 0;
    /// Elements of the tensor before this block.
    std::uint64_t first_elem = 0;
    /// Elements of each part, when the block is made of several tensors; they add up to the block.
    std::span<const std::uint32_t> parts = {};
    /// Elements of the last dimension; 0 when there are fewer than two dimensions.
    std::uint64_t last_elems = 0;
};

} // namespace bigsmall
