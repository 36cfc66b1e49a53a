// SPDX-License-Identifier: BSL-1.0
// MD5 of eight messages side by side in one thread: five times as fast as one after another where there is AVX2, see
// docs/decisions/0016-md5-side-by-side.md. Elsewhere OpenSSL hashes them.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include <bigsmall/archive/hash.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/kernel/avx2_md5.hpp>
#include <bigsmall/kernel/md5_states.hpp>
#include <bigsmall/kernel/select.hpp>

namespace bigsmall::archive {

/// The function that this processor has for md5_lanes, or null.
inline kernel::md5_blocks_function best_md5_blocks() noexcept {
#if defined(__x86_64__)
    if (kernel::find("avx2") != nullptr) return kernel::avx2::md5_blocks;
#endif
    return nullptr;
}

/// Lanes for messages that are hashed at once; each begins and ends when it likes.
class md5_lanes {
public:
    static constexpr std::size_t most = kernel::md5_messages;
    using pieces = std::array<bytes_view, most>;

    /// `blocks`: null for OpenSSL. Throws: errc::unsupported when that has no MD5.
    explicit md5_lanes(kernel::md5_blocks_function blocks = best_md5_blocks()) : blocks_(blocks) {
        if (blocks_ != nullptr) return;
        methods_.emplace();
        hashers_.resize(most);
    }

    /// Begins a message and forgets an unfinished one.
    void start(std::size_t lane) {
        if (methods_) return hashers_[lane].start(methods_->md5());
        constexpr std::array<std::uint32_t, 4> initial = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
        for (std::size_t w = 0; w < initial.size(); ++w)
            states_.words[w][lane] = initial[w];
        bytes_[lane] = 0;
    }

    /// next[lane] goes on with the message of that lane; what was hashed of it is taken from its front. At least one
    /// that was not empty is empty afterwards.
    void take(pieces& next) {
        if (methods_) return take_one_by_one(next);
        sources from{};
        std::size_t blocks = std::numeric_limits<std::size_t>::max();
        for (std::size_t lane = 0; lane < most; ++lane) {
            if (held(lane) > 0) keep(lane, next[lane]);
            if (next[lane].size() < block_bytes) continue;
            from[lane] = next[lane].data();
            blocks = std::min(blocks, next[lane].size() / block_bytes);
        }
        run(from, blocks);
        for (std::size_t lane = 0; lane < most; ++lane) {
            if (from[lane] != nullptr) {
                next[lane] = next[lane].subspan(blocks * block_bytes);
                bytes_[lane] += blocks * block_bytes;
            }
            if (next[lane].size() < block_bytes) keep(lane, next[lane]);
        }
    }

    /// Ends the message of a lane.
    md5_digest finish(std::size_t lane) {
        if (methods_) return hashers_[lane].finish();
        // A one, zeros up to the last eight bytes of a block, and the number of bits.
        std::array<std::uint8_t, 2 * block_bytes> end{};
        const std::size_t rest = held(lane), blocks = rest + 9 <= block_bytes ? 1 : 2;
        std::copy_n(tails_[lane].begin(), rest, end.begin());
        end[rest] = 0x80;
        store_le<std::uint64_t>(end.data() + blocks * block_bytes - 8, bytes_[lane] * 8);
        sources from{};
        from[lane] = end.data();
        run(from, blocks);
        md5_digest digest;
        for (std::size_t w = 0; w < 4; ++w)
            store_le<std::uint32_t>(digest.data() + 4 * w, states_.words[w][lane]);
        return digest;
    }

private:
    static constexpr std::size_t block_bytes = 64;
    using sources = std::array<const std::uint8_t*, most>; ///< null: this lane stands still

    /// Bytes of a message that do not fill a block yet.
    std::size_t held(std::size_t lane) const noexcept { return bytes_[lane] % block_bytes; }

    /// Moves the front of `next` behind the bytes that are held, until they are a block, which is hashed.
    void keep(std::size_t lane, bytes_view& next) {
        const std::size_t now = std::min(next.size(), block_bytes - held(lane));
        std::copy_n(next.begin(), now, tails_[lane].begin() + static_cast<std::ptrdiff_t>(held(lane)));
        next = next.subspan(now);
        bytes_[lane] += now;
        if (now == 0 || held(lane) > 0) return;
        sources from{};
        from[lane] = tails_[lane].data();
        run(from, 1);
    }

    void run(sources from, std::size_t blocks) {
        const auto any =
            std::find_if(from.begin(), from.end(), [](const std::uint8_t* each) { return each != nullptr; });
        if (any == from.end()) return;
        const kernel::md5_states before = states_;
        const sources asked = from;
        std::replace(from.begin(), from.end(), static_cast<const std::uint8_t*>(nullptr), *any);
        blocks_(states_, from.data(), blocks);
        for (std::size_t lane = 0; lane < most; ++lane)
            for (std::size_t w = 0; asked[lane] == nullptr && w < 4; ++w)
                states_.words[w][lane] = before.words[w][lane];
    }

    void take_one_by_one(pieces& next) {
        for (std::size_t lane = 0; lane < most; ++lane) {
            if (!next[lane].empty()) hashers_[lane].update(next[lane]);
            next[lane] = {};
        }
    }

    kernel::md5_blocks_function blocks_;
    kernel::md5_states states_{};
    std::array<std::uint64_t, most> bytes_{}; ///< of each message so far
    std::array<std::array<std::uint8_t, block_bytes>, most> tails_{};
    std::optional<hash_methods> methods_; ///< where there is no function for blocks
    std::vector<md5_hasher> hashers_;
};

} // namespace bigsmall::archive
