// SPDX-License-Identifier: BSL-1.0
// Safetensors headers without what the index says anyway: the places of tensors that lie one after another, in the
// order in which the header names them, follow from their sizes. Digits of offsets are half of what a compressed
// header has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/io/safetensors/layout.hpp>

namespace bigsmall::io::detail {

/// The text of "begin,end" of one tensor of a member after another, as its header has it. For extents of contents that
/// exist.
class tensor_places {
public:
    tensor_places(const container_index& index, const member_entry& member) : index_(index), member_(member) {}

    /// The next place, or nothing behind the last tensor, or when sizes add up to more than 2^64.
    std::optional<std::string> next() {
        while (at_ < member_.extents.size()) {
            const extent_entry& extent = member_.extents[at_++];
            const std::uint64_t begin = position_;
            position_ += index_.contents[extent.content].raw_bytes;
            if (position_ < begin) return std::nullopt;
            if (extent.kind == extent_kind::tensor) return std::to_string(begin) + ',' + std::to_string(position_);
        }
        return std::nullopt;
    }

private:
    const container_index& index_;
    const member_entry& member_;
    std::size_t at_ = 0;
    std::uint64_t position_ = 0; // from the end of the header
};

inline constexpr std::string_view places_begin = "\"data_offsets\":[";

inline void append(byte_buffer& to, std::string_view text) {
    const bytes_view bytes = as_bytes_view(text);
    to.insert(to.end(), bytes.begin(), bytes.end());
}

/// Puts the places of the member's tensors where `brief` leaves them out; the n-th list of offsets is the n-th
/// tensor's. Nothing when there are more gaps than tensors, or the header would be larger than one may be.
inline std::optional<byte_buffer> full_header(bytes_view brief, const container_index& index,
                                              const member_entry& member) {
    byte_buffer full;
    tensor_places places(index, member);
    std::string_view rest = as_string_view(brief);
    for (;;) {
        const std::size_t found = rest.find(places_begin);
        const std::size_t taken = found == std::string_view::npos ? rest.size() : found + places_begin.size();
        append(full, rest.substr(0, taken));
        rest.remove_prefix(taken);
        if (full.size() > max_safetensors_json_bytes + 8) return std::nullopt;
        if (found == std::string_view::npos) return full;
        const auto place = places.next();
        if (!rest.starts_with(']')) continue; // it is there
        if (!place) return std::nullopt;
        append(full, *place);
    }
}

/// The header of a member without places; nothing when full_header() could not put them back.
inline std::optional<byte_buffer> brief_header(const container_index& index, const member_entry& member) {
    byte_buffer brief;
    tensor_places places(index, member);
    std::string_view rest = as_string_view(member.header);
    for (;;) {
        const std::size_t found = rest.find(places_begin);
        const std::size_t taken = found == std::string_view::npos ? rest.size() : found + places_begin.size();
        append(brief, rest.substr(0, taken));
        rest.remove_prefix(taken);
        if (found == std::string_view::npos) break;
        const auto place = places.next();
        if (place && rest.starts_with(*place)) rest.remove_prefix(place->size());
    }
    // Headers may be written in other ways, and names may look like places.
    if (brief.size() == member.header.size() || full_header(brief, index, member) != member.header) return std::nullopt;
    return brief;
}

} // namespace bigsmall::io::detail
