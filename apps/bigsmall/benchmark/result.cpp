// SPDX-License-Identifier: BSL-1.0
#include "benchmark/result.hpp"

#include <algorithm>
#include <array>

#include "console/table.hpp"

namespace bigsmall::app {
namespace {

std::string_view name_of(const point_figures& figures) { return archive::recipe_of(figures.point).name; }

// The reference has no labels of their own for routers and convolutions.
std::string_view label_of(archive::tensor_role role) {
    if (role == archive::tensor_role::router) return "mlp_other";
    if (role == archive::tensor_role::conv) return "other";
    return archive::name_of(role);
}

// One way in which a point was timed: the key of its JSON fields, and what passed in which time.
struct timing {
    std::string_view key;
    std::uint64_t bytes, nanoseconds;

    double rate() const { return rate_of(bytes, nanoseconds); }
};

std::array<timing, 4> timings_of(const benchmark_result& result, const point_figures& figures) {
    return {{{"encode", result.source_bytes, figures.encode_ns},
             {"decode", result.source_bytes, figures.decode_ns},
             {"codec_encode", figures.codec.raw_bytes, figures.codec.encode_ns},
             {"codec_decode", figures.codec.raw_bytes, figures.codec.decode_ns}}};
}

double memcpy_rate_of(const point_figures& figures) { return rate_of(figures.codec.raw_bytes, figures.codec.copy_ns); }

// As a multiple of memcpy in the same rounds; 0 when nothing was copied.
double multiple_of(const timing& one, const point_figures& figures) {
    const double copied = memcpy_rate_of(figures);
    return copied <= 0 ? 0 : one.rate() / copied;
}

std::string megabytes(double rate) { return rate <= 0 ? "-" : fixed(rate / 1e6, 1); }

std::string peak_text(const std::optional<std::uint64_t>& bytes) {
    return bytes ? binary_size(*bytes) : "not available";
}

std::string speed_table(const benchmark_result& result, std::size_t first) {
    std::vector<table_row> rows;
    for (const point_figures& figures : result.points) {
        table_row row{std::string(name_of(figures))};
        for (std::size_t i = first; i < first + 2; ++i) {
            const timing one = timings_of(result, figures)[i];
            row.push_back(megabytes(one.rate()));
            row.push_back(fixed(multiple_of(one, figures), 3));
        }
        rows.push_back(std::move(row));
    }
    return table_text({{"point"},
                       {"encode MB/s", align::right},
                       {"x memcpy", align::right},
                       {"decode MB/s", align::right},
                       {"x memcpy", align::right}},
                      rows);
}

std::string size_table(const benchmark_result& result) {
    std::vector<table_row> rows;
    for (const point_figures& figures : result.points)
        rows.push_back({std::string(name_of(figures)), with_thousands(figures.compressed_bytes),
                        percent_text(figures.compressed_bytes, result.source_bytes), peak_text(figures.encode_peak),
                        peak_text(figures.decode_peak)});
    return table_text({{"point"},
                       {"bytes", align::right},
                       {"ratio", align::right},
                       {"peak RSS encode", align::right},
                       {"peak RSS decode", align::right}},
                      rows);
}

std::string layer_table(const point_figures& figures) {
    std::vector<table_row> rows;
    for (const layer_line& line : figures.layers)
        rows.push_back({std::string(line.label), with_thousands(line.tensors), with_thousands(line.raw_bytes),
                        with_thousands(line.stored_bytes), percent_text(line.stored_bytes, line.raw_bytes)});
    return "\nlayers, " + std::string(name_of(figures)) + "\n" +
           table_text({{"label"},
                       {"tensors", align::right},
                       {"raw", align::right},
                       {"cmp", align::right},
                       {"ratio", align::right}},
                      rows);
}

// One table shows the default point when it was measured.
std::string layers_text(const benchmark_result& result) {
    std::string text;
    if (result.detail == layer_detail::every)
        for (const point_figures& figures : result.points)
            text += layer_table(figures);
    if (result.detail != layer_detail::one) return text;
    const auto balanced = std::find_if(result.points.begin(), result.points.end(), [](const point_figures& figures) {
        return figures.point == archive::operating_point::balanced;
    });
    return layer_table(balanced != result.points.end() ? *balanced : result.points.front());
}

json or_null(const std::optional<std::uint64_t>& value) { return value ? json(*value) : json(nullptr); }

json thousandths(double number) { return static_cast<double>(static_cast<std::uint64_t>(number * 1000 + 0.5)) / 1000; }

json point_json(const benchmark_result& result, const point_figures& figures) {
    json out = {{"point", name_of(figures)},
                {"compressed_bytes", figures.compressed_bytes},
                {"ratio_pct", percent_json(figures.compressed_bytes, result.source_bytes)}};
    for (const timing& one : timings_of(result, figures)) {
        const std::string key(one.key);
        out[key + "_ns"] = one.nanoseconds;
        out[key + "_bytes_per_second"] = static_cast<std::uint64_t>(one.rate());
        out[key + "_memcpy_multiple"] = thousandths(multiple_of(one, figures));
    }
    out["codec_bytes"] = figures.codec.raw_bytes;
    out["memcpy_ns"] = figures.codec.copy_ns;
    out["memcpy_bytes_per_second"] = static_cast<std::uint64_t>(memcpy_rate_of(figures));
    out["encode_peak_rss_bytes"] = or_null(figures.encode_peak);
    out["decode_peak_rss_bytes"] = or_null(figures.decode_peak);
    out["layers"] = json::array();
    for (const layer_line& line : figures.layers)
        out["layers"].push_back({{"label", line.label},
                                 {"tensors", line.tensors},
                                 {"raw_bytes", line.raw_bytes},
                                 {"compressed_bytes", line.stored_bytes},
                                 {"ratio_pct", percent_json(line.stored_bytes, line.raw_bytes)}});
    return out;
}

std::vector<json_field> point_fields() {
    return {{"points", "array", "the operating points, in the order in which they were measured"},
            {"points[].point", "string", "storage, balanced or inference"},
            {"points[].compressed_bytes", "integer", "bytes of the .bs"},
            {"points[].ratio_pct", "number or null", "100 * compressed_bytes / source_bytes, two places"},
            {"points[].encode_ns", "integer", "whole run of compress: median of the rounds, in nanoseconds"},
            {"points[].encode_bytes_per_second", "integer", "of the source"},
            {"points[].encode_memcpy_multiple", "number", "of memcpy_bytes_per_second, three places"},
            {"points[].decode_ns", "integer", "whole run of decompress without writing the file"},
            {"points[].decode_bytes_per_second", "integer", "of the source"},
            {"points[].decode_memcpy_multiple", "number", "of memcpy_bytes_per_second, three places"},
            {"points[].codec_encode_ns", "integer", "the codec alone, memory to memory, on codec_bytes"},
            {"points[].codec_encode_bytes_per_second", "integer", "uncompressed bytes"},
            {"points[].codec_encode_memcpy_multiple", "number", "of memcpy_bytes_per_second, three places"},
            {"points[].codec_decode_ns", "integer", "the codec alone, memory to memory, on codec_bytes"},
            {"points[].codec_decode_bytes_per_second", "integer", "uncompressed bytes"},
            {"points[].codec_decode_memcpy_multiple", "number", "of memcpy_bytes_per_second, three places"},
            {"points[].codec_bytes", "integer", "uncompressed bytes on which the codec was timed alone"},
            {"points[].memcpy_ns", "integer", "copying codec_bytes in the same rounds, pieces and threads"},
            {"points[].memcpy_bytes_per_second", "integer", "the yardstick"},
            {"points[].encode_peak_rss_bytes", "integer or null", "most memory while encoding; null: not available"},
            {"points[].decode_peak_rss_bytes", "integer or null", "most memory while decoding; null: not available"},
            {"points[].layers", "array", "tensors by kind of layer, most bytes first"},
            {"points[].layers[].label", "string", "embedding, lm_head, norm, attn_qkv ... other"},
            {"points[].layers[].tensors", "integer", "how many"},
            {"points[].layers[].raw_bytes", "integer", "their uncompressed bytes"},
            {"points[].layers[].compressed_bytes", "integer", "their stored bytes"},
            {"points[].layers[].ratio_pct", "number or null", "100 * compressed_bytes / raw_bytes, two places"}};
}

} // namespace

double benchmark_result::memcpy_rate() const {
    std::vector<double> rates;
    for (const point_figures& figures : points)
        rates.push_back(memcpy_rate_of(figures));
    std::sort(rates.begin(), rates.end());
    return rates.empty() ? 0 : rates[rates.size() / 2];
}

std::vector<layer_line> layers_of(const archive::archive_summary& summary) {
    std::vector<layer_line> lines;
    for (const archive::tensor_summary& tensor : summary.tensors) {
        const std::string_view label = label_of(tensor.place.role);
        auto at = std::find_if(lines.begin(), lines.end(), [&](const layer_line& line) { return line.label == label; });
        if (at == lines.end()) at = lines.insert(at, layer_line{label});
        ++at->tensors;
        at->raw_bytes += tensor.raw_bytes;
        at->stored_bytes += tensor.stored_bytes;
    }
    std::stable_sort(lines.begin(), lines.end(),
                     [](const layer_line& a, const layer_line& b) { return a.raw_bytes > b.raw_bytes; });
    return lines;
}

std::string text_of(const benchmark_result& result) {
    std::string text = "benchmark " + printable(result.source) + "\n  source: " + exact_size(result.source_bytes) +
                       ", " + with_thousands(result.tensors) + " tensors\n  " + with_thousands(result.threads) +
                       (result.threads == 1 ? " thread, " : " threads, ") + with_thousands(result.rounds) +
                       (result.rounds == 1 ? " round, memcpy " : " rounds, memcpy ") + megabytes(result.memcpy_rate()) +
                       " MB/s\n\n";
    text += size_table(result);
    text += "\nwhole runs: files and hashes included\n" + speed_table(result, 0);
    text += "\ncodec alone: memory to memory\n" + speed_table(result, 2) + layers_text(result);
    text += "\nevery restored byte was compared with the source\n";
    if (!result.output.empty()) text += "kept:  " + printable(result.output) + "\n";
    if (!result.chart.empty()) text += "chart: " + printable(result.chart) + "\n";
    return text;
}

json json_of(const benchmark_result& result) {
    json points = json::array();
    for (const point_figures& figures : result.points)
        points.push_back(point_json(result, figures));
    return {{"command", "benchmark"},
            {"source", result.source},
            {"source_bytes", result.source_bytes},
            {"tensors", result.tensors},
            {"threads", result.threads},
            {"rounds", result.rounds},
            {"memcpy_bytes_per_second", static_cast<std::uint64_t>(result.memcpy_rate())},
            {"points", std::move(points)},
            {"output", result.output.empty() ? json(nullptr) : json(result.output)},
            {"chart", result.chart.empty() ? json(nullptr) : json(result.chart)},
            {"elapsed_seconds", seconds_json(result.seconds)}};
}

std::vector<json_field> benchmark_fields() {
    std::vector<json_field> fields{
        {"command", "string", "\"benchmark\""},
        {"source", "string", "SRC as given"},
        {"source_bytes", "integer", "bytes of all source files"},
        {"tensors", "integer", "tensors in the source"},
        {"threads", "integer", "threads used"},
        {"rounds", "integer", "rounds of which the medians are given"},
        {"memcpy_bytes_per_second", "integer", "the median of the points' yardsticks"},
    };
    for (const json_field& field : point_fields())
        fields.push_back(field);
    fields.push_back({"output", "string or null", "the .bs that was kept with -o"});
    fields.push_back({"chart", "string or null", "the SVG that was written with --chart"});
    fields.push_back({"elapsed_seconds", "number", "wall time, three places"});
    return fields;
}

} // namespace bigsmall::app
