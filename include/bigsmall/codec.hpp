// SPDX-License-Identifier: BSL-1.0
// The codec and its policies. Costs: a C++20 compiler, nothing to link.
#pragma once

#include <bigsmall/core.hpp>
#include <bigsmall/fwd.hpp>
#include <bigsmall/kernel.hpp>

#include <bigsmall/codec/basic_codec.hpp>
#include <bigsmall/codec/block.hpp>
#include <bigsmall/codec/codec_ref.hpp>
#include <bigsmall/codec/default_policies.hpp>
#include <bigsmall/codec/delta/delta_codec.hpp>
#include <bigsmall/codec/policies.hpp>
#include <bigsmall/codec/policy_set.hpp>
#include <bigsmall/codec/scratch.hpp>
