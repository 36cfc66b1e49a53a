// SPDX-License-Identifier: BSL-1.0
// Slices out of bundles. A bundle is decoded once for many slices, which are often wanted in a row.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

#include <bigsmall/archive/decode_block.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/core/error.hpp>
#include <bigsmall/core/units.hpp>
#include <bigsmall/io/container/index.hpp>

namespace bigsmall::archive::detail {

/// The bundles that were asked for last, decoded: 32 MiB of them. Any thread may call.
class bundle_cache {
public:
    /// Fills `to` with the bytes of `slice`, a content of `container`, from its byte `from` on. Throws: as
    /// decode_block().
    void read(const opened_container& container, const io::content_entry& slice, std::uint64_t from, bytes_span to,
              const codec_ref& codec, decode_memory& memory) {
        const io::content_entry& bundle = container.index().contents[slice.bundle];
        const std::shared_ptr<entry> found = entry_of(bundle);
        const std::scoped_lock lock(found->mutex);
        if (!found->tried) decode(*found, container, codec, memory);
        if (found->failure) throw error(*found->failure);
        std::copy_n(found->bytes.begin() + static_cast<std::ptrdiff_t>(slice.offset + from), to.size(), to.begin());
    }

private:
    static constexpr std::uint64_t most_bytes = 32 * MiB;

    struct entry {
        const io::content_entry* bundle = nullptr;
        std::mutex mutex; // of what follows: who comes second waits for the bytes
        bool tried = false;
        std::optional<error> failure; // for all slices: a damaged bundle is not decoded again for each
        byte_buffer bytes;
    };
    using entries = std::list<std::shared_ptr<entry>>;

    static void decode(entry& to, const opened_container& container, const codec_ref& codec, decode_memory& memory) {
        to.tried = true;
        to.bytes.resize(static_cast<std::size_t>(to.bundle->raw_bytes));
        try {
            decode_block(container, *to.bundle, 0, to.bundle->offset, to.bytes, codec, memory);
        } catch (const error& failure) {
            to.failure = failure;
        }
    }

    /// Moves the entry to the front; the last ones go when there is too much.
    std::shared_ptr<entry> entry_of(const io::content_entry& bundle) {
        const std::scoped_lock lock(mutex_);
        if (const auto at = places_.find(&bundle); at != places_.end()) {
            entries_.splice(entries_.begin(), entries_, at->second);
            return entries_.front();
        }
        while (!entries_.empty() && bytes_ + bundle.raw_bytes > most_bytes) {
            bytes_ -= entries_.back()->bundle->raw_bytes;
            places_.erase(entries_.back()->bundle);
            entries_.pop_back();
        }
        entries_.push_front(std::make_shared<entry>());
        entries_.front()->bundle = &bundle;
        places_.emplace(&bundle, entries_.begin());
        bytes_ += bundle.raw_bytes;
        return entries_.front();
    }

    std::mutex mutex_;
    entries entries_; // the last used first
    std::unordered_map<const io::content_entry*, entries::iterator> places_;
    std::uint64_t bytes_ = 0;
};

} // namespace bigsmall::archive::detail
