// SPDX-License-Identifier: BSL-1.0
// Which tensors of A became which tensors of B.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <bigsmall/archive/base_match.hpp>
#include <bigsmall/archive/diff_numbers.hpp>
#include <bigsmall/archive/diff_result.hpp>
#include <bigsmall/archive/model_reader.hpp>
#include <bigsmall/archive/options.hpp>
#include <bigsmall/archive/tensor_match.hpp>
#include <bigsmall/io/container/index.hpp>
#include <bigsmall/parallel/executor.hpp>

namespace bigsmall::archive::detail {

struct tensor_pair {
    tensor_difference difference;
    std::optional<io::base_image> image; ///< what the values are to be compared with, if they are
    bool looks_equal = false;            ///< samples of both are equal
};

class diff_pairing {
public:
    diff_pairing(const model_reader& a, const model_reader& b)
        : a_(a), b_(b), used_(a.tensors().size()), kept_name_(a.tensors().size()), found_(b.tensors().size()) {
        for (std::size_t i = 0; i < a.tensors().size(); ++i)
            by_name_[a.tensors()[i].name].push_back(i);
    }

    /// Those of B in their order, then those of A that were removed. Throws: as match_tensors() and
    /// model_reader::md5().
    template <parallel::executor E>
    std::vector<tensor_pair> run(const run_options& options, E& e) {
        pair_equal(options);
        if (std::any_of(found_.begin(), found_.end(), [](const auto& pair) { return !pair; }))
            for (tensor_match& match : match_tensors(b_, a_, options, e))
                if (!found_[match.target]) found_[match.target] = pair_of(std::move(match));
        std::vector<tensor_pair> pairs;
        for (std::size_t t = 0; t < found_.size(); ++t)
            pairs.push_back(found_[t] ? std::move(*found_[t]) : pair_of_name(t));
        for (tensor_pair& pair : pairs)
            if (pair.difference.kind == difference_kind::renamed && kept_name_[pair.difference.a.front()])
                pair.difference.kind = difference_kind::copied;
        for (std::size_t i = 0; i < used_.size(); ++i)
            if (!used_[i]) pairs.push_back({{difference_kind::removed, std::nullopt, {i}, {}}, {}});
        return pairs;
    }

private:
    bool have_same_form(std::size_t a, std::size_t b) const {
        const model_tensor &before = a_.tensors()[a], &now = b_.tensors()[b];
        return before.dtype_name == now.dtype_name && before.shape == now.shape && before.bytes == now.bytes;
    }

    /// Without a look at the values: by receipts where both have them, and what has no bytes.
    void pair_equal(const run_options& options) {
        const bool receipts = a_.is_archive() && b_.is_archive();
        for (std::size_t t = 0; t < found_.size(); ++t) {
            check_cancelled(options);
            const auto named = by_name_.find(b_.tensors()[t].name);
            if (named == by_name_.end()) continue;
            for (const std::size_t i : named->second) {
                if (used_[i] || !have_same_form(i, t)) continue;
                if (b_.tensors()[t].bytes > 0 && (!receipts || a_.md5(i) != b_.md5(t))) continue;
                found_[t] = tensor_pair{{difference_kind::equal, t, {i}, {}}, {}};
                found_[t]->difference.update.words = words_of(b_.tensors()[t]);
                used_[i] = kept_name_[i] = true;
                break;
            }
        }
    }

    tensor_pair pair_of(tensor_match match) {
        const std::size_t t = match.target;
        const bool is_copy = match.kind == match_kind::same && !take_own_twin(match);
        const difference_kind kind = is_copy ? difference_kind::copied : kind_of(match.kind);
        tensor_pair pair{{kind, t, {}, {}}, std::nullopt, match.changed_bits == 0};
        for (const io::base_part& part : match.image.parts) {
            if (part.tensor == io::no_base) continue;
            if (pair.difference.a.empty() || pair.difference.a.back() != part.tensor)
                pair.difference.a.push_back(part.tensor);
            used_[part.tensor] = true;
            if (a_.tensors()[part.tensor].name == b_.tensors()[t].name) kept_name_[part.tensor] = true;
        }
        if (match.kind == match_kind::resized) count_rows(match.image, pair.difference);
        pair.image = std::move(match.image);
        return pair;
    }

    static difference_kind kind_of(match_kind kind) noexcept {
        switch (kind) {
        case match_kind::same: return difference_kind::changed;
        case match_kind::renamed: return difference_kind::renamed;
        case match_kind::reshaped: return difference_kind::reshaped;
        case match_kind::resized: return difference_kind::resized;
        case match_kind::fused: return difference_kind::fused;
        case match_kind::split: return difference_kind::split;
        case match_kind::converted: return difference_kind::converted;
        }
        return difference_kind::changed;
    }

    /// Of several tensors of A with one name and the same bytes, each is for one of B: else one would be the base of
    /// all, and the others would look as if they were removed. False when there is none left.
    bool take_own_twin(tensor_match& match) const {
        std::uint32_t& base = match.image.parts.front().tensor;
        if (!used_[base]) return true;
        for (const std::size_t i : by_name_.at(a_.tensors()[base].name)) {
            if (used_[i] || !have_same_form(i, match.target) || a_.md5(i) != a_.md5(base)) continue;
            base = static_cast<std::uint32_t>(i);
            return true;
        }
        return false;
    }

    void count_rows(const io::base_image& image, tensor_difference& difference) const {
        const model_tensor &now = b_.tensors()[*difference.b], &before = a_.tensors()[difference.a.front()];
        const std::uint64_t row_bytes = now.bytes / now.shape.front();
        std::uint64_t kept_bytes = 0;
        for (const io::base_part& part : image.parts)
            kept_bytes += part.tensor == io::no_base ? 0 : part.bytes;
        const std::uint64_t kept_rows = kept_bytes / row_bytes;
        difference.rows_added = now.shape.front() - kept_rows;
        difference.rows_removed = before.shape.front() - std::min(before.shape.front(), kept_rows);
    }

    /// Of what no match was found for.
    tensor_pair pair_of_name(std::size_t t) {
        if (const auto named = by_name_.find(b_.tensors()[t].name); named != by_name_.end())
            for (const std::size_t i : named->second) {
                if (used_[i]) continue;
                used_[i] = true;
                return {{difference_kind::replaced, t, {i}, {}}, {}};
            }
        return {{difference_kind::added, t, {}, {}}, {}};
    }

    const model_reader &a_, &b_;
    std::map<std::string_view, std::vector<std::size_t>> by_name_; // tensors of A
    std::vector<bool> used_;                                       // of A: became something in B
    std::vector<bool> kept_name_;                                  // of A: something of the same name
    std::vector<std::optional<tensor_pair>> found_;                // of B
};

} // namespace bigsmall::archive::detail
