// SPDX-License-Identifier: BSL-1.0
// The base of a tensor among those of the same name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include <bigsmall/archive/base_rows.hpp>
#include <bigsmall/archive/base_sample.hpp>
#include <bigsmall/archive/tensor_match.hpp>

namespace bigsmall::archive::detail {

/// A base for a tensor, and what samples say of it.
struct candidate_match {
    tensor_match match;
    relation samples;
};

/// Candidates that have as many words as the tensor.
class whole_by_name {
public:
    whole_by_name(const model_pair& models, std::size_t target) : models_(models), target_(target) {}

    void consider(std::size_t base) {
        const model_tensor &ours = tensor(), &theirs = models_.base.tensor(base);
        const auto conversion = conversion_to(ours, theirs);
        if (!conversion || words_of(ours) != words_of(theirs)) return;
        if (*conversion == io::base_conversion::none && ours.bytes != theirs.bytes) return;
        const option now{base, *conversion, whole_relation(models_, target_, base, *conversion)};
        // What must be rounded first is worth that only when it is near.
        if (*conversion != io::base_conversion::none && !now.samples.related()) return;
        if (!found_ || is_better(now, best_)) best_ = now;
        found_ = true;
    }

    std::optional<candidate_match> best() const {
        if (!found_) return std::nullopt;
        const bool same_shape = tensor().shape == models_.base.tensor(best_.base).shape;
        const match_kind kind = best_.conversion != io::base_conversion::none ? match_kind::converted
                                : same_shape                                   ? match_kind::same
                                                                               : match_kind::reshaped;
        io::base_image image = whole_image(best_.base, tensor().bytes, best_.conversion);
        return candidate_match{{target_, kind, std::move(image), best_.samples.changed_bits}, best_.samples};
    }

private:
    struct option {
        std::size_t base = 0;
        io::base_conversion conversion = io::base_conversion::none;
        relation samples;
    };

    const model_tensor& tensor() const { return models_.target.tensor(target_); }

    /// Among those that look alike, the one with the same bytes; of equal ones, that in the file of the same name.
    bool is_better(const option& a, const option& b) const {
        if (a.samples.changed_bits != b.samples.changed_bits) return a.samples.changed_bits < b.samples.changed_bits;
        if (a.conversion != b.conversion) return a.conversion == io::base_conversion::none;
        if (a.samples.equal() && a.conversion == io::base_conversion::none) {
            const bool a_equal = has_same_bytes(a.base), b_equal = has_same_bytes(b.base);
            if (a_equal != b_equal) return a_equal;
        }
        return has_same_file(a.base) && !has_same_file(b.base);
    }

    bool has_same_bytes(std::size_t base) const {
        return models_.base.model().md5(base) == models_.target.model().md5(target_);
    }
    bool has_same_file(std::size_t base) const {
        const model_reader &ours = models_.target.model(), &theirs = models_.base.model();
        return theirs.files()[theirs.tensors()[base].file].name == ours.files()[tensor().file].name;
    }

    const model_pair& models_;
    std::size_t target_;
    option best_;
    bool found_ = false; // not an optional: GCC 12 sees ghosts in it
};

/// A base of other rows. Throws: as reading the models does.
inline std::optional<candidate_match> match_rows(const model_pair& models, std::size_t target, std::size_t base) {
    auto image = row_aligner(models, target, base).find();
    if (!image) return std::nullopt;
    const relation samples = image_relation(models, target, *image);
    return candidate_match{{target, match_kind::resized, std::move(*image), samples.changed_bits}, samples};
}

/// `named`: the tensors of the base that have the name of the target tensor. Throws: as reading the models does.
inline std::optional<candidate_match> match_by_name(const model_pair& models, std::size_t target,
                                                    const std::vector<std::size_t>& named) {
    whole_by_name whole(models, target);
    for (const std::size_t base : named)
        whole.consider(base);
    if (auto found = whole.best()) return found;
    for (const std::size_t base : named)
        if (auto found = match_rows(models, target, base)) return found;
    return std::nullopt;
}

} // namespace bigsmall::archive::detail
