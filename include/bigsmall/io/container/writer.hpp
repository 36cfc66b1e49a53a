// SPDX-License-Identifier: BSL-1.0
// Writes a container front to back into any sink, a pipe included.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/io/container/format.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/io/container/index_codec.hpp>
#include <bigsmall/io/container/index_filler.hpp>
#include <bigsmall/io/sink.hpp>
#include <bigsmall/io/zstd.hpp>

namespace bigsmall::io {

/// Blocks in their final order, then the index. Offsets count from where the sink stood at construction.
class container_writer {
public:
    /// Writes the file header. The sink must outlive the writer. `required_features`: what the index will need, as
    /// required_features() says. Throws: errc::io.
    explicit container_writer(sink& to, std::uint64_t required_features = feature_lean_index)
        : to_(to), base_(to.position()), features_(required_features) {
        container_header header;
        header.required_features = features_;
        to_.write(encode_header(header));
    }

    /// Bytes of the container so far.
    std::uint64_t position() const { return to_.position() - base_; }

    /// Appends a block, behind zeros where the alignment rule wants them, and returns its offset in the file.
    /// The blocks of one content are appended one after another, nothing between.
    /// Throws: errc::io; errc::invalid_argument for an empty or too large block.
    std::uint64_t append_block(bytes_view stored) {
        if (stored.empty() || stored.size() > max_stored_block_bytes)
            throw error(errc::invalid_argument,
                        "a block of " + std::to_string(stored.size()) + " stored bytes cannot be written");
        const std::uint64_t start = block_start(position(), stored.size());
        constexpr std::array<std::uint8_t, block_alignment> zeros{};
        to_.write(bytes_view(zeros).first(static_cast<std::size_t>(start - position())));
        to_.write(stored);
        return start;
    }

    /// Writes the receipts and both copies of the index with their footers, or one when two would make the container
    /// larger than `most_bytes`. Nothing may be appended afterwards.
    /// Throws: errc::invalid_argument when the index breaks a rule or describes blocks that were not written;
    /// errc::limit when it would be larger than readers accept; errc::io.
    void finish(const container_index& index, std::uint64_t most_bytes = ~std::uint64_t{0}) {
        if (required_features(index) != features_)
            throw error(errc::invalid_argument, "the index needs other features than the header has announced");
        if (index.receipts_lost) throw error(errc::invalid_argument, "the index has lost its receipts");
        byte_buffer raw = encode_index(index);
        const byte_buffer receipts = encode_receipts(index);
        check_within_payload(index, position(), errc::invalid_argument);
        to_.write(receipts);
        const std::uint64_t copy_a_offset = position();
        byte_buffer stored = compress_index(raw);
        const std::uint64_t announced = raw.size() + receipts.size();
        const std::uint64_t least_bytes = copy_a_offset + stored.size() + container_footer_bytes;
        if (announced > max_raw_index_bytes(stored.size(), least_bytes)) {
            detail::append_filler(raw, announced, least_bytes);
            stored = compress_index(raw);
        }
        if (stored.size() > max_stored_index_bytes ||
            raw.size() + receipts.size() >
                max_raw_index_bytes(stored.size(), copy_a_offset + stored.size() + container_footer_bytes))
            throw error(errc::limit, "the index of this container would have " +
                                         std::to_string(raw.size() + receipts.size()) +
                                         " bytes, more than readers accept");
        const std::uint64_t copy_bytes = stored.size() + container_footer_bytes;
        const int copies = copy_a_offset + 2 * copy_bytes <= most_bytes ? 2 : 1;
        container_footer footer =
            make_footer(copy_a_offset, stored.size(), raw.size(), checksum(stored), features_, copies);
        footer.receipts_bytes = receipts.size();
        footer.receipts_checksum = receipts.empty() ? 0 : checksum(receipts);
        const auto footer_bytes = encode_footer(footer);
        for (int copy = 0; copy < copies; ++copy) {
            to_.write(stored);
            to_.write(footer_bytes);
        }
    }

private:
    /// Small indexes are worth the slowest level; large ones are mostly checksums, which gain nothing.
    static byte_buffer compress_index(const byte_buffer& raw) {
        return zstd_compress(raw, raw.size() <= 128 * KiB ? 19 : 9);
    }

    sink& to_;
    std::uint64_t base_, features_;
};

} // namespace bigsmall::io
