// SPDX-License-Identifier: BSL-1.0
// The map: every public template of the codec with its default arguments, declared and not defined.
#pragma once

#include <cstddef>
#include <cstdint>

namespace bigsmall {

/// Names an encoding in a file, for ever: a changed encoding gets a new id. 0x8000 and above are the users' own.
using wire_id = std::uint16_t;

class scratch;
struct codec_ref;
struct default_policies;

template <class... Policies>
struct one_of;
template <class Policies = default_policies>
struct basic_codec;
template <class... Policies>
struct policy_set;

/// The codec with the library's own policies.
using codec = basic_codec<>;

struct delta_ref;
template <std::uint32_t LeastGain = 32, unsigned PieceLog2 = 16>
struct basic_delta_codec;

/// The codec for blocks that are differences to a base.
using delta_codec = basic_delta_codec<>;

namespace grouping {
struct whole;
template <std::size_t RestBits>
struct byte_fields;
template <std::size_t WidthBytes>
struct byte_planes;
template <std::size_t WidthBytes>
struct field_planes;
template <std::size_t WidthBytes>
struct joint_fields;
template <class Format>
struct multiples;
template <std::size_t WidthBytes>
struct sign_apart;
template <std::size_t WidthBytes>
struct sign_planes;
template <std::size_t WidthBytes>
struct zero_runs;
} // namespace grouping

namespace entropy {
struct stored;
struct constant;
struct huffman;
struct rans;
template <std::uint32_t LeastGain, unsigned PieceLog2>
struct basic_wavelet;
template <std::uint32_t LeastGain, unsigned PieceLog2>
struct basic_classed_wavelet;
} // namespace entropy

namespace selector {
struct smallest;
struct balanced;
} // namespace selector

} // namespace bigsmall
