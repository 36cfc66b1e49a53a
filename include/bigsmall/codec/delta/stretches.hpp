// SPDX-License-Identifier: BSL-1.0
// Runs side by side that are coded alike, taken together: kernels are called for many words at once.
#pragma once

#include <algorithm>
#include <cstddef>

#include <bigsmall/codec/delta/delta_front.hpp>
#include <bigsmall/core/bytes.hpp>

namespace bigsmall::delta {

/// Words of a block: a run whose class is sparse, or one without changes, or several of another class.
struct stretch {
    /// Runs are joined up to so many bytes: what is made of them stays in the nearest cache.
    static constexpr std::size_t joined_bytes = 1024;
    static constexpr std::size_t most_words = std::max(joined_bytes, std::size_t{1} << delta_front::most_run_log2);

    const run_class* how;      ///< null: words of the base
    std::size_t first_symbols; ///< the first of its symbol classes
    std::size_t first, count;  ///< words

    bool is_sparse() const noexcept { return how != nullptr && how->sparse; }
};

/// Calls work(stretch) from the first word to the last. `of_run` has the class of each run, known to be one of the
/// front's. The low bits of whole runs fill bytes, so those of a stretch are those of its runs.
template <class Work>
void for_each_stretch(const delta_front& front, bytes_view of_run, std::size_t words, const Work& work) {
    static_assert(delta_front::least_run_log2 >= 3);
    const std::size_t most_runs =
        std::max<std::size_t>(stretch::joined_bytes >> (front.form.width_log2 + front.run_log2), 1);
    for (std::size_t run = 0; run < of_run.size();) {
        const std::uint8_t number = of_run[run];
        stretch next{nullptr, 0, run << front.run_log2, 0};
        if (number != 0) {
            next.how = &front.classes[number - 1u];
            next.first_symbols = front.first_symbol_class(number - 1u);
        }
        const bool alone = next.how == nullptr || next.is_sparse();
        const std::size_t last = alone ? run + 1 : std::min(run + most_runs, of_run.size());
        do
            ++run;
        while (run < last && of_run[run] == number);
        next.count = std::min(run << front.run_log2, words) - next.first;
        work(next);
    }
}

} // namespace bigsmall::delta
