// SPDX-License-Identifier: BSL-1.0
// One stream of a block: which entropy policy codes it. Estimates choose among most, the others are tried in full.
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstdint>
#include <type_traits>

#include <bigsmall/codec/block.hpp>
#include <bigsmall/codec/block_info.hpp>
#include <bigsmall/codec/entropy/stored.hpp>

namespace bigsmall::detail {

/// Why a grouping is encoded in full: for its estimate, or because the words of the block seem to come again.
enum class trial_for : std::uint8_t { size, repeats };

/// The entropy axis of `Policies`, under their selector.
template <class Policies>
struct stream_coder {
    using entropy_list = as_list_t<typename Policies::entropy>;
    using selector = typename Policies::selector;

    /// Room that encode() may need.
    static constexpr std::size_t bound(std::size_t raw_bytes) noexcept { return bound_of(entropy_list{}, raw_bytes); }

    template <class E>
    static constexpr bool estimates = requires(const encode_context& context) {
        E::estimate(context);
    };

    template <class... Es>
    static constexpr bool any_without_estimate(one_of<Es...>) noexcept {
        return (!estimates<Es> || ...);
    }
    static constexpr bool has_full_trials = any_without_estimate(entropy_list{});

    /// Bytes of a block in which repeats may be looked for.
    static constexpr std::size_t probe_bytes = [] {
        if constexpr (requires { Policies::probe_bytes; })
            return std::size_t{Policies::probe_bytes};
        else
            return std::size_t{16384};
    }();

    /// Codes one stream at the front of `out`, where nothing is written if it is best stored. Estimates choose one
    /// policy, which runs once; policies without an estimate are tried against it.
    static stream_entry encode(bytes_view stream, bytes_span out, const block_info& info, std::size_t block_bytes,
                               trial_for why, scratch& memory) {
        const std::size_t n = stream.size();
        stream_entry entry{entropy::stored::id, n, n};
        if (n != 0 && !noise_is_dearer(stream, memory)) {
            const stream_statistics statistics = sampled_statistics_of<counted_part>(stream, memory.kernels());
            // Rows mean something to a stream that has one symbol for each element.
            const bool by_element =
                info.row_elems != 0 && std::uint64_t{n} * info.type.bits == std::uint64_t{block_bytes} * 8;
            encode_context context{statistics, memory.kernels(), memory};
            context.probe_bytes = probe_bytes;
            context.repeats = why == trial_for::repeats;
            context.many_parts = info.parts.size() > 1;
            if (by_element) {
                context.row_symbols = static_cast<std::size_t>(info.row_elems);
                context.first_in_row = static_cast<std::size_t>(info.first_elem % info.row_elems);
                context.last_symbols = static_cast<std::size_t>(info.last_elems);
            }
            choice best{entropy::stored::id, selector::cost(entropy::stored::id, n, n)};
            choose_by_estimate(entropy_list{}, n, context, best);
            encode_chosen(entropy_list{}, best.id, stream, out, context, entry);
            best = {entry.entropy, selector::cost(entry.entropy, entry.coded_bytes, n)};
            try_in_full(entropy_list{}, stream, out, context, memory, entry, best);
        }
        return entry;
    }

    /// What a stream with these statistics is expected to cost.
    static std::size_t estimated_cost(const stream_statistics& statistics, scratch& memory) {
        const encode_context context{statistics, memory.kernels(), memory};
        const std::size_t n = statistics.size_bytes;
        choice best{entropy::stored::id, selector::cost(entropy::stored::id, n, n)};
        choose_by_estimate(entropy_list{}, n, context, best);
        return best.cost;
    }

private:
    struct choice {
        wire_id id = entropy::stored::id;
        std::size_t cost = 0;
        constexpr bool loses_to(wire_id other_id, std::size_t other_cost) const noexcept {
            return other_cost < cost || (other_cost == cost && other_id < id);
        }
    };

    template <class... Es>
    static constexpr std::size_t bound_of(one_of<Es...>, std::size_t raw_bytes) noexcept {
        std::size_t most = raw_bytes;
        ((most = std::max(most, Es::bound(raw_bytes))), ...);
        return most;
    }

    /// Policies that would rather be fast may count only a part of each stream.
    static constexpr std::size_t counted_part = [] {
        if constexpr (requires { Policies::counted_part; })
            return std::size_t{Policies::counted_part};
        else
            return std::size_t{1};
    }();

    /// Whether a look at a part of the stream is enough to store it: mantissas are noise, and counting them all would
    /// take longer than coding the exponents. Where no selector's price is to be paid every stream is counted.
    static bool noise_is_dearer(bytes_view stream, scratch& memory) noexcept {
        constexpr std::size_t stretches = 16, stretch = 256;
        const std::size_t n = stream.size();
        if (n < 8 * stretches * stretch) return false;
        stream_statistics sample;
        sample.size_bytes = stretches * stretch;
        std::array<std::uint8_t, stretches * stretch> part;
        copy_stretches(stream, stretches, part);
        memory.kernels().histogram(part.data(), part.size(), sample.counts.data());
        sample.distinct = 256; // as far as entropy_bytes() cares
        // A sample of m fair bytes seems to have 255 / (2 m ln 2) bits less than eight: 0.045 for 4096 of them.
        const std::size_t ideal = entropy_bytes(sample) + sample.size_bytes * 45 / 8000;
        const bool dearer = selector::cost(entropy_list_id(entropy_list{}), n / sample.size_bytes * ideal, n) >=
                            selector::cost(entropy::stored::id, n, n);
        return dearer && (!has_full_trials || repeats_in_256(stream, 4096) < 8);
    }

    /// The id of a policy that works for its bytes, to ask the selector for its price.
    template <class... Es>
    static constexpr wire_id entropy_list_id(one_of<Es...>) noexcept {
        return std::max({Es::id...});
    }

    template <class... Es>
    static void choose_by_estimate(one_of<Es...>, std::size_t raw_bytes, const encode_context& context, choice& best) {
        const auto consider = [&]<class E>(std::type_identity<E>) {
            static_assert(detail::require_entropy_policy<E>());
            if constexpr (estimates<E>) {
                const std::size_t coded = E::estimate(context);
                if (coded >= raw_bytes) return;
                const std::size_t cost = selector::cost(E::id, coded, raw_bytes);
                if (best.loses_to(E::id, cost)) best = {E::id, cost};
            }
        };
        (consider(std::type_identity<Es>{}), ...);
    }

    template <class... Es>
    static void encode_chosen(one_of<Es...>, wire_id id, bytes_view stream, bytes_span out,
                              const encode_context& context, stream_entry& entry) {
        const auto encode_if = [&]<class E>(std::type_identity<E>) {
            if (E::id != id || id == entropy::stored::id) return;
            const auto coded = detail::encode_stream<E>(stream, out.first(E::bound(stream.size())), context);
            if (coded && *coded < stream.size()) entry = {E::id, stream.size(), *coded};
        };
        (encode_if(std::type_identity<Es>{}), ...);
    }

    template <class... Es>
    static void try_in_full(one_of<Es...>, bytes_view stream, bytes_span out, const encode_context& context,
                            scratch& memory, stream_entry& entry, choice& best) {
        const auto attempt = [&]<class E>(std::type_identity<E>) {
            if constexpr (!estimates<E>) {
                if constexpr (requires {
                                  { E::promising(stream, context) } -> std::same_as<bool>;
                              })
                    if (!E::promising(stream, context)) return;
                const bytes_span trial = memory.memory(scratch::purpose::trial, E::bound(stream.size()));
                const auto coded = detail::encode_stream<E>(stream, trial, context);
                if (!coded || *coded >= stream.size()) return;
                const std::size_t cost = selector::cost(E::id, *coded, stream.size());
                if (!best.loses_to(E::id, cost)) return;
                std::copy_n(trial.begin(), *coded, out.begin());
                entry = {E::id, stream.size(), *coded};
                best = {E::id, cost};
            }
        };
        (attempt(std::type_identity<Es>{}), ...);
    }
};

} // namespace bigsmall::detail
