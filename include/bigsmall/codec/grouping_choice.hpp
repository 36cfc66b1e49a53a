// SPDX-License-Identifier: BSL-1.0
// Which groupings a block is encoded with in full: the cheapest by the statistics of a sample.
#pragma once

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

#include <bigsmall/codec/stream_coder.hpp>

namespace bigsmall::detail {

/// The grouping axis of `Policies`, under their selector.
template <class Policies>
struct grouping_choice {
    using grouping_list = as_list_t<typename Policies::grouping>;
    using selector = typename Policies::selector;

    static constexpr wire_id no_grouping = 0xffff;

    /// The groupings that are encoded in full, the best first; no_grouping where there is none.
    struct finalists {
        wire_id first = no_grouping, second = no_grouping;
    };

    /// The groupings with the lowest estimated costs, from a sample of the block. Estimates see no repeats: groupings
    /// that an LZ policy finds promising are tried in full by basic_codec.
    static finalists choose(const block_info& info, bytes_view raw, scratch& memory) {
        return choose_from(grouping_list{}, info, raw, memory);
    }

    template <class G>
    static void split_into_planes(bytes_view raw, std::array<bytes_span, G::streams>& streams, scratch& memory) {
        std::array<std::size_t, G::streams> sizes{};
        plan_block<G>(raw, sizes, memory);
        std::size_t planes_bytes = 0;
        for (const std::size_t size : sizes)
            planes_bytes += size;
        bytes_span planes = memory.memory(scratch::purpose::planes, planes_bytes);
        for (std::size_t s = 0; s < G::streams; ++s) {
            streams[s] = planes.first(sizes[s]);
            planes = planes.subspan(sizes[s]);
        }
        split_block<G>(raw, std::span<const bytes_span, G::streams>(streams), memory);
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
        if constexpr (requires { selector::noise_price(G::noisy_bits(type), coded_bytes); })
            return selector::noise_price(G::noisy_bits(type), coded_bytes);
        else
            return 0;
    }

    /// Whether the grouping can split the block: all that is asked of one that has no rival.
    template <class G>
    static bool accepts(const dtype& type, bytes_view raw) noexcept {
        if constexpr (requires { G::accepts(type, raw); })
            return G::accepts(type, raw);
        else
            return G::applies(type, raw);
    }

private:
    /// Policies for which size is all may have the second best estimate encoded as well, when it is close.
    static constexpr bool tries_second = [] {
        if constexpr (requires { Policies::tries_second; })
            return bool{Policies::tries_second};
        else
            return false;
    }();

    template <class... Groupings>
    static finalists choose_from(one_of<Groupings...>, const block_info& info, bytes_view raw, scratch& memory) {
        const std::array<bool, sizeof...(Groupings)> apply{
            !only_for_repeats<Groupings>(info.type) &&
            (sizeof...(Groupings) == 1 ? accepts<Groupings>(info.type, raw) : Groupings::applies(info.type, raw))...};
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
            cost += stream_coder<Policies>::estimated_cost(statistics, memory);
        }
        return cost;
    }
};

} // namespace bigsmall::detail
