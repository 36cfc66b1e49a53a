// SPDX-License-Identifier: BSL-1.0
// What a tensor of a model has to do with those of a base.
#pragma once

#include <cstddef>
#include <cstdint>

#include <bigsmall/io/container/index.hpp>

namespace bigsmall::archive {

enum class match_kind : std::uint8_t {
    same,      ///< the same name, type and shape
    renamed,   ///< all of a tensor of another name
    reshaped,  ///< the same name and type, and as many bytes in another shape
    resized,   ///< the same name, with rows added or removed
    fused,     ///< several tensors, one after another
    split,     ///< a part of a larger tensor
    converted, ///< the same name and as many elements of another float type
};

/// A stable lower-case name, for people and JSON.
constexpr const char* name_of(match_kind kind) noexcept {
    switch (kind) {
    case match_kind::same: return "same";
    case match_kind::renamed: return "renamed";
    case match_kind::reshaped: return "reshaped";
    case match_kind::resized: return "resized";
    case match_kind::fused: return "fused";
    case match_kind::split: return "split";
    case match_kind::converted: return "converted";
    }
    return "unknown";
}

struct tensor_match {
    std::size_t target = 0; ///< number in tensors() of the model
    match_kind kind = match_kind::same;
    io::base_image image;    ///< its parts go by the numbers in tensors() of the base
    double changed_bits = 0; ///< mean bits of the sampled differences, per word

    bool operator==(const tensor_match&) const = default;
};

} // namespace bigsmall::archive
