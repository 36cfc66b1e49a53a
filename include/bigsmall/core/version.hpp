// SPDX-License-Identifier: BSL-1.0
// The library's version. Macros because the preprocessor must be able to test them.
#pragma once

#define BIGSMALL_VERSION_MAJOR 0
#define BIGSMALL_VERSION_MINOR 1
#define BIGSMALL_VERSION_PATCH 0

namespace bigsmall {

/// "major.minor.patch" of the headers in use.
inline constexpr char version_string[] = "0.1.0";

} // namespace bigsmall
