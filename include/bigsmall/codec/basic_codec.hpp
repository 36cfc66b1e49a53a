// SPDX-License-Identifier: BSL-1.0
// The codec: one block in, one coded block out, under policies chosen at compile time.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <type_traits>

#include <bigsmall/codec/block.hpp>
#include <bigsmall/codec/default_policies.hpp>
#include <bigsmall/codec/policy_set.hpp>
#include <bigsmall/codec/scratch.hpp>

namespace bigsmall {

/// `Policies` names three types: `grouping` and `entropy` (each a policy or a one_of list) and `selector`.
/// Same bytes for any kernel table and any thread.
template <class Policies>
struct basic_codec {
    using grouping_list = detail::as_list_t<typename Policies::grouping>;
    using entropy_list = detail::as_list_t<typename Policies::entropy>;
    using selector = typename Policies::selector;
    using readers = policy_set_of<Policies>;
    static_assert(detail::require_selector_policy<selector>());

    /// Most bytes that a coded block takes: the block stored whole, and its header. Source: encode() falls back to it.
    static constexpr std::size_t bound(std::size_t raw_bytes) noexcept {
        return raw_bytes + block_header::max_stored_bytes;
    }

    /// Codes `raw` (1 byte to max_block_bytes) into `out`, which has room for bound(raw.size()). Never fails: a block
    /// that no policy makes smaller is stored. Throws only std::bad_alloc.
    static encoded_block encode(const dtype& type, bytes_view raw, bytes_span out, scratch& memory) {
        candidate best = store_whole(raw, out);
        try_groupings(grouping_list{}, type, raw, out, memory, best);
        if (best.header.grouping == grouping::whole::id && best.header.entries[0].entropy == entropy::stored::id)
            best = store_whole(raw, out);
        return {best.bytes, {best.header.grouping, best.header.entries[0].entropy}};
    }

    /// Rebuilds a block; see policy_set::decode.
    static status decode(bytes_view coded, bytes_span raw, scratch& memory) {
        return readers::decode(coded, raw, memory);
    }

private:
    struct candidate {
        block_header header;
        std::size_t bytes = 0;
        std::size_t cost = 0;
    };

    // Priced before it is written: the bytes are copied only if nothing beats it.
    static candidate store_whole(bytes_view raw, bytes_span out) {
        candidate c;
        c.header.streams = 1;
        c.header.entries[0] = {entropy::stored::id, raw.size(), raw.size()};
        const std::size_t front = c.header.store(out.data());
        c.bytes = front + raw.size();
        c.cost = selector::cost(entropy::stored::id, c.bytes, raw.size());
        std::copy(raw.begin(), raw.end(), out.begin() + static_cast<std::ptrdiff_t>(front));
        return c;
    }

    template <class... Groupings>
    static void try_groupings(one_of<Groupings...>, const dtype& type, bytes_view raw, bytes_span out, scratch& memory,
                              candidate& best) {
        (try_grouping<Groupings>(type, raw, out, memory, best), ...);
    }

    template <class G>
    static void try_grouping(const dtype& type, bytes_view raw, bytes_span out, scratch& memory, candidate& best) {
        static_assert(detail::require_grouping_policy<G>());
        if (!G::applies(type, raw)) return;
        std::array<std::size_t, G::streams> sizes{};
        G::plan(raw, sizes);
        std::size_t planes_bytes = 0, coded_bound = 0;
        for (const std::size_t size : sizes) {
            planes_bytes += size;
            coded_bound += stream_bound(entropy_list{}, size);
        }
        bytes_span planes = memory.memory(scratch::purpose::planes, planes_bytes);
        std::array<bytes_span, G::streams> streams;
        for (std::size_t s = 0; s < G::streams; ++s) {
            streams[s] = planes.first(sizes[s]);
            planes = planes.subspan(sizes[s]);
        }
        G::split(raw, streams, memory.kernels());

        candidate c;
        c.header.grouping = G::id;
        c.header.streams = G::streams;
        const bytes_span coded = memory.memory(scratch::purpose::coded, coded_bound);
        std::size_t written = 0;
        for (std::size_t s = 0; s < G::streams; ++s) {
            c.header.entries[s] = encode_stream(streams[s], coded.subspan(written), memory);
            written += c.header.entries[s].coded_bytes;
            c.cost += selector::cost(c.header.entries[s].entropy, c.header.entries[s].coded_bytes, sizes[s]);
        }
        keep_if_better(c, coded.first(written), out, best);
    }

    static void keep_if_better(candidate& c, bytes_view coded, bytes_span out, candidate& best) {
        std::array<std::uint8_t, block_header::max_stored_bytes> front;
        const std::size_t front_bytes = c.header.store(front.data());
        c.bytes = front_bytes + coded.size();
        c.cost += front_bytes;
        const bool wins = c.cost < best.cost || (c.cost == best.cost && c.header.grouping < best.header.grouping);
        if (!wins || c.bytes > out.size()) return;
        std::copy_n(front.begin(), front_bytes, out.begin());
        std::copy(coded.begin(), coded.end(), out.begin() + static_cast<std::ptrdiff_t>(front_bytes));
        best = c;
    }

    template <class... Es>
    static constexpr std::size_t stream_bound(one_of<Es...>, std::size_t raw_bytes) noexcept {
        std::size_t most = raw_bytes;
        ((most = std::max(most, Es::bound(raw_bytes))), ...);
        return most;
    }

    template <class E>
    static constexpr bool estimates = requires(const encode_context& context) {
        E::estimate(context);
    };

    struct choice {
        wire_id id = entropy::stored::id;
        std::size_t cost = 0;
        constexpr bool loses_to(wire_id other_id, std::size_t other_cost) const noexcept {
            return other_cost < cost || (other_cost == cost && other_id < id);
        }
    };

    /// Codes one stream at the front of `out`: estimates choose one policy, which runs once; policies without an
    /// estimate are tried against it.
    static stream_entry encode_stream(bytes_view stream, bytes_span out, scratch& memory) {
        const std::size_t n = stream.size();
        stream_entry entry{entropy::stored::id, n, n};
        if (n != 0) {
            const stream_statistics statistics = statistics_of(stream, memory.kernels());
            const encode_context context{statistics, memory.kernels()};
            choice best{entropy::stored::id, selector::cost(entropy::stored::id, n, n)};
            choose_by_estimate(entropy_list{}, n, context, best);
            encode_chosen(entropy_list{}, best.id, stream, out, context, entry);
            best = {entry.entropy, selector::cost(entry.entropy, entry.coded_bytes, n)};
            try_in_full(entropy_list{}, stream, out, context, memory, entry, best);
        }
        if (entry.entropy == entropy::stored::id) std::copy(stream.begin(), stream.end(), out.begin());
        return entry;
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

} // namespace bigsmall
