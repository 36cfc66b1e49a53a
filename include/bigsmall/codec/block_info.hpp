// SPDX-License-Identifier: BSL-1.0
// What an encoder is told of a block besides its bytes. Nothing of it is needed for decoding.
#pragma once

#include <cstdint>
#include <span>

#include <bigsmall/core/dtype.hpp>

namespace bigsmall {

struct block_info {
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
