// SPDX-License-Identifier: BSL-1.0
// Catch2 2.13 and 3 behind one include. Tests write version 3: `SKIP("why")`, `Catch::Approx`,
// `Catch::Matchers::ContainsSubstring`; what version 2 lacks of that is made here.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <string>

#include <catch2/catch.hpp>

namespace Catch::Matchers {

inline auto ContainsSubstring(const std::string& text) { return Contains(text); }

} // namespace Catch::Matchers
#endif

// Version 3 has it since 3.3. Leaves the test case; the message is printed and nothing fails.
#ifndef SKIP
#define SKIP(...)                                                                                            \
    do {                                                                                                     \
        WARN("skipped: " << __VA_ARGS__);                                                                    \
        return;                                                                                              \
    } while (false)
#endif
