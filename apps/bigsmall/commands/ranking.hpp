// SPDX-License-Identifier: BSL-1.0
// How well tensors were compressed, for info and stat.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include <bigsmall/archive/inspect.hpp>

namespace bigsmall::app {

/// Stored bytes per uncompressed byte; 1 for a tensor without bytes.
inline double ratio_of(const archive::tensor_summary& tensor) {
    if (tensor.raw_bytes == 0) return 1.0;
    return static_cast<double>(tensor.stored_bytes) / static_cast<double>(tensor.raw_bytes);
}

enum class extreme : unsigned char { best, worst };

/// The `count` best or worst compressed tensors, of those that have bytes of their own; ties in file order.
inline std::vector<const archive::tensor_summary*>
extremes(const std::vector<archive::tensor_summary>& tensors, extreme which, std::size_t count) {
    std::vector<const archive::tensor_summary*> list;
    for (const archive::tensor_summary& tensor : tensors)
        if (tensor.raw_bytes > 0 && !tensor.duplicate()) list.push_back(&tensor);
    std::stable_sort(list.begin(), list.end(), [which](const auto* a, const auto* b) {
        return which == extreme::best ? ratio_of(*a) < ratio_of(*b) : ratio_of(*b) < ratio_of(*a);
    });
    list.resize(std::min(list.size(), count));
    return list;
}

} // namespace bigsmall::app
