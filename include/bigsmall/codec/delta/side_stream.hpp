// SPDX-License-Identifier: BSL-1.0
// The small streams of a delta block: bytes under the entropy policy that suits them. Its wire id and coded size, as
// varints, then the coded bytes.
#pragma once

#include <algorithm>
#include <array>

#include <bigsmall/codec/entropy/rans.hpp>
#include <bigsmall/codec/entropy/stored.hpp>
#include <bigsmall/codec/entropy/wavelet.hpp>
#include <bigsmall/codec/selector.hpp>
#include <bigsmall/codec/stream_coder.hpp>

namespace bigsmall::delta {

struct side_policies {
    using entropy = one_of<bigsmall::entropy::stored, bigsmall::entropy::constant, bigsmall::entropy::rans,
                           bigsmall::entropy::wavelet>;
    using selector = bigsmall::selector::smallest;
};

struct side_stream {
    using coder = bigsmall::detail::stream_coder<side_policies>;

    static constexpr std::size_t bound(std::size_t raw_bytes) noexcept {
        return 2 * max_varint_bytes + coder::bound(raw_bytes);
    }

    /// Writes to the front of `out`, which has room for bound() bytes, and returns how many.
    static std::size_t store(bytes_view raw, bytes_span out, scratch& memory) {
        // The front is as long as its numbers: the body is moved behind it.
        const bytes_span body = out.subspan(2 * max_varint_bytes);
        const stream_entry entry = coder::encode(raw, body, {}, raw.size(), bigsmall::detail::trial_for::size, memory);
        std::size_t n = store_varint(out.data(), entry.entropy);
        n += store_varint(out.data() + n, entry.coded_bytes);
        const std::uint8_t* const from = entry.entropy == bigsmall::entropy::stored::id ? raw.data() : body.data();
        std::copy_n(from, entry.coded_bytes, out.data() + n); // towards the front
        return n + entry.coded_bytes;
    }

    static status load(byte_cursor& cursor, bytes_span raw, scratch& memory) {
        const std::uint64_t id = cursor.read_varint(), coded_bytes = cursor.read_varint();
        const bytes_view coded = cursor.take(coded_bytes);
        if (!cursor.ok()) return status::truncated;
        switch (id) {
        case bigsmall::entropy::stored::id: return bigsmall::entropy::stored::decode(coded, raw);
        case bigsmall::entropy::constant::id: return bigsmall::entropy::constant::decode(coded, raw);
        case bigsmall::entropy::rans::id: return bigsmall::entropy::rans::decode(coded, raw, memory.kernels());
        case bigsmall::entropy::wavelet::id: return bigsmall::entropy::wavelet::decode(coded, raw, memory);
        default: return status::unsupported;
        }
    }
};

} // namespace bigsmall::delta
