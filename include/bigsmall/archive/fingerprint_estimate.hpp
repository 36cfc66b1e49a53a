// SPDX-License-Identifier: BSL-1.0
// About how large a patch between two models would be, by their fingerprints. docs/format/fingerprints.md says how it
// is reckoned and how near it comes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include <bigsmall/archive/fingerprint.hpp>
#include <bigsmall/archive/fingerprint_match.hpp>
#include <bigsmall/archive/fingerprint_sample.hpp>
#include <bigsmall/archive/fingerprint_words.hpp>

namespace bigsmall::archive {

/// All shares are of the bytes of the target's tensors, 0 to 1.
struct base_estimate {
    double share = 1;   ///< the patch
    double alone = 1;   ///< compressed without a base
    double matched = 0; ///< those that have a counterpart in the base
    std::uint64_t compared_words = 0;
    std::uint64_t changed_words = 0; ///< of the compared ones
    double changed_bits = 0;         ///< mean width of the differences of those that changed
};

namespace detail {

/// Shares of tensors that were compared, and what they say of those that were not: tensors of one role are alike.
class known_shares {
public:
    void add(std::uint32_t role, std::uint64_t bytes, double share) {
        add_to(roles_[role], bytes, share);
        add_to(all_, bytes, share);
    }
    bool any() const { return all_.bytes > 0; }
    double of(std::uint32_t role) const {
        const auto at = roles_.find(role);
        const sum& found = at == roles_.end() ? all_ : at->second;
        return found.bytes > 0 ? found.coded / found.bytes : 1;
    }

private:
    struct sum {
        double bytes = 0, coded = 0;
    };
    static void add_to(sum& to, std::uint64_t bytes, double share) {
        to.bytes += static_cast<double>(bytes);
        to.coded += static_cast<double>(bytes) * share;
    }
    std::map<std::uint32_t, sum> roles_;
    sum all_;
};

/// What each role of a model costs without a base.
inline known_shares shares_alone(const model_fingerprint& target) {
    std::vector<modelled_words> models;
    symbol_counts counts;
    for (const tensor_fingerprint& tensor : target.tensors) {
        models.push_back(model_alone(words_of(target, tensor), tensor.type()));
        models.back().count(counts);
    }
    counts.close();
    known_shares shares;
    for (std::size_t i = 0; i < models.size(); ++i) {
        const tensor_fingerprint& tensor = target.tensors[i];
        if (!tensor.sampled()) continue;
        shares.add(tensor.role, tensor.bytes, std::min(models[i].bits(counts) / tensor.type().bits(), 1.0));
    }
    return shares;
}

class base_estimator {
public:
    base_estimator(const model_fingerprint& target, const known_shares& alone, const model_fingerprint& base)
        : target_(target), alone_(alone), base_(base), pairing_(target, base) {
        model_changes_of_all();
        know_shares();
    }

    base_estimate result() {
        double alone = 0, coded = 0, matched = 0;
        for (std::size_t i = 0; i < target_.tensors.size(); ++i) {
            const auto bytes = static_cast<double>(target_.tensors[i].bytes);
            const double without = alone_.of(target_.tensors[i].role);
            const double part = matched_part(i);
            alone += bytes * without;
            matched += bytes * part;
            coded += bytes * (part * share_with_base(i, without) + (1 - part) * without);
        }
        const auto all = static_cast<double>(target_.bytes);
        if (target_.bytes > 0) {
            result_.alone = alone / all;
            result_.share = coded / all;
            result_.matched = matched / all;
        }
        return result_;
    }

private:
    void model_changes_of_all() {
        changes_.resize(target_.tensors.size());
        for (std::size_t i = 0; i < target_.tensors.size(); ++i) {
            if (pairing_[i] == no_partner) continue;
            const tensor_fingerprint& tensor = target_.tensors[i];
            const auto pairs = pairs_of(target_, tensor, base_, base_.tensors[pairing_[i]]);
            changes_[i] = model_changes(pairs, tensor.type());
            changes_[i].count(counts_);
            count_changes(pairs, tensor.type());
        }
        counts_.close();
        if (result_.changed_words > 0) result_.changed_bits /= static_cast<double>(result_.changed_words);
    }

    void count_changes(const std::vector<word_pair>& pairs, word_type type) {
        result_.compared_words += pairs.size();
        for (const word_pair& pair : pairs) {
            if (pair.word == pair.base) continue;
            ++result_.changed_words;
            result_.changed_bits += width_of(difference_of(pair.word, pair.base, type));
        }
    }

    void know_shares() {
        shares_.assign(changes_.size(), 0);
        for (std::size_t i = 0; i < changes_.size(); ++i) {
            if (!compared(i)) continue;
            const tensor_fingerprint& tensor = target_.tensors[i];
            shares_[i] = changes_[i].bits(counts_) / tensor.type().bits();
            with_base_.add(tensor.role, tensor.bytes, shares_[i]);
        }
    }

    bool compared(std::size_t tensor) const { return changes_[tensor].words > 0; }

    /// How much of the tensor has a counterpart: less than all where the base has fewer rows. A tensor that only has
    /// the shape of another counts when the words say so, too.
    double matched_part(std::size_t i) const {
        if (pairing_[i] == no_partner) return 0;
        const tensor_fingerprint &tensor = target_.tensors[i], &partner = base_.tensors[pairing_[i]];
        if (!pairing_.same_name(i)) {
            if (!compared(i) || shares_[i] > 0.9 * alone_.of(tensor.role)) return 0;
        }
        if (tensor.dtype != partner.dtype || tensor.bytes <= partner.bytes) return 1;
        return static_cast<double>(partner.bytes) / static_cast<double>(tensor.bytes);
    }

    double share_with_base(std::size_t i, double without) const {
        if (pairing_[i] == no_partner || !with_base_.any()) return without;
        return std::min(compared(i) ? shares_[i] : with_base_.of(target_.tensors[i].role), without);
    }

    const model_fingerprint& target_;
    const known_shares& alone_;
    const model_fingerprint& base_;
    tensor_pairing pairing_;
    std::vector<modelled_words> changes_; // of each tensor
    std::vector<double> shares_;          // what they cost
    symbol_counts counts_;
    known_shares with_base_;
    base_estimate result_;
};

} // namespace detail

/// Estimates patches that make one model out of others. Const member functions: any thread.
class patch_estimator {
public:
    explicit patch_estimator(model_fingerprint target)
        : target_(std::move(target)), alone_(detail::shares_alone(target_)) {}

    const model_fingerprint& target() const noexcept { return target_; }

    base_estimate estimate(const model_fingerprint& base) const {
        return detail::base_estimator(target_, alone_, base).result();
    }

private:
    model_fingerprint target_;
    detail::known_shares alone_;
};

} // namespace bigsmall::archive
