// SPDX-License-Identifier: BSL-1.0
// What a safetensors header says of one tensor.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bigsmall::io {

/// `begin` and `end` are byte offsets in the file (the header counts from its own end). The dtype name is
/// whatever the file says, known to us or not.
struct tensor_record {
    std::string name;
    std::string dtype_name;
    std::vector<std::uint64_t> shape;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;

    bool operator==(const tensor_record&) const = default;
};

} // namespace bigsmall::io
