// SPDX-License-Identifier: BSL-1.0
// Finds for each tensor of a model which bytes of a base model it is likely to be near to: by name, and by what samples
// of the bytes say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include <bigsmall/archive/base_by_name.hpp>
#include <bigsmall/archive/base_chain.hpp>
#include <bigsmall/archive/base_guess.hpp>
#include <bigsmall/archive/base_names.hpp>
#include <bigsmall/archive/base_sample.hpp>
#include <bigsmall/archive/model_reader.hpp>
#include <bigsmall/archive/options.hpp>
#include <bigsmall/archive/tensor_match.hpp>
#include <bigsmall/parallel/executor.hpp>

namespace bigsmall::archive {

namespace detail {

class base_matcher {
public:
    base_matcher(const model_reader& target, const model_reader& base, const run_options& options)
        : models_(target, base), options_(options), found_(target.tensors().size()) {}

    template <parallel::executor E>
    std::vector<tensor_match> run(E& e) {
        match_names(e);
        match_strangers(e);
        match_fused(e);
        match_split(e);
        // Last: a piece of a whole looks as if the whole had more rows.
        match_resized(e);
        std::vector<tensor_match> matches;
        for (std::optional<candidate_match>& found : found_)
            if (found) matches.push_back(std::move(found->match));
        return matches;
    }

private:
    template <parallel::executor E>
    void match_names(E& e) {
        const std::vector<model_tensor>& theirs = models_.base.model().tensors();
        std::map<std::string_view, std::vector<std::size_t>> by_name;
        for (std::size_t b = 0; b < theirs.size(); ++b)
            if (theirs[b].bytes > 0) by_name[theirs[b].name].push_back(b);
        e.for_each(found_.size(), [&](std::size_t t) {
            check_cancelled(options_);
            const model_tensor& tensor = models_.target.tensor(t);
            const auto named = by_name.find(tensor.name);
            if (tensor.bytes > 0 && named != by_name.end()) found_[t] = match_by_name(models_, t, named->second);
        });
    }

    const model_tensor& target(std::size_t t) const { return models_.target.tensor(t); }

    /// Tensors without a base, or with one of their name that is no nearer than chance.
    std::vector<std::size_t> doubtful_targets() const {
        std::vector<std::size_t> some;
        for (std::size_t t = 0; t < found_.size(); ++t)
            if (target(t).bytes > 0 && (!found_[t] || !found_[t]->samples.related())) some.push_back(t);
        return some;
    }

    std::vector<std::size_t> unmatched_targets() const {
        std::vector<std::size_t> some;
        for (std::size_t t = 0; t < found_.size(); ++t)
            if (target(t).bytes > 0 && !found_[t]) some.push_back(t);
        return some;
    }

    std::vector<std::size_t> all_bases() const {
        std::vector<std::size_t> all;
        for (std::size_t b = 0; b < models_.base.model().tensors().size(); ++b)
            if (models_.base.tensor(b).bytes > 0) all.push_back(b);
        return all;
    }

    std::vector<std::size_t> unused_bases() const {
        std::set<std::uint32_t> used;
        for (const std::optional<candidate_match>& found : found_)
            if (found)
                for (const io::base_part& part : found->match.image.parts)
                    used.insert(part.tensor);
        std::vector<std::size_t> some;
        for (const std::size_t b : all_bases())
            if (!used.contains(static_cast<std::uint32_t>(b))) some.push_back(b);
        return some;
    }

    /// A guess takes the place of a base of the same name only when it is much nearer.
    void keep(std::size_t t, candidate_match guess) {
        if (!found_[t] ||
            (!found_[t]->samples.related() && guess.samples.changed_bits <= found_[t]->samples.changed_bits / 2))
            found_[t] = std::move(guess);
    }

    template <parallel::executor E>
    void match_strangers(E& e) {
        using tensor_kind = std::pair<std::uint64_t, std::string_view>;
        std::map<tensor_kind, std::pair<std::vector<std::size_t>, std::vector<std::size_t>>> kinds; // targets, bases
        for (const std::size_t t : doubtful_targets())
            kinds[kind_of(target(t))].first.push_back(t);
        for (const std::size_t b : all_bases())
            if (const auto at = kinds.find(kind_of(models_.base.tensor(b))); at != kinds.end())
                at->second.second.push_back(b);
        for (const auto& [kind, both] : kinds) {
            const auto& [targets, bases] = both;
            if (bases.empty()) continue;
            e.for_each(bases.size(), [&, &some = bases](std::size_t i) { models_.base.of(some[i]); });
            const strangers all(models_, bases, targets.size());
            e.for_each(targets.size(), [&, &some = targets](std::size_t i) {
                check_cancelled(options_);
                if (auto guess = all.find(some[i])) keep(some[i], std::move(*guess));
            });
        }
    }

    /// Those that were renamed and have other rows.
    template <parallel::executor E>
    void match_resized(E& e) {
        const std::vector<std::size_t> targets = unmatched_targets();
        if (targets.empty()) return;
        suffix_index names;
        for (const std::size_t b : all_bases())
            names.add(models_.base.tensor(b).name, b);
        names.sort();
        e.for_each(targets.size(), [&](std::size_t i) {
            check_cancelled(options_);
            const std::size_t t = targets[i];
            names.find(target(t).name, [&](std::size_t b) {
                found_[t] = match_rows(models_, t, b);
                return found_[t].has_value();
            });
        });
    }

    template <parallel::executor E>
    void match_fused(E& e) {
        const std::vector<std::size_t> targets = unmatched_targets();
        if (targets.empty()) return;
        const std::vector<std::size_t> bases = all_bases();
        e.for_each(bases.size(), [&](std::size_t i) { models_.base.of(bases[i]); });
        const chain_finder finder(models_, chain_direction::fused, bases, targets.size());
        e.for_each(targets.size(), [&](std::size_t i) {
            check_cancelled(options_);
            found_[targets[i]] = fused_match(targets[i], finder.find(targets[i]));
        });
    }

    std::optional<candidate_match> fused_match(std::size_t t, const std::vector<chain_link>& chain) const {
        if (chain.size() < 2) return std::nullopt;
        const model_tensor& last = models_.base.tensor(chain.back().piece);
        if (chain.back().place + words_of(last) != words_of(target(t))) return std::nullopt;
        const std::size_t width = word_format_of(target(t).type).bytes;
        // All pieces of a chain have one type when they are converted: an image has one conversion.
        io::base_image image{conversion_to(target(t), last).value_or(io::base_conversion::none), {}};
        for (const chain_link& link : chain) {
            const model_tensor& piece = models_.base.tensor(link.piece);
            if (piece.dtype_name != last.dtype_name) return std::nullopt;
            image.parts.push_back({static_cast<std::uint32_t>(link.piece), 0, words_of(piece) * width});
        }
        const relation samples = image_relation(models_, t, image);
        if (!samples.related()) return std::nullopt;
        return candidate_match{{t, match_kind::fused, std::move(image), samples.changed_bits}, samples};
    }

    template <parallel::executor E>
    void match_split(E& e) {
        const std::vector<std::size_t> targets = doubtful_targets();
        if (targets.empty()) return;
        const std::vector<std::size_t> bases = unused_bases();
        const chain_finder finder(models_, chain_direction::split, targets, bases.size());
        std::vector<std::vector<chain_link>> chains(bases.size());
        e.for_each(bases.size(), [&](std::size_t i) {
            check_cancelled(options_);
            chains[i] = finder.find(bases[i]);
        });
        for (std::size_t i = 0; i < bases.size(); ++i)
            for (const chain_link& link : chains[i])
                keep_split(bases[i], link);
    }

    void keep_split(std::size_t base, const chain_link& link) {
        const model_tensor& tensor = target(link.piece);
        const auto conversion = conversion_to(tensor, models_.base.tensor(base));
        if (!conversion) return;
        const std::size_t width = word_format_of(tensor.type).bytes;
        io::base_image image{*conversion, {{static_cast<std::uint32_t>(base), link.place * width, tensor.bytes}}};
        const relation samples = image_relation(models_, link.piece, image);
        if (!samples.related()) return;
        keep(link.piece, {{link.piece, match_kind::split, std::move(image), samples.changed_bits}, samples});
    }

    model_pair models_;
    const run_options& options_;
    std::vector<std::optional<candidate_match>> found_; // of each target tensor
};

} // namespace detail

/// At most one match for each tensor of `target`, in their order; tensors without bytes have none. Samples are read of
/// both models, no whole tensors but of those whose names and samples do not tell them apart. Tensors of the same name
/// match however much they differ; all other matches must be nearer than chance. The result depends on the models only.
/// Throws: as model_reader::read(); errc::cancelled.
template <parallel::executor E>
std::vector<tensor_match> match_tensors(const model_reader& target, const model_reader& base,
                                        const run_options& options, E& e) {
    return detail::base_matcher(target, base, options).run(e);
}

} // namespace bigsmall::archive
