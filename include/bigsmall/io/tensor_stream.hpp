// SPDX-License-Identifier: BSL-1.0
// A byte range of a source as a std::istream, so that a tensor can be read with any code that takes streams.
// Header-only parts of Boost.Iostreams: nothing to link.
#pragma once

#include <algorithm>
#include <cstdint>
#include <ios>
#include <memory>
#include <utility>

#include <boost/iostreams/categories.hpp>
#include <boost/iostreams/positioning.hpp>
#include <boost/iostreams/stream.hpp>

#include <bigsmall/io/source.hpp>

namespace bigsmall::io {

/// The bytes [offset, offset + bytes) of a source as a seekable Boost.Iostreams Source device. Copies share
/// the source and have a position of their own.
class range_device {
public:
    using char_type = char;
    struct category : boost::iostreams::input_seekable, boost::iostreams::device_tag {};

    /// Throws: errc::truncated when the range is not within the source.
    range_device(std::shared_ptr<const source> from, std::uint64_t offset, std::uint64_t bytes)
        : from_(std::move(from)), offset_(offset), bytes_(bytes) {
        detail::require_range(from_->name(), from_->size(), offset, bytes);
    }

    /// Up to `count` bytes; -1 at the end of the range.
    std::streamsize read(char* to, std::streamsize count) {
        const auto want = static_cast<std::uint64_t>(std::max<std::streamsize>(count, 0));
        const std::uint64_t n = std::min(want, bytes_ - position_);
        if (n == 0) return want == 0 ? 0 : -1;
        from_->read(offset_ + position_,
                    bytes_span(reinterpret_cast<std::uint8_t*>(to), static_cast<std::size_t>(n)));
        position_ += n;
        return static_cast<std::streamsize>(n);
    }

    /// Positions are relative to the range; going outside of it throws std::ios_base::failure, which a
    /// stream turns into its fail bit.
    std::streampos seek(boost::iostreams::stream_offset by, std::ios_base::seekdir from) {
        const auto end = static_cast<boost::iostreams::stream_offset>(bytes_);
        const auto here = static_cast<boost::iostreams::stream_offset>(position_);
        const auto base = from == std::ios_base::beg ? 0 : from == std::ios_base::cur ? here : end;
        if (by < -base || by > end - base) throw std::ios_base::failure("a position outside of the range");
        position_ = static_cast<std::uint64_t>(base + by);
        return boost::iostreams::offset_to_position(base + by);
    }

private:
    std::shared_ptr<const source> from_;
    std::uint64_t offset_, bytes_;
    std::uint64_t position_ = 0;
};

/// `tensor_stream in(file, tensor.begin, tensor.end - tensor.begin);` A std::istream over a range.
using tensor_stream = boost::iostreams::stream<range_device>;

} // namespace bigsmall::io
