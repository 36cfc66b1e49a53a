// SPDX-License-Identifier: BSL-1.0
// The codecs of archives: the library's operating points, each with the LZ candidate. To compile them takes seconds.
// Programs of many sources may compile them once: define BIGSMALL_EXTERN_CODECS everywhere, and in one source
// BIGSMALL_DEFINE_CODECS as well.
#pragma once

#include <cstdint>
#include <string_view>

#include <bigsmall/archive/entropy/zstd.hpp>
#include <bigsmall/codec.hpp>
#include <bigsmall/core/units.hpp>

namespace bigsmall::archive {

namespace detail {

template <class Set>
struct readers_with_zstd;
template <class... Policies>
struct readers_with_zstd<policy_set<Policies...>> {
    using type = policy_set<Policies..., archive::entropy::zstd>;
};

} // namespace detail

/// A policy_set: everything that the blocks of an archive may be coded with, the codec's own policies and zstd.
using readable_policies = detail::readers_with_zstd<known_policies>::type;

namespace detail {

template <class List, class More>
struct appended;
template <class... Es, class More>
struct appended<one_of<Es...>, More> {
    using type = one_of<Es..., More>;
};

template <class Policies, int ZstdLevel>
struct with_zstd : Policies {
    using entropy = typename appended<typename Policies::entropy, archive::entropy::basic_zstd<ZstdLevel>>::type;
};

// Not inline: an inline function would be compiled wherever it is used, in spite of `extern template`.
template <class Policies, int ZstdLevel>
codec_ref codec_with_zstd() noexcept {
    return ref_of<with_zstd<Policies, ZstdLevel>, readable_policies>();
}

/// Up to 0.08 per cent of raw smaller than delta_codec, and decoded a tenth more slowly.
using storage_delta_codec = basic_delta_codec<128>;

template <class Codec>
delta_ref delta_ref_to() noexcept {
    return delta_ref_of<Codec>();
}

#ifdef BIGSMALL_EXTERN_CODECS
#ifdef BIGSMALL_DEFINE_CODECS
#define BIGSMALL_CODEC_TEMPLATE template
#else
#define BIGSMALL_CODEC_TEMPLATE extern template
#endif
BIGSMALL_CODEC_TEMPLATE codec_ref codec_with_zstd<storage_policies, 19>() noexcept;
BIGSMALL_CODEC_TEMPLATE codec_ref codec_with_zstd<balanced_policies, 9>() noexcept;
BIGSMALL_CODEC_TEMPLATE codec_ref codec_with_zstd<inference_policies, 9>() noexcept;
BIGSMALL_CODEC_TEMPLATE delta_ref delta_ref_to<delta_codec>() noexcept;
BIGSMALL_CODEC_TEMPLATE delta_ref delta_ref_to<storage_delta_codec>() noexcept;
#undef BIGSMALL_CODEC_TEMPLATE
#endif

} // namespace detail

/// What a file is tuned for. All restore the same bytes, and any reader reads all.
enum class operating_point : std::uint8_t {
    storage,   ///< the fewest bytes
    balanced,  ///< nearly as small, decoded several times faster
    inference, ///< decoded at the speed of memory
};

/// How an operating point packs.
struct packing_recipe {
    std::string_view name;
    codec_ref codec;
    delta_ref delta;            ///< for blocks that are differences to a base
    std::uint64_t block_bytes;  ///< larger blocks pay less for tables; smaller ones stay in the caches
    bool group_streams = false; ///< who wants one of the tensors of a group decodes them all
};

inline packing_recipe recipe_of(operating_point point) noexcept {
    using namespace detail;
    const delta_ref delta = delta_ref_to<delta_codec>();
    switch (point) {
    case operating_point::storage:
        return {"storage", codec_with_zstd<storage_policies, 19>(), delta_ref_to<storage_delta_codec>(), 4 * MiB, true};
    case operating_point::inference: return {"inference", codec_with_zstd<inference_policies, 9>(), delta, 256 * KiB};
    case operating_point::balanced: break;
    }
    return {"balanced", codec_with_zstd<balanced_policies, 9>(), delta, 1 * MiB};
}

/// What unpack reads with unless told otherwise.
inline codec_ref default_codec() noexcept { return recipe_of(operating_point::balanced).codec; }

/// Reads blocks that are differences to a base, whatever point they were written for.
inline delta_ref default_delta() noexcept { return recipe_of(operating_point::balanced).delta; }

} // namespace bigsmall::archive
