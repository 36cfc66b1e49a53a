// SPDX-License-Identifier: BSL-1.0
// The codecs of archives, compiled once for all of our own programs.
#define BIGSMALL_DEFINE_CODECS
#include <utility>

#include <bigsmall/archive/default_codec.hpp>
#include <bigsmall/io/container/index_codec.hpp>

namespace {

// Sanitized tests spend most of their time in indexes and the JSON of headers: these optimised copies are kept.
[[gnu::used]] const auto index_functions = std::pair(&bigsmall::io::encode_index, &bigsmall::io::decode_index);

} // namespace
