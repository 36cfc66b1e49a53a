// SPDX-License-Identifier: BSL-1.0
// Wire id 4: a Zstandard frame, the LZ candidate for streams with repeats. Lives here and not in codec/ because it
// links libzstd. The frame carries its content size and no checksum (the block has one).
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include <zstd.h>

#include <bigsmall/codec/policies.hpp>

namespace bigsmall::archive::entropy {

/// Level is the writer's choice; one reader reads them all.
template <int Level>
struct basic_zstd {
    static constexpr wire_id id = 4;
    static constexpr std::string_view name = "zstd";

    static std::size_t bound(std::size_t raw_bytes) noexcept { return ZSTD_compressBound(raw_bytes); }

    /// An LZ coder is slow next to the others: it runs when one sampled position in 32 repeats something.
    static bool promising(bytes_view raw, const encode_context& context) noexcept {
        return context.statistics.distinct > 1 &&
               (context.repeats || repeats_in_256(raw, context.probe_bytes / 8) >= 8);
    }
    static std::optional<std::size_t> encode(bytes_view raw, bytes_span out) noexcept {
        struct freed {
            void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
        };
        const std::unique_ptr<ZSTD_CCtx, freed> context(ZSTD_createCCtx());
        if (!context) return std::nullopt;
        ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, Level);
        // Floats come again one at a time. The middle levels look for five bytes in larger blocks and for four in small
        // ones, so that a point with larger blocks would lose to one with smaller ones.
        if (Level < 16) ZSTD_CCtx_setParameter(context.get(), ZSTD_c_minMatch, 4);
        const std::size_t written = ZSTD_compress2(context.get(), out.data(), out.size(), raw.data(), raw.size());
        if (ZSTD_isError(written)) return std::nullopt;
        return written;
    }
    static status decode(bytes_view coded, bytes_span raw) noexcept {
        if (ZSTD_getFrameContentSize(coded.data(), coded.size()) != raw.size()) return status::corrupt;
        const std::size_t frame = ZSTD_findFrameCompressedSize(coded.data(), coded.size());
        if (ZSTD_isError(frame) || frame != coded.size()) return status::corrupt;
        const std::size_t written = ZSTD_decompress(raw.data(), raw.size(), coded.data(), coded.size());
        return written == raw.size() ? status::ok : status::corrupt;
    }
};

using zstd = basic_zstd<9>;

} // namespace bigsmall::archive::entropy
