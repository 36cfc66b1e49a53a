// SPDX-License-Identifier: BSL-1.0
// The verbs of the archive layer on plain threads: declared here, compiled once in thread_pipelines.cpp.
#pragma once

#ifdef BIGSMALL_EXTERN_CODECS // but where a test is compiled by hand
#include "own_pipelines.hpp"
#endif
#include "support/thread_executor.hpp"

#ifdef BIGSMALL_EXTERN_CODECS
namespace bigsmall::archive {

BIGSMALL_PIPELINES(support::thread_executor);

} // namespace bigsmall::archive
#endif
