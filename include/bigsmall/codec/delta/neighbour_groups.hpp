// SPDX-License-Identifier: BSL-1.0
// Neighbours in an order (contexts, runs by their size of update) put together where one code does for both. Costs are
// integers, because a choice that hangs on a library's rounding would make files differ between machines.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <bigsmall/codec/statistics.hpp>

namespace bigsmall::delta {

/// Costs are in 4096ths of a bit.
inline constexpr std::uint64_t one_bit = 4096;

/// n log2 n in these units, from a table of logarithms: some thousands are needed for a block.
inline std::uint64_t n_log_n(std::uint64_t n) noexcept {
    constexpr unsigned index_bits = 11;
    static const std::array<std::uint16_t, (1u << index_bits) + 1> fractions = [] {
        std::array<std::uint16_t, (1u << index_bits) + 1> made{};
        for (std::uint32_t i = 0; i < made.size(); ++i)
            made[i] = static_cast<std::uint16_t>(log2_in_4096ths((1u << index_bits) + i) - (index_bits << 12));
        return made;
    }();
    if (n < 2) return 0;
    const auto whole = static_cast<unsigned>(std::bit_width(n)) - 1;
    const std::uint64_t mantissa = n << (63 - whole) << 1; // without the leading one
    const auto index = static_cast<std::size_t>(mantissa >> (64 - index_bits));
    const std::uint64_t between = mantissa << index_bits >> 52;
    const std::uint64_t step = std::uint64_t{fractions[index + 1]} - fractions[index];
    return n * ((std::uint64_t{whole} << 12) + fractions[index] + (step * between >> 12));
}

/// Counts of symbols, and what the symbols take under an ideal code.
inline std::uint64_t coded_cost(std::span<const std::uint32_t> counts) noexcept {
    std::uint64_t sum = 0, spent = 0;
    for (const std::uint32_t count : counts) {
        sum += count;
        spent += n_log_n(count);
    }
    const std::uint64_t all = n_log_n(sum);
    return all > spent ? all - spent : 0; // logarithms are rounded
}

/// Items in their order, each with counts of `symbols` kinds, merged to groups of neighbours.
class neighbour_groups {
public:
    struct group {
        std::size_t first = 0; ///< its first item; it ends where the next begins
        std::uint64_t weight = 0;
        std::uint64_t cost = 0;
        std::vector<std::uint32_t> counts;
    };

    /// `counts` has those of item 0, then of item 1, ... Items that are lighter than `least` join what comes after.
    neighbour_groups(std::span<const std::uint32_t> counts, std::size_t symbols, std::uint64_t least) {
        bool light = false;
        for (std::size_t item = 0; item * symbols < counts.size(); ++item) {
            const auto here = counts.subspan(item * symbols, symbols);
            std::uint64_t weight = 0;
            for (const std::uint32_t count : here)
                weight += count;
            if (weight == 0) continue;
            if (!light) groups_.push_back({groups_.empty() ? 0 : item, 0, 0, std::vector<std::uint32_t>(symbols)});
            add(groups_.back(), here, weight);
            light = groups_.back().weight < least;
        }
        if (light && groups_.size() > 1) join(groups_.size() - 2);
        for (group& each : groups_)
            each.cost = coded_cost(each.counts);
    }

    /// Joins the pair that loses least, until there are no more than `most` and each loss is above `price`, which is
    /// asked with the two groups.
    template <class Price>
    void merge(std::size_t most, const Price& price) {
        std::vector<std::uint64_t> joint(groups_.size());
        for (std::size_t i = 0; i + 1 < groups_.size(); ++i)
            joint[i] = joint_cost(i);
        while (groups_.size() > 1) {
            std::size_t best = 0;
            std::int64_t best_gain = gain(0, joint[0], price);
            for (std::size_t i = 1; i + 1 < groups_.size(); ++i)
                if (const std::int64_t here = gain(i, joint[i], price); here < best_gain) best = i, best_gain = here;
            if (groups_.size() <= most && best_gain >= 0) return;
            groups_[best].cost = joint[best];
            join(best);
            joint.erase(joint.begin() + static_cast<std::ptrdiff_t>(best));
            if (best + 1 < groups_.size()) joint[best] = joint_cost(best);
            if (best > 0) joint[best - 1] = joint_cost(best - 1);
        }
    }

    const std::vector<group>& groups() const noexcept { return groups_; }

    std::uint64_t cost() const noexcept {
        std::uint64_t sum = 0;
        for (const group& each : groups_)
            sum += each.cost;
        return sum;
    }

private:
    static void add(group& to, std::span<const std::uint32_t> counts, std::uint64_t weight) noexcept {
        for (std::size_t s = 0; s < counts.size(); ++s)
            to.counts[s] += counts[s];
        to.weight += weight;
    }

    /// Two groups become one; its cost is the caller's.
    void join(std::size_t i) {
        add(groups_[i], groups_[i + 1].counts, groups_[i + 1].weight);
        groups_.erase(groups_.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    }

    std::uint64_t joint_cost(std::size_t i) const noexcept {
        const group &a = groups_[i], &b = groups_[i + 1];
        std::uint64_t spent = 0;
        for (std::size_t s = 0; s < a.counts.size(); ++s)
            spent += n_log_n(std::uint64_t{a.counts[s]} + b.counts[s]);
        const std::uint64_t all = n_log_n(a.weight + b.weight);
        return all > spent ? all - spent : 0;
    }

    /// What it saves to keep the pair apart, after its price.
    template <class Price>
    std::int64_t gain(std::size_t i, std::uint64_t joint, const Price& price) const {
        return static_cast<std::int64_t>(joint) - static_cast<std::int64_t>(groups_[i].cost + groups_[i + 1].cost) -
               static_cast<std::int64_t>(price(groups_[i], groups_[i + 1]));
    }

    std::vector<group> groups_;
};

} // namespace bigsmall::delta
