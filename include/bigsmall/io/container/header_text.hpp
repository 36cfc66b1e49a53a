// SPDX-License-Identifier: BSL-1.0
// Safetensors headers without what the index says anyway: the places of tensors that lie one after another follow from
// their sizes, and from the order in which the header names them where that is another one. Digits of offsets are half
// of what a compressed header has.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/varint.hpp>
#include <bigsmall/io/container/byte_writer.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/io/container/index_sections.hpp>
#include <bigsmall/io/safetensors/layout.hpp>

namespace bigsmall::io::detail {

/// Where a tensor lies, counted from the end of the header.
struct tensor_place {
    std::uint64_t begin = 0, end = 0;

    /// As a header has it.
    std::string text() const { return std::to_string(begin) + ',' + std::to_string(end); }
    bool operator==(const tensor_place&) const = default;
};

/// The place of one tensor of a member after another. For extents of contents that exist.
class tensor_places {
public:
    tensor_places(const container_index& index, const member_entry& member) : index_(index), member_(member) {}

    /// The next place, or nothing behind the last tensor, or when sizes add up to more than 2^64.
    std::optional<tensor_place> next() {
        while (at_ < member_.extents.size()) {
            const extent_entry& extent = member_.extents[at_++];
            const std::uint64_t begin = position_;
            position_ += index_.contents[extent.content].raw_bytes;
            if (position_ < begin) return std::nullopt;
            if (extent.kind == extent_kind::tensor) return tensor_place{begin, position_};
        }
        return std::nullopt;
    }

private:
    const container_index& index_;
    const member_entry& member_;
    std::size_t at_ = 0;
    std::uint64_t position_ = 0;
};

inline std::size_t count_tensors(const member_entry& member) {
    return static_cast<std::size_t>(
        std::count_if(member.extents.begin(), member.extents.end(),
                      [](const extent_entry& extent) { return extent.kind == extent_kind::tensor; }));
}

/// The places of all of them, first to last. Nothing when sizes add up to more than 2^64.
inline std::optional<std::vector<tensor_place>> all_places(const container_index& index, const member_entry& member) {
    std::vector<tensor_place> all;
    tensor_places places(index, member);
    while (const auto place = places.next())
        all.push_back(*place);
    if (all.size() != count_tensors(member)) return std::nullopt;
    return all;
}

inline constexpr std::string_view places_begin = "\"data_offsets\":[";

inline void append(byte_buffer& to, std::string_view text) {
    const bytes_view bytes = as_bytes_view(text);
    to.insert(to.end(), bytes.begin(), bytes.end());
}

/// A byte that no header has behind its first eight: the order of the tensors follows.
inline constexpr char order_begin = '\0';

/// Calls visit(the text up to and including the begin of a list of offsets, the text behind it) for each list, which
/// returns how much of the latter it has used; and returns what is left at last.
template <class Visit>
std::string_view for_each_list(std::string_view text, const Visit& visit) {
    for (std::size_t found; (found = text.find(places_begin)) != std::string_view::npos;) {
        const std::string_view before = text.substr(0, found + places_begin.size());
        text.remove_prefix(before.size());
        text.remove_prefix(visit(before, text));
    }
    return text;
}

inline std::size_t count_lists(std::string_view text) {
    std::size_t count = 0;
    for_each_list(text, [&](std::string_view, std::string_view) {
        ++count;
        return std::size_t{0};
    });
    return count;
}

/// full_header() of a text whose lists are all empty, and an order: for each of them the number of its tensor, less
/// that of the one before and one, its sign folded. Memory: each list, which is there, makes 16 bytes.
inline std::optional<byte_buffer> full_header_in_order(std::string_view text, bytes_view order,
                                                       const container_index& index, const member_entry& member) {
    const std::size_t tensors = count_tensors(member);
    if (count_lists(text) != tensors) return std::nullopt;
    const auto places = all_places(index, member);
    if (!places) return std::nullopt;
    byte_cursor steps(order);
    std::int64_t number = -1;
    bool sound = true;
    byte_buffer full;
    const std::string_view rest = for_each_list(text, [&](std::string_view before, std::string_view behind) {
        const std::uint64_t step = steps.read_varint();
        // Larger ones lead out of the tensors, and the sum might wrap.
        sound = sound && steps.ok() && step <= 2 * tensors && behind.starts_with(']');
        if (!sound) return std::size_t{0};
        number += 1 + unfold_sign(step);
        sound =
            number >= 0 && static_cast<std::size_t>(number) < tensors && full.size() <= max_safetensors_json_bytes + 8;
        if (!sound) return std::size_t{0};
        append(full, before);
        append(full, (*places)[static_cast<std::size_t>(number)].text());
        return std::size_t{0};
    });
    append(full, rest);
    if (!sound || steps.left() != 0 || full.size() > max_safetensors_json_bytes + 8) return std::nullopt;
    return full;
}

/// Puts the places of the member's tensors where `brief` leaves them out; the n-th list of offsets is the n-th
/// tensor's, or that which an order says. Nothing when there are more gaps than tensors, or the header would be larger
/// than one may be.
inline std::optional<byte_buffer> full_header(bytes_view brief, const container_index& index,
                                              const member_entry& member) {
    std::string_view rest = as_string_view(brief);
    if (const std::size_t order = rest.find(order_begin, 8); order != std::string_view::npos)
        return full_header_in_order(rest.substr(0, order), brief.subspan(order + 1), index, member);
    byte_buffer full;
    tensor_places places(index, member);
    bool sound = true;
    rest = for_each_list(rest, [&](std::string_view before, std::string_view behind) {
        sound = sound && full.size() <= max_safetensors_json_bytes + 8;
        if (!sound) return std::size_t{0};
        append(full, before);
        const auto place = places.next();
        if (!behind.starts_with(']')) return std::size_t{0}; // it is there
        sound = place.has_value();
        if (place) append(full, place->text());
        return std::size_t{0};
    });
    append(full, rest);
    if (!sound || full.size() > max_safetensors_json_bytes + 8) return std::nullopt;
    return full;
}

/// A header without places.
struct brief_text {
    byte_buffer bytes;
    bool complete = true; ///< no list of offsets is left in it
};

/// The header without the places of tensors that it names in the order in which they lie.
inline brief_text brief_in_place(const container_index& index, const member_entry& member) {
    brief_text brief;
    tensor_places places(index, member);
    append(brief.bytes,
           for_each_list(as_string_view(member.header), [&](std::string_view before, std::string_view behind) {
               append(brief.bytes, before);
               const auto place = places.next();
               const std::string text = place ? place->text() : std::string();
               const bool known = place && behind.starts_with(text + ']');
               brief.complete = brief.complete && known;
               return known ? text.size() : std::size_t{0};
           }));
    return brief;
}

/// Takes digits from the front of a text. What is too large wraps.
inline std::uint64_t take_number(std::string_view& text) noexcept {
    std::uint64_t number = 0;
    for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1))
        number = 10 * number + static_cast<std::uint64_t>(text.front() - '0');
    return number;
}

/// The number of the tensor whose place a text begins with: `expected`, if it is there.
inline std::optional<std::size_t> number_of_place(const std::vector<tensor_place>& places, std::string_view text,
                                                  std::size_t expected) {
    std::string_view rest = text;
    tensor_place place;
    place.begin = take_number(rest);
    if (!rest.starts_with(',')) return std::nullopt;
    rest.remove_prefix(1);
    place.end = take_number(rest);
    if (!text.starts_with(place.text()) || !rest.starts_with(']')) return std::nullopt; // spelt in another way
    if (expected < places.size() && places[expected] == place) return expected;
    // Places go up, and empty tensors that share one are as good as each other.
    const auto lies_before = [](const tensor_place& a, const tensor_place& b) {
        return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
    };
    const auto found = std::lower_bound(places.begin(), places.end(), place, lies_before);
    if (found == places.end() || *found != place) return std::nullopt;
    return static_cast<std::size_t>(found - places.begin());
}

/// The header without all places, and the order of the tensors. Nothing when some list is no tensor's.
inline std::optional<byte_buffer> brief_in_order(const container_index& index, const member_entry& member) {
    const auto places = all_places(index, member);
    if (!places) return std::nullopt;
    byte_buffer brief;
    byte_writer order;
    std::int64_t expected = 0;
    bool all_known = true;
    const std::string_view rest =
        for_each_list(as_string_view(member.header), [&](std::string_view before, std::string_view behind) {
            if (!all_known) return std::size_t{0};
            const auto number = number_of_place(*places, behind, static_cast<std::size_t>(expected));
            all_known = number.has_value();
            if (!number) return std::size_t{0};
            append(brief, before);
            order.varint(fold_sign(static_cast<std::int64_t>(*number) - expected));
            expected = static_cast<std::int64_t>(*number) + 1;
            return (*places)[*number].text().size();
        });
    if (!all_known) return std::nullopt;
    append(brief, rest);
    brief.push_back(static_cast<std::uint8_t>(order_begin));
    brief.insert(brief.end(), order.written().begin(), order.written().end());
    return brief;
}

/// The header of a member without places; nothing when full_header() could not put them back.
inline std::optional<byte_buffer> brief_header(const container_index& index, const member_entry& member) {
    auto [brief, complete] = brief_in_place(index, member);
    if (!complete)
        if (auto ordered = brief_in_order(index, member); ordered && ordered->size() < brief.size())
            brief = std::move(*ordered);
    // Headers may be written in other ways, and names may look like places.
    if (brief.size() >= member.header.size() || full_header(brief, index, member) != member.header) return std::nullopt;
    return brief;
}

} // namespace bigsmall::io::detail
