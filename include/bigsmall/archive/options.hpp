// SPDX-License-Identifier: BSL-1.0
// What every long run of this layer can be told.
#pragma once

#include <bigsmall/io/atomic_file.hpp>
#include <bigsmall/parallel/cancel.hpp>
#include <bigsmall/parallel/progress.hpp>

namespace bigsmall::archive {

struct run_options {
    parallel::progress_listener* progress = nullptr; ///< borrowed; nobody is told when null
    const parallel::cancel_token* cancel = nullptr;  ///< borrowed; looked at once per batch
    io::if_exists existing = io::if_exists::refuse;  ///< what happens to outputs that are there already
};

namespace detail {

inline void check_cancelled(const run_options& options) {
    if (options.cancel != nullptr) options.cancel->throw_if_requested();
}

} // namespace detail

} // namespace bigsmall::archive
