// SPDX-License-Identifier: BSL-1.0
#include <algorithm>
#include <cmath>

#include "benchmark/result.hpp"

namespace bigsmall::app {
namespace {

constexpr double width = 720, height = 440, left = 70, right = 690, top = 40, bottom = 380;

struct dot {
    std::string name;
    double rate;  // bytes a second
    double ratio; // percent
};

// From numbers to places: speed by its logarithm, since points lie far apart; ratio as it is.
struct frame {
    double low_power, high_power; // of ten, bytes a second
    double low_ratio, high_ratio;

    double x(double rate) const {
        return left + (right - left) * (std::log10(rate) - low_power) / (high_power - low_power);
    }
    double y(double ratio) const { return bottom - (bottom - top) * (ratio - low_ratio) / (high_ratio - low_ratio); }
};

std::string text_at(double x, double y, std::string_view anchor, const std::string& text) {
    return "<text x=\"" + fixed(x, 1) + "\" y=\"" + fixed(y, 1) + "\" text-anchor=\"" + std::string(anchor) + "\">" +
           text + "</text>\n";
}

std::string line_between(double x1, double y1, double x2, double y2) {
    return "<line x1=\"" + fixed(x1, 1) + "\" y1=\"" + fixed(y1, 1) + "\" x2=\"" + fixed(x2, 1) + "\" y2=\"" +
           fixed(y2, 1) + "\" stroke=\"#ddd\"/>\n";
}

std::vector<dot> dots_of(const benchmark_result& result) {
    std::vector<dot> dots;
    for (const point_figures& figures : result.points) {
        const double rate = rate_of(figures.codec.raw_bytes, figures.codec.decode_ns);
        if (rate > 0)
            dots.push_back({std::string(archive::recipe_of(figures.point).name), rate,
                            percent(figures.compressed_bytes, result.source_bytes)});
    }
    if (result.memcpy_rate() > 0) dots.push_back({"memcpy", result.memcpy_rate(), 100});
    return dots;
}

frame frame_of(const std::vector<dot>& dots) {
    frame f{30, 0, 100, 100};
    for (const dot& one : dots) {
        f.low_power = std::min(f.low_power, std::log10(one.rate) - 0.1);
        f.high_power = std::max(f.high_power, std::log10(one.rate) + 0.1);
        f.low_ratio = std::min(f.low_ratio, one.ratio);
        f.high_ratio = std::max(f.high_ratio, one.ratio);
    }
    f.low_ratio = std::max(0.0, std::floor(f.low_ratio / 5) * 5 - 5);
    f.high_ratio = std::ceil(f.high_ratio / 5) * 5 + 5;
    return f;
}

// Lines at 1, 2 and 5 of every power of ten, and at every 5 or 20 percent.
std::string grid(const frame& f) {
    std::string out;
    for (int power = static_cast<int>(std::floor(f.low_power)); power <= static_cast<int>(f.high_power); ++power)
        for (const double step : {1.0, 2.0, 5.0}) {
            const double rate = step * std::pow(10.0, power);
            if (std::log10(rate) < f.low_power || std::log10(rate) > f.high_power) continue;
            out += line_between(f.x(rate), top, f.x(rate), bottom);
            out += text_at(f.x(rate), bottom + 18, "middle", fixed(rate / 1e6, rate < 1e6 ? 3 : 0));
        }
    const double step = f.high_ratio - f.low_ratio > 60 ? 20 : 5;
    for (double ratio = std::ceil(f.low_ratio / step) * step; ratio <= f.high_ratio; ratio += step) {
        out += line_between(left, f.y(ratio), right, f.y(ratio));
        out += text_at(left - 8, f.y(ratio) + 4, "end", fixed(ratio, 0));
    }
    return out;
}

} // namespace

std::string chart_of(const benchmark_result& result) {
    const std::vector<dot> dots = dots_of(result);
    std::string out = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + fixed(width, 0) + "\" height=\"" +
                      fixed(height, 0) + "\" font-family=\"sans-serif\" font-size=\"12\">\n" +
                      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n";
    out += text_at(width / 2, 22, "middle",
                   "Size against decoding speed, " + std::to_string(result.threads) +
                       (result.threads == 1 ? " thread" : " threads"));
    out += text_at(width / 2, height - 16, "middle", "decoding, memory to memory: MB/s, logarithmic");
    out +=
        "<g transform=\"translate(18 210) rotate(-90)\">" + text_at(0, 0, "middle", "size: % of the source") + "</g>\n";
    if (!dots.empty()) {
        const frame f = frame_of(dots);
        out += grid(f);
        for (const dot& one : dots) {
            const double x = f.x(one.rate), y = f.y(one.ratio);
            out += "<circle cx=\"" + fixed(x, 1) + "\" cy=\"" + fixed(y, 1) + "\" r=\"5\" fill=\"" +
                   (one.name == "memcpy" ? "#888" : "#06c") + "\"/>\n";
            const bool at_right = x > right - 120;
            out += text_at(at_right ? x - 9 : x + 9, y - 7, at_right ? "end" : "start",
                           one.name + " " + fixed(one.ratio, 2) + "%");
        }
    }
    return out + "</svg>\n";
}

} // namespace bigsmall::app
