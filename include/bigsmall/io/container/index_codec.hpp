// SPDX-License-Identifier: BSL-1.0
// The index as bytes, before zstd: five to eight tagged sections of varint columns (docs/format/container.md), and the
// receipts, which lie apart from them.
#pragma once

#include <cstdint>
#include <string>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/io/container/base_writer.hpp>
#include <bigsmall/io/container/byte_writer.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/io/container/index_reader.hpp>
#include <bigsmall/io/container/index_rules.hpp>
#include <bigsmall/io/container/index_writer.hpp>

namespace bigsmall::io {

/// The raw bytes of an index but for its receipts, in the form of feature_lean_index.
/// Throws: errc::invalid_argument when it breaks one of the rules.
inline byte_buffer encode_index(const container_index& index) {
    check_index(index, errc::invalid_argument);
    detail::byte_writer general, siblings, out;
    general.sized(as_bytes_view(index.writer));
    general.varint(index.directory ? 1 : 0);
    siblings.varint(index.siblings.size());
    for (const std::string& sibling : index.siblings)
        siblings.sized(as_bytes_view(sibling));
    detail::write_section(out, detail::index_section::general, general);
    detail::write_section(out, detail::index_section::siblings, siblings);
    detail::write_section(out, detail::index_section::contents, detail::write_contents(index));
    detail::write_section(out, detail::index_section::blocks, detail::write_blocks(index));
    detail::write_section(out, detail::index_section::members, detail::write_members(index));
    if (index.bundles > 0) detail::write_section(out, detail::index_section::bundles, detail::write_bundles(index));
    const detail::byte_writer shared = detail::write_shared_blocks(index);
    if (!shared.written().empty()) detail::write_section(out, detail::index_section::shared_blocks, shared);
    if (index.is_patch()) detail::write_section(out, detail::index_section::base, detail::base_writer(index).write());
    if (!index.joined.empty()) {
        detail::byte_writer joined;
        joined.bytes(index.joined);
        detail::write_section(out, detail::index_section::joined, joined);
    }
    return out.take();
}

/// The MD5 of every content that is no bundle.
inline byte_buffer encode_receipts(const container_index& index) {
    byte_buffer receipts;
    receipts.reserve(index.first_bundle() * sizeof(md5_digest));
    for (std::size_t i = 0; i < index.first_bundle(); ++i)
        receipts.insert(receipts.end(), index.contents[i].md5.begin(), index.contents[i].md5.end());
    return receipts;
}

/// Reads an index and checks every rule that can be checked without the file around it. `features`: those of the
/// footer; they tell the form. `receipts`: of the lean form, which has none in `raw`. Memory stays within 8 times the
/// bytes of both, which max_raw_index_bytes() bounds, and the headers' 100 MB. Throws: errc::corrupt.
inline container_index decode_index(bytes_view raw, std::uint64_t features, bytes_view receipts) {
    container_index index = detail::index_reader(features, receipts).read(raw);
    check_index(index, errc::corrupt);
    return index;
}

} // namespace bigsmall::io
