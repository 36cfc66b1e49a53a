// SPDX-License-Identifier: BSL-1.0
// Slices out of bundles. A bundle is decoded once for many slices, which are often wanted in a row.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include <bigsmall/archive/decode_block.hpp>
#include <bigsmall/archive/opened_archive.hpp>
#include <bigsmall/core/bytes.hpp>
#include <bigsmall/io/container/index.hpp>

namespace bigsmall::archive::detail {

/// The bundles that were asked for last, decoded: at most 32, so 32 MiB. Any thread may call.
class bundle_cache {
public:
    /// Fills `to` with the bytes of `slice`, a content of `container`, from its byte `from` on. Throws: as decode_block().
    void read(const opened_container& container, const io::content_entry& slice, std::uint64_t from, bytes_span to,
              const codec_ref& codec, decode_memory& memory) {
        const io::content_entry& bundle = container.index().contents[slice.bundle];
        const std::shared_ptr<entry> found = entry_of(bundle);
        const std::scoped_lock lock(found->mutex);
        if (!found->decoded) {
            found->bytes.resize(static_cast<std::size_t>(bundle.raw_bytes));
            decode_block(*container.reader, bundle, 0, bundle.offset, found->bytes, codec, memory);
            found->decoded = true;
        }
        std::copy_n(found->bytes.begin() + static_cast<std::ptrdiff_t>(slice.offset + from), to.size(), to.begin());
    }

private:
    static constexpr std::size_t most = 32;

    struct entry {
        const io::content_entry* bundle = nullptr;
        std::mutex mutex; // of what follows: who comes second waits for the bytes
        bool decoded = false;
        byte_buffer bytes;
    };

    /// Moves the entry to the front; the last one goes when there are too many.
    std::shared_ptr<entry> entry_of(const io::content_entry& bundle) {
        const std::scoped_lock lock(mutex_);
        const auto at = std::find_if(entries_.begin(), entries_.end(),
                                     [&](const auto& each) { return each->bundle == &bundle; });
        if (at != entries_.end()) {
            entries_.splice(entries_.begin(), entries_, at);
            return entries_.front();
        }
        if (entries_.size() == most) entries_.pop_back();
        entries_.push_front(std::make_shared<entry>());
        entries_.front()->bundle = &bundle;
        return entries_.front();
    }

    std::mutex mutex_;
    std::list<std::shared_ptr<entry>> entries_; // the last used first
};

} // namespace bigsmall::archive::detail
