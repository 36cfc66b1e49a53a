// SPDX-License-Identifier: BSL-1.0
// Which tensors of two fingerprints belong together.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <bigsmall/archive/fingerprint.hpp>
#include <bigsmall/archive/fingerprint_sample.hpp>

namespace bigsmall::archive::detail {

inline constexpr std::size_t no_partner = std::numeric_limits<std::size_t>::max();

/// A word of a tensor and that of its partner, converted to the same type.
struct word_pair {
    std::uint64_t word = 0, base = 0;
};

inline std::vector<std::uint64_t> words_of(const model_fingerprint& print, const tensor_fingerprint& tensor) {
    std::vector<std::uint64_t> words;
    if (!tensor.sampled()) return words;
    const word_type type = tensor.type();
    words.resize(tensor.places().words());
    for (std::size_t i = 0; i < words.size(); ++i)
        words[i] = load_word(print.words.data() + tensor.words_at + i * type.bytes, type);
    return words;
}

/// The words that both have at the same places; none when their types cannot be compared.
inline std::vector<word_pair> pairs_of(const model_fingerprint& target, const tensor_fingerprint& tensor,
                                       const model_fingerprint& base, const tensor_fingerprint& partner) {
    const word_type type = tensor.type(), from = partner.type();
    const bool converted = type != from;
    if (!tensor.sampled() || !partner.sampled() || (converted && !(convertible(type) && convertible(from)))) return {};
    const std::uint8_t* const a = target.words.data() + tensor.words_at;
    const std::uint8_t* const b = base.words.data() + partner.words_at;
    std::vector<word_pair> pairs(common_words(tensor.places(), partner.places()));
    for (std::size_t i = 0; i < pairs.size(); ++i) {
        const std::uint64_t word = load_word(b + i * from.bytes, from);
        pairs[i] = {load_word(a + i * type.bytes, type), converted ? word_of(value_of(word, from), type) : word};
    }
    return pairs;
}

/// Which tensor of the base each tensor of the target is compared with: the one of its name, of several the nearest;
/// else one of its shape that nobody wants by name, in the order of names.
class tensor_pairing {
public:
    tensor_pairing(const model_fingerprint& target, const model_fingerprint& base) : target_(target), base_(base) {
        partners_.assign(target.tensors.size(), no_partner);
        used_.assign(base.tensors.size(), 0);
        by_name();
        by_shape();
    }

    std::size_t operator[](std::size_t tensor) const noexcept { return partners_[tensor]; }
    bool same_name(std::size_t tensor) const noexcept {
        return partners_[tensor] != no_partner && base_.tensors[partners_[tensor]].name == target_.tensors[tensor].name;
    }

private:
    /// So many alternatives are compared at most: somebody may give all tensors one name.
    static constexpr std::size_t most_alternatives = 16;
    using shape = std::tuple<std::uint8_t, std::uint64_t, std::uint64_t>;

    static shape shape_of(const tensor_fingerprint& tensor) { return {tensor.dtype, tensor.bytes, tensor.rows}; }

    static std::uint64_t row_bytes(const tensor_fingerprint& tensor) {
        return tensor.rows == 0 ? 0 : tensor.bytes / tensor.rows;
    }

    /// Equal, more or fewer rows, or the same numbers as floats of another width.
    static bool comparable(const tensor_fingerprint& a, const tensor_fingerprint& b) {
        if (a.dtype == b.dtype) return a.bytes == b.bytes || row_bytes(a) == row_bytes(b);
        return convertible(a.type()) && convertible(b.type()) && a.bytes / a.type().bytes == b.bytes / b.type().bytes;
    }

    /// Smaller is nearer: bits per word of the differences; without words, it depends on the shapes.
    double distance(std::size_t tensor, std::size_t partner) const {
        const tensor_fingerprint &a = target_.tensors[tensor], &b = base_.tensors[partner];
        const std::vector<word_pair> pairs = pairs_of(target_, a, base_, b);
        if (pairs.empty()) return shape_of(a) == shape_of(b) ? 65 : 66;
        double bits = 0;
        for (const word_pair& pair : pairs)
            bits += width_of(difference_of(pair.word, pair.base, a.type()));
        return bits / static_cast<double>(pairs.size());
    }

    /// The nearest of some unused tensors of the base, in their order.
    template <class Next>
    void pair_with_nearest(std::size_t tensor, Next&& next) {
        double nearest = std::numeric_limits<double>::infinity();
        for (std::size_t tried = 0; tried < most_alternatives; ++tried) {
            const std::optional<std::size_t> partner = next();
            if (!partner) break;
            const double far = distance(tensor, *partner);
            if (far >= nearest) continue;
            nearest = far;
            partners_[tensor] = *partner;
        }
        if (partners_[tensor] != no_partner) used_[partners_[tensor]] = 1;
    }

    void by_name() {
        std::vector<std::pair<std::uint64_t, std::size_t>> names; // and numbers, which keep equal names in order
        names.reserve(base_.tensors.size());
        for (std::size_t b = 0; b < base_.tensors.size(); ++b)
            names.emplace_back(base_.tensors[b].name, b);
        std::sort(names.begin(), names.end());
        for (std::size_t i = 0; i < partners_.size(); ++i) {
            const tensor_fingerprint& wanted = target_.tensors[i];
            auto at = std::lower_bound(names.begin(), names.end(), std::pair(wanted.name, std::size_t{0}));
            pair_with_nearest(i, [&]() -> std::optional<std::size_t> {
                for (std::size_t looked = 0; at != names.end() && looked < 4 * most_alternatives; ++at, ++looked) {
                    if (at->first != wanted.name) return std::nullopt;
                    if (!used_[at->second] && comparable(wanted, base_.tensors[at->second])) return (at++)->second;
                }
                return std::nullopt;
            });
        }
    }

    void by_shape() {
        std::map<shape, std::vector<std::size_t>> unused;
        for (std::size_t b = base_.tensors.size(); b-- > 0;)
            if (!used_[b]) unused[shape_of(base_.tensors[b])].push_back(b); // the first last
        for (std::size_t i = 0; i < partners_.size(); ++i) {
            if (partners_[i] != no_partner || target_.tensors[i].bytes == 0) continue;
            const auto found = unused.find(shape_of(target_.tensors[i]));
            if (found == unused.end()) continue;
            std::vector<std::size_t>& same = found->second;
            std::size_t left = same.size();
            pair_with_nearest(i, [&]() -> std::optional<std::size_t> {
                return left == 0 ? std::nullopt : std::optional(same[--left]);
            });
            const auto taken = std::find(same.rbegin(), same.rend(), partners_[i]);
            if (taken != same.rend()) same.erase(std::next(taken).base());
        }
    }

    const model_fingerprint& target_;
    const model_fingerprint& base_;
    std::vector<std::size_t> partners_;
    std::vector<char> used_;
};

} // namespace bigsmall::archive::detail
