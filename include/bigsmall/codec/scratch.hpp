// SPDX-License-Identifier: BSL-1.0
// The memory a codec works in and the kernels it works with: one per worker, reused for every block.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/kernel/select.hpp>

namespace bigsmall {

/// Bytes that will be read soon: decoders that compute more than they read fetch them into the caches meanwhile.
class read_ahead {
public:
    void expect(bytes_view soon) noexcept { soon_ = soon; }

    /// What comes after that, such as the next block.
    void then(bytes_view later) noexcept { later_ = later; }

    /// Fetches the next `size_bytes`, rounded up to lines of the cache.
    void fetch(std::size_t size_bytes) noexcept {
        constexpr std::size_t line = 64;
        const std::size_t lines = (size_bytes + line - 1) / line * line;
        if (soon_.empty()) soon_ = std::exchange(later_, {});
        const bytes_view now = soon_.first(std::min(soon_.size(), lines));
        for (std::size_t at = 0; at < now.size(); at += line)
            __builtin_prefetch(now.data() + at, 0, 2);
        soon_ = soon_.subspan(now.size());
    }

private:
    bytes_view soon_, later_;
};

class scratch {
public:
    /// With the widest kernels of this processor, or with a table chosen by the caller (tests do).
    explicit scratch(const kernel::table& kernels = kernel::best()) noexcept : kernels_(&kernels) {}

    const kernel::table& kernels() const noexcept { return *kernels_; }

    /// What a piece of memory is for; each purpose keeps its own buffer.
    enum class purpose : std::size_t {
        planes,   ///< the streams of a block
        lead,     ///< the first of them
        coded,    ///< the coded streams of a candidate
        trial,    ///< a coded stream that may lose
        block,    ///< the caller's
        sample,   ///< a part of a block
        grouping, ///< what a grouping's plan keeps for its split
        symbols,  ///< the levels of a wavelet tree
        bitmaps,  ///< its coded bitmaps
        classes,  ///< symbols by class
        count_
    };

    /// `size_bytes` of memory with unspecified contents, aligned to a line of the cache, valid until the next call for
    /// the same purpose. Throws std::bad_alloc.
    bytes_span memory(purpose what, std::size_t size_bytes) {
        constexpr std::size_t line = 64;
        byte_buffer& buffer = buffers_[static_cast<std::size_t>(what)];
        if (buffer.size() < size_bytes + line) {
            buffer.clear(); // growing would copy what nobody needs
            buffer.resize(size_bytes + line);
        }
        const std::size_t past = reinterpret_cast<std::uintptr_t>(buffer.data()) % line;
        return bytes_span(buffer).subspan((line - past) % line, size_bytes);
    }

    /// The buffer itself, emptied, for contents that grow: it keeps the room that it once had.
    byte_buffer& growing(purpose what) noexcept {
        byte_buffer& buffer = buffers_[static_cast<std::size_t>(what)];
        buffer.clear();
        return buffer;
    }

    /// What the block's decoder will read after the stream at hand. Callers that decode block after block may announce
    /// the next one: memory.ahead().then(next).
    read_ahead& ahead() noexcept { return ahead_; }

private:
    read_ahead ahead_;
    const kernel::table* kernels_;
    std::array<byte_buffer, static_cast<std::size_t>(purpose::count_)> buffers_;
};

} // namespace bigsmall
