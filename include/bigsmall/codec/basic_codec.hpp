// SPDX-License-Identifier: BSL-1.0
// The codec: one block in, one coded block out, under policies chosen at compile time.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

#include <bigsmall/codec/block.hpp>
#include <bigsmall/codec/block_info.hpp>
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
    static encoded_block encode(const block_info& info, bytes_view raw, bytes_span out, scratch& memory) {
        candidate best = stored_whole(raw.size());
        const finalists chosen = choose_groupings(grouping_list{}, info, raw, memory);
        try_groupings(grouping_list{}, chosen, info, raw, out, memory, best);
        if (best.header.grouping == grouping::whole::id && best.header.entries[0].entropy == entropy::stored::id) {
            best = stored_whole(raw.size());
            const std::size_t front = best.header.store(out.data());
            std::copy(raw.begin(), raw.end(), out.begin() + static_cast<std::ptrdiff_t>(front));
        }
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

    // Only priced: the bytes are copied if nothing beats it.
    static candidate stored_whole(std::size_t raw_bytes) noexcept {
        candidate c;
        c.header.streams = 1;
        c.header.entries[0] = {entropy::stored::id, raw_bytes, raw_bytes};
        std::array<std::uint8_t, block_header::max_stored_bytes> front;
        c.bytes = c.header.store(front.data()) + raw_bytes;
        c.cost = selector::cost(entropy::stored::id, c.bytes, raw_bytes);
        return c;
    }

    static constexpr wire_id no_grouping = 0xffff;

    /// The groupings that are encoded in full, the best first; no_grouping where there is none.
    struct finalists {
        wire_id first = no_grouping, second = no_grouping;
    };

    /// The groupings with the lowest estimated costs, from a sample of the block. Estimates see no repeats: groupings
    /// that an LZ policy finds promising are tried in full by try_groupings().
    template <class... Groupings>
    static finalists choose_groupings(one_of<Groupings...>, const block_info& info, bytes_view raw, scratch& memory) {
        const std::array<bool, sizeof...(Groupings)> apply{!only_for_repeats<Groupings>(info.type) &&
                                                           Groupings::applies(info.type, raw)...};
        const auto candidates = std::count(apply.begin(), apply.end(), true);
        if (candidates == 0) return {};
        if (candidates == 1) {
            constexpr std::array<wire_id, sizeof...(Groupings)> ids{Groupings::id...};
            return {ids[static_cast<std::size_t>(std::find(apply.begin(), apply.end(), true) - apply.begin())]};
        }
        const block_sample sample = sample_of(raw, memory);
        finalists best;
        std::size_t first_cost = ~std::size_t{0}, second_cost = first_cost, i = 0;
        const auto consider = [&]<class G>(std::type_identity<G>) {
            if (!apply[i++] || !G::applies(info.type, sample.bytes)) return;
            const std::size_t bytes = estimated_cost<G>(sample, memory), cost = bytes + price<G>(info.type, bytes);
            if (cost < first_cost || (cost == first_cost && G::id < best.first)) {
                best = {G::id, best.first};
                second_cost = std::exchange(first_cost, cost);
            } else if (cost < second_cost || (cost == second_cost && G::id < best.second)) {
                best.second = G::id;
                second_cost = cost;
            }
        };
        (consider(std::type_identity<Groupings>{}), ...);
        // Small blocks are cheap to code twice, and their estimates are rough.
        const std::size_t close = raw.size() < 256 * KiB ? 32 : 512;
        if (!tries_second || second_cost > first_cost + first_cost / close) best.second = no_grouping;
        return best;
    }

    /// A part of a block, and how many times larger the block is.
    struct block_sample {
        bytes_view bytes;
        std::size_t scale = 1;
    };

    static block_sample sample_of(bytes_view raw, scratch& memory) {
        constexpr std::size_t stretches = 8, stretch = 4096;
        if (raw.size() < 2 * stretches * stretch) return {raw, 1};
        const bytes_span copy = memory.memory(scratch::purpose::sample, stretches * stretch);
        copy_stretches(raw, stretches, copy);
        return {copy, raw.size() / copy.size()};
    }

    template <class G>
    static std::size_t estimated_cost(const block_sample& sample, scratch& memory) {
        std::array<bytes_span, G::streams> streams;
        split_into_planes<G>(sample.bytes, streams, memory);
        std::size_t cost = 0;
        for (const bytes_span stream : streams) {
            if (stream.empty()) continue;
            stream_statistics statistics = statistics_of(stream, memory.kernels());
            // As if the whole block had been counted, so that tables are paid for once.
            statistics.size_bytes *= sample.scale;
            for (std::uint32_t& count : statistics.counts)
                count *= static_cast<std::uint32_t>(sample.scale);
            const encode_context context{statistics, memory.kernels(), memory};
            choice best{entropy::stored::id,
                        selector::cost(entropy::stored::id, statistics.size_bytes, statistics.size_bytes)};
            choose_by_estimate(entropy_list{}, statistics.size_bytes, context, best);
            cost += best.cost;
        }
        return cost;
    }

    template <class G>
    static void split_into_planes(bytes_view raw, std::array<bytes_span, G::streams>& streams, scratch& memory) {
        std::array<std::size_t, G::streams> sizes{};
        detail::plan_block<G>(raw, sizes, memory);
        std::size_t planes_bytes = 0;
        for (const std::size_t size : sizes)
            planes_bytes += size;
        bytes_span planes = memory.memory(scratch::purpose::planes, planes_bytes);
        for (std::size_t s = 0; s < G::streams; ++s) {
            streams[s] = planes.first(sizes[s]);
            planes = planes.subspan(sizes[s]);
        }
        detail::split_block<G>(raw, std::span<const bytes_span, G::streams>(streams), memory);
    }

    template <class G>
    static bool only_for_repeats(const dtype& type) noexcept {
        if constexpr (requires { G::for_repeats_of(type); })
            return G::for_repeats_of(type);
        else
            return false;
    }

    /// What the selector asks of a grouping besides its bytes.
    template <class G>
    static std::size_t price(const dtype& type, std::size_t coded_bytes) noexcept {
        if constexpr (requires { selector::grouping_price(G::id, type, coded_bytes); })
            return selector::grouping_price(G::id, type, coded_bytes);
        else
            return 0;
    }

    /// Whether words come again, signs of floats left out.
    static bool has_repeats(const block_info& info, bytes_view raw) noexcept {
        const std::size_t width =
            info.type.bits == 16 || info.type.bits == 32 || info.type.bits == 64 ? info.type.bits / 8u : 1;
        const std::uint64_t signs = info.type.kind == number_kind::floating ? top_bits_of_words(width) : 0;
        return repeats_in_256(raw, probe_bytes, width, ~signs) >= 8;
    }

    template <class... Groupings>
    static void try_groupings(one_of<Groupings...>, const finalists& chosen, const block_info& info, bytes_view raw,
                              bytes_span out, scratch& memory, candidate& best) {
        const bool repeats =
            has_full_trials && (only_for_repeats<Groupings>(info.type) || ...) && has_repeats(info, raw);
        const auto attempt = [&]<class G>(std::type_identity<G>) {
            static_assert(detail::require_grouping_policy<G>());
            const bool for_repeats = repeats && only_for_repeats<G>(info.type) && G::applies(info.type, raw);
            if (G::id == chosen.first || G::id == chosen.second || for_repeats)
                try_grouping<G>(info, raw, out, memory, best);
        };
        (attempt(std::type_identity<Groupings>{}), ...);
    }

    template <class G>
    static void try_grouping(const block_info& info, bytes_view raw, bytes_span out, scratch& memory, candidate& best) {
        std::array<bytes_span, G::streams> streams;
        split_into_planes<G>(raw, streams, memory);
        std::size_t coded_bound = 0;
        for (const bytes_span stream : streams)
            coded_bound += stream_bound(entropy_list{}, stream.size());

        candidate c;
        c.header.grouping = G::id;
        c.header.streams = G::streams;
        const bytes_span coded = memory.memory(scratch::purpose::coded, coded_bound);
        // Stored streams are copied once, from the planes to their place.
        std::array<bytes_view, G::streams> parts;
        std::size_t written = 0;
        for (std::size_t s = 0; s < G::streams; ++s) {
            const stream_entry entry = encode_stream(streams[s], coded.subspan(written), info, raw.size(),
                                                     only_for_repeats<G>(info.type), memory);
            c.header.entries[s] = entry;
            c.cost += selector::cost(entry.entropy, entry.coded_bytes, streams[s].size());
            parts[s] = streams[s];
            if (entry.entropy == entropy::stored::id) continue;
            parts[s] = coded.subspan(written, entry.coded_bytes);
            written += entry.coded_bytes;
        }
        c.cost += price<G>(info.type, c.cost);
        keep_if_better(c, parts, out, best);
    }

    static void keep_if_better(candidate& c, std::span<const bytes_view> parts, bytes_span out, candidate& best) {
        std::array<std::uint8_t, block_header::max_stored_bytes> front;
        const std::size_t front_bytes = c.header.store(front.data());
        c.bytes = front_bytes;
        for (const bytes_view part : parts)
            c.bytes += part.size();
        c.cost += front_bytes;
        const bool wins = c.cost < best.cost || (c.cost == best.cost && c.header.grouping < best.header.grouping);
        if (!wins || c.bytes > out.size()) return;
        std::copy_n(front.begin(), front_bytes, out.begin());
        auto to = out.begin() + static_cast<std::ptrdiff_t>(front_bytes);
        for (const bytes_view part : parts)
            to = std::copy(part.begin(), part.end(), to);
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

    template <class... Es>
    static constexpr bool any_without_estimate(one_of<Es...>) noexcept {
        return (!estimates<Es> || ...);
    }
    static constexpr bool has_full_trials = any_without_estimate(entropy_list{});

    /// Bytes of a block that has_repeats() may look at.
    static constexpr std::size_t probe_bytes = [] {
        if constexpr (requires { Policies::probe_bytes; })
            return std::size_t{Policies::probe_bytes};
        else
            return std::size_t{16384};
    }();

    /// Policies for which size is all may have the second best estimate encoded as well, when it is close.
    static constexpr bool tries_second = [] {
        if constexpr (requires { Policies::tries_second; })
            return bool{Policies::tries_second};
        else
            return false;
    }();

    /// Policies that would rather be fast may count only a part of each stream.
    static constexpr std::size_t counted_part = [] {
        if constexpr (requires { Policies::counted_part; })
            return std::size_t{Policies::counted_part};
        else
            return std::size_t{1};
    }();

    struct choice {
        wire_id id = entropy::stored::id;
        std::size_t cost = 0;
        constexpr bool loses_to(wire_id other_id, std::size_t other_cost) const noexcept {
            return other_cost < cost || (other_cost == cost && other_id < id);
        }
    };

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

    /// Codes one stream at the front of `out`, where nothing is written if it is best stored. Estimates choose one
    /// policy, which runs once; policies without an estimate are tried against it.
    static stream_entry encode_stream(bytes_view stream, bytes_span out, const block_info& info,
                                      std::size_t block_bytes, bool repeats, scratch& memory) {
        const std::size_t n = stream.size();
        stream_entry entry{entropy::stored::id, n, n};
        if (n != 0 && !noise_is_dearer(stream, memory)) {
            const stream_statistics statistics = sampled_statistics_of<counted_part>(stream, memory.kernels());
            // Rows mean something to a stream that has one symbol for each element.
            const bool by_element =
                info.row_elems != 0 && std::uint64_t{n} * info.type.bits == std::uint64_t{block_bytes} * 8;
            encode_context context{statistics, memory.kernels(), memory};
            context.probe_bytes = probe_bytes;
            context.repeats = repeats;
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
