// SPDX-License-Identifier: BSL-1.0
// The verbs of the archive layer with the executors of our own programs: declared here, compiled once in
// own_pipelines.cpp. Each takes the compiler many seconds, and two dozen sources use them. The tests do the same with
// their executor.
#pragma once

#include <bigsmall/archive/base_match.hpp>
#include <bigsmall/archive/open_model.hpp>
#include <bigsmall/archive/pack.hpp>
#include <bigsmall/archive/transcode.hpp>
#include <bigsmall/archive/unpack.hpp>
#include <bigsmall/archive/verify.hpp>
#include <bigsmall/parallel/executor.hpp>
#include <bigsmall/parallel/tbb.hpp>

namespace bigsmall::archive {

#ifdef BIGSMALL_DEFINE_PIPELINES
#define BIGSMALL_PIPELINE template
#else
#define BIGSMALL_PIPELINE extern template
#endif

#define BIGSMALL_PIPELINES(E)                                                                                          \
    BIGSMALL_PIPELINE pack_result pack(const std::filesystem::path&, const std::filesystem::path&,                     \
                                       const pack_options&, E&);                                                       \
    BIGSMALL_PIPELINE pack_result pack_to(const std::filesystem::path&, io::sink&, const pack_options&, E&);           \
    BIGSMALL_PIPELINE unpack_result unpack(const std::filesystem::path&, const std::filesystem::path&,                 \
                                           const unpack_options&, E&);                                                 \
    BIGSMALL_PIPELINE unpack_result unpack_to(const std::filesystem::path&, io::sink&, const unpack_options&, E&);     \
    BIGSMALL_PIPELINE transcode_result transcode(const std::filesystem::path&, const std::filesystem::path&,           \
                                                 const transcode_options&, E&);                                        \
    BIGSMALL_PIPELINE verify_report verify(const std::filesystem::path&, const verify_options&, E&);                   \
    BIGSMALL_PIPELINE verify_report verify_against(const std::filesystem::path&, const std::filesystem::path&,         \
                                                   const verify_options&, E&);                                         \
    BIGSMALL_PIPELINE verify_report verify_sample(const std::filesystem::path&, double, std::uint64_t,                 \
                                                  const verify_options&, E&);                                          \
    BIGSMALL_PIPELINE void restore(const std::vector<restore_job>&, const codec_ref&, const run_options&,              \
                                   restore_observer&, E&, restored_hashes);                                            \
    BIGSMALL_PIPELINE std::vector<tensor_match> match_tensors(const model_reader&, const model_reader&,                \
                                                              const run_options&, E&);                                 \
    BIGSMALL_PIPELINE std::shared_ptr<const model_reader> open_model(const std::filesystem::path&,                     \
                                                                     const std::shared_ptr<const model_reader>&,       \
                                                                     const run_options&, E&);                          \
    BIGSMALL_PIPELINE opened_archive open_with_base(const std::filesystem::path&,                                      \
                                                    const std::shared_ptr<const model_reader>&, const run_options&, E&)

BIGSMALL_PIPELINES(parallel::serial_executor);
BIGSMALL_PIPELINES(parallel::tbb_executor);

} // namespace bigsmall::archive
