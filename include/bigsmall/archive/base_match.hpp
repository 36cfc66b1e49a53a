// SPDX-License-Identifier: BSL-1.0
// Finds for each tensor of a model which bytes of a base model it is likely to be near to: by name, and by what samples
// of the bytes say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <bigsmall/archive/base_by_name.hpp>
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
