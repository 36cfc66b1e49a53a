// SPDX-License-Identifier: BSL-1.0
// Tensors that are several others one after another, such as the rows of q, k and v in one matrix: which others, told
// from samples of their first and last words.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <bigsmall/archive/base_names.hpp>
#include <bigsmall/archive/base_sample.hpp>
#include <bigsmall/archive/base_words.hpp>
#include <bigsmall/core/bytes.hpp>

namespace bigsmall::archive::detail {

/// Which of the two models has the whole, and which the pieces.
enum class chain_direction : std::uint8_t {
    fused, ///< the target has the whole
    split, ///< the base has it
};

struct chain_link {
    std::size_t piece = 0;   ///< number of a tensor
    std::uint64_t place = 0; ///< where it begins in the whole, in words
};

/// Tensors of these can lie in one another: one float type can be converted into another, and rows have one length. (Of
/// several dimensions, the last counts: experts of two dimensions make a tensor of three.)
inline std::pair<std::uint64_t, std::string_view> chain_kind_of(const model_tensor& tensor) noexcept {
    const bool convertible = conversion_between(tensor.dtype_name, "F32").has_value();
    return {tensor.shape.size() < 2 ? 0 : tensor.shape.back(),
            convertible ? std::string_view("float") : std::string_view(tensor.dtype_name)};
}

class chain_finder {
public:
    /// `pieces`: numbers of the tensors that may be pieces, whose samples are taken. `wholes`: how many tensors find()
    /// will be asked for.
    chain_finder(const model_pair& models, chain_direction direction, const std::vector<std::size_t>& pieces,
                 std::size_t wholes)
        : direction_(direction),
          whole_(direction == chain_direction::fused ? models.target : models.base),
          pieces_(direction == chain_direction::fused ? models.base : models.target),
          most_compared_(most_pairs / std::max<std::size_t>(wholes, 1) + least_compared) {
        for (const std::size_t piece : pieces) {
            if (!can_be_piece(pieces_.tensor(piece))) continue;
            by_kind_[chain_kind_of(pieces_.tensor(piece))].push_back(piece);
            signatures_.emplace(piece, signature_of(word_format_of(pieces_.tensor(piece).type), head_of(piece)));
        }
    }

    /// The tensors that a whole begins with, one after another as far as they are found. Any thread may call.
    /// Throws: as reading the models does.
    std::vector<chain_link> find(std::size_t whole) const {
        std::vector<chain_link> chain;
        const model_tensor& tensor = whole_.tensor(whole);
        const auto kind = by_kind_.find(chain_kind_of(tensor));
        if (kind == by_kind_.end() || !can_be_piece(tensor)) return chain;
        step now{whole, 0, words_of(tensor), {}, {}, {}, most_compared_};
        const std::string_view layer = first_number(tensor.name);
        std::vector<std::size_t> near, far;
        for (const std::size_t piece : kind->second)
            (first_number(pieces_.tensor(piece).name) == layer ? near : far).push_back(piece);
        while (now.left > 0 && chain.size() < most_links) {
            now.head = whole_words(whole, now.place, std::min(now.left, stretch_words));
            now.signature = signature_of(word_format_of(tensor.type), now.head);
            auto piece = nearest_of(now, near);
            if (!piece) piece = nearest_of(now, far);
            if (!piece) break;
            now.used.insert(*piece);
            chain.push_back({*piece, now.place});
            now.place += words_of(pieces_.tensor(*piece));
            now.left -= words_of(pieces_.tensor(*piece));
        }
        return chain;
    }

private:
    static constexpr std::size_t most_pairs = std::size_t{1} << 25, least_compared = 4096;
    static constexpr std::size_t most_links = 4096, most_looked_at = 4;

    /// The next place in a whole.
    struct step {
        std::size_t whole = 0;
        std::uint64_t place = 0, left = 0; // words
        byte_buffer head;                  // the words there
        word_signature signature;          // of them
        std::unordered_set<std::size_t> used;
        std::size_t budget = 0; // comparisons that there is time for
    };
    using score = std::tuple<double, bool, std::size_t, std::size_t>; // the least is best; the last is the piece

    /// Shorter ones are found everywhere.
    static bool can_be_piece(const model_tensor& tensor) {
        return !tensor.shape.empty() && tensor.type.bits >= 8 && words_of(tensor) >= 8;
    }

    /// The piece that is most like the whole at that place, when it is nearer than chance.
    std::optional<std::size_t> nearest_of(step& now, const std::vector<std::size_t>& some) const {
        std::vector<score> nearest;
        for (const std::size_t piece : some) {
            if (now.budget == 0) break;
            --now.budget;
            if (!fits(now, piece) || !now.signature.resembles(signatures_.at(piece))) continue;
            const relation head = compare(now, piece, now.head, head_of(piece));
            const score its{head.changed_bits, now.used.contains(piece), ~likeness(now, piece), piece};
            if (nearest.size() == most_looked_at && !(its < nearest.back())) continue;
            nearest.insert(std::upper_bound(nearest.begin(), nearest.end(), its), its);
            if (nearest.size() > most_looked_at) nearest.pop_back();
        }
        std::optional<score> best;
        for (score& its : nearest) {
            const relation ends = compare_ends(now, std::get<3>(its));
            std::get<0>(its) = ends.changed_bits;
            if (ends.related() && (!best || its < *best)) best = its;
        }
        return best ? std::optional(std::get<3>(*best)) : std::nullopt;
    }

    bool fits(const step& now, std::size_t piece) const {
        const std::uint64_t words = words_of(pieces_.tensor(piece));
        return words < now.left || (words == now.left && now.place > 0);
    }

    std::size_t likeness(const step& now, std::size_t piece) const {
        return name_likeness(whole_.tensor(now.whole).name, pieces_.tensor(piece).name);
    }

    /// Compares the first and the last words of a piece with the whole.
    relation compare_ends(const step& now, std::size_t piece) const {
        const std::uint64_t words = words_of(pieces_.tensor(piece)), tail = std::min(words, stretch_words);
        const bytes_view head = head_of(piece), sample = pieces_.of(piece);
        const std::size_t tail_bytes = static_cast<std::size_t>(tail) * word_bytes(pieces_, piece);
        byte_buffer its(head.begin(), head.end());
        its.insert(its.end(), sample.end() - static_cast<std::ptrdiff_t>(tail_bytes), sample.end());
        byte_buffer there(now.head.begin(),
                          now.head.begin() + static_cast<std::ptrdiff_t>(head.size() / word_bytes(pieces_, piece) *
                                                                         word_bytes(whole_, now.whole)));
        const byte_buffer last = whole_words(now.whole, now.place + words - tail, tail);
        there.insert(there.end(), last.begin(), last.end());
        return compare(now, piece, there, its);
    }

    /// Compares words of the whole with words of a piece, as many of them as both are.
    relation compare(const step& now, std::size_t piece, bytes_view there, bytes_view its) const {
        const bool fused = direction_ == chain_direction::fused;
        const model_tensor &whole = whole_.tensor(now.whole), &part = pieces_.tensor(piece);
        const model_tensor &target = fused ? whole : part, &base = fused ? part : whole;
        const auto conversion = conversion_to(target, base);
        if (!conversion) return {1, 1e9, 0};
        const bytes_view of_target = fused ? there : its, of_base = fused ? its : there;
        const word_format format = word_format_of(target.type);
        if (*conversion == io::base_conversion::none) return relation_of(format, of_target, of_base);
        return relation_of(format, of_target, converted(*conversion, of_base));
    }

    bytes_view head_of(std::size_t piece) const {
        const bytes_view sample = pieces_.of(piece);
        return sample.first(
            std::min(sample.size(), static_cast<std::size_t>(stretch_words) * word_bytes(pieces_, piece)));
    }

    static std::size_t word_bytes(const tensor_samples& side, std::size_t number) {
        return word_format_of(side.tensor(number).type).bytes;
    }

    byte_buffer whole_words(std::size_t whole, std::uint64_t place, std::uint64_t count) const {
        const std::size_t width = word_bytes(whole_, whole);
        byte_buffer words(static_cast<std::size_t>(count) * width);
        whole_.model().read(whole, place * width, words);
        return words;
    }

    chain_direction direction_;
    const tensor_samples &whole_, &pieces_;
    std::size_t most_compared_;
    std::unordered_map<std::size_t, word_signature> signatures_; // of the first words of pieces
    std::map<std::pair<std::uint64_t, std::string_view>, std::vector<std::size_t>> by_kind_;
};

} // namespace bigsmall::archive::detail
