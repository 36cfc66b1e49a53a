// SPDX-License-Identifier: BSL-1.0
// Which table runs here. The answer depends on the processor alone; tests ask for a table by name.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include <bigsmall/kernel/avx2.hpp>
#include <bigsmall/kernel/avx512.hpp>
#include <bigsmall/kernel/neon.hpp>
#include <bigsmall/kernel/scalar.hpp>
#include <bigsmall/kernel/table.hpp>

namespace bigsmall::kernel {

namespace detail {

struct runnable_tables {
    std::array<const table*, 3> tables{};
    std::size_t count = 0;

    runnable_tables() noexcept {
        tables[count++] = &scalar::functions;
#if defined(__x86_64__)
        __builtin_cpu_init();
        const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                              __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
        const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                                __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                                __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") &&
                                __builtin_cpu_supports("avx512vpopcntdq");
        if (has_avx2) tables[count++] = &avx2::functions;
        if (has_avx512) tables[count++] = &avx512::functions;
#elif defined(__AARCH64EL__)
        tables[count++] = &neon::functions;
#endif
    }
};

} // namespace detail

/// Every table that this processor can run, from the portable one to the widest.
inline std::span<const table* const> runnable() noexcept {
    static const detail::runnable_tables found;
    return {found.tables.data(), found.count};
}

/// The widest table that this processor can run.
inline const table& best() noexcept { return *runnable().back(); }

/// The table of that name ("scalar", "avx2", "avx512", "neon"), or null when this processor cannot run it.
inline const table* find(std::string_view name) noexcept {
    for (const table* candidate : runnable())
        if (candidate->name == name) return candidate;
    return nullptr;
}

} // namespace bigsmall::kernel
