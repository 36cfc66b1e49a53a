// SPDX-License-Identifier: BSL-1.0
// The base of a tensor that was renamed: among tensors of the base with as many words, the one with the nearest sample.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <bigsmall/archive/base_by_name.hpp>
#include <bigsmall/archive/base_names.hpp>
#include <bigsmall/archive/base_sample.hpp>
#include <bigsmall/archive/base_words.hpp>
#include <bigsmall/core/bytes.hpp>

namespace bigsmall::archive::detail {

/// Tensors of a base that some tensors of the target may be: all have as many words, and one dtype or floats that can
/// be converted into each other.
class strangers {
public:
    strangers(const model_pair& models, std::vector<std::size_t> bases, std::size_t targets)
        : models_(models),
          bases_(std::move(bases)),
          most_compared_(std::max(most_pairs / targets, least_compared)),
          most_glanced_at_(std::max(most_glances / targets, least_compared)) {
        for (std::size_t b = 0; b < bases_.size(); ++b) {
            by_bytes_.add(as_string_view(models_.base.of(bases_[b])), b);
            by_suffix_.add(name_of(b), b);
            signatures_.push_back(signature(models_.base, bases_[b]));
        }
        by_bytes_.sort();
        by_suffix_.sort();
    }

    /// The base of a target tensor of this kind, when there is one that is nearer than chance. Any thread may call.
    /// Throws: as reading the models does.
    std::optional<candidate_match> find(std::size_t target) const {
        best_of found(*this, target);
        consider_equal(target, found);
        if (!found.any()) consider_names(target, found);
        if (!found.any()) consider_all(target, found);
        return found.match();
    }

private:
    // So many pairs of samples are compared for all targets together: a second or two.
    static constexpr std::size_t most_pairs = std::size_t{1} << 24, least_compared = 16;
    static constexpr std::size_t most_glances = std::size_t{1} << 30; // the same of signatures
    static constexpr std::size_t most_looked_at = 4;

    std::string_view name_of(std::size_t b) const { return models_.base.tensor(bases_[b]).name; }

    /// Keeps the nearest base that is related.
    class best_of {
    public:
        best_of(const strangers& all, std::size_t target) : all_(all), target_(target) {}

        void consider(std::size_t b) {
            const model_pair& models = all_.models_;
            const model_tensor& tensor = models.target.tensor(target_);
            const auto conversion = conversion_to(tensor, models.base.tensor(all_.bases_[b]));
            if (!conversion) return;
            const relation samples = whole_relation(models, target_, all_.bases_[b], *conversion);
            if (!samples.related() || (says_little(samples) && !has_last_part_of(b))) return;
            const rank now{samples.changed_bits, *conversion != io::base_conversion::none,
                           ~name_likeness(tensor.name, all_.name_of(b)), b};
            if (samples_ && !(now < rank_)) return;
            rank_ = now;
            samples_ = samples;
            conversion_ = *conversion;
        }

        bool any() const noexcept { return samples_.has_value(); }

        std::optional<candidate_match> match() const {
            if (!samples_) return std::nullopt;
            const std::size_t base = all_.bases_[std::get<3>(rank_)];
            io::base_image image = whole_image(base, all_.models_.target.tensor(target_).bytes, conversion_);
            return candidate_match{{target_, match_kind::renamed, std::move(image), samples_->changed_bits}, *samples_};
        }

    private:
        // The smaller, the better; the number last, so that no two are equal.
        using rank = std::tuple<double, bool, std::size_t, std::size_t>;

        /// Scalars and constants are equal everywhere.
        static bool says_little(const relation& samples) { return samples.words < 8 || samples.strange_bits == 0; }
        bool has_last_part_of(std::size_t b) const {
            return last_part(all_.models_.target.tensor(target_).name) == last_part(all_.name_of(b));
        }

        const strangers& all_;
        std::size_t target_;
        rank rank_{};
        std::optional<relation> samples_;
        io::base_conversion conversion_ = io::base_conversion::none;
    };

    /// Those with the same sample.
    void consider_equal(std::size_t target, best_of& found) const {
        std::size_t left = most_compared_;
        by_bytes_.for_each_of(as_string_view(models_.target.of(target)), [&](std::size_t b) {
            if (left == 0) return;
            --left;
            found.consider(b);
        });
    }

    /// Those whose names end like the target's: as much of it as any.
    void consider_names(std::size_t target, best_of& found) const {
        by_suffix_.find(models_.target.tensor(target).name, [&](std::size_t b) {
            found.consider(b);
            return found.any();
        });
    }

    static word_signature signature(const tensor_samples& samples, std::size_t number) {
        return signature_of(word_format_of(samples.tensor(number).type), samples.of(number));
    }

    /// All, or as many as there is time for: first by signatures, then by a few words in the middle, then the nearest.
    void consider_all(std::size_t target, best_of& found) const {
        using score = std::pair<std::uint64_t, std::size_t>;
        std::vector<score> nearest;
        const std::size_t count = std::min(bases_.size(), most_glanced_at_);
        // When they are too many, those at the same place in their model.
        const std::size_t share = target * bases_.size() / models_.target.model().tensors().size();
        const std::size_t first = std::min(share - std::min(share, count / 2), bases_.size() - count);
        const word_signature wanted = signature(models_.target, target);
        std::size_t left = most_compared_;
        for (std::size_t b = first; b < first + count && left > 0; ++b) {
            if (!wanted.resembles(signatures_[b])) continue;
            --left;
            const auto bits = middle_bits(target, b);
            if (!bits) continue;
            const score now{*bits, b};
            if (nearest.size() == most_looked_at && !(now < nearest.back())) continue;
            nearest.insert(std::upper_bound(nearest.begin(), nearest.end(), now), now);
            if (nearest.size() > most_looked_at) nearest.pop_back();
        }
        for (const auto& [bits, b] : nearest)
            found.consider(b);
    }

    /// The bits by which words from the middle of both samples differ.
    std::optional<std::uint64_t> middle_bits(std::size_t target, std::size_t b) const {
        const model_tensor &ours = models_.target.tensor(target), &theirs = models_.base.tensor(bases_[b]);
        const auto conversion = conversion_to(ours, theirs);
        if (!conversion) return std::nullopt;
        const word_format format = word_format_of(ours.type);
        const bytes_view a = middle_of(models_.target.of(target), format);
        const bytes_view raw = middle_of(models_.base.of(bases_[b]), word_format_of(theirs.type));
        if (*conversion == io::base_conversion::none) return difference_bits(format, a, raw);
        return difference_bits(format, a, converted(*conversion, raw));
    }

    static bytes_view middle_of(bytes_view sample, const word_format& format) {
        const std::size_t words = sample.size() / format.bytes, count = std::min<std::size_t>(words, stretch_words);
        return sample.subspan((words - count) / 2 * format.bytes, count * format.bytes);
    }

    const model_pair& models_;
    std::vector<std::size_t> bases_;
    std::size_t most_compared_, most_glanced_at_; // for each target
    std::vector<word_signature> signatures_;      // of bases_
    hash_index by_bytes_;
    suffix_index by_suffix_;
};

/// Kinds of tensors that may have become each other by renaming, rounding included.
inline std::pair<std::uint64_t, std::string_view> kind_of(const model_tensor& tensor) noexcept {
    const bool convertible = conversion_between(tensor.dtype_name, "F32").has_value();
    return {words_of(tensor), convertible ? std::string_view("float") : std::string_view(tensor.dtype_name)};
}

} // namespace bigsmall::archive::detail
