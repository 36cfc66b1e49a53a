// SPDX-License-Identifier: BSL-1.0
// The Pareto front as a picture: size against the speed of decoding and of encoding, ours and the rivals.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "harness.hpp"

namespace benchmark {

namespace detail {

/// One panel: x is a multiple of memcpy on a logarithmic scale, y the ratio in per cent.
class panel {
public:
    panel(double left, std::string title, double lowest_ratio, double highest_ratio)
        : left_(left), title_(std::move(title)), lowest_(lowest_ratio), highest_(highest_ratio) {}

    std::string frame() const {
        std::string svg = text(left_ + width / 2, top - 12, "middle", title_, 13);
        svg += format("<rect x='%.1f' y='%.1f' width='%.1f' height='%.1f' fill='none' stroke='#888'/>\n", left_, top,
                      width, height);
        for (const double times : {0.01, 0.03, 0.1, 0.3, 1.0})
            svg += format("<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='#ddd'/>\n", x(times), top, x(times),
                          top + height) +
                   text(x(times), top + height + 16, "middle", format("%g", times), 11);
        const double step = highest_ - lowest_ > 8 ? 2 : highest_ - lowest_ > 3 ? 1 : 0.5;
        for (double ratio = std::ceil(lowest_ / step) * step; ratio <= highest_; ratio += step)
            svg += format("<line x1='%.1f' y1='%.1f' x2='%.1f' y2='%.1f' stroke='#ddd'/>\n", left_, y(ratio),
                          left_ + width, y(ratio)) +
                   text(left_ - 6, y(ratio) + 4, "end", format("%g", ratio), 11);
        return svg + text(left_ + width / 2, top + height + 34, "middle", "x memcpy, same run", 11);
    }

    std::string point(const measurement& m, double times, double ratio) const {
        const char* const colour = m.ours ? "#c2410c" : "#475569";
        return format("<circle cx='%.1f' cy='%.1f' r='4' fill='%s'/>\n", x(times), y(ratio), colour) +
               text(x(times) + 6, y(ratio) - 4, "start", m.coder, 9);
    }

private:
    static constexpr double width = 440, height = 340, top = 50;

    template <class... Args>
    static std::string format(const char* pattern, Args... args) {
        char buffer[512];
        std::snprintf(buffer, sizeof buffer, pattern, args...);
        return buffer;
    }
    static std::string text(double at_x, double at_y, const char* anchor, const std::string& words, int size) {
        return format("<text x='%.1f' y='%.1f' text-anchor='%s' font-family='sans-serif' font-size='%d'>", at_x, at_y,
                      anchor, size) +
               words + "</text>\n";
    }

    static constexpr double slowest = 0.004, fastest = 1.5;
    double x(double times) const {
        const double clamped = std::clamp(times, slowest, fastest);
        return left_ + width * std::log(clamped / slowest) / std::log(fastest / slowest);
    }
    double y(double ratio) const { return top + height * (highest_ - ratio) / (highest_ - lowest_); }

    double left_;
    std::string title_;
    double lowest_, highest_;
};

} // namespace detail

/// The first result, memcpy, is not drawn. Coders larger than the axis reaches (ratio above 1.05 times the largest of
/// ours) are left out of the picture.
inline std::string chart(const data_set& data, const std::vector<measurement>& results) {
    const auto ratio_of = [&](const measurement& m) {
        return 100 * static_cast<double>(m.coded_bytes) / static_cast<double>(data.size_bytes());
    };
    double lowest = 100, largest_of_ours = 0;
    for (const measurement& m : results) {
        lowest = std::min(lowest, ratio_of(m));
        if (m.ours) largest_of_ours = std::max(largest_of_ours, ratio_of(m));
    }
    const double highest = largest_of_ours * 1.05;
    const double bottom = lowest - (highest - lowest) * 0.05;
    const detail::panel decoding(60, data.name + ": ratio % against decoding", bottom, highest);
    const detail::panel encoding(580, data.name + ": ratio % against encoding", bottom, highest);
    std::string svg = "<svg xmlns='http://www.w3.org/2000/svg' width='1060' height='440' viewBox='0 0 1060 440'>\n"
                      "<rect width='1060' height='440' fill='white'/>\n";
    svg += decoding.frame() + encoding.frame();
    for (std::size_t i = 1; i < results.size(); ++i) {
        const measurement& m = results[i];
        if (ratio_of(m) > highest) continue;
        svg += decoding.point(m, m.decode_over_memcpy, ratio_of(m));
        svg += encoding.point(m, m.encode_over_memcpy, ratio_of(m));
    }
    return svg + "</svg>\n";
}

} // namespace benchmark
