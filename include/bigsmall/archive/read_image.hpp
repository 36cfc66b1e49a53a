// SPDX-License-Identifier: BSL-1.0
// The bytes of an image: ranges of a base model's tensors, one after another, converted where the image says so.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <bigsmall/archive/base_conversion.hpp>
#include <bigsmall/archive/model_reader.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/io/container/index.hpp>

namespace bigsmall::archive {

namespace detail {

/// Reads a range of a base tensor, counted in bytes after conversion, which need not begin or end at an element.
inline void read_converted(const model_reader& base, std::size_t tensor, io::base_conversion conversion,
                           std::uint64_t begin, bytes_span to) {
    constexpr std::size_t most_elems = 64 * KiB;
    const conversion_widths width = widths_of(conversion);
    const std::uint64_t end = begin + to.size();
    const auto room = static_cast<std::size_t>(std::min<std::uint64_t>(most_elems, to.size() / width.to + 2));
    byte_buffer raw(room * width.from), converted(room * width.to);
    for (std::uint64_t elem = begin / width.to; elem * width.to < end; elem += room) {
        const auto count =
            static_cast<std::size_t>(std::min<std::uint64_t>(room, (end + width.to - 1) / width.to - elem));
        const bytes_span now(converted.data(), count * width.to);
        base.read(tensor, elem * width.from, bytes_span(raw).first(count * width.from));
        convert_floats(conversion, bytes_view(raw).first(count * width.from), now);
        const std::uint64_t place = elem * width.to, from = std::max(place, begin);
        const std::uint64_t until = std::min(place + now.size(), end);
        std::copy_n(now.begin() + static_cast<std::ptrdiff_t>(from - place), until - from,
                    to.begin() + static_cast<std::ptrdiff_t>(from - begin));
    }
}

} // namespace detail

/// Reads images whose parts go by the numbers of `base.tensors()`. Finding a place takes the logarithm of the number of
/// parts. Const member functions may be called from many threads at once. Refers to the model and the image.
class image_reader {
public:
    image_reader(const model_reader& base, const io::base_image& image) : base_(base), image_(image) {
        ends_.reserve(image.parts.size());
        std::uint64_t end = 0;
        for (const io::base_part& part : image.parts)
            ends_.push_back(end += part.bytes);
    }

    std::uint64_t bytes() const noexcept { return ends_.empty() ? 0 : ends_.back(); }

    /// Fills `to` with the bytes of the image from its byte `begin` on. Throws: errc::invalid_argument when the image
    /// or a tensor ends before that; as model_reader::read().
    void read(std::uint64_t begin, bytes_span to) const {
        if (begin > bytes() || to.size() > bytes() - begin)
            throw error(errc::invalid_argument, "an image has only " + std::to_string(bytes()) + " bytes");
        auto part = static_cast<std::size_t>(std::upper_bound(ends_.begin(), ends_.end(), begin) - ends_.begin());
        while (!to.empty()) {
            const auto now = static_cast<std::size_t>(std::min<std::uint64_t>(to.size(), ends_[part] - begin));
            const io::base_part& from = image_.parts[part];
            read_part(from, from.bytes - (ends_[part] - begin), to.first(now));
            to = to.subspan(now);
            begin += now;
            ++part;
        }
    }

private:
    void read_part(const io::base_part& part, std::uint64_t offset, bytes_span to) const {
        if (to.empty()) return;
        if (part.tensor == io::no_base)
            std::fill(to.begin(), to.end(), std::uint8_t{0});
        else if (image_.conversion == io::base_conversion::none)
            base_.read(part.tensor, part.begin + offset, to);
        else
            detail::read_converted(base_, part.tensor, image_.conversion, part.begin + offset, to);
    }

    const model_reader& base_;
    const io::base_image& image_;
    std::vector<std::uint64_t> ends_; // of the parts, in the image
};

/// The same for those who read once, or images of few parts. Throws: as image_reader::read().
inline void read_image(const model_reader& base, const io::base_image& image, std::uint64_t begin, bytes_span to) {
    image_reader(base, image).read(begin, to);
}

} // namespace bigsmall::archive
