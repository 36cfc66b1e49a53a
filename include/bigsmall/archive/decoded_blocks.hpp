// SPDX-License-Identifier: BSL-1.0
// The blocks that were decoded last. Who reads a tensor in pieces smaller than its blocks decodes each block once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <utility>

#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/units.hpp>

namespace bigsmall::archive::detail {

/// 32 MiB of decoded blocks, the last used. Any thread may call.
class decoded_blocks {
public:
    /// Which block of an archive it is.
    struct key {
        std::size_t container = 0;
        std::uint32_t content = 0;
        std::uint64_t block = 0;

        auto operator<=>(const key&) const = default;
    };

    /// Copies a part of a block of `size` bytes, from its byte `from` on; `decode(bytes_span)` fills the whole block
    /// when it is not here. What that throws comes through, and the next caller tries again.
    template <class Decode>
    void read(const key& wanted, std::size_t size, std::size_t from, bytes_span to, Decode&& decode) {
        const std::shared_ptr<entry> found = entry_of(wanted, size);
        {
            const std::scoped_lock lock(found->mutex);
            if (!found->decoded) {
                found->bytes.resize(size);
                decode(bytes_span(found->bytes));
                found->decoded = true;
            }
        }
        std::copy_n(found->bytes.begin() + static_cast<std::ptrdiff_t>(from), to.size(), to.begin());
    }

private:
    static constexpr std::uint64_t most_bytes = 32 * MiB;

    struct entry {
        key where;
        std::size_t size = 0;
        std::mutex mutex; // of what follows, until it is decoded: who comes second waits for the bytes
        bool decoded = false;
        byte_buffer bytes;
    };
    using entries = std::list<std::shared_ptr<entry>>;

    /// Moves the entry to the front; the last ones go when there is too much.
    std::shared_ptr<entry> entry_of(const key& wanted, std::size_t size) {
        const std::scoped_lock lock(mutex_);
        if (const auto at = places_.find(wanted); at != places_.end()) {
            entries_.splice(entries_.begin(), entries_, at->second);
            return entries_.front();
        }
        while (!entries_.empty() && bytes_ + size + entry_bytes > most_bytes) {
            bytes_ -= entries_.back()->size + entry_bytes;
            places_.erase(entries_.back()->where);
            entries_.pop_back();
        }
        entries_.push_front(std::make_shared<entry>());
        entries_.front()->where = wanted;
        entries_.front()->size = size;
        places_.emplace(wanted, entries_.begin());
        bytes_ += size + entry_bytes;
        return entries_.front();
    }

    std::mutex mutex_;
    entries entries_; // the last used first
    std::map<key, entries::iterator> places_;
    static constexpr std::uint64_t entry_bytes = 512; // what keeping a block takes besides, about
    std::uint64_t bytes_ = 0;
};

} // namespace bigsmall::archive::detail
