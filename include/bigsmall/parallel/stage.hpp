// SPDX-License-Identifier: BSL-1.0
// The stages of a pipeline: a function over an item, and whether items must pass it one by one.
#pragma once

#include <utility>

namespace bigsmall::parallel {

enum class stage_order {
    in_order,  ///< one item at a time, in the order in which the items were produced
    any_order, ///< several items at once
};

template <stage_order Order, class F>
struct stage {
    static constexpr stage_order order = Order;
    F run;
};

/// A stage that items pass one at a time in their order; it may keep state between them.
template <class F>
constexpr auto in_order(F run) {
    return stage<stage_order::in_order, F>{std::move(run)};
}

/// A stage in which several items may be at once.
template <class F>
constexpr auto any_order(F run) {
    return stage<stage_order::any_order, F>{std::move(run)};
}

} // namespace bigsmall::parallel
