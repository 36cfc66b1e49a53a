// SPDX-License-Identifier: BSL-1.0
// The measurement: all coders in turn, several rounds, medians. Every round measures memcpy as well, so a machine that
// slows down slows both sides of the ratio. Every decode is compared with its source.
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

#include "adapters.hpp"
#include "data.hpp"

namespace benchmark {

struct measurement {
    std::string coder;
    std::size_t coded_bytes = 0;
    double encode_seconds = 0; ///< median
    double decode_seconds = 0; ///< median
};

inline double seconds_of(auto&& work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

inline double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

struct round_trip {
    std::size_t coded_bytes = 0;
    double encode_seconds = 0, decode_seconds = 0;
};

/// One pass over all pieces; `coded` and `restored` keep their capacity, so no page is touched for the first time
/// inside the clock after the first round.
inline round_trip run_once(adapter& coder, const data_set& data, bigsmall::byte_buffer& coded,
                           bigsmall::byte_buffer& restored) {
    round_trip result;
    coded.clear();
    std::vector<std::size_t> ends;
    result.encode_seconds = seconds_of([&] {
        for (const auto& piece : data.pieces) {
            coder.encode(piece.info, piece.bytes, coded);
            ends.push_back(coded.size());
        }
    });
    result.coded_bytes = coded.size();
    restored.resize(data.size_bytes());
    result.decode_seconds = seconds_of([&] {
        std::size_t begin = 0, at = 0;
        for (std::size_t i = 0; i < data.pieces.size(); ++i) {
            const std::size_t size = data.pieces[i].bytes.size();
            coder.decode(data.pieces[i].info, bigsmall::bytes_view(coded).subspan(begin, ends[i] - begin),
                         bigsmall::bytes_span(restored).subspan(at, size));
            begin = ends[i];
            at += size;
        }
    });
    std::size_t at = 0;
    for (const auto& piece : data.pieces) {
        if (!std::equal(piece.bytes.begin(), piece.bytes.end(), restored.begin() + static_cast<std::ptrdiff_t>(at)))
            throw std::runtime_error(coder.name() + " does not restore " + data.name);
        at += piece.bytes.size();
    }
    return result;
}

/// The first coder must be memcpy. One warm-up round, then `rounds` measured ones.
inline std::vector<measurement> measure(const std::vector<std::unique_ptr<adapter>>& coders, const data_set& data,
                                        int rounds) {
    bigsmall::byte_buffer coded, restored;
    coded.reserve(2 * data.size_bytes() + (1 << 20));
    std::vector<std::vector<double>> encode(coders.size()), decode(coders.size());
    std::vector<measurement> results(coders.size());
    for (int round = 0; round <= rounds; ++round) {
        for (std::size_t i = 0; i < coders.size(); ++i) {
            const round_trip trip = run_once(*coders[i], data, coded, restored);
            results[i].coder = coders[i]->name();
            results[i].coded_bytes = trip.coded_bytes;
            if (round == 0) continue;
            encode[i].push_back(trip.encode_seconds);
            decode[i].push_back(trip.decode_seconds);
        }
    }
    for (std::size_t i = 0; i < coders.size(); ++i) {
        results[i].encode_seconds = median(encode[i]);
        results[i].decode_seconds = median(decode[i]);
    }
    return results;
}

} // namespace benchmark
