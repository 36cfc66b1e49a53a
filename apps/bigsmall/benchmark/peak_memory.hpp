// SPDX-License-Identifier: BSL-1.0
// The most memory that this process has held since a moment, where the system tells.
#pragma once

#include <cstdint>
#include <optional>

namespace bigsmall::app {

/// From its construction on. Needs Linux's /proc/self/clear_refs, which starts the kernel's high-water mark anew.
class peak_memory {
public:
    peak_memory();

    /// Bytes of resident memory at the most so far, the program itself included; nothing when it cannot be known.
    std::optional<std::uint64_t> bytes() const;

private:
    bool started_ = false;
};

} // namespace bigsmall::app
