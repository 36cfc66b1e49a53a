// SPDX-License-Identifier: BSL-1.0
// The codec of archives: the library's policies plus the LZ candidate.
#pragma once

#include <bigsmall/archive/entropy/zstd.hpp>
#include <bigsmall/codec.hpp>

namespace bigsmall::archive {

struct policies : default_policies {
    using entropy = one_of<bigsmall::entropy::stored, bigsmall::entropy::constant, bigsmall::entropy::huffman,
                           bigsmall::entropy::rans, archive::entropy::zstd>;
};

/// What pack writes with and unpack reads with unless told otherwise.
constexpr codec_ref default_codec() noexcept { return ref_of<policies>(); }

} // namespace bigsmall::archive
