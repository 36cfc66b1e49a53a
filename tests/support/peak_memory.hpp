// SPDX-License-Identifier: BSL-1.0
// How much memory a piece of code takes, measured in a child process so that nothing before or after counts.
#pragma once

#include <cstdint>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/sanitized.hpp"

namespace support {

inline constexpr bool memory_is_measurable = !is_sanitized; // a sanitizer's own bookkeeping would be measured

/// Greatest resident set of a child that does nothing but `action`, in bytes; exceptions end it as well.
template <class F>
std::uint64_t peak_resident_bytes(F&& action) {
    const pid_t child = ::fork();
    if (child == 0) {
        try {
            action();
        } catch (...) {
        }
        ::_exit(0);
    }
    rusage used{};
    int status = 0;
    ::wait4(child, &status, 0, &used);
    return static_cast<std::uint64_t>(used.ru_maxrss) * 1024;
}

/// What `action` takes beyond what the test has already.
template <class F>
std::uint64_t memory_of(F&& action) {
    const std::uint64_t before = peak_resident_bytes([] {});
    const std::uint64_t with = peak_resident_bytes(action);
    return with > before ? with - before : 0;
}

} // namespace support
