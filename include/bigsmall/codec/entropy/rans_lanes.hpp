// SPDX-License-Identifier: BSL-1.0
// Interleaved rANS states with a table per call: the machinery under every policy that uses rANS. See rans.hpp for the
// derivation of a step. The encoder runs from the last symbol to the first; the decoder forward. Within one call,
// symbol i belongs to lane i % lanes.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/status.hpp>
#include <bigsmall/core/varint.hpp>
#include <bigsmall/kernel/scalar.hpp>

namespace bigsmall::entropy {

namespace detail {

inline constexpr std::size_t max_rans_lanes = 32;
inline constexpr std::uint32_t lowest_rans_state = 0x10000;
using rans_states = std::array<std::uint32_t, max_rans_lanes>;

} // namespace detail

/// More lanes decode faster and cost four bytes each: the number follows from the number of symbols.
constexpr std::size_t rans_lanes_for(std::size_t symbols) noexcept {
    return symbols >= 8192 ? 32 : symbols >= 512 ? 4 : 1;
}

class rans_encoder {
public:
    /// Bytes below the words that kernels may overwrite.
    static constexpr std::size_t slack_bytes = 16;

    /// Words are written downwards from `words_end`: two bytes for every symbol at most, and the slack.
    rans_encoder(std::uint8_t* words_end, std::size_t lanes, const kernel::table& kernels) noexcept
        : words_end_(words_end), words_(words_end), lanes_(lanes), kernels_(kernels) {
        states_.fill(detail::lowest_rans_state);
    }

    /// Codes a run of symbols; runs come from the last to the first. `codings`: frequency | cumulative sum << 12.
    void push(const std::uint32_t* codings, bytes_view symbols) noexcept {
        // The kernel takes whole rounds of all lanes; with fewer lanes the scalar step does it all.
        const std::size_t by_kernel =
            lanes_ == detail::max_rans_lanes ? symbols.size() / detail::max_rans_lanes * detail::max_rans_lanes : 0;
        for (std::size_t i = symbols.size(); i-- > by_kernel;)
            states_[i % lanes_] = kernel::scalar::rans_push(codings[symbols[i]], states_[i % lanes_], words_);
        words_ = kernels_.rans_encode_rounds(codings, symbols.data(), by_kernel / detail::max_rans_lanes,
                                             states_.data(), words_);
    }

    /// Writes states and words to `to`, which lies at or below the words, and returns their size.
    std::size_t finish(std::uint8_t* to) const noexcept {
        std::uint8_t* at = to;
        detail::rans_states states = states_; // `to` may overlap nothing that is still needed but the words
        for (std::size_t lane = 0; lane < lanes_; ++lane, at += 4)
            store_le<std::uint32_t>(at, states[lane]);
        std::copy(words_, words_end_, at); // towards the front: the ranges may overlap
        return static_cast<std::size_t>(at - to) + static_cast<std::size_t>(words_end_ - words_);
    }

private:
    std::uint8_t* words_end_;
    std::uint8_t* words_;
    std::size_t lanes_;
    const kernel::table& kernels_;
    detail::rans_states states_{};
};

class rans_decoder {
public:
    /// Reads the states and takes all that is left as words.
    status open(byte_cursor& cursor, std::size_t lanes) noexcept {
        lanes_ = lanes;
        for (std::size_t lane = 0; lane < lanes; ++lane) {
            states_[lane] = cursor.read<std::uint32_t>();
            if (cursor.ok() && states_[lane] < detail::lowest_rans_state) return status::corrupt;
        }
        if (!cursor.ok()) return status::truncated;
        const bytes_view words = cursor.take(cursor.left());
        words_ = words.data();
        words_end_ = words.data() + words.size();
        return status::ok;
    }

    /// Decodes a run of out.size() symbols. `slots` has 4096 entries: frequency << 20 | (slot - cumulative) << 8 |
    /// symbol.
    status pull(const std::uint32_t* slots, bytes_span out, const kernel::table& kernels) noexcept {
        kernel::rans_cursor at{states_.data(), words_, words_end_, out.data(), out.data() + out.size()};
        if (lanes_ == detail::max_rans_lanes) kernels.rans_rounds(slots, at);
        for (std::size_t lane = 0; at.symbols != at.symbols_end; lane = lane + 1 == lanes_ ? 0 : lane + 1) {
            *at.symbols++ = kernel::scalar::rans_step(slots, states_[lane]);
            if (states_[lane] >= detail::lowest_rans_state) continue;
            if (at.words_end - at.words < 2) return status::truncated;
            states_[lane] = states_[lane] << 16 | load_le<std::uint16_t>(at.words);
            at.words += 2;
        }
        words_ = at.words;
        return status::ok;
    }

    /// The proof that nothing is left in the states or the words.
    status close() const noexcept {
        const auto is_lowest = [](std::uint32_t x) { return x == detail::lowest_rans_state; };
        const bool spent =
            words_ == words_end_ &&
            std::all_of(states_.begin(), states_.begin() + static_cast<std::ptrdiff_t>(lanes_), is_lowest);
        return spent ? status::ok : status::corrupt;
    }

private:
    detail::rans_states states_{};
    const std::uint8_t* words_ = nullptr;
    const std::uint8_t* words_end_ = nullptr;
    std::size_t lanes_ = 0;
};

} // namespace bigsmall::entropy
