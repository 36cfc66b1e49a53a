// SPDX-License-Identifier: BSL-1.0
// Making and applying patches in one line, and weights a little away from others.
#pragma once

#include <cstdint>
#include <memory>
#include <random>

#include <bigsmall/archive/open_model.hpp>
#include <bigsmall/archive/pack.hpp>
#include <bigsmall/archive/unpack.hpp>
#include <bigsmall/archive/verify.hpp>

#include "support/archive_runs.hpp"

namespace support {

using model_pointer = std::shared_ptr<const archive::model_reader>;

inline model_pointer model(const fs::path& path, const model_pointer& base = nullptr) {
    parallel::serial_executor e;
    return archive::open_model(path, base, archive::run_options{}, e);
}

inline archive::pack_options against(const fs::path& base) {
    archive::pack_options options = small_blocks();
    options.base = model(base);
    return options;
}

inline archive::unpack_result apply(const fs::path& base, const fs::path& patch, const fs::path& output) {
    archive::unpack_options options;
    options.base = model(base);
    return unpack(patch, output, options);
}

inline archive::verify_report verify_with(const fs::path& patch, const fs::path& base) {
    parallel::serial_executor e;
    archive::verify_options options;
    options.base = model(base);
    return archive::verify(patch, options, e);
}

/// BF16 values a little away from others, as a step of training leaves them.
inline byte_buffer trained(const byte_buffer& bf16, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    byte_buffer out = bf16;
    for (std::size_t i = 0; i + 1 < out.size(); i += 2) {
        const auto step = static_cast<std::uint16_t>(random() % 3);
        store_le(out.data() + i, static_cast<std::uint16_t>(load_le<std::uint16_t>(out.data() + i) + step));
    }
    return out;
}

} // namespace support
