// SPDX-License-Identifier: BSL-1.0
// How far a long run has come, told to whoever wants to show it.
#pragma once

#include <cstdint>
#include <string_view>

namespace bigsmall::parallel {

struct progress_event {
    std::string_view item;         ///< what is being worked on: a tensor or a file; valid during the call only
    std::uint64_t done_bytes = 0;  ///< uncompressed bytes finished so far
    std::uint64_t total_bytes = 0; ///< uncompressed bytes of the whole run
    std::uint64_t out_bytes = 0;   ///< bytes written so far
};

/// Called about once per 8 MiB, never by two threads at once, but not always by the same thread.
class progress_listener {
public:
    virtual ~progress_listener() = default;
    virtual void on_progress(const progress_event& event) = 0;
};

} // namespace bigsmall::parallel
