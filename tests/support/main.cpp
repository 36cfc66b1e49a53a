// SPDX-License-Identifier: BSL-1.0
// Catch2 2.13 makes its main here, once for all test programs; version 3 links its own.
#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif
