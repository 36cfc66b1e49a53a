// SPDX-License-Identifier: BSL-1.0
// A model as one container would hold it, whichever files its blocks lie in now. A shard that was made of a model
// carries the index of that container, so that shards can be joined to the very file that they were made of.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/varint.hpp>
#include <bigsmall/io/container/byte_writer.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/io/container/index_codec.hpp>
#include <bigsmall/io/safetensors/layout.hpp>

namespace bigsmall::archive {

/// A content of some container whose blocks can be read.
struct content_place {
    const opened_container* container = nullptr; ///< null: it has no blocks of its own
    std::uint32_t content = 0;
};

/// A tensor, and the content that holds it.
struct joined_tensor {
    std::string name, dtype_name;
    std::vector<std::uint64_t> shape;
    std::uint64_t bytes = 0;
    std::uint32_t content = 0;
};

struct joined_model {
    io::container_index index;          ///< of one member, which is the model
    std::vector<content_place> places;  ///< of each content
    std::vector<joined_tensor> tensors; ///< in the order of the member
    bool known_hash = false; ///< the member is a file that was packed once; else its SHA-256 is not known yet
};

namespace detail {

/// The tensors of a member; the contents are those of `index`, or what `number_of(content)` makes of them.
template <class NumberOf>
std::vector<joined_tensor> tensors_of(const io::container_index& index, const io::member_entry& member,
                                      NumberOf number_of) {
    std::vector<joined_tensor> tensors;
    if (member.kind != io::member_kind::safetensors) return tensors;
    io::safetensors_layout layout = io::parse_safetensors_header(member.header, member.raw_bytes);
    for (const io::extent_entry& extent : member.extents) {
        if (extent.kind != io::extent_kind::tensor) continue;
        io::tensor_record& record = layout.tensors.at(tensors.size());
        tensors.push_back({std::move(record.name), std::move(record.dtype_name), std::move(record.shape),
                           index.contents[extent.content].raw_bytes, number_of(extent.content)});
    }
    return tensors;
}

/// What section 64 holds: required features, receipts, index.
inline byte_buffer encode_joined(const io::container_index& index) {
    io::detail::byte_writer out;
    out.varint(io::required_features(index));
    out.sized(io::encode_receipts(index));
    out.bytes(io::encode_index(index));
    return out.take();
}

/// Throws: errc::corrupt when the bytes are no such section; errc::unsupported when it needs a newer reader.
inline io::container_index decode_joined(bytes_view bytes) {
    byte_cursor in(bytes);
    const std::uint64_t features = in.read_varint();
    const bytes_view receipts = in.take(in.read_varint());
    if (!in.ok()) throw error(errc::corrupt, "the index is damaged: the section of the joined container is malformed");
    io::require_supported(io::container_major, features);
    io::container_index index = io::decode_index(in.take(in.left()), features, receipts);
    if (index.members.size() != 1 || index.members[0].kind != io::member_kind::safetensors || !index.siblings.empty() ||
        !index.joined.empty())
        throw error(errc::corrupt, "the index is damaged: the joined container does not hold one model");
    io::check_within_payload(index, std::uint64_t{1} << 62, errc::corrupt);
    return index;
}

} // namespace detail

} // namespace bigsmall::archive
