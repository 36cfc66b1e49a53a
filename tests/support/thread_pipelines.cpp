// SPDX-License-Identifier: BSL-1.0
// See thread_pipelines.hpp.
#include "support/thread_pipelines.hpp"

#ifdef BIGSMALL_EXTERN_CODECS
#undef BIGSMALL_PIPELINE
#define BIGSMALL_PIPELINE template

namespace bigsmall::archive {

BIGSMALL_PIPELINES(support::thread_executor);

} // namespace bigsmall::archive
#endif
