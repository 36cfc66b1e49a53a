// SPDX-License-Identifier: BSL-1.0
// Whole checkpoints: pack, unpack, patches, transcode, verify, parity, inspect, random access. Costs: nlohmann/json,
// OpenSSL (-lcrypto), zstd (-lzstd), xxHash. Bring an executor: parallel/executor.hpp has a serial one,
// parallel/tbb.hpp one on oneTBB.
#pragma once

#include <bigsmall/archive/archive_files.hpp>
#include <bigsmall/archive/default_codec.hpp>
#include <bigsmall/archive/inspect.hpp>
#include <bigsmall/archive/names.hpp>
#include <bigsmall/archive/pack.hpp>
#include <bigsmall/archive/protect.hpp>
#include <bigsmall/archive/reader.hpp>
#include <bigsmall/archive/repair.hpp>
#include <bigsmall/archive/repair_container.hpp>
#include <bigsmall/archive/transcode.hpp>
#include <bigsmall/archive/unpack.hpp>
#include <bigsmall/archive/verify.hpp>
#include <bigsmall/archive/verify_parity.hpp>
