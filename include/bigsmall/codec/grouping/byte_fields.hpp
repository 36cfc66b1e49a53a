// SPDX-License-Identifier: BSL-1.0
// Groupings 17 and 18: floats of one byte without their noise. Sign and low mantissa bits are nearly fair coins: in a
// wavelet tree they are half of the levels, and most of the nodes. Apart from the rest they are copied. RestBits counts
// them: with 2, the sign and one mantissa bit, all that is not fair stays with the exponent (joint_fields.hpp); with 3
// the tree has half the nodes and one level less.
//
// Streams: the upper bits of each byte without the sign; sign and lowest bit of each, packed; the bit above the lowest,
// packed, where there are three (kernel/scalar_bytes.hpp).
#pragma once

#include <array>

#include <bigsmall/codec/policies.hpp>
#include <bigsmall/kernel/scalar_bytes.hpp>

namespace bigsmall::grouping {

template <std::size_t RestBits>
struct byte_fields {
    static_assert(RestBits == 2 || RestBits == 3);
    static constexpr wire_id id = RestBits == 2 ? 17 : 18;
    static constexpr std::string_view name = RestBits == 2 ? "byte_fields<2>" : "byte_fields<3>";
    static constexpr std::size_t streams = RestBits;

    static bool applies(const dtype& type, bytes_view) noexcept {
        return type.kind == number_kind::floating && type.bits == 8;
    }
    static std::size_t noisy_bits(const dtype&) noexcept { return 3 - RestBits; }

    static void plan(bytes_view raw, std::span<std::size_t, streams> sizes) noexcept {
        for (std::size_t s = 0; s < streams; ++s)
            sizes[s] = stream_bytes(s, raw.size());
    }

    static void split(bytes_view raw, std::span<const bytes_span, streams> out, const kernel::table& kernels) noexcept {
        kernels.part_bytes[RestBits - 2](raw.data(), raw.size(), out[0].data(), out[1].data(),
                                         RestBits == 3 ? out[streams - 1].data() : nullptr);
    }

    static status merge(std::span<const bytes_view, streams> in, bytes_span raw,
                        const kernel::table& kernels) noexcept {
        for (std::size_t s = 0; s < streams; ++s)
            if (in[s].size() != stream_bytes(s, raw.size())) return status::corrupt;
        kernels.join_bytes[RestBits - 2](in[0].data(), in[1].data(), RestBits == 3 ? in[streams - 1].data() : nullptr,
                                         raw.size(), raw.data());
        return status::ok;
    }

    /// The streams of the bytes [first, first + count) alone, first a multiple of a group and the end as well, or the
    /// block's; false when they cannot be had.
    static bool part_of(std::span<const bytes_view, streams> in, std::size_t first, std::size_t count,
                        std::span<bytes_view, streams> part) noexcept {
        if (first % kernel::scalar::byte_group != 0) return false;
        for (std::size_t s = 0; s < streams; ++s) {
            const std::size_t begin = stream_bytes(s, first), size = stream_bytes(s, count);
            if (in[s].size() < begin + size) return false;
            part[s] = in[s].subspan(begin, size);
        }
        return true;
    }

private:
    static constexpr std::size_t stream_bytes(std::size_t stream, std::size_t count) noexcept {
        return stream == 0 ? count : stream == 1 ? (count + 3) / 4 : (count + 7) / 8;
    }
};

} // namespace bigsmall::grouping
