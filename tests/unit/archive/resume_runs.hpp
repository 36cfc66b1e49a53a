// SPDX-License-Identifier: BSL-1.0
// Models to be packed, and runs that are stopped on the way, for the tests of resuming.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "failing_disk.hpp"
#include "support/archive_runs.hpp"
#include "support/catch.hpp"

namespace resume_test {

using namespace support;
using in_place_test::ended;
using in_place_test::failing_disk;
using in_place_test::fault;

struct noted : archive::resume_listener {
    std::vector<archive::resume_event> events;
    void on_resume(const archive::resume_event& event) override { events.push_back(event); }
};

/// Thrown after so many batches.
struct stopped {};
struct stop_after : parallel::progress_listener {
    explicit stop_after(std::size_t batches) : left(batches) {}
    std::size_t left;
    void on_progress(const parallel::progress_event&) override {
        if (left-- == 0) throw stopped{};
    }
};

inline archive::pack_options resumable(archive::resume_listener* listener = nullptr) {
    archive::pack_options options = small_blocks();
    options.tune(archive::operating_point::inference);
    options.block_bytes = 4096;
    options.resume.wanted = true;
    options.resume.listener = listener;
    return options;
}

/// Several files, each a batch at least: tensors that occur twice, a block that occurs twice, small ones for a bundle.
inline void write_model(const fs::path& directory) {
    const byte_buffer shared = gaussian_bf16(4096, 1);
    for (int i = 0; i < 6; ++i) {
        byte_buffer fused = gaussian_bf16(2048, 10 + static_cast<std::uint64_t>(i));
        fused.insert(fused.end(), shared.begin(), shared.end());
        safetensors_builder file;
        file.add("fused", "BF16", fused).add("norm", "F32", noise(256, 30 + static_cast<std::uint64_t>(i)));
        file.add("bias", "BF16", gaussian_bf16(200, 40)).add("empty", "F32", byte_buffer{});
        if (i % 2 == 1) file.add("tied", "BF16", shared);
        write_file(directory / ("model-" + std::to_string(i) + ".safetensors"), file.build());
    }
    write_file(directory / "config.json", "{}\n");
    write_file(directory / "empty.txt", "");
    write_file(directory / "more" / "notes.bin", noise(10000, 7));
}

/// One file of several batches: one tensor fills more than one of them.
inline void write_long_model(const fs::path& file) {
    safetensors_builder model;
    model.add("a", "BF16", gaussian_bf16(20000, 1)).add("long", "BF16", gaussian_bf16(150'000, 2));
    model.add("b", "BF16", gaussian_bf16(20000, 3)).add("c", "U8", noise(1000, 4)).add("d", "U8", noise(1000, 5));
    write_file(file, model.build());
}

template <class Options, class E>
bool runs_through(const fs::path& source, const fs::path& output, const Options& options, E& e) {
    try {
        archive::pack(source, output, options, e);
        return true;
    } catch (const stopped&) {
    } catch (const ended&) {
    } catch (const error&) {
    }
    return false;
}

inline std::vector<std::string> names_in(const fs::path& directory) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory))
        names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
}

inline archive::pack_options without_resuming(archive::pack_options options) {
    options.resume = {};
    options.progress = nullptr;
    return options;
}

/// A run that was stopped after so many batches.
inline void leave_unfinished(const fs::path& source, const fs::path& output, std::size_t batches,
                             archive::pack_options options = resumable()) {
    stop_after stop(batches);
    options.progress = &stop;
    parallel::serial_executor e;
    REQUIRE_FALSE(runs_through(source, output, options, e));
    REQUIRE(fs::exists(output.string() + ".progress"));
}

/// Other bytes of the same number in one of write_model()'s tensors "fused".
inline void change_contents(const fs::path& file) {
    byte_buffer bytes = read_file(file);
    bytes[bytes.size() - 20000] ^= 0x55;
    write_file(file, bytes);
}

/// All that the next run says. Its output, a file or a directory, is that of a run that nothing stopped.
inline std::vector<archive::resume_event> events_of_next(const fs::path& source, const fs::path& output,
                                                         archive::pack_options options) {
    noted events;
    options.resume.listener = &events;
    parallel::serial_executor e;
    archive::pack(source, output, options, e);
    const fs::path other = output.string() + ".other";
    pack(source, other, without_resuming(options));
    if (options.per_shard)
        REQUIRE(read_tree(output) == read_tree(other));
    else
        REQUIRE(read_file(output) == read_file(other));
    REQUIRE_FALSE(fs::exists(output.string() + ".progress"));
    fs::remove_all(other);
    return events.events;
}

/// The last of what a run into one file says.
inline archive::resume_event resumed(const fs::path& source, const fs::path& output,
                                     const archive::pack_options& options = resumable()) {
    const std::vector<archive::resume_event> events = events_of_next(source, output, options);
    REQUIRE(events.size() <= 2);
    return events.empty() ? archive::resume_event{} : events.back();
}

inline constexpr auto started_over = archive::resume_event::what::started_over;
inline constexpr auto continued = archive::resume_event::what::continued;

} // namespace resume_test
