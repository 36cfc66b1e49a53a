// SPDX-License-Identifier: BSL-1.0
// The codec: one block in, one coded block out, under policies chosen at compile time.
#pragma once

#include <algorithm>
#include <array>
#include <span>
#include <type_traits>

#include <bigsmall/codec/block.hpp>
#include <bigsmall/codec/block_info.hpp>
#include <bigsmall/codec/default_policies.hpp>
#include <bigsmall/codec/grouping_choice.hpp>
#include <bigsmall/codec/policy_set.hpp>
#include <bigsmall/codec/scratch.hpp>
#include <bigsmall/codec/stream_coder.hpp>

namespace bigsmall {

/// `Policies` names three types: `grouping` and `entropy` (each a policy or a one_of list) and `selector`.
/// Same bytes for any kernel table and any thread.
template <class Policies>
struct basic_codec {
    using grouping_list = detail::as_list_t<typename Policies::grouping>;
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
        const finalists chosen = choice::choose(info, raw, memory);
        const bool repeats = has_repeats(grouping_list{}, chosen, info, raw, out, memory); // `out` is still free
        try_chosen(grouping_list{}, chosen, info, raw, out, memory, best);
        if (repeats) try_for_repeats(grouping_list{}, info, raw, out, memory, best);
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
    using choice = detail::grouping_choice<Policies>;
    using finalists = typename choice::finalists;
    using streams_of = detail::stream_coder<Policies>;

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

    /// Whether to look for repeats: where words come again at any distance; and where they do nearby, if an LZ policy
    /// is seen to win on a piece of the block. A grouping that knows why they come again has no need of that.
    template <class... Groupings>
    static bool has_repeats(one_of<Groupings...> list, const finalists& chosen, const block_info& info, bytes_view raw,
                            bytes_span out, scratch& memory) {
        if (!streams_of::has_full_trials || !(choice::template only_for_repeats<Groupings>(info.type) || ...))
            return false;
        const std::size_t width =
            info.type.bits == 16 || info.type.bits == 32 || info.type.bits == 64 ? info.type.bits / 8u : 1;
        const std::uint64_t signs = info.type.kind == number_kind::floating ? top_bits_of_words(width) : 0;
        if (repeats_in_256(raw, streams_of::probe_bytes, width, ~signs) >= 8) return true;
        if (((Groupings::id == chosen.first && explains_repeats<Groupings>) || ...)) return false;
        if (near_repeats_in_256(raw, width, static_cast<std::uint32_t>(~signs)) < 8) return false;
        constexpr std::size_t piece_bytes = 64 * KiB;
        if (raw.size() < 2 * piece_bytes) return true;
        const bytes_view piece = raw.subspan((raw.size() - piece_bytes) / 2 / 64 * 64, piece_bytes);
        candidate plain = stored_whole(piece.size()), repeats = plain;
        try_chosen(list, chosen, info.type, piece, out, memory, plain);
        try_for_repeats(list, info.type, piece, out, memory, repeats);
        // The whole block has more to find, and pays for its tables once.
        return repeats.cost - repeats.cost / 8 < plain.cost;
    }

    template <class G>
    static constexpr bool keeps_bytes = requires {
        requires G::keeps_bytes;
    };

    template <class G>
    static constexpr bool explains_repeats = requires {
        requires G::explains_repeats;
    };

    template <class... Groupings>
    static void try_chosen(one_of<Groupings...>, const finalists& chosen, const block_info& info, bytes_view raw,
                           bytes_span out, scratch& memory, candidate& best) {
        const auto attempt = [&]<class G>(std::type_identity<G>) {
            static_assert(detail::require_grouping_policy<G>());
            if (G::id == chosen.first || G::id == chosen.second)
                try_grouping<G>(info, raw, out, memory, best, detail::trial_for::size);
        };
        (attempt(std::type_identity<Groupings>{}), ...);
    }

    template <class... Groupings>
    static void try_for_repeats(one_of<Groupings...>, const block_info& info, bytes_view raw, bytes_span out,
                                scratch& memory, candidate& best) {
        const auto attempt = [&]<class G>(std::type_identity<G>) {
            const bool helps = choice::template only_for_repeats<G>(info.type) || keeps_bytes<G>;
            if (helps && G::applies(info.type, raw))
                try_grouping<G>(info, raw, out, memory, best, detail::trial_for::repeats);
        };
        (attempt(std::type_identity<Groupings>{}), ...);
    }

    template <class G>
    static void try_grouping(const block_info& info, bytes_view raw, bytes_span out, scratch& memory, candidate& best,
                             detail::trial_for why) {
        std::array<bytes_span, G::streams> streams;
        choice::template split_into_planes<G>(raw, streams, memory);
        std::size_t coded_bound = 0;
        for (const bytes_span stream : streams)
            coded_bound += streams_of::bound(stream.size());

        candidate c;
        c.header.grouping = G::id;
        c.header.streams = G::streams;
        const bytes_span coded = memory.memory(scratch::purpose::coded, coded_bound);
        // Stored streams are copied once, from the planes to their place.
        std::array<bytes_view, G::streams> parts;
        std::size_t written = 0;
        for (std::size_t s = 0; s < G::streams; ++s) {
            const stream_entry entry =
                streams_of::encode(streams[s], coded.subspan(written), info, raw.size(), why, memory);
            c.header.entries[s] = entry;
            c.cost += selector::cost(entry.entropy, entry.coded_bytes, streams[s].size());
            parts[s] = streams[s];
            if (entry.entropy == entropy::stored::id) continue;
            parts[s] = coded.subspan(written, entry.coded_bytes);
            written += entry.coded_bytes;
        }
        c.cost += choice::template price<G>(info.type, c.cost);
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
};

} // namespace bigsmall
