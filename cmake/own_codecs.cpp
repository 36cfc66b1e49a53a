// SPDX-License-Identifier: BSL-1.0
// The codecs of archives, compiled once for all of our own programs.
#define BIGSMALL_DEFINE_CODECS
#include <bigsmall/archive/default_codec.hpp>
