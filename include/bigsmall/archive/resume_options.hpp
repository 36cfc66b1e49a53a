// SPDX-License-Identifier: BSL-1.0
// What a run that can be resumed is told, and tells.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include <bigsmall/io/file_operations.hpp>

namespace bigsmall::archive {

/// Said before anything is coded; of a container of several, before anything of that one is.
struct resume_event {
    enum class what : std::uint8_t {
        continued,    ///< an unfinished run goes on
        started_over, ///< there is one that is of no use
    };
    what happened = what::continued;
    std::uint64_t source_bytes = 0; ///< of the source, that need not be coded again: so many at least
    std::string reason;             ///< why it starts over
    std::string container;          ///< with per_shard: the one that is begun again, when it is not all of them
};

class resume_listener {
public:
    virtual ~resume_listener() = default;
    virtual void on_resume(const resume_event& event) = 0;
};

struct resume_options {
    /// Keep what is done beside the output, in OUTPUT.progress, and go on from there when it is there already.
    bool wanted = false;
    resume_listener* listener = nullptr; ///< borrowed; nobody is told when null
    /// A power cut costs so much work, and the time to flush to disk what came in it. A kill costs none of that.
    std::chrono::milliseconds flush_every{5000};
    io::file_operations* operations = nullptr; ///< borrowed; for tests. The system's own when null
};

} // namespace bigsmall::archive
