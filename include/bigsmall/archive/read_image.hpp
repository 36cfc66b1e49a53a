// SPDX-License-Identifier: BSL-1.0
// The bytes of an image: ranges of a base model's tensors, one after another, converted where the image says so.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <bigsmall/archive/base_conversion.hpp>
#include <bigsmall/archive/model_reader.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/io/container/base_image.hpp>
#include <bigsmall/io/container/index.hpp>

namespace bigsmall::archive {

/// Reads images whose parts go by the numbers of `base.tensors()`. Finding a place takes the logarithm of the number of
/// parts. Const member functions may be called from many threads at once. Refers to the model and the image.
class image_reader {
public:
    image_reader(const model_reader& base, const io::base_image& image)
        : base_(base), conversion_(image.conversion), layout_(image) {}

    std::uint64_t bytes() const noexcept { return layout_.bytes(); }

    /// Fills `to` with the bytes of the image from its byte `begin` on, which need not be that of an element. Memory:
    /// 512 KiB where elements are converted. Throws: errc::invalid_argument when the image or a tensor ends before
    /// that; as model_reader::read().
    void read(std::uint64_t begin, bytes_span to) const {
        if (begin > bytes() || to.size() > bytes() - begin)
            throw error(errc::invalid_argument, "an image has only " + std::to_string(bytes()) + " bytes");
        const std::uint64_t width = io::element_widths_of(conversion_).image;
        const std::uint64_t first = begin / width * width, end = (begin + to.size() + width - 1) / width * width;
        for (const io::base_piece& piece : layout_.find(first, end - first)) {
            if (piece.tensor != io::no_base && conversion_ != io::base_conversion::none) {
                read_converted(piece, first + piece.at, begin, to);
                continue;
            }
            // Nothing is converted, or zeros begin or end within an element.
            const std::uint64_t from = std::max(first + piece.at, begin);
            const std::uint64_t until = std::min(first + piece.at + piece.image_bytes, begin + to.size());
            const bytes_span part =
                to.subspan(static_cast<std::size_t>(from - begin), static_cast<std::size_t>(until - from));
            if (piece.tensor == io::no_base)
                std::fill(part.begin(), part.end(), std::uint8_t{0});
            else
                base_.read(piece.tensor, piece.offset, part);
        }
    }

private:
    /// `place`: of the piece in the image, at an element. `to` is for the bytes from `begin` on.
    void read_converted(const io::base_piece& piece, std::uint64_t place, std::uint64_t begin, bytes_span to) const {
        constexpr std::uint64_t most_elems = 64 * KiB;
        const io::element_widths width = io::element_widths_of(conversion_);
        const std::uint64_t elems = piece.image_bytes / width.image, end = begin + to.size();
        const auto room = static_cast<std::size_t>(std::min(most_elems, elems));
        byte_buffer raw(room * width.base), converted(room * width.image);
        for (std::uint64_t elem = 0; elem < elems; elem += room) {
            const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(room, elems - elem));
            const bytes_span from = bytes_span(raw).first(count * width.base);
            const bytes_span now = bytes_span(converted).first(count * width.image);
            base_.read(piece.tensor, piece.offset + elem * width.base, from);
            convert_floats(conversion_, from, now);
            const std::uint64_t at = place + elem * width.image;
            const std::uint64_t first = std::max(at, begin), last = std::min(at + now.size(), end);
            std::copy_n(now.begin() + static_cast<std::ptrdiff_t>(first - at), last - first,
                        to.begin() + static_cast<std::ptrdiff_t>(first - begin));
        }
    }

    const model_reader& base_;
    io::base_conversion conversion_;
    io::image_layout layout_;
};

/// The same for those who read once, or images of few parts. Throws: as image_reader::read().
inline void read_image(const model_reader& base, const io::base_image& image, std::uint64_t begin, bytes_span to) {
    image_reader(base, image).read(begin, to);
}

} // namespace bigsmall::archive
