// SPDX-License-Identifier: BSL-1.0
// The arithmetic of images: how many bytes conversions take and give, and which bytes of which base tensors a range of
// an image is made of.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <bigsmall/core/checked.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/container/index.hpp>

namespace bigsmall::io {

/// Bytes of an element in the base and in the image.
struct element_widths {
    std::uint64_t base = 1;
    std::uint64_t image = 1;
};

/// 1 and 1 when nothing is converted: whatever the elements are, they stay.
constexpr element_widths element_widths_of(base_conversion conversion) noexcept {
    switch (conversion) {
    case base_conversion::none: break;
    case base_conversion::f32_to_bf16:
    case base_conversion::f32_to_f16: return {4, 2};
    case base_conversion::bf16_to_f32:
    case base_conversion::f16_to_f32: return {2, 4};
    case base_conversion::bf16_to_f16:
    case base_conversion::f16_to_bf16: return {2, 2};
    }
    return {1, 1};
}

/// Parts that the image of a content of that size may have: 64, and beyond them 64 bytes each.
constexpr std::uint64_t most_image_parts(std::uint64_t raw_bytes) noexcept { return 64 + raw_bytes / 64; }

/// The byte of the base tensor, before conversion, at which a part ends. Nothing when that is no element's end, or
/// beyond 2^64.
constexpr std::optional<std::uint64_t> end_in_base(base_conversion conversion, const base_part& part) noexcept {
    const element_widths width = element_widths_of(conversion);
    const auto end = checked_add(part.begin, part.bytes);
    if (!end || *end % width.image != 0) return std::nullopt;
    return checked_mul(*end / width.image, width.base);
}

/// Bytes of one base tensor that make some of a range of an image.
struct base_piece {
    std::uint32_t tensor = no_base; ///< no_base: zeros
    std::uint64_t offset = 0;       ///< in the tensor as the base has it, before conversion; zeros: 0
    std::uint64_t bytes = 0;        ///< of the tensor, before conversion
    std::uint64_t at = 0;           ///< in the range, after conversion
    std::uint64_t image_bytes = 0;  ///< of the range, after conversion

    bool operator==(const base_piece&) const = default;
};

/// Finds the parts of a range of an image in the logarithm of their number. Refers to the image, which check_index()
/// has accepted. Const member functions may be called from many threads at once.
class image_layout {
public:
    explicit image_layout(const base_image& image) : image_(&image) {
        ends_.reserve(image.parts.size());
        std::uint64_t end = 0;
        for (const base_part& part : image.parts)
            ends_.push_back(end += part.bytes);
    }

    /// Of the whole image, as many as its content has.
    std::uint64_t bytes() const noexcept { return ends_.empty() ? 0 : ends_.back(); }

    /// What makes the bytes [begin, begin + count), in their order and without gaps. Throws: errc::invalid_argument
    /// when the image ends before that, or converts elements that the range cuts.
    std::vector<base_piece> find(std::uint64_t begin, std::uint64_t count) const {
        const element_widths width = element_widths_of(image_->conversion);
        if (begin > bytes() || count > bytes() - begin)
            throw error(errc::invalid_argument, "an image has only " + std::to_string(bytes()) + " bytes");
        if (begin % width.image != 0 || count % width.image != 0)
            throw error(errc::invalid_argument, "a range of an image cuts elements that are converted");
        std::vector<base_piece> pieces;
        auto part = static_cast<std::size_t>(std::upper_bound(ends_.begin(), ends_.end(), begin) - ends_.begin());
        for (std::uint64_t at = 0; at < count; ++part) {
            const std::uint64_t bytes = std::min(count - at, ends_[part] - (begin + at));
            pieces.push_back(piece_of(part, begin + at, bytes));
            pieces.back().at = at;
            at += bytes;
        }
        return pieces;
    }

private:
    /// `begin` is in the image, and in that part.
    base_piece piece_of(std::size_t number, std::uint64_t begin, std::uint64_t bytes) const noexcept {
        const base_part& part = image_->parts[number];
        if (part.tensor == no_base) return {no_base, 0, bytes, 0, bytes};
        const element_widths width = element_widths_of(image_->conversion);
        const std::uint64_t from = part.begin + (begin - (ends_[number] - part.bytes));
        return {part.tensor, from / width.image * width.base, bytes / width.image * width.base, 0, bytes};
    }

    const base_image* image_;
    std::vector<std::uint64_t> ends_; // of the parts, in the image
};

} // namespace bigsmall::io
