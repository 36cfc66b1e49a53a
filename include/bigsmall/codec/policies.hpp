// SPDX-License-Identifier: BSL-1.0
// The policy concepts, and one English sentence for every member that a user's policy may lack.
#pragma once

#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include <bigsmall/codec/scratch.hpp>
#include <bigsmall/codec/statistics.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/dtype.hpp>
#include <bigsmall/core/status.hpp>
#include <bigsmall/fwd.hpp>

namespace bigsmall {

/// What an encoder may look at besides the stream itself.
struct encode_context {
    const stream_statistics& statistics;
    const kernel::table& kernels;
    scratch& memory;
    /// Symbols in a row of the tensor when the stream has one symbol for each element, 0 otherwise; and how many
    /// symbols of its row precede the stream's first.
    std::size_t row_symbols = 0;
    std::size_t first_in_row = 0;
    /// Symbols of the last dimension under the same condition, 0 otherwise; rows are whole numbers of these.
    std::size_t last_symbols = 0;
    /// Whether the stream is made of several tensors.
    bool many_parts = false;
    /// Whether the words of the block repeat, and its grouping is there for that.
    bool repeats = false;
    /// Bytes of a block that may be looked at to see whether an LZ coder would find repeats.
    std::size_t probe_bytes = 32768;
};

/// Streams of one block: at most this many, so that a hostile header cannot ask for more.
inline constexpr std::size_t max_streams = 16;

template <class P>
concept has_wire_name = requires {
    { P::id } -> std::convertible_to<wire_id>;
    { P::name } -> std::convertible_to<std::string_view>;
};

template <class E>
concept encodes_with_context = requires(bytes_view raw, bytes_span out, const encode_context& context) {
    { E::encode(raw, out, context) } -> std::same_as<std::optional<std::size_t>>;
};
template <class E>
concept encodes_plainly = requires(bytes_view raw, bytes_span out) {
    { E::encode(raw, out) } -> std::same_as<std::optional<std::size_t>>;
};
template <class E>
concept decodes_with_kernels = requires(bytes_view coded, bytes_span raw, const kernel::table& kernels) {
    { E::decode(coded, raw, kernels) } -> std::same_as<status>;
};
template <class E>
concept decodes_with_memory = requires(bytes_view coded, bytes_span raw, scratch& memory) {
    { E::decode(coded, raw, memory) } -> std::same_as<status>;
};
template <class E>
concept decodes_plainly = requires(bytes_view coded, bytes_span raw) {
    { E::decode(coded, raw) } -> std::same_as<status>;
};
template <class E>
concept has_bound = requires(std::size_t n) {
    { E::bound(n) } -> std::same_as<std::size_t>;
};

/// How does a stream become bytes?
///   id, name                           wire id and its name
///   bound(raw_bytes)                   room that encode may need
///   encode(raw, out[, context])        size written into `out` (at least bound bytes), or nothing: "not with me"
///   decode(coded, raw[, kernels or memory])
///                                      total: any coded bytes give ok or an error, never undefined behaviour;
///                                      ok means that all of `coded` was consumed and all of `raw` was written
/// Optional, for cheap selection:
///   estimate(context) -> std::size_t   expected coded bytes; without it the policy is tried in full
///   promising(raw, context) -> bool    whether a full try is worth its time
///   class piecewise                    decoding in parts that fit a cache, see entropy/wavelet.hpp
template <class E>
concept entropy_policy = has_wire_name<E> && has_bound<E> &&
    (encodes_with_context<E> || encodes_plainly<E>)&&(decodes_with_memory<E> || decodes_with_kernels<E> ||
                                                      decodes_plainly<E>);

template <class G>
concept plans_streams = requires(bytes_view raw, std::span<std::size_t, G::streams> sizes) {
    { G::plan(raw, sizes) } -> std::same_as<void>;
};
template <class G>
concept plans_with_memory = requires(bytes_view raw, std::span<std::size_t, G::streams> sizes, scratch& memory) {
    { G::plan(raw, sizes, memory) } -> std::same_as<void>;
};
template <class G>
concept applies_to_blocks = requires(const dtype& type, bytes_view raw) {
    { G::applies(type, raw) } -> std::same_as<bool>;
};
template <class G>
concept splits_blocks = requires(bytes_view raw, std::span<const bytes_span, G::streams> streams,
                                 const kernel::table& kernels) {
    { G::split(raw, streams, kernels) } -> std::same_as<void>;
};
template <class G>
concept splits_with_memory = requires(bytes_view raw, std::span<const bytes_span, G::streams> streams,
                                      scratch& memory) {
    { G::split(raw, streams, memory) } -> std::same_as<void>;
};
template <class G>
concept merges_streams = requires(std::span<const bytes_view, G::streams> streams, bytes_span raw,
                                  const kernel::table& kernels) {
    { G::merge(streams, raw, kernels) } -> std::same_as<status>;
};

/// Which bits travel together? A bijection between a block and a fixed number of streams, the stream that carries
/// the exponents (or whatever compresses best) first.
///   id, name, streams                  wire id, its name, number of streams (1..16)
///   applies(type, raw) -> bool         whether split accepts this block and is worth trying
///   plan(raw, sizes[, memory])         sizes of the streams of a block for which applies() is true
///   split(raw, streams, kernels or memory)
///                                      fills streams of exactly those sizes; it directly follows the plan for the
///                                      same block, so what plan left in scratch::purpose::grouping is still there
///   merge(streams, raw, kernels)       total: sizes and contents are checked
/// Optional:
///   part_of(streams, first, count, part) -> bool
///                                      the streams of a part of the words, see grouping/planes.hpp
///   for_repeats_of(type) -> bool       whether the grouping helps with blocks of this type only where bytes repeat:
///                                      then it is tried in full when they seem to, and not otherwise
///   keeps_bytes = true                 its streams are bytes of the words, in which an LZ coder may find repeats, too
///   explains_repeats = true            where it is the best one an LZ coder has little left to find
///   noisy_bits(type) -> std::size_t    bits of an element that are nearly fair coins and go through entropy coding
///   accepts(type, raw) -> bool         whether split accepts the block, be it worth trying or not: asked instead of
///                                      applies() where a codec has no other grouping
template <class G>
concept grouping_policy = has_wire_name<G> &&(G::streams >= 1 && G::streams <= max_streams) &&
                          (plans_streams<G> || plans_with_memory<G>)&&applies_to_blocks<G> &&
                          (splits_blocks<G> || splits_with_memory<G>)&&merges_streams<G>;

/// Which candidate wins? The lowest cost; ties go to the lowest wire id.
///   cost(entropy id, coded_bytes, raw_bytes) -> std::size_t
/// Optional:
///   noise_price(noisy bits of an element, coded_bytes) -> std::size_t
///                                      added once for each block whose grouping names its noisy_bits
template <class S>
concept selector_policy = requires(wire_id id, std::size_t n) {
    { S::cost(id, n, n) } -> std::same_as<std::size_t>;
};

/// A list of alternatives on one axis, in order of preference when all else is equal.
template <class... Policies>
struct one_of {};

namespace detail {

template <class T>
struct as_list {
    using type = one_of<T>;
};
template <class... Ts>
struct as_list<one_of<Ts...>> {
    using type = one_of<Ts...>;
};

/// A bare policy means a list of one.
template <class T>
using as_list_t = typename as_list<T>::type;

template <class E>
constexpr bool require_entropy_policy() {
    static_assert(has_wire_name<E>, "bigsmall: an entropy_policy needs `static constexpr wire_id id` (0x8000 or above "
                                    "for your own) and `static constexpr std::string_view name`");
    static_assert(has_bound<E>, "bigsmall: an entropy_policy needs `static std::size_t bound(std::size_t raw_bytes)`: "
                                "the room that encode may need");
    static_assert(encodes_with_context<E> || encodes_plainly<E>,
                  "bigsmall: an entropy_policy needs `static std::optional<std::size_t> encode(bytes_view raw, "
                  "bytes_span out)`: the coded size, or nothing when it declines");
    static_assert(decodes_with_memory<E> || decodes_with_kernels<E> || decodes_plainly<E>,
                  "bigsmall: an entropy_policy needs `static status decode(bytes_view coded, bytes_span raw)`");
    return entropy_policy<E>;
}

template <class G>
constexpr bool require_grouping_policy() {
    static_assert(has_wire_name<G>, "bigsmall: a grouping_policy needs `static constexpr wire_id id` (0x8000 or above "
                                    "for your own) and `static constexpr std::string_view name`");
    static_assert(
        requires {
            { G::streams } -> std::convertible_to<std::size_t>;
        },
        "bigsmall: a grouping_policy needs `static constexpr std::size_t streams`, from 1 to 16");
    static_assert(applies_to_blocks<G>,
                  "bigsmall: a grouping_policy needs `static bool applies(const dtype&, bytes_view raw)`");
    static_assert(plans_streams<G> || plans_with_memory<G>,
                  "bigsmall: a grouping_policy needs `static void plan(bytes_view raw, "
                  "std::span<std::size_t, streams> sizes)`");
    static_assert(splits_blocks<G> || splits_with_memory<G>,
                  "bigsmall: a grouping_policy needs `static void split(bytes_view raw, "
                  "std::span<const bytes_span, streams>, const kernel::table&)`");
    static_assert(merges_streams<G>, "bigsmall: a grouping_policy needs `static status merge(std::span<const "
                                     "bytes_view, streams>, bytes_span raw, const kernel::table&)`");
    return grouping_policy<G>;
}

template <class S>
constexpr bool require_selector_policy() {
    static_assert(selector_policy<S>, "bigsmall: a selector_policy needs `static std::size_t cost(wire_id entropy, "
                                      "std::size_t coded_bytes, std::size_t raw_bytes)`");
    return selector_policy<S>;
}

template <class E>
std::optional<std::size_t> encode_stream(bytes_view raw, bytes_span out, const encode_context& context) {
    if constexpr (encodes_with_context<E>)
        return E::encode(raw, out, context);
    else
        return E::encode(raw, out);
}

template <class G>
void plan_block(bytes_view raw, std::span<std::size_t, G::streams> sizes, scratch& memory) {
    if constexpr (plans_with_memory<G>)
        G::plan(raw, sizes, memory);
    else
        G::plan(raw, sizes);
}

template <class G>
void split_block(bytes_view raw, std::span<const bytes_span, G::streams> streams, scratch& memory) {
    if constexpr (splits_with_memory<G>)
        G::split(raw, streams, memory);
    else
        G::split(raw, streams, memory.kernels());
}

template <class E>
status decode_stream(bytes_view coded, bytes_span raw, scratch& memory) {
    if constexpr (decodes_with_memory<E>)
        return E::decode(coded, raw, memory);
    else if constexpr (decodes_with_kernels<E>)
        return E::decode(coded, raw, memory.kernels());
    else
        return E::decode(coded, raw);
}

} // namespace detail
} // namespace bigsmall
