// SPDX-License-Identifier: BSL-1.0
// A codec behind function pointers, for code that is not a template: one indirect call per block.
#pragma once

#include <string>

#include <bigsmall/codec/basic_codec.hpp>

namespace bigsmall {

struct codec_ref {
    std::size_t (*bound)(std::size_t raw_bytes) noexcept;
    encoded_block (*encode)(const block_info& info, bytes_view raw, bytes_span out, scratch& memory);
    status (*decode)(bytes_view coded, bytes_span raw, scratch& memory);
    std::string (*name_of)(coding_label label);
};

/// Writes with `Policies` and reads with `Readers`, by default exactly what those policies write.
template <class Policies = default_policies, class Readers = policy_set_of<Policies>>
constexpr codec_ref ref_of() noexcept {
    return {&basic_codec<Policies>::bound,
            [](const block_info& info, bytes_view raw, bytes_span out, scratch& memory) {
                return basic_codec<Policies>::encode(info, raw, out, memory);
            },
            &Readers::decode, &Readers::name_of};
}

} // namespace bigsmall
