// SPDX-License-Identifier: BSL-1.0
// Where the tensors of a safetensors file lie. Format: huggingface/safetensors, README "Format": 8 bytes of
// header length, a JSON header, the data. We allow gaps between tensors, which the format's own writer never
// makes, and refuse all that makes the meaning of a byte doubtful: overlaps, repeated names, wrong sizes.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/checked.hpp>
#include <bigsmall/core/dtype.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/tensor_view.hpp>
#include <bigsmall/io/foreign_format.hpp>
#include <bigsmall/io/printable.hpp>
#include <bigsmall/io/safetensors/header_parser.hpp>
#include <bigsmall/io/safetensors/tensor_record.hpp>
#include <bigsmall/io/safetensors/text_list.hpp>
#include <bigsmall/io/source.hpp>

namespace bigsmall::io {

/// Longest JSON header that the format allows.
inline constexpr std::uint64_t max_safetensors_json_bytes = 100'000'000;

struct safetensors_layout {
    std::uint64_t file_bytes = 0;
    std::uint64_t header_bytes = 0;     ///< 8 + length of the JSON, padding included
    std::vector<tensor_record> tensors; ///< sorted by begin, then end, then order in the header
    text_pairs metadata;                ///< __metadata__, in order

    bool operator==(const safetensors_layout&) const = default;
};

namespace detail {

/// The bytes of header that the first 8 bytes of a file announce (themselves included).
inline std::uint64_t safetensors_header_bytes(bytes_view first, std::uint64_t file_bytes) {
    if (file_bytes < 8 || first.size() < 8)
        throw error(errc::truncated, "the file has only " + std::to_string(file_bytes) +
                                         " bytes; a safetensors file begins with 8 bytes of header length");
    const auto guess = guess_format(first);
    if (guess == our_format)
        throw error(errc::invalid_input, "this is a bigsmall container already, not a safetensors file")
            .with_hint("decompress restores what is in it, transcode writes it again for another operating point");
    const std::uint64_t json_bytes = load_le<std::uint64_t>(first.data());
    std::string announced = "the header announces " + std::to_string(json_bytes) + " bytes of JSON, ";
    if (json_bytes <= max_safetensors_json_bytes && json_bytes >= 2) {
        if (json_bytes <= file_bytes - 8) return 8 + json_bytes;
        throw error(errc::truncated, announced + "but the file has only " + std::to_string(file_bytes - 8) +
                                         " bytes after the length")
            .at_offset(0);
    }
    announced += json_bytes < 2
                     ? "but the shortest header is {}"
                     : "but the format allows no more than " + std::to_string(max_safetensors_json_bytes);
    error e(errc::invalid_input, "this is not a safetensors file: " + announced);
    e.at_offset(0);
    // A length that is wrong in front of a '{' makes it look like one of ours, which was just refused.
    if (guess && *guess != "a safetensors file") e.with_hint("it looks like " + std::string(*guess));
    throw e;
}

inline std::string shape_text(const tensor_record& tensor) {
    std::string text = "[";
    for (std::size_t i = 0; i < tensor.shape.size() && i < 8; ++i)
        text += (i ? ", " : "") + std::to_string(tensor.shape[i]);
    return text + (tensor.shape.size() > 8 ? ", ...]" : "]");
}

/// Refuses a tensor whose bytes are not as many as its shape and dtype say, or lie outside of the file.
/// `tensor` has offsets in the data.
inline void check_tensor(const tensor_record& tensor, std::uint64_t header_bytes, std::uint64_t file_bytes) {
    const auto refuse = [&](errc code, const std::string& message) {
        return error(code, message).in_tensor(printable(tensor.name));
    };
    if (tensor.end > file_bytes - header_bytes)
        throw refuse(errc::truncated, "its data_offsets [" + std::to_string(tensor.begin) + ", " +
                                          std::to_string(tensor.end) + "] reach beyond the " +
                                          std::to_string(file_bytes - header_bytes) +
                                          " bytes of data in the file");
    const auto elems = element_count(tensor.shape);
    if (!elems)
        throw refuse(errc::invalid_input, "its shape " + shape_text(tensor) + " has more than 2^64 elements");
    const auto type = find_dtype(tensor.dtype_name);
    if (!type) return; // a dtype we have never heard of is coded as bytes, whatever their number
    const auto bytes = size_in_bytes(*type, *elems);
    if (!bytes)
        throw refuse(errc::invalid_input, "its shape " + shape_text(tensor) + " of " + tensor.dtype_name +
                                              " does not fill whole bytes, or overflows");
    if (*bytes != tensor.end - tensor.begin)
        throw refuse(errc::invalid_input, "its shape " + shape_text(tensor) + " of " + tensor.dtype_name +
                                              " takes " + std::to_string(*bytes) +
                                              " bytes, but its data_offsets span " +
                                              std::to_string(tensor.end - tensor.begin));
}

/// `tensors` sorted by place. A tensor without bytes may lie at the edge of another, not inside.
inline void refuse_overlaps(const std::vector<tensor_record>& tensors) {
    for (std::size_t i = 1; i < tensors.size(); ++i) {
        const tensor_record& before = tensors[i - 1];
        if (tensors[i].begin >= before.end) continue;
        throw error(errc::invalid_input,
                    "its data begins inside the data of tensor " + in_quotes(before.name))
            .in_tensor(printable(tensors[i].name))
            .at_offset(tensors[i].begin);
    }
}

} // namespace detail

/// Reads a whole header: its 8-byte length and the JSON, no byte more.
/// Throws: errc::invalid_input when it breaks the rules of the format, errc::truncated when something lies
/// behind the end of a file of `file_bytes`.
inline safetensors_layout parse_safetensors_header(bytes_view header, std::uint64_t file_bytes) {
    safetensors_layout layout;
    layout.file_bytes = file_bytes;
    layout.header_bytes = detail::safetensors_header_bytes(header, file_bytes);
    if (header.size() != layout.header_bytes)
        throw error(errc::invalid_input, "the header is " + std::to_string(header.size()) +
                                             " bytes long, but announces " +
                                             std::to_string(layout.header_bytes));
    detail::parsed_header parsed = detail::parse_header_json(as_string_view(header.subspan(8)));
    for (tensor_record& tensor : parsed.tensors) {
        detail::check_tensor(tensor, layout.header_bytes, file_bytes);
        tensor.begin += layout.header_bytes;
        tensor.end += layout.header_bytes;
    }
    layout.tensors = std::move(parsed.tensors);
    layout.metadata = std::move(parsed.metadata);
    std::stable_sort(layout.tensors.begin(), layout.tensors.end(), [](const auto& a, const auto& b) {
        return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
    });
    detail::refuse_overlaps(layout.tensors);
    return layout;
}

/// The exact bytes of the header, 8-byte length included. At most 100 MB are allocated, and never more than
/// the file has. Throws: errc::invalid_input, errc::truncated, errc::io.
inline byte_buffer read_safetensors_header(const source& file) {
    try {
        std::array<std::uint8_t, guess_format_bytes> first{};
        const auto known = std::min<std::uint64_t>(first.size(), file.size());
        const bytes_span part(first.data(), static_cast<std::size_t>(known));
        file.read(0, part);
        byte_buffer header(static_cast<std::size_t>(detail::safetensors_header_bytes(part, file.size())));
        file.read(0, header);
        return header;
    } catch (error& e) {
        e.in_file(file.name());
        throw;
    }
}

/// The same as parse_safetensors_header() of a header that was read from `file`, which errors name.
inline safetensors_layout parse_safetensors_header_of(const source& file, bytes_view header) {
    try {
        return parse_safetensors_header(header, file.size());
    } catch (error& e) {
        e.in_file(file.name());
        throw;
    }
}

/// The layout of a file; reads its header only. Throws: as the functions above.
inline safetensors_layout read_safetensors_layout(const source& file) {
    return parse_safetensors_header_of(file, read_safetensors_header(file));
}

} // namespace bigsmall::io
