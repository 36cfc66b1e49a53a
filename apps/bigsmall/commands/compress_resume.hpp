// SPDX-License-Identifier: BSL-1.0
// What compress --resume says, and how it ends before the output is whole.
#pragma once

#include <string>
#include <utility>

#include <bigsmall/archive/resume_options.hpp>

#include "exit_code.hpp"
#include "options/arguments.hpp"

namespace bigsmall::app {

/// Tells the user whether an unfinished run goes on.
class resume_notes : public archive::resume_listener {
public:
    resume_notes(std::string output, const arguments& given) : output_(std::move(output)), given_(given) {}
    void on_resume(const archive::resume_event& event) override;

private:
    std::string output_;
    const arguments& given_;
};

/// For a run without --resume: says so when there is something from which one to `output` would go on.
void warn_of_unfinished(const std::string& output);

/// The run was stopped by a signal: says how to continue.
exit_code tell_stopped(const std::string& output);

/// What to do when a read or a write has failed; empty when nothing was kept.
std::string kept_hint(const std::string& output);

} // namespace bigsmall::app
