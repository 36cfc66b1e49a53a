// SPDX-License-Identifier: BSL-1.0
// Differences summed up by layer and by role.
#pragma once

#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <bigsmall/archive/diff_result.hpp>
#include <bigsmall/archive/model_reader.hpp>
#include <bigsmall/archive/names.hpp>

namespace bigsmall::archive::detail {

class difference_summary {
public:
    difference_summary(const model_reader& a, const model_reader& b) : a_(a), b_(b) {}

    void add(const tensor_difference& difference) {
        const model_reader& model = difference.b ? b_ : a_;
        const model_tensor& tensor = model.tensors()[difference.b ? *difference.b : difference.a.front()];
        const tensor_place place = place_of(tensor.name);
        // The parts of a pipeline lie in directories of their own and number their layers alone.
        const std::string_view file = model.files()[tensor.file].name;
        std::string stack;
        if (place.layer) stack = std::string(file.substr(0, file.rfind('/') + 1)) + place.stack;
        add_to(layers_[{!place.layer.has_value(), std::move(stack), place.layer.value_or(0)}], difference);
        add_to(roles_[name_of(place.role)], difference);
        add_to(total_, difference);
    }

    void finish(diff_result& result) {
        for (auto& [key, group] : layers_) {
            const auto& [none, stack, layer] = key;
            group.name = stack;
            if (!none) group.layer = layer;
            result.layers.push_back(std::move(group));
        }
        for (auto& [name, group] : roles_) {
            group.name = name;
            result.roles.push_back(std::move(group));
        }
        result.total = std::move(total_);
    }

private:
    static void add_to(difference_group& group, const tensor_difference& difference) {
        ++group.tensors;
        group.different += difference.kind == difference_kind::equal ? 0 : 1;
        group.update.add(difference.update);
    }

    const model_reader &a_, &b_;
    std::map<std::tuple<bool, std::string, std::uint32_t>, difference_group> layers_; // no layer, stack, number
    std::map<std::string, difference_group> roles_;
    difference_group total_;
};

} // namespace bigsmall::archive::detail
