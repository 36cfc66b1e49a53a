// SPDX-License-Identifier: BSL-1.0
#include "benchmark/measure.hpp"

#include <algorithm>
#include <chrono>
#include <span>
#include <vector>

#include <bigsmall/archive/pack.hpp>
#include <bigsmall/archive/restore.hpp>
#include <bigsmall/archive/verify.hpp>
#include <bigsmall/core/units.hpp>

#include "benchmark/peak_memory.hpp"
#include "own_pipelines.hpp"

namespace bigsmall::app {
namespace {

namespace fs = std::filesystem;

// Enough to be steady; a large model is sampled.
constexpr std::uint64_t most_codec_bytes = 256 * MiB;

// Decodes for the sake of it. What decompress compares is compared, nothing is kept.
class forgetful_observer final : public archive::restore_observer {
public:
    void member_begins(const archive::restore_job&) override {}
    void found(const archive::restore_job&, const archive::damage& problem) override { throw error_of(problem); }
    void bytes_restored(const archive::restore_job&, bytes_view, std::span<const archive::restored_piece>) override {}
    void member_ends(const archive::restore_job&) override {}
};

// Of an even number, the faster of the two in the middle: a figure that was really measured.
std::uint64_t median(std::vector<std::uint64_t> values) {
    std::sort(values.begin(), values.end());
    return values[(values.size() - 1) / 2];
}

template <class Work>
std::uint64_t median_ns(std::uint64_t rounds, Work&& work) {
    std::vector<std::uint64_t> times;
    for (std::uint64_t i = 0; i < rounds; ++i) {
        const auto start = std::chrono::steady_clock::now();
        work();
        const auto passed = std::chrono::steady_clock::now() - start;
        times.push_back(
            static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(passed).count()));
    }
    return median(std::move(times));
}

archive::codec_timing codec_medians(const archive::opened_archive& opened, archive::operating_point point,
                                    std::uint64_t rounds, const archive::run_options& options,
                                    parallel::tbb_executor& executor) {
    const codec_ref codec = archive::recipe_of(point).codec;
    // The first round makes the memory and warms the caches; nobody looks at its figures.
    archive::codec_timing timing = archive::time_codec(opened, codec, most_codec_bytes, options, executor);
    std::vector<std::uint64_t> decode, encode, copy;
    for (std::uint64_t i = 0; i < rounds; ++i) {
        const archive::codec_timing one = archive::time_codec(opened, codec, most_codec_bytes, options, executor);
        decode.push_back(one.decode_ns);
        encode.push_back(one.encode_ns);
        copy.push_back(one.copy_ns);
    }
    timing.decode_ns = median(std::move(decode));
    timing.encode_ns = median(std::move(encode));
    timing.copy_ns = median(std::move(copy));
    return timing;
}

void require_equal(const fs::path& file, const fs::path& source, const archive::run_options& options,
                   parallel::tbb_executor& executor) {
    archive::verify_options checks;
    static_cast<archive::run_options&>(checks) = options;
    const archive::verify_report report = archive::verify_against(file, source, checks, executor);
    if (!report.ok) throw error_of(report.problems.front());
}

} // namespace

point_figures measure(const fs::path& source, const fs::path& file, archive::operating_point point,
                      std::uint64_t rounds, const archive::run_options& options, parallel::tbb_executor& executor) {
    point_figures figures;
    figures.point = point;
    archive::pack_options packing;
    static_cast<archive::run_options&>(packing) = options;
    packing.existing = io::if_exists::replace; // the file of the round before
    packing.tune(point);
    {
        const peak_memory peak;
        figures.encode_ns = median_ns(rounds, [&] {
            figures.compressed_bytes = archive::pack(source, file, packing, executor).compressed_bytes;
        });
        figures.encode_peak = peak.bytes();
    }
    {
        const peak_memory peak;
        figures.decode_ns = median_ns(rounds, [&] {
            const archive::opened_archive opened(file);
            forgetful_observer observer;
            archive::restore(archive::all_jobs(opened), packing.codec, options, observer, executor,
                             archive::restored_hashes::files);
        });
        figures.decode_peak = peak.bytes();
    }
    require_equal(file, source, options, executor);
    figures.codec = codec_medians(archive::opened_archive(file), point, rounds, options, executor);
    figures.layers = layers_of(archive::inspect(file, packing.codec));
    return figures;
}

} // namespace bigsmall::app
