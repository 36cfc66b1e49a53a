// SPDX-License-Identifier: BSL-1.0
// Makes the header of a safetensors file out of its tensors.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/dtype.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/safetensors/layout.hpp>

namespace bigsmall::io {

/// Bits of an element; 0 for a type that we do not know.
inline std::uint16_t element_bits(std::string_view dtype_name) noexcept {
    const auto type = find_dtype(dtype_name);
    return type ? type->bits : std::uint16_t{0};
}

/// The 8 bytes of length and the JSON, padded so that the data begin at a multiple of 8. `begin` and `end` of the
/// tensors count from the end of the header. The order is that of the list, and no key but the format's own is written.
/// Throws: errc::limit when it would be larger than the format allows.
inline byte_buffer make_safetensors_header(const std::vector<tensor_record>& tensors, const text_pairs& metadata) {
    const auto quoted = [](std::string_view text) { return nlohmann::json(std::string(text)).dump(); };
    std::string json = "{";
    if (!metadata.empty()) {
        json += "\"__metadata__\":{";
        for (std::size_t i = 0; i < metadata.size(); ++i)
            json += (i == 0 ? "" : ",") + quoted(metadata[i].first) + ":" + quoted(metadata[i].second);
        json += "}";
    }
    for (const tensor_record& tensor : tensors) {
        std::string shape;
        for (const std::uint64_t extent : tensor.shape)
            shape += (shape.empty() ? "" : ",") + std::to_string(extent);
        json += (json.size() > 1 ? "," : "") + quoted(tensor.name) + ":{\"dtype\":" + quoted(tensor.dtype_name) +
                ",\"shape\":[" + shape + "],\"data_offsets\":[" + std::to_string(tensor.begin) + "," +
                std::to_string(tensor.end) + "]}";
    }
    json += "}";
    json.append((8 - json.size() % 8) % 8, ' ');
    if (json.size() > max_safetensors_json_bytes)
        throw error(errc::limit, "the header of a file with all these tensors would have " +
                                     std::to_string(json.size()) + " bytes, more than safetensors allows");
    byte_buffer header(8);
    store_le(header.data(), std::uint64_t{json.size()});
    header.insert(header.end(), json.begin(), json.end());
    return header;
}

/// Sorts tensors so that each begins at a multiple of its element's size in a file without gaps: wide elements first,
/// and otherwise as they were. `name_of_type(tensor)` is the name of its dtype.
template <class Tensor, class NameOfType>
void sort_by_alignment(std::vector<Tensor>& tensors, NameOfType name_of_type) {
    std::stable_sort(tensors.begin(), tensors.end(), [&](const Tensor& a, const Tensor& b) {
        return element_bits(name_of_type(a)) > element_bits(name_of_type(b));
    });
}

} // namespace bigsmall::io
