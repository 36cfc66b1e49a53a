// SPDX-License-Identifier: BSL-1.0
// The measurement: all coders in turn, several rounds, medians. memcpy is measured just before and just after every
// coder, so a machine that slows down slows both sides of a ratio. Every decode is compared with its source.
#pragma once

#include <algorithm>
#include <chrono>
#include <vector>

#include "adapters.hpp"
#include "data.hpp"

namespace benchmark {

struct measurement {
    std::string coder;
    bool ours = false;
    std::size_t coded_bytes = 0;
    double encode_seconds = 0; ///< median, the whole data from memory to memory
    double decode_seconds = 0; ///< median, the same
    // Speeds as multiples of that of the neighbouring memcpys from memory to memory; medians.
    double encode_over_memcpy = 0, decode_over_memcpy = 0;
    double cached_over_memcpy = 0; ///< decoding one piece of at most cached_bytes again and again
};

/// Small enough that source, output and working memory of a piece stay in a second-level cache of 1 MiB.
inline constexpr std::size_t cached_bytes = std::size_t{256} << 10;

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

/// One pass over all pieces; `coded` and `restored` are as large as they need to be and were touched before, so no page
/// is touched for the first time inside the clock after the first round.
inline round_trip run_once(adapter& coder, const data_set& data, bigsmall::byte_buffer& coded,
                           bigsmall::byte_buffer& restored) {
    round_trip result;
    std::size_t bound = 0;
    for (const auto& piece : data.pieces)
        bound += coder.bound(piece.bytes.size());
    if (coded.size() < bound) coded.resize(bound);
    restored.resize(data.size_bytes() + 64);
    const std::size_t past = reinterpret_cast<std::uintptr_t>(restored.data()) % 64;
    const bigsmall::bytes_span output = bigsmall::bytes_span(restored).subspan((64 - past) % 64, data.size_bytes());

    std::vector<std::size_t> ends;
    result.encode_seconds = seconds_of([&] {
        for (const auto& piece : data.pieces) {
            result.coded_bytes +=
                coder.encode(piece.info, piece.bytes, bigsmall::bytes_span(coded).subspan(result.coded_bytes));
            ends.push_back(result.coded_bytes);
        }
    });
    result.decode_seconds = seconds_of([&] {
        std::size_t begin = 0, at = 0;
        for (std::size_t i = 0; i < data.pieces.size(); ++i) {
            const std::size_t size = data.pieces[i].bytes.size();
            coder.decode(data.pieces[i].info, bigsmall::bytes_view(coded).subspan(begin, ends[i] - begin),
                         output.subspan(at, size));
            begin = ends[i];
            at += size;
        }
    });
    std::size_t at = 0;
    for (const auto& piece : data.pieces) {
        if (!std::equal(piece.bytes.begin(), piece.bytes.end(), output.begin() + static_cast<std::ptrdiff_t>(at)))
            throw std::runtime_error(coder.name() + " does not restore " + data.name);
        at += piece.bytes.size();
    }
    return result;
}

/// Bytes per second of decoding the beginning of the first piece while everything is in the cache; best of 30.
inline double cached_speed(adapter& coder, const data_set& data) {
    const auto& first = data.pieces.front();
    const bigsmall::bytes_view raw =
        bigsmall::bytes_view(first.bytes).first(std::min(first.bytes.size(), cached_bytes));
    bigsmall::byte_buffer coded(coder.bound(raw.size())), restored(raw.size());
    const std::size_t size = coder.encode(first.info, raw, coded);
    double best = 1e9;
    for (int i = 0; i < 30; ++i)
        best = std::min(
            best, seconds_of([&] { coder.decode(first.info, bigsmall::bytes_view(coded).first(size), restored); }));
    return static_cast<double>(raw.size()) / best;
}

/// One warm-up round, then `rounds` measured ones.
inline std::vector<measurement> measure(const std::vector<std::unique_ptr<adapter>>& coders, const data_set& data,
                                        int rounds) {
    struct samples {
        std::vector<double> encode, decode, encode_ratio, decode_ratio, cached_ratio;
    };
    bigsmall::byte_buffer coded, restored;
    memcpy_adapter copy;
    std::vector<samples> taken(coders.size());
    std::vector<measurement> results(coders.size());
    for (int round = 0; round <= rounds; ++round) {
        for (std::size_t i = 0; i < coders.size(); ++i) {
            const round_trip before = run_once(copy, data, coded, restored);
            const round_trip trip = run_once(*coders[i], data, coded, restored);
            const round_trip after = run_once(copy, data, coded, restored);
            results[i].coder = coders[i]->name();
            results[i].ours = coders[i]->is_ours();
            results[i].coded_bytes = trip.coded_bytes;
            if (round == 0) continue;
            const double copy_encodes = (before.encode_seconds + after.encode_seconds) / 2;
            const double copy_decodes = (before.decode_seconds + after.decode_seconds) / 2;
            taken[i].encode.push_back(trip.encode_seconds);
            taken[i].decode.push_back(trip.decode_seconds);
            taken[i].encode_ratio.push_back(copy_encodes / trip.encode_seconds);
            taken[i].decode_ratio.push_back(copy_decodes / trip.decode_seconds);
            taken[i].cached_ratio.push_back(cached_speed(*coders[i], data) * copy_decodes /
                                            static_cast<double>(data.size_bytes()));
        }
    }
    for (std::size_t i = 0; i < coders.size(); ++i) {
        results[i].encode_seconds = median(taken[i].encode);
        results[i].decode_seconds = median(taken[i].decode);
        results[i].encode_over_memcpy = median(taken[i].encode_ratio);
        results[i].decode_over_memcpy = median(taken[i].decode_ratio);
        results[i].cached_over_memcpy = median(taken[i].cached_ratio);
    }
    return results;
}

} // namespace benchmark
