// SPDX-License-Identifier: BSL-1.0
// Everything. Costs: Boost.Iostreams, nlohmann-json, xxHash, zstd, oneTBB and libcrypto to compile and link against
// (CMake: bigsmall::archive). For the codec alone include <bigsmall/codec.hpp>, which costs a compiler.
#pragma once

#include <bigsmall/archive.hpp>
#include <bigsmall/codec.hpp>
#include <bigsmall/core.hpp>
#include <bigsmall/io.hpp>
#include <bigsmall/kernel.hpp>
#include <bigsmall/parallel.hpp>
