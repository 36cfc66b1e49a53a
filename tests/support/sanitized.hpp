// SPDX-License-Identifier: BSL-1.0
// Whether a sanitizer watches this program: it then takes memory of its own and several times as long.
#pragma once

namespace support {

#if defined(__has_feature) // clang's way to say what GCC says with macros
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define BIGSMALL_TEST_SANITIZED
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BIGSMALL_TEST_SANITIZED
#endif

#ifdef BIGSMALL_TEST_SANITIZED
inline constexpr bool is_sanitized = true;
#else
inline constexpr bool is_sanitized = false;
#endif

} // namespace support
