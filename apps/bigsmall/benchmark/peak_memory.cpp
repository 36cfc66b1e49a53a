// SPDX-License-Identifier: BSL-1.0
#include "benchmark/peak_memory.hpp"

#include <fstream>
#include <string>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace bigsmall::app {

peak_memory::peak_memory() {
#if defined(__GLIBC__)
    ::malloc_trim(0); // what the run before has freed is not this one's
#endif
    std::ofstream switches("/proc/self/clear_refs");
    switches << "5" << std::flush;
    started_ = static_cast<bool>(switches);
}

std::optional<std::uint64_t> peak_memory::bytes() const {
    if (!started_) return std::nullopt;
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;) {
        std::uint64_t kib = 0;
        if (word == "VmHWM:" && status >> kib) return kib * 1024;
    }
    return std::nullopt;
}

} // namespace bigsmall::app
