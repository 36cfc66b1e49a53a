// SPDX-License-Identifier: BSL-1.0
// What benchmark has found, and its forms.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <bigsmall/archive/codec_speed.hpp>
#include <bigsmall/archive/inspect.hpp>
#include <bigsmall/archive/pack_options.hpp>

#include "command.hpp"
#include "console/json.hpp"

namespace bigsmall::app {

enum class layer_detail : unsigned char { none, one, every }; ///< for which points the table of layers is printed

/// Tensors of one kind of layer, by the reference's label.
struct layer_line {
    std::string_view label;
    std::uint64_t tensors = 0, raw_bytes = 0, stored_bytes = 0;
};

/// One operating point. Times are medians of the rounds.
struct point_figures {
    archive::operating_point point = archive::operating_point::balanced;
    std::uint64_t compressed_bytes = 0;
    std::uint64_t encode_ns = 0, decode_ns = 0;            ///< of whole runs: reading, hashing, coding
    archive::codec_timing codec;                           ///< of the codec alone, memory to memory
    std::optional<std::uint64_t> encode_peak, decode_peak; ///< bytes of resident memory
    std::vector<layer_line> layers;                        ///< most bytes first
};

struct benchmark_result {
    std::string source, output, chart;
    layer_detail detail = layer_detail::one;
    std::uint64_t source_bytes = 0, tensors = 0;
    std::uint64_t threads = 0, rounds = 0;
    std::vector<point_figures> points;
    double seconds = 0;

    /// Bytes a second of memcpy, the median over the points.
    double memcpy_rate() const;
};

/// Bytes a second; 0 when no time has passed.
constexpr double rate_of(std::uint64_t bytes, std::uint64_t nanoseconds) noexcept {
    return nanoseconds == 0 ? 0 : static_cast<double>(bytes) * 1e9 / static_cast<double>(nanoseconds);
}

/// The tensors of an archive by kind of layer.
std::vector<layer_line> layers_of(const archive::archive_summary& summary);

std::string text_of(const benchmark_result& result);
json json_of(const benchmark_result& result);
std::vector<json_field> benchmark_fields();

/// A picture of ratio against the decoding speed of the codec, memcpy beside it, as SVG.
std::string chart_of(const benchmark_result& result);

} // namespace bigsmall::app
